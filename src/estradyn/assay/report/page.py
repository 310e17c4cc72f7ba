"""The page that reports an analysed assay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from estradyn import __version__
from estradyn.assay.analysis import AssayResult, CurveResult, JointResult
from estradyn.assay.curves.families import FAMILIES
from estradyn.assay.curves.fit import CurveFit
from estradyn.assay.curves.landmarks import LANDMARKS
from estradyn.assay.curves.profile import LandmarkInterval
from estradyn.assay.report.figures import (
    curve_figure,
    growth_rate_figure,
    plate_figure,
    residual_figure,
    zone_figure,
)
from estradyn.assay.series import describe, dose_text
from estradyn.assay.tables import is_extrapolated
from estradyn.report.drawing import draw_figure
from estradyn.report.figures.figure import Figure
from estradyn.report.templates import DrawnFigure, house_style
from estradyn.report.wording import NOTHING, number_text

NOTICE = "For research use only. Not medical advice."

_HEADS = {
    "peak_dose": "Dose of peak",
    "peak_percent": "Peak, % of control",
    "limiting_dose": "Return to control",
    "ed50": "ED50 from control",
    "midpoint_dose": "EC50",
}


class _Drawing:
    """Numbers and draws figures in the order in which they are asked for."""

    def __init__(self) -> None:
        self.drawn: list[DrawnFigure] = []

    def draw(self, figure: Figure) -> DrawnFigure:
        result = draw_figure(figure, len(self.drawn) + 1)
        self.drawn.append(result)
        return result


def report_page(result: AssayResult, title: str) -> tuple[str, list[DrawnFigure]]:
    """Write the page.

    Parameters
    ----------
    result
        Analysed assay.
    title
        Heading of the page.

    Returns
    -------
    html : str
        A page that needs no other file, no network and no script.
    figures : list of DrawnFigure
        Its figures, to be saved beside it.
    """
    drawing = _Drawing()
    groups: dict[tuple[str, str, str, float], list[CurveResult]] = {}
    for curve in result.curves:
        groups.setdefault(curve.series.key.over_times(), []).append(curve)
    joint = {one.keys[0].over_times(): one for one in result.joint}
    sections = [
        _section(curves, joint.get(key), number, drawing)
        for number, (key, curves) in enumerate(groups.items(), start=1)
    ]
    plates = drawing.draw(plate_figure(result))
    growth_chart = growth_rate_figure(result)
    growth = None if growth_chart is None else drawing.draw(growth_chart)
    environment = Environment(
        loader=PackageLoader("estradyn.assay.report", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=False,
    )
    plate_count = result.wells["plate"].nunique()
    html = environment.get_template("analysis.html.jinja").render(
        title=title,
        subtitle=f"{plate_count} plates, {len(result.curves)} dose-response curves",
        notice=NOTICE,
        version=__version__,
        style=house_style(),
        findings=finding_sentences(result),
        notes=result.notes,
        sections=sections,
        shifts=[_shift(shift) for shift in result.antagonism],
        plate_figures=[plates],
        quality=[_quality(row) for row in result.quality.to_dict("records")],
        growth=growth,
        options=result.options,
        level=f"{100 * result.options.level:g}",
    )
    return html, drawing.drawn


def finding_sentences(result: AssayResult) -> list[str]:
    """One sentence per series and time: whether there is a zone and where."""
    sentences = []
    for curve in result.curves:
        key, unit = curve.series.key, curve.series.unit
        name = describe(key, unit)
        marks = {interval.landmark.name: interval for interval in curve.intervals}
        if curve.choice.biphasic:
            percent = marks["peak_percent"]
            text = (
                f"{name}: stimulation to {number_text(float(percent.value[0]))} % of control "
                f"({_interval(percent, unit)}) with its peak at "
                f"{_value(marks['peak_dose'], unit)} ({_interval(marks['peak_dose'], unit)})"
            )
            if np.isfinite(marks["limiting_dose"].value[0]):
                text += (
                    f", back at the control at {_value(marks['limiting_dose'], unit)} "
                    f"({_interval(marks['limiting_dose'], unit)})"
                )
            sentences.append(text + ".")
            continue
        fit = curve.choice.chosen
        if fit.family.has_floor and fit.local()[0, 1] > fit.local()[0, 0]:
            middle = marks["midpoint_dose"]
            sentences.append(
                f"{name}: the response rises with dose, EC50 {_value(middle, unit)} "
                f"({_interval(middle, unit)})."
            )
        elif not fit.family.falls:
            sentences.append(f"{name}: no response to dose is seen.")
        else:
            half = marks["ed50"]
            reached = np.isfinite(half.value[0])
            sentences.append(
                f"{name}: no stimulation zone; "
                + (
                    f"half of the control at {_value(half, unit)} ({_interval(half, unit)})."
                    if reached
                    else "the response never falls to half of the control."
                )
            )
    return sentences


def _value(interval: LandmarkInterval, unit: str) -> str:
    value = float(interval.value[0])
    if not np.isfinite(value):
        return NOTHING
    return dose_text(value, unit) if interval.landmark.is_dose else number_text(value)


def _interval(interval: LandmarkInterval, unit: str) -> str:
    """Limits in words; an open side says so."""
    if not np.isfinite(interval.value[0]):
        return ""

    def limit(value: float) -> str:
        if interval.landmark.is_dose:
            return dose_text(value, unit)
        return number_text(value)

    low, high = float(interval.lower[0]), float(interval.upper[0])
    open_low = not np.isfinite(low) or low <= 0
    open_high = not np.isfinite(high)
    if open_low and open_high:
        return "no limit on either side"
    if open_low:
        return f"up to {limit(high)}"
    if open_high:
        return f"{limit(low)} or more"
    return f"{limit(low)} to {limit(high)}"


def _cells(
    intervals: Sequence[LandmarkInterval], names: Sequence[str], fit: CurveFit, unit: str
) -> list[dict[str, str]]:
    marks = {interval.landmark.name: interval for interval in intervals}
    cells = []
    for name in names:
        if name not in marks:
            cells.append({"value": NOTHING, "interval": ""})
            continue
        mark = marks[name]
        star = "*" if is_extrapolated(mark.landmark, float(mark.value[0]), fit) else ""
        cells.append({"value": _value(mark, unit) + star, "interval": _interval(mark, unit)})
    return cells


def _probability(value: float) -> str:
    """A p value with two digits; below 0.001 its size does not matter."""
    if not np.isfinite(value):
        return NOTHING
    return "< 0.001" if value < 0.001 else f"{value:.2g}"


def _time(hours: float) -> str:
    return f"{hours:g} h" if np.isfinite(hours) else "all"


def _section(
    curves: Sequence[CurveResult], joint: JointResult | None, number: int, drawing: _Drawing
) -> dict[str, Any]:
    unit = curves[0].series.unit
    present = {
        interval.landmark.name
        for curve in curves
        for interval in curve.intervals
        if np.isfinite(interval.value[0])
    }
    if joint is not None:
        present |= {i.landmark.name for i in joint.intervals if np.isfinite(i.value[0])}
    rising = all(
        c.choice.chosen.family.has_floor
        and c.choice.chosen.local()[0, 1] > c.choice.chosen.local()[0, 0]
        for c in curves
    )
    names = [
        mark.name
        for mark in LANDMARKS
        if mark.name in present and (rising or mark.name != "midpoint_dose")
    ]
    rows = [
        {
            "time": _time(curve.series.key.time_h),
            "curve": curve.choice.chosen.family.label,
            "cells": _cells(curve.intervals, names, curve.choice.chosen, unit),
            "bootstrap_p": _probability(curve.choice.bootstrap_p),
            "lack_of_fit_p": _probability(curve.choice.lack_of_fit.p_value),
        }
        for curve in curves
    ]
    weights = [
        {
            "label": FAMILIES[name].label,
            "numbers": [
                f"{curve.choice.weights[name]:.3f}" if name in curve.choice.weights else NOTHING
                for curve in curves
            ],
        }
        for name in curves[0].choice.fits
    ]
    single_rows = list(rows)
    joint_text = ""
    if joint is not None:
        for group, key in enumerate(joint.keys):
            own = [interval for interval in joint.intervals if interval.group == group]
            rows.append(
                {
                    "time": f"{_time(key.time_h)}, joint",
                    "curve": joint.fit.family.label,
                    "cells": _cells(own, names, joint.fit, unit),
                    "bootstrap_p": "",
                    "lack_of_fit_p": "",
                }
            )
        joint_text = _joint_sentence(joint)
    figures = [drawing.draw(curve_figure(curves, number))]
    zone = zone_figure(curves, joint, number)
    if zone is not None:
        figures.append(drawing.draw(zone))
    return {
        "title": describe(curves[0].series.key, unit, with_time=False),
        "heads": [_HEADS[name] for name in names],
        "rows": rows,
        "figures": figures,
        "residuals": drawing.draw(residual_figure(curves, number)),
        "reasons": [
            {"time": row["time"], "text": curve.choice.reason}
            for row, curve in zip(single_rows, curves, strict=True)
        ],
        "joint": joint_text,
        "weights": weights,
    }


def _joint_sentence(joint: JointResult) -> str:
    test = (
        f"F({joint.numerator_df}, {joint.denominator_df}) = {joint.statistic:.3g}, "
        f"p = {joint.p_value:.2g}"
    )
    name = joint.fit.family.label
    if joint.p_value < 0.05:
        return (
            f"Over all times jointly ({name}, doses and slopes shared): the data deny that the "
            f"times share them ({test}), so read each time on its own."
        )
    return (
        f"Over all times jointly ({name}, doses and slopes shared): nothing speaks against sharing "
        f"({test}), and the joint intervals use all times."
    )


def _shift(shift: Any) -> dict[str, str]:
    def limits(low: float, high: float) -> str:
        if low <= 0 and not np.isfinite(high):
            return "no limit on either side"
        if low <= 0:
            return f"up to {dose_text(high, shift.unit)}"
        if not np.isfinite(high):
            return f"{dose_text(low, shift.unit)} or more"
        return f"{dose_text(low, shift.unit)} to {dose_text(high, shift.unit)}"

    return {
        "drug": ", ".join(part for part in (shift.drug, shift.cell_line, shift.readout) if part),
        "time": _time(shift.time_h),
        "kb": dose_text(shift.kb, shift.unit),
        "kb_interval": limits(shift.kb_lower, shift.kb_upper),
        "ec50": dose_text(shift.ec50, shift.unit),
        "ec50_interval": limits(shift.ec50_lower, shift.ec50_upper),
        "slope": number_text(shift.schild_slope),
        "slope_p": _probability(shift.schild_p),
        "lack_of_fit_p": _probability(shift.lack_of_fit_p),
    }


def _quality(row: Mapping[Any, Any]) -> dict[str, Any]:
    names = ("z_prime", "ssmd", "vehicle_cv", "edge_effect")
    tests = ("edge_p", "row_p", "column_p")
    return {
        "plate": row["plate"],
        "numbers": [number_text(float(row[name])) for name in names]
        + [_probability(float(row[name])) for name in tests],
        "flags": row["flags"] or "none",
    }
