"""Figures of an analysed assay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import altair as alt
import numpy as np
import pandas as pd

from estradyn.assay.analysis import AssayResult, CurveResult, JointResult
from estradyn.assay.report.axes import control_position, dose_channel
from estradyn.assay.series import describe
from estradyn.assay.tables import growth_rate_table, residual_table
from estradyn.assay.wells import row_name, smallest_plate
from estradyn.report.figures.figure import Figure
from estradyn.report.palette import ARM_COLORS, INK
from estradyn.report.theme import FULL_WIDTH

_BLUE, _ORANGE, _GREEN = ARM_COLORS[0], ARM_COLORS[1], ARM_COLORS[2]
_GAP = 62
_MOST_COLUMNS = 3


def _columns(panels: int) -> int:
    return 2 if panels in (2, 4) else min(panels, _MOST_COLUMNS)


def _panel_width(columns: int) -> int:
    return (FULL_WIDTH - _GAP * (columns - 1)) // columns


def _grid(panels: Sequence[Any], columns: int) -> Any:
    return alt.concat(*panels, columns=columns, spacing=24).resolve_scale(color="shared")


def _thinned(values: pd.DataFrame) -> pd.DataFrame:
    """Numbers with five digits: what a drawing can show."""
    numbers = values.select_dtypes("number").columns
    return values.assign(**{name: [float(f"{v:.5g}") for v in values[name]] for name in numbers})


def plate_figure(result: AssayResult) -> Figure:
    """Heat map of every plate: percent of vehicle, with the controls marked."""
    plates = list(dict.fromkeys(result.wells["plate"]))
    columns = min(2, len(plates))
    width = _panel_width(columns)
    flags = result.quality.set_index("plate")["flags"]
    panels = []
    for plate in plates:
        wells = result.wells[result.wells["plate"] == plate]
        rows, cols = smallest_plate(int(wells["row"].max()) + 1, int(wells["column"].max()) + 1)
        data = pd.DataFrame(
            {
                "row": [row_name(row) for row in wells["row"]],
                "column": wells["column"] + 1,
                "percent": wells["percent_of_vehicle"],
                "mark": [
                    {"vehicle": "v", "blank": "b", "positive_control": "+"}.get(role, "")
                    if np.isfinite(signal)
                    else "×"
                    for role, signal in zip(wells["role"], wells["signal"], strict=True)
                ],
            }
        )
        data = data[wells["role"].to_numpy() != "empty"]
        side = width / cols
        base = alt.Chart(_thinned(data)).encode(
            x=alt.X(
                "column:O",
                scale=alt.Scale(domain=list(range(1, cols + 1)), paddingInner=0.06),
                axis=alt.Axis(
                    title=None,
                    labelAngle=0,
                    labelFontSize=9,
                    ticks=False,
                    domain=False,
                    values=list(range(1, cols + 1, 1 if cols <= 12 else 2)),
                ),
            ),
            y=alt.Y(
                "row:O",
                scale=alt.Scale(domain=[row_name(row) for row in range(rows)], paddingInner=0.06),
                axis=alt.Axis(title=None, labelFontSize=9, ticks=False, domain=False),
            ),
        )
        tiles = base.mark_rect().encode(
            color=alt.Color(
                "percent:Q",
                scale=alt.Scale(
                    domain=[0, 100, 200], range=[_ORANGE, "#f3f3f1", _BLUE], clamp=True
                ),
                legend=alt.Legend(
                    title="percent of vehicle",
                    orient="top",
                    gradientLength=180,
                    gradientThickness=8,
                    values=[0, 50, 100, 150, 200],
                ),
            )
        )
        marks = base.mark_text(fontSize=max(6, min(11, side * 0.55)), color=INK).encode(
            text="mark:N"
        )
        time = wells["time_h"].iloc[0]
        parts = [plate, f"{time:g} h" if np.isfinite(time) else ""]
        title = ", ".join(part for part in parts if part) + (" · flagged" if flags[plate] else "")
        panels.append(
            (tiles + marks).properties(
                width=width, height=rows * side, title=alt.TitleParams(title, fontSize=12)
            )
        )
    return Figure(
        "plates",
        "Plates",
        "Each well as percent of the vehicle of its plate, after blank subtraction; colors end at "
        "0 and 200 %. v vehicle, b blank, + positive control, × no number.",
        _grid(panels, columns),
    )


def curve_figure(curves: Sequence[CurveResult], number: int) -> Figure:
    """Curves of one series at its times, with bands, replicates and landmarks."""
    unit = curves[0].series.unit
    doses = pd.concat([curve.replicates.table["dose"] for curve in curves])
    zero = control_position(doses)
    top = max(float(curve.replicates.table["response"].max()) for curve in curves)
    top = max(120.0, 1.18 * top)
    columns = _columns(len(curves))
    scale = alt.Scale(domain=[0, top], nice=False)
    panels = []
    for place, curve in enumerate(curves):
        y_title = "percent of vehicle" if place % columns == 0 else None
        band = _thinned(curve.curve)
        points = curve.replicates.table[["plate", "dose", "response"]].copy()
        points["dose"] = points["dose"].where(points["dose"] > 0, zero)
        x = dose_channel("dose", doses, unit, labels=5)
        layers: list[Any] = [
            alt.Chart(pd.DataFrame({"y": [100.0]}))
            .mark_rule(color="#888888", strokeDash=[3, 3])
            .encode(y=alt.Y("y:Q", scale=scale, title=y_title)),
            alt.Chart(band)
            .mark_area(color=_BLUE, opacity=0.18, clip=True)
            .encode(x=x, y=alt.Y("lower:Q", scale=scale, title=y_title), y2="upper:Q"),
            alt.Chart(_thinned(points))
            .mark_point(color=INK, opacity=0.65, size=22, strokeWidth=1, clip=True)
            .encode(x=x, y=alt.Y("response:Q", scale=scale, title=y_title)),
            alt.Chart(band)
            .mark_line(color=_BLUE, strokeWidth=2, clip=True)
            .encode(x=x, y=alt.Y("fit:Q", scale=scale, title=y_title)),
        ]
        layers += _landmark_layers(curve, unit, scale, top, y_title, doses)
        time = curve.series.key.time_h
        label = f"{time:g} h · " if np.isfinite(time) else ""
        panels.append(
            alt.layer(*layers).properties(
                width=_panel_width(columns),
                height=210,
                title=alt.TitleParams(label + curve.choice.chosen.family.label, fontSize=12),
            )
        )
    name = describe(curves[0].series.key, unit, with_time=False)
    return Figure(
        f"curve-{number}",
        f"Dose-response of {name}",
        "Circles are replicates ("
        + ("mean of each plate" if curves[0].replicates.unit == "plate" else "wells of one plate")
        + "), the line is the chosen curve, the band its pointwise 95 % interval (parametric "
        "bootstrap). Where stimulation is supported, bars at the foot are the 95 % intervals of "
        "the dose of the peak (orange) and of the return to control (green).",
        _grid(panels, columns),
    )


def _landmark_layers(
    curve: CurveResult,
    unit: str,
    scale: alt.Scale,
    top: float,
    y_title: str | None,
    doses: pd.Series,
) -> list[Any]:
    if not curve.choice.biphasic:
        return []
    low, high = control_position(doses), float(doses.max()) * 2.0
    rows = []
    for interval in curve.intervals:
        color = {"peak_dose": _ORANGE, "limiting_dose": _GREEN}.get(interval.landmark.name)
        value = float(interval.value[0])
        if color is None or not np.isfinite(value):
            continue
        rows.append(
            {
                "value": float(np.clip(value, low, high)),
                "lower": float(np.clip(interval.lower[0], low, high)),
                "upper": float(np.clip(interval.upper[0], low, high)),
                "color": color,
                "level": top * (0.035 if interval.landmark.name == "peak_dose" else 0.075),
            }
        )
    if not rows:
        return []
    base = alt.Chart(pd.DataFrame(rows)).encode(
        y=alt.Y("level:Q", scale=scale, title=y_title), color=alt.Color("color:N", scale=None)
    )
    lower = dose_channel("lower", doses, unit, labels=5)
    middle = dose_channel("value", doses, unit, labels=5)
    return [
        base.mark_rule(strokeWidth=3).encode(x=lower, x2="upper:Q"),
        base.mark_point(filled=True, size=45, opacity=1).encode(x=middle),
    ]


def residual_figure(curves: Sequence[CurveResult], number: int) -> Figure:
    """Standardised residuals of one series against dose."""
    unit = curves[0].series.unit
    doses = pd.concat([curve.replicates.table["dose"] for curve in curves])
    zero = control_position(doses)
    columns = _columns(len(curves))
    panels = []
    for place, curve in enumerate(curves):
        table = residual_table(curve)
        table["dose"] = table["dose"].where(table["dose"] > 0, zero)
        table = _thinned(table[["dose", "standardised_residual"]].dropna())
        y_title = "residual / SD" if place % columns == 0 else None
        y = alt.Y(
            "standardised_residual:Q", scale=alt.Scale(domain=[-4, 4], nice=False), title=y_title
        )
        rule = (
            alt.Chart(pd.DataFrame({"y": [0.0]}))
            .mark_rule(color="#888888")
            .encode(y=alt.Y("y:Q", title=y_title))
        )
        points = (
            alt.Chart(table)
            .mark_point(color=INK, opacity=0.65, size=20, strokeWidth=1, clip=True)
            .encode(x=dose_channel("dose", doses, unit, labels=5), y=y)
        )
        time = curve.series.key.time_h
        label = f"{time:g} h" if np.isfinite(time) else "residuals"
        panels.append(
            (rule + points).properties(
                width=_panel_width(columns), height=110, title=alt.TitleParams(label, fontSize=12)
            )
        )
    name = describe(curves[0].series.key, unit, with_time=False)
    return Figure(
        f"residuals-{number}",
        f"Residuals of {name}",
        "Replicate less curve, in standard deviations. A curve that fits leaves no pattern.",
        _grid(panels, columns),
    )


def zone_figure(
    curves: Sequence[CurveResult], joint: JointResult | None, number: int
) -> Figure | None:
    """Stimulation zone over time: dose of the peak and of the return to control."""
    unit = curves[0].series.unit
    doses = pd.concat([curve.replicates.table["dose"] for curve in curves])
    low, high = control_position(doses), float(doses.max()) * 2.0
    rows = []

    def add(interval: Any, time: float, analysis: str) -> None:
        value = float(interval.value[0])
        if interval.landmark.name not in ("peak_dose", "limiting_dose") or not np.isfinite(value):
            return
        rows.append(
            {
                "time": f"{time:g} h",
                "hours": time,
                "landmark": "peak"
                if interval.landmark.name == "peak_dose"
                else "return to control",
                "analysis": analysis,
                "value": float(np.clip(value, low, high)),
                "lower": float(np.clip(interval.lower[0], low, high)),
                "upper": float(np.clip(interval.upper[0], low, high)),
            }
        )

    for curve in curves:
        if curve.choice.biphasic and np.isfinite(curve.series.key.time_h):
            for interval in curve.intervals:
                add(interval, curve.series.key.time_h, "each time")
    if joint is not None and joint.fit.family.biphasic:
        for interval in joint.intervals:
            add(interval, joint.keys[interval.group].time_h, "joint")
    if not rows:
        return None
    data = pd.DataFrame(rows)
    times = [f"{hours:g} h" for hours in sorted(data["hours"].unique())]
    shown = list(dict.fromkeys(data["analysis"]))
    x = dose_channel("value", doses, unit, labels=8)
    base = alt.Chart(_thinned(data)).encode(
        y=alt.Y("time:N", sort=times, title=None, axis=alt.Axis(grid=True)),
        yOffset=alt.YOffset("analysis:N", sort=shown),
        color=alt.Color(
            "landmark:N",
            scale=alt.Scale(domain=["peak", "return to control"], range=[_ORANGE, _GREEN]),
            legend=alt.Legend(symbolType="stroke", symbolStrokeWidth=3),
        ),
    )
    chart = (
        base.mark_rule(strokeWidth=2).encode(
            x=dose_channel("lower", doses, unit, labels=8), x2="upper:Q"
        )
        + base.mark_point(filled=True, size=55, opacity=1).encode(
            x=x,
            shape=alt.Shape(
                "analysis:N",
                scale=alt.Scale(domain=["each time", "joint"], range=["circle", "diamond"]),
                legend=alt.Legend(symbolStrokeWidth=0, symbolFillColor=INK)
                if len(shown) > 1
                else None,
            ),
        )
    ).properties(width=FULL_WIDTH - 60, height=36 * len(times) * max(1, len(shown)) * 0.75 + 20)
    name = describe(curves[0].series.key, unit, with_time=False)
    return Figure(
        f"zone-{number}",
        f"Stimulation zone of {name}",
        "Dose of the peak and dose at which the response returns to the control, with 95 % "
        "profile-likelihood intervals; intervals that leave the axis are open on that side.",
        chart,
    )


def growth_rate_figure(result: AssayResult) -> Figure | None:
    """Growth rates (GR) of all series and times."""
    table = growth_rate_table(result)
    if table.empty:
        return None
    unit = result.curves[0].series.unit
    names = {
        curve.series.key.over_times(): describe(curve.series.key, unit, with_time=False)
        for curve in result.curves
    }
    table["series"] = [
        names[cast("tuple[str, str, str, float]", row)]
        for row in table[["cell_line", "readout", "drug", "agonist_dose"]].itertuples(
            index=False, name=None
        )
    ]
    columns = _columns(table["series"].nunique())
    times = sorted(table["time_h"].dropna().unique())
    panels = []
    for place, (series, part) in enumerate(table.groupby("series", sort=False)):
        zero = control_position(part["dose"])
        data = pd.DataFrame(
            {
                "dose": part["dose"].where(part["dose"] > 0, zero),
                "gr": part["growth_rate"],
                "time": [f"{time:g} h" for time in part["time_h"]],
            }
        )
        y_title = "growth rate (GR)" if place % columns == 0 else None
        rule = (
            alt.Chart(pd.DataFrame({"y": [0.0, 1.0]}))
            .mark_rule(color="#888888", strokeDash=[3, 3])
            .encode(y=alt.Y("y:Q", title=y_title))
        )
        line = (
            alt.Chart(_thinned(data))
            .mark_line(point=alt.OverlayMarkDef(size=25), strokeWidth=1.5)
            .encode(
                x=dose_channel("dose", part["dose"], unit, labels=5),
                y=alt.Y("gr:Q", title=y_title),
                color=alt.Color(
                    "time:N",
                    scale=alt.Scale(
                        domain=[f"{time:g} h" for time in times],
                        range=[ARM_COLORS[i % len(ARM_COLORS)] for i in range(len(times))],
                    ),
                    legend=alt.Legend(symbolType="stroke", symbolStrokeWidth=3),
                ),
            )
        )
        panels.append(
            (rule + line).properties(
                width=_panel_width(columns),
                height=190,
                title=alt.TitleParams(str(series), fontSize=12),
            )
        )
    return Figure(
        "growth-rate",
        "Growth rates",
        "Mean growth rate of plates relative to the vehicle: 1 grows like the vehicle, above 1 "
        "faster, 0 stands still, below 0 dies. Values are not capped at 1.",
        _grid(panels, columns),
    )
