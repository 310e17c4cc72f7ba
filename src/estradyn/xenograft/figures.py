"""Figures of an analysed study."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from scipy import stats

from estradyn.report.figures.figure import Figure
from estradyn.report.palette import INK, MUTED, ArmPalette
from estradyn.report.theme import arm_color, line_legend, panel_width
from estradyn.xenograft.analysis import FLUX, Analysis
from estradyn.xenograft.flare_score import Verdict, calibration_table, roc_points

LARGEST_CHANGE_SHOWN = 200.0
"""Percent; tumors that grow more are drawn at this height in the waterfall."""

CURVE_POINTS = 60

MOST_RESIDUALS = 800
"""Points of each diagnostic panel; more hide one another."""

VERDICT_COLORS = {
    str(Verdict.FLARE): "#009E73",
    str(Verdict.PROGRESSION): "#D55E00",
    str(Verdict.INDETERMINATE): "#56B4E9",
    str(Verdict.NO_RISE): MUTED,
}
"""Colors of Okabe & Ito (2008), "Color Universal Design"."""


def _day_axis(last: float, title: str = "Day of treatment") -> alt.X:
    return alt.X(
        "day:Q",
        title=title,
        scale=alt.Scale(domain=[0, float(last)], nice=False),
        axis=alt.Axis(grid=False, tickMinStep=1),
    )


def _window(end: float, last: float) -> alt.Chart:
    """Shade the flare window."""
    data = pd.DataFrame({"day": [0.0], "end": [min(end, last)]})
    return alt.Chart(data).mark_rect(color="#f3f1ea").encode(x=alt.X("day:Q"), x2="end:Q")


def _volume_axis(low: float, high: float, field: str = "volume") -> alt.Y:
    ticks = [v for e in range(-1, 6) for v in (1 * 10.0**e, 3 * 10.0**e) if low <= v <= high]
    return alt.Y(
        f"{field}:Q",
        title="Tumor volume (mm³)",
        scale=alt.Scale(type="log", domain=[low, high], nice=False),
        axis=alt.Axis(values=ticks, format="~r"),
    )


def _measured(analysis: Analysis) -> pd.DataFrame:
    table = analysis.study.measurements
    table = table[table["volume_mm3"].notna() & (table["day"] >= 0)]
    table = table[["animal", "arm", "day", "volume_mm3"]].copy()
    smallest = analysis.settings.smallest_volume
    table["volume"] = table["volume_mm3"].clip(lower=smallest).round(2)
    return table.drop(columns="volume_mm3")


def group_curves(analysis: Analysis, palette: ArmPalette) -> Figure:
    """Every animal, and the modelled mean of each arm with its interval."""
    table = _measured(analysis)
    last = float(table["day"].max())
    low, high = float(table["volume"].min()) * 0.8, float(table["volume"].max()) * 1.25
    grid = []
    for arm in analysis.arms:
        days = table.loc[table["arm"] == arm, "day"]
        # The model starts at the first visit after baseline.
        for day in np.linspace(min(days[days > 0].min(), days.max()), days.max(), CURVE_POINTS):
            estimate = analysis.growth.mean_log_volume(
                arm, float(day), level=analysis.settings.level
            )
            if estimate is None:
                continue
            grid.append(
                {
                    "arm": arm,
                    "day": round(float(day), 2),
                    "volume": float(np.exp(estimate.value)),
                    "low": float(np.exp(np.clip(estimate.lower, np.log(low), np.log(high)))),
                    "high": float(np.exp(np.clip(estimate.upper, np.log(low), np.log(high)))),
                }
            )
    curves = pd.DataFrame(grid)
    y = _volume_axis(low, high)
    columns = min(len(palette.arms), 3)
    panels = []
    for arm in palette.arms:
        color = palette.color(arm)
        own, curve = table[table["arm"] == arm], curves[curves["arm"] == arm]
        x = _day_axis(last)
        panels.append(
            alt.layer(
                _window(analysis.growth.knot, last),
                alt.Chart(own)
                .mark_line(strokeWidth=0.8, opacity=0.45, color=color)
                .encode(x=x, y=y, detail="animal:N"),
                alt.Chart(curve)
                .mark_area(opacity=0.25, color=color)
                .encode(x=x, y=_volume_axis(low, high, "low"), y2="high:Q"),
                alt.Chart(curve).mark_line(strokeWidth=2.5, color=color).encode(x=x, y=y),
            ).properties(
                title=f"{arm} (n = {own['animal'].nunique()})",
                width=panel_width(columns, gap=70),
                height=250,
            )
        )
    percent = 100 * analysis.settings.level
    return Figure(
        identifier="group-curves",
        title="Tumor volume by arm",
        caption=(
            "Thin lines: each animal as measured. Thick line and band: modelled mean for an animal "
            f"of mean baseline volume, with its {percent:g} % interval. Shaded: the flare window."
        ),
        chart=alt.concat(*panels, columns=columns, spacing=70),
    )


def animal_curves(analysis: Analysis, palette: ArmPalette) -> Figure:
    """Change of each animal, colored by what its early rise was."""
    table = _measured(analysis)
    start = table.groupby("animal")["volume"].first()
    table["change"] = (100.0 * (table["volume"] / table["animal"].map(start) - 1.0)).round(2)
    verdicts = analysis.animals.set_index("animal")["verdict"]
    table["verdict"] = table["animal"].map(verdicts)
    table = table[table["verdict"].isin(list(VERDICT_COLORS))]
    last = float(table["day"].max()) if len(table) else 1.0
    columns = min(len(palette.arms), 3)
    color = alt.Color(
        "verdict:N",
        scale=alt.Scale(domain=list(VERDICT_COLORS), range=list(VERDICT_COLORS.values())),
        legend=line_legend(),
    )
    height = float(np.clip(np.nanquantile(table["change"], 0.98), 120.0, 400.0))
    y = alt.Y(
        "change:Q",
        title="Change from baseline (%)",
        scale=alt.Scale(domain=[-100, height], nice=False, clamp=True),
    )
    panels = [
        alt.layer(
            _window(analysis.growth.knot, last),
            alt.Chart(pd.DataFrame({"change": [0.0]})).mark_rule(color=INK, size=0.7).encode(y=y),
            alt.Chart(table[table["arm"] == arm])
            .mark_line(strokeWidth=1.4, opacity=0.9, clip=True)
            .encode(x=_day_axis(last), y=y, detail="animal:N", color=color),
        ).properties(title=arm, width=panel_width(columns, gap=70), height=250)
        for arm in palette.arms
    ]
    return Figure(
        identifier="animal-curves",
        title="Each animal, and what its early rise was",
        caption=(
            "Change from the animal's own baseline; growth beyond the axis is drawn at its edge. "
            "Color: verdict of rule and score together. Shaded: the flare window."
        ),
        chart=alt.concat(*panels, columns=columns, spacing=70),
    )


def waterfall(analysis: Analysis, palette: ArmPalette) -> Figure | None:
    """Best change of each animal, from baseline and from the end of the flare window."""
    panels = []
    for field, title, limits in (
        ("best_change_percent", "From baseline (mRECIST)", (-50.0, 35.0)),
        ("rebased_best_change_percent", "From the end of the flare window", (-50.0, 35.0)),
    ):
        if field not in analysis.animals:
            continue
        data = analysis.animals[["animal", "arm", field]].dropna().copy()
        if data.empty:
            continue
        data["change"] = data[field].clip(-100.0, LARGEST_CHANGE_SHOWN).round(1)
        data = data.sort_values("change", ascending=False).reset_index(drop=True)
        data["place"] = np.arange(len(data))
        y = alt.Y(
            "change:Q",
            title="Best change (%)",
            scale=alt.Scale(domain=[-100, LARGEST_CHANGE_SHOWN], nice=False),
        )
        bars = (
            alt.Chart(data)
            .mark_bar()
            .encode(
                x=alt.X("place:O", axis=None),
                y=y,
                color=arm_color(palette, legend=alt.Legend()),
            )
        )
        lines = (
            alt.Chart(pd.DataFrame({"change": list(limits)}))
            .mark_rule(strokeDash=[4, 3], color=INK)
            .encode(y="change:Q")
        )
        panels.append(
            alt.layer(bars, lines).properties(
                title=f"{title} (n = {len(data)})", width=panel_width(2, gap=70), height=260
            )
        )
    if not panels:
        return None
    return Figure(
        identifier="waterfall",
        title="Best change of each animal",
        caption=(
            "One bar per animal with a volume 10 or more days after the start of the comparison. "
            "Dashed: −50 % (partial response) and +35 % (progression) of mRECIST, which also looks "
            f"at the running average. Growth above {LARGEST_CHANGE_SHOWN:g} % is drawn at that "
            "height."
        ),
        chart=alt.concat(*panels, columns=2, spacing=70),
    )


def marker_panel(
    analysis: Analysis,
    palette: ArmPalette,
    column: str,
    name: str,
    unit: str,
    limits: dict[str, float],
    *,
    logarithmic: bool = False,
) -> Figure | None:
    """A blood marker of every animal and the mean of each arm; None when it was not measured."""
    table = analysis.study.measurements
    table = table.loc[table[column].notna() & (table["day"] >= 0), ["animal", "arm", "day", column]]
    if table.empty:
        return None
    table = table.rename(columns={column: "value"})
    if logarithmic:
        table = table[table["value"] > 0].assign(value=lambda rows: np.log10(rows["value"]))
    table = table.round(4)
    last = float(table["day"].max())
    means = table.groupby(["arm", "day"], as_index=False)["value"].mean().round(4)
    drawn = {text: value for text, value in limits.items() if np.isfinite(value)}
    top = max([float(table["value"].max()), *drawn.values()])
    bottom = float(table["value"].min())
    pad = 0.06 * (top - bottom)
    y = alt.Y(
        "value:Q",
        title=f"{name} ({unit})",
        scale=alt.Scale(domain=[bottom - pad, top + pad], nice=False),
    )
    columns = min(len(palette.arms), 3)
    rules = pd.DataFrame({"value": list(drawn.values()), "label": list(drawn)})
    panels = []
    for arm in palette.arms:
        own = table[table["arm"] == arm]
        if own.empty:
            continue
        color, x = palette.color(arm), _day_axis(max(last, 1.0))
        layers: list[Any] = [
            _window(analysis.growth.knot, last),
            alt.Chart(own)
            .mark_line(strokeWidth=0.8, opacity=0.45, color=color, point=False)
            .encode(x=x, y=y, detail="animal:N"),
            alt.Chart(means[means["arm"] == arm])
            .mark_line(strokeWidth=2.5, color=color, point=alt.OverlayMarkDef(color=color))
            .encode(x=x, y=y),
        ]
        if drawn:
            layers.append(alt.Chart(rules).mark_rule(strokeDash=[4, 3], color=INK).encode(y=y))
            layers.append(
                alt.Chart(rules)
                .mark_text(align="left", dy=-6, x=4, color=INK, fontSize=11)
                .encode(y=y, text="label:N")
            )
        panels.append(
            alt.layer(*layers).properties(title=arm, width=panel_width(columns, gap=70), height=210)
        )
    dashed = " Dashed: limits of the alerts." if drawn else ""
    return Figure(
        identifier=column.split("_", maxsplit=1)[0],
        title=name,
        caption=f"Thin lines: each animal. Thick line: mean of the animals measured that day."
        f"{dashed} Shaded: the flare window.",
        chart=alt.concat(*panels, columns=columns, spacing=70),
    )


def score_performance(analysis: Analysis) -> Figure | None:
    """ROC curves by landmark and calibration, on simulated animals left out of the training."""
    performance = analysis.flare.performance
    if not performance:
        return None
    labels = [f"to day {one.day:g} (area {one.area:.3f})" for one in performance]
    shades = alt.Scale(domain=labels, scheme="viridis")
    curves = pd.concat(
        [
            roc_points(one.probability, one.truth).round(4).assign(label=label)
            for one, label in zip(performance, labels, strict=True)
        ]
    )
    diagonal = pd.DataFrame({"false_positive": [0.0, 1.0], "true_positive": [0.0, 1.0]})
    color = alt.Color("label:N", scale=shades, legend=_curve_legend())

    def chance(x: str, y: str) -> alt.Chart:
        data = diagonal.rename(columns={"false_positive": x, "true_positive": y})
        return (
            alt.Chart(data)
            .mark_line(strokeDash=[4, 3], color="#888888", strokeWidth=1)
            .encode(x=f"{x}:Q", y=f"{y}:Q")
        )

    roc = alt.layer(
        chance("false_positive", "true_positive"),
        alt.Chart(curves)
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("false_positive:Q", title="Progressions called flare", axis=_share_axis()),
            y=alt.Y("true_positive:Q", title="Flares called flare", axis=_share_axis()),
            order="false_positive:Q",
            color=color,
        ),
    ).properties(title="ROC", width=300, height=260)
    shown = pd.concat(
        [
            calibration_table(one.probability, one.truth).round(4).assign(label=label)
            for one, label in zip(performance, labels, strict=True)
        ]
    )
    calibration = alt.layer(
        chance("predicted", "observed"),
        alt.Chart(shown[shown["n"] >= 5])
        .mark_point(filled=True, size=60, opacity=0.9)
        .encode(
            x=alt.X("predicted:Q", title="Probability of flare given", axis=_share_axis()),
            y=alt.Y("observed:Q", title="Share that were flares", axis=_share_axis()),
            color=color,
        ),
    ).properties(title="Calibration", width=300, height=260)
    size = performance[0].truth.size
    return Figure(
        identifier="flare-score",
        title="How well the score tells flare from progression, on simulated animals",
        caption=(
            f"{size} simulated animals with an early rise, measured on the visits of this study, "
            "each judged by a score trained on other animals (10-fold). These are simulated "
            "animals with known truth: the figure shows what the visits allow if real tumors "
            "behave like them. Classes of fewer than 5 animals are not drawn."
        ),
        chart=alt.hconcat(roc, calibration, spacing=70),
    )


def _curve_legend() -> alt.Legend:
    return alt.Legend(columns=3, symbolType="stroke", symbolSize=300, symbolStrokeWidth=3)


def _share_axis() -> alt.Axis:
    return alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], format="%")


def model_diagnostics(analysis: Analysis, palette: ArmPalette) -> Figure:
    """Residuals against fitted volume, and against a normal distribution."""
    frames = []
    table = analysis.growth.rows.table
    for key, fit in analysis.growth.fits.items():
        part = table[table["arm"].isin([key] if key else list(analysis.arms))]
        residual = fit.residuals / fit.residual_sd
        order = stats.rankdata(residual)
        frames.append(
            pd.DataFrame(
                {
                    "arm": part["arm"].to_numpy(),
                    "fitted": np.exp(fit.fitted).round(2),
                    "residual": residual.round(3),
                    "normal": stats.norm.ppf((order - 0.5) / order.size).round(3),
                }
            )
        )
    data = pd.concat(frames, ignore_index=True)
    kept = np.unique(np.linspace(0, len(data) - 1, MOST_RESIDUALS).round().astype(int))
    data = data.sort_values("residual").iloc[kept]
    reach = max(3.5, float(np.abs(data["residual"]).max()) * 1.05)
    y = alt.Y("residual:Q", scale=alt.Scale(domain=[-reach, reach]), title="Residual (SD)")
    low, high = float(data["fitted"].min()), float(data["fitted"].max())
    fitted = alt.layer(
        alt.Chart(pd.DataFrame({"residual": [0.0]})).mark_rule(color=INK).encode(y=y),
        alt.Chart(data)
        .mark_point(size=14, opacity=0.55, filled=True)
        .encode(
            x=alt.X(
                "fitted:Q",
                title="Fitted volume (mm³)",
                scale=alt.Scale(type="log", domain=[low * 0.8, high * 1.2], nice=False),
                axis=alt.Axis(format="~r", tickCount=4),
            ),
            y=y,
            color=arm_color(palette, legend=alt.Legend()),
        ),
    ).properties(title="Residuals", width=panel_width(2, gap=70), height=240)
    line = pd.DataFrame({"normal": [-3.5, 3.5], "residual": [-3.5, 3.5]})
    quantiles = alt.layer(
        alt.Chart(line).mark_line(color=INK, strokeWidth=1).encode(x="normal:Q", y=y),
        alt.Chart(data)
        .mark_point(size=14, opacity=0.55, filled=True)
        .encode(x=alt.X("normal:Q", title="Normal quantile"), y=y, color=arm_color(palette)),
    ).properties(title="Normal quantiles", width=panel_width(2, gap=70), height=240)
    return Figure(
        identifier="diagnostics",
        title="How well the growth model holds",
        caption=(
            "Residuals of log volume in units of their standard deviation, against the fitted "
            "volume and against a normal distribution (each arm's own fit). At most "
            f"{MOST_RESIDUALS} points are drawn, evenly spaced by size."
        ),
        chart=alt.hconcat(fitted, quantiles, spacing=70),
    )


def all_figures(analysis: Analysis, palette: ArmPalette) -> dict[str, tuple[Figure, ...]]:
    """Figures by the section of the report they belong to; absent data leave a figure out."""
    limits = {one.quantity: one for one in analysis.settings.endpoints}
    calcium, pain = limits.get("serum calcium"), limits.get("pain score")
    sections: dict[str, tuple[Figure | None, ...]] = {
        "growth": (
            group_curves(analysis, palette),
            marker_panel(
                analysis,
                palette,
                FLUX,
                "Photon flux",
                "log10 photons/s",
                {},
                logarithmic=True,
            ),
        ),
        "animals": (animal_curves(analysis, palette), waterfall(analysis, palette)),
        "score": (score_performance(analysis),),
        "blood": (
            marker_panel(
                analysis,
                palette,
                "calcium_mmol_per_L",
                "Serum calcium",
                "mmol/L",
                {"watch": calcium.watch, "take off": calcium.take_off} if calcium else {},
            ),
            marker_panel(analysis, palette, "alp_U_per_L", "Alkaline phosphatase", "U/L", {}),
            marker_panel(
                analysis,
                palette,
                "pain_score",
                "Pain score",
                "grade",
                {"watch": pain.watch, "take off": pain.take_off} if pain else {},
            ),
        ),
        "diagnostics": (model_diagnostics(analysis, palette),),
    }
    return {
        name: tuple(figure for figure in figures if figure is not None)
        for name, figures in sections.items()
    }
