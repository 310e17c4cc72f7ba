"""Forest plots: what was published and what is predicted, one line for each number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from estradyn.evidence import Use
from estradyn.report.figures.figure import Figure
from estradyn.report.palette import ARM_COLORS, INK, MUTED
from estradyn.report.wording import words_of
from estradyn.scorecard.scoring import Score

ROW_HEIGHT = 17
WIDTH = 430
LABEL_WIDTH = 330

_MET, _MISSED = "met", "missed"
_COLORS = {_MET: ARM_COLORS[0], _MISSED: ARM_COLORS[1]}

SMALLEST_RATIO, LARGEST_RATIO = 1 / 30, 30.0
"""Ratios beyond these are drawn at the edge."""


def forest_figures(context: str, scores: Sequence[Score]) -> list[Figure]:
    """Return a forest plot for each group and scale that has numbers.

    Numbers compared as ratios are drawn over the published one on a logarithmic axis, so that
    different units share it; others in their own unit.
    """
    panels: dict[tuple[str, str], list[Score]] = {}
    for score in scores:
        if math.isfinite(score.published):
            panels.setdefault((score.target.item.group, _scale(score)), []).append(score)
    return [_forest(context, group, scale, own) for (group, scale), own in panels.items()]


_RATIO = "ratio to published"


def _scale(score: Score) -> str:
    return _RATIO if score.is_fold else score.target.unit


def _forest(context: str, group: str, scale: str, scores: Sequence[Score]) -> Figure:
    is_ratio = scale == _RATIO
    data = pd.DataFrame([_line(score, is_ratio) for score in scores])
    title = f"{group[:1].upper()}{group[1:]}, {'ratio' if is_ratio else _axis_unit(scale)}"
    shown = "Ratio of prediction to published number" if is_ratio else "Published and predicted"
    caption = (
        f"{shown}. Grey: the published number and where a prediction had to lie (its 95 % "
        "interval, or the tolerance of the group). Dot: prediction with the 95 % interval of the "
        "simulation; open where the model was fitted to the number."
    )
    identifier = "-".join(["forest", context, *group.lower().split(), *scale.split()])
    identifier = "".join(mark if mark.isalnum() else "-" for mark in identifier)
    return Figure(identifier, title, caption, _chart(data, scale, is_ratio))


def _axis_unit(scale: str) -> str:
    return {"percent": "%"}.get(scale, scale)


def _line(score: Score, is_ratio: bool) -> dict[str, Any]:
    target, row = score.target, score.target.item.row
    base = score.published if is_ratio else 1.0
    about = f"{row.drug} {row.dose}".strip()
    what = words_of(target.endpoint).replace("progression-free survival", "PFS")
    time = f", {target.time}" if target.time else ""

    def scaled(value: float) -> float | None:
        if math.isnan(value):
            return None
        value = value / base
        if is_ratio:
            return min(max(value, SMALLEST_RATIO), LARGEST_RATIO)
        return value if math.isfinite(value) else None

    return {
        "label": f"{target.id}  {_shortened(about, 26)}: {_shortened(what + time, 44)}",
        "published": scaled(score.published),
        "allowed_lower": scaled(score.allowed_lower),
        "allowed_upper": scaled(score.allowed_upper),
        "predicted": scaled(score.predicted),
        "predicted_lower": scaled(score.predicted_lower),
        "predicted_upper": scaled(score.predicted_upper),
        "verdict": _MET if score.met else _MISSED,
        "fitted": target.item.use is Use.CALIBRATION,
    }


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def _chart(data: pd.DataFrame, scale: str, is_ratio: bool) -> Any:
    lower, upper = domain = _domain(data, is_ratio)
    if is_ratio:
        x_scale = alt.Scale(type="log", nice=False, domain=domain)
        axis = alt.Axis(title=_RATIO, grid=True, values=[0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20])
    else:
        x_scale = alt.Scale(zero=False, nice=False, domain=domain)
        axis = alt.Axis(title=_axis_unit(scale), grid=True, tickCount=6)
    y = alt.Y(
        "label:N",
        # In the order of the first layer, which holds every line.
        sort=None,
        axis=alt.Axis(title=None, labelLimit=LABEL_WIDTH, labelFontSize=10, ticks=False),
    )
    color = alt.Color(
        "verdict:N",
        scale=alt.Scale(domain=list(_COLORS), range=list(_COLORS.values())),
        legend=alt.Legend(title=None, symbolType="circle"),
    )
    # An open side is drawn to the edge.
    bands = alt.Chart(
        data.assign(
            allowed_lower=data["allowed_lower"].astype(float).fillna(lower).clip(lower, upper),
            allowed_upper=data["allowed_upper"].astype(float).fillna(upper).clip(lower, upper),
        )
    )
    base = alt.Chart(data)
    layers = [
        bands.mark_bar(color=MUTED, opacity=0.55, size=ROW_HEIGHT - 6).encode(
            x=alt.X("allowed_lower:Q", scale=x_scale, axis=axis), x2="allowed_upper:Q", y=y
        ),
        base.mark_tick(color=INK, thickness=1.5, size=ROW_HEIGHT - 6).encode(
            x=alt.X("published:Q", scale=x_scale), y=y
        ),
        base.mark_rule(strokeWidth=1.5, clip=True).encode(
            x=alt.X("predicted_lower:Q", scale=x_scale), x2="predicted_upper:Q", y=y, color=color
        ),
    ]
    for chosen, filled in (("!datum.fitted", True), ("datum.fitted", False)):
        marks = base.transform_filter(chosen).mark_point(
            filled=filled, size=42, strokeWidth=1.6, opacity=1
        )
        layers.append(marks.encode(x=alt.X("predicted:Q", scale=x_scale), y=y, color=color))
    return alt.layer(*layers).properties(width=WIDTH, height=ROW_HEIGHT * len(data))


def _domain(data: pd.DataFrame, is_ratio: bool) -> list[float]:
    """Ends of the axis: every number and allowed interval, and a little room."""
    columns = ["published", "allowed_lower", "allowed_upper", "predicted"]
    present = [float(value) for name in columns for value in data[name] if value is not None]
    numbers = [value for value in present if math.isfinite(value)]
    low, high = min(numbers), max(numbers)
    if is_ratio:
        return [min(0.4, 0.9 * low), max(2.5, 1.1 * high)]
    room = 0.05 * (high - low) or 1.0
    return [low - room, high + room]
