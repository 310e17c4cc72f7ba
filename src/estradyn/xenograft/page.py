"""The report of an analysed study: one HTML file that stands alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment

from estradyn import __version__
from estradyn.report.drawing import draw_figure
from estradyn.report.figures.figure import Figure
from estradyn.report.palette import palette_of
from estradyn.report.templates import DrawnFigure, house_style, page_environment
from estradyn.report.wording import NOTHING, interval_text, number_text
from estradyn.xenograft.analysis import Analysis, diagnostics
from estradyn.xenograft.figures import all_figures
from estradyn.xenograft.flare_score import Verdict
from estradyn.xenograft.growth import AFTER, WINDOW
from estradyn.xenograft.humane_endpoints import TAKE_OFF
from estradyn.xenograft.response import RESPONDED, ResponseClass
from estradyn.xenograft.tables import analysis_arrive, findings_table
from estradyn.xenograft.volume import EQUATIONS

NOTICE = "For research use only. Not medical advice."

PHASE_TEXT = {WINDOW: "in the flare window", AFTER: "after the flare window"}

_QUANTITY_TEXT = {
    "growth_rate": "Growth rate",
    "growth_rate_difference": "Difference in growth rate",
    "geometric_mean_volume": "Mean volume",
    "volume_ratio_to_control": "Volume ratio",
    "light_growth_rate": "Growth rate of light",
    "light_growth_rate_difference": "Difference in growth rate of light",
    "geometric_mean_flux": "Mean photon flux",
    "flux_ratio_to_control": "Ratio of photon flux",
}


def analysis_html(analysis: Analysis, manifest: Mapping[str, str], *, title: str) -> str:
    """Compose the report as one HTML text that asks for nothing outside itself.

    Parameters
    ----------
    analysis
        What to report.
    manifest
        Provenance to print at the end: name to text.
    title
        Heading of the report.
    """
    palette = palette_of(analysis.arms)
    level = f"{100 * analysis.settings.level:g}"
    return (
        study_environment()
        .get_template("analysis.html.jinja")
        .render(
            alerts=_records(analysis.alerts),
            animals=_records(_with_all_columns(analysis.animals)),
            arrive=_records(analysis_arrive(analysis)),
            class_counts=_class_counts(analysis),
            classes=[str(kind) for kind in ResponseClass],
            control=analysis.arms[0],
            diagnostic_names=list(_DIAGNOSTICS.values()),
            diagnostic_rows=_diagnostic_rows(analysis),
            estimates=_estimate_rows(analysis),
            figures=drawn(all_figures(analysis, palette)),
            findings=_records(findings_table(analysis.study.findings)),
            headlines=headlines(analysis),
            level=level,
            limits=analysis.settings.endpoints,
            manifest=list(manifest.items()),
            model_text=_model_text(analysis),
            notice=NOTICE,
            palette=palette,
            performance=_performance_rows(analysis),
            rule=analysis.settings.flare_rule,
            score_text=_score_text(analysis),
            sensitivity=_sensitivity_groups(analysis),
            source=analysis.study.data.source,
            style=house_style(),
            title=title,
            version=__version__,
        )
    )


def study_environment() -> Environment:
    """Templates of this package with the filters its pages use."""
    environment = page_environment("estradyn.xenograft")
    environment.filters["number"] = _number
    environment.filters["percent"] = _percent
    environment.filters["probability"] = _probability
    return environment


def drawn(sections: Mapping[str, tuple[Figure, ...]]) -> dict[str, list[DrawnFigure]]:
    """Draw figures and number them in the order of the page."""
    result: dict[str, list[DrawnFigure]] = {}
    number = 0
    for name, figures in sections.items():
        result[name] = []
        for figure in figures:
            number += 1
            result[name].append(draw_figure(figure, number))
    return result


def _number(value: object) -> str:
    if value is None or (isinstance(value, float) and not np.isfinite(value)):
        return NOTHING
    number = float(value)  # type: ignore[arg-type]
    return f"{number:.0f}" if number == round(number) and abs(number) < 1e5 else number_text(number)


def _percent(value: float) -> str:
    return f"{value:.0f}".replace("-", "−") if np.isfinite(value) else NOTHING


def _probability(value: float) -> str:
    if not np.isfinite(value):
        return NOTHING
    return "< 0.01" if value < 0.01 else "> 0.99" if value > 0.99 else f"{value:.2f}"


def p_text(value: float) -> str:
    """A p-value as it is printed."""
    if not np.isfinite(value):
        return NOTHING
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in frame.to_dict("records")]


def _with_all_columns(animals: pd.DataFrame) -> pd.DataFrame:
    needed = (
        "baseline_mm3",
        "best_change_percent",
        "largest_rise_percent",
        "rebased_best_change_percent",
        "fall_probability",
        "probability",
    )
    frame = animals.copy()
    for name in needed:
        if name not in frame:
            frame[name] = np.nan
    frame["rule"] = frame["rule"].fillna(NOTHING)
    return frame


def headlines(analysis: Analysis) -> list[str]:
    """State the findings in a few sentences."""
    sentences = []
    estimates, animals = analysis.estimates, analysis.animals
    level = f"{100 * analysis.settings.level:g} %"
    for arm in analysis.arms[1:]:
        parts = []
        for phase, words in PHASE_TEXT.items():
            row = estimates[
                (estimates["quantity"] == "growth_rate_difference")
                & (estimates["arm"] == arm)
                & (estimates["phase"] == phase)
            ]
            if len(row):
                one = row.iloc[0]
                speed = "faster growth" if one["value"] > 0 else "slower growth"
                if one["lower"] <= 0 <= one["upper"]:
                    speed = "no clear difference in growth"
                difference = number_text(100 * one["value"])
                limits = interval_text(100 * one["lower"], 100 * one["upper"])
                parts.append(f"{speed} {words} ({difference} % per day, {level} interval {limits})")
        if parts:
            sentences.append(f"{arm} against {analysis.arms[0]}: {', '.join(parts)}.")
    judged = animals[animals["early_rise"]]
    counts = judged["verdict"].value_counts()
    sentences.append(
        f"{len(judged)} of {len(animals)} animals rose in the flare window: "
        + ", ".join(
            f"{counts.get(str(kind), 0)} {text}"
            for kind, text in (
                (Verdict.FLARE, "judged flare"),
                (Verdict.PROGRESSION, "progression"),
                (Verdict.INDETERMINATE, "indeterminate"),
            )
        )
        + "."
    )
    hidden = animals[
        animals["mrecist"].isin(["SD", "PD"])
        & animals["flare_aware"].isin([str(kind) for kind in RESPONDED])
    ]
    if len(hidden):
        sentences.append(
            f"{len(hidden)} animals that mRECIST calls stable or progressing responded when the "
            f"flare window is waited out ({_listed(hidden['animal'])})."
        )
    waiting = animals[animals["flare_aware"] == str(ResponseClass.UNCONFIRMED_PROGRESSION)]
    if len(waiting):
        sentences.append(
            f"{len(waiting)} animals rose early and were not followed long enough to confirm "
            f"progression ({_listed(waiting['animal'])})."
        )
    off = analysis.alerts[analysis.alerts["action"] == TAKE_OFF]
    if len(off):
        sentences.append(
            f"{off['animal'].nunique()} animals reached a humane endpoint "
            f"({_listed(off['animal'].drop_duplicates())})."
        )
    return sentences


def _listed(names: pd.Series, most: int = 12) -> str:
    shown = [str(name) for name in names[:most]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _model_text(analysis: Analysis) -> str:
    data, growth = analysis.study.data, analysis.growth
    volume = (
        f"Volumes come from length L and width W as {EQUATIONS[data.formula]}."
        if data.volumes_computed
        else "Volumes are as given in the file."
    )
    variances = (
        "each arm has variances of its own"
        if growth.variance == "by_arm"
        else "all arms share their variances, for one has too few animals or visits for its own"
    )
    shape = (
        f"one growth rate to day {growth.knot:g} and one after it"
        if growth.curve == "piecewise"
        else "a natural cubic spline with knots on days "
        f"{', '.join(f'{day:g}' for day in growth.knots)}, whose growth rates are means to day "
        f"{growth.knot:g} and after it"
    )
    light = (
        " Photon flux (bioluminescence) has a model of its own and is never pooled with volumes."
        if analysis.light is not None
        else ""
    )
    return (
        "Linear mixed model of log volume by restricted maximum likelihood: for each arm "
        f"{shape}, log baseline as covariate, animals "
        f"with their own intercept and growth rates; {variances}. Intervals and p-values use "
        "Satterthwaite degrees of freedom and are not corrected for multiple comparisons. "
        f"Mean volumes are geometric, for an animal of mean baseline. {volume}{light}"
    )


def _score_text(analysis: Analysis) -> str:
    rule, score = analysis.settings.flare_rule, analysis.settings.score_rule
    flare = analysis.flare
    if not flare.performance:
        return (
            "The visits are too few to simulate animals with this study's schedule, so no "
            "probability is given; the rule stands alone."
        )
    site = "in bone" if analysis.in_bone else "under the skin"
    return (
        f"For each animal that rose by {rule.early_rise:g} % or more by day {rule.window_end:g}, "
        f"a score compares how likely its course ({', '.join(flare.channels)}) is under "
        f"mechanistic mice with tumors {site} that flare and under such mice that progress, "
        f"{flare.simulated_animals} in all. It is calibrated on the same mice measured on the "
        "visits of this study, as many of either kind: on simulated animals, not on real ones. "
        f"Above {score.flare_above:g} it says flare, below {score.progression_below:g} "
        "progression, "
        "between them indeterminate. A rule fixed beforehand says flare when the latest volumes "
        f"are {score.given_back:g} % or more below the highest and calcium has come down, "
        f"progression when they are {score.further_growth:g} % or more above the end of the window "
        f"{rule.recheck_after:g} days after the rise. Where score and rule contradict each other "
        "the verdict is indeterminate."
    )


def _estimate_rows(analysis: Analysis) -> list[dict[str, str]]:
    rows = []
    for row in analysis.estimates.to_dict("records"):
        scale, unit = (100.0, "% per day") if row["unit"] == "1/day" else (1.0, row["unit"])
        when = PHASE_TEXT.get(row["phase"], "")
        if np.isfinite(row["day"]):
            when = f"on day {row['day']:g}"
        against = f", against {row['reference']}" if row["reference"] else ""
        ratio = row["quantity"] in ("geometric_mean_volume", "geometric_mean_flux")
        rows.append(
            {
                "quantity": f"{_QUANTITY_TEXT[row['quantity']]} {when}{against}",
                "arm": row["arm"],
                "value": number_text(scale * row["value"]),
                "unit": {"1": "", "mm3": "mm³"}.get(unit, unit),
                "interval": interval_text(scale * row["lower"], scale * row["upper"]),
                "df": f"{row['degrees_of_freedom']:.1f}",
                "p": "" if ratio else p_text(row["p_value"]),
            }
        )
    return rows


def _class_counts(analysis: Analysis) -> list[dict[str, Any]]:
    rows = []
    for arm in analysis.arms:
        own = analysis.animals[analysis.animals["arm"] == arm]
        for column, label in (("mrecist", "mRECIST"), ("flare_aware", "flare-aware")):
            counts = own[column].value_counts()
            rows.append(
                {
                    "arm": arm,
                    "label": label,
                    "counts": [int(counts.get(str(kind), 0)) or "" for kind in ResponseClass],
                }
            )
    return rows


def _performance_rows(analysis: Analysis) -> list[dict[str, Any]]:
    return [
        {
            "day": one.day,
            "area": f"{one.area:.3f}",
            "interval": f"{max(one.area - 1.96 * one.area_error, 0):.3f} to "
            f"{min(one.area + 1.96 * one.area_error, 1):.3f}"
            if one.area_error > 0
            else "",
            "brier": f"{one.brier:.4f}",
            "indeterminate": one.indeterminate,
            "wrong": one.wrong,
        }
        for one in analysis.flare.performance
    ]


def _sensitivity_groups(analysis: Analysis) -> list[dict[str, Any]]:
    groups = []
    for name, rows in analysis.sensitivity.groupby("analysis", sort=False):
        shown = []
        for row in rows.to_dict("records"):
            phase = row["phase"] if isinstance(row["phase"], str) else ""
            shown.append(
                {
                    "arm": row["arm"] if isinstance(row["arm"], str) else "",
                    "phase": {WINDOW: "window", AFTER: "after"}.get(phase, ""),
                    "difference": _signed_percent(row["difference"]),
                    "interval": interval_text(100 * row["lower"], 100 * row["upper"]),
                    "p": p_text(row["p_value"]) if np.isfinite(row["p_value"]) else "",
                    "note": row["note"] if isinstance(row["note"], str) else "",
                }
            )
        groups.append({"name": name, "rows": shown})
    return groups


def _signed_percent(value: float) -> str:
    return f"{number_text(100 * value)} %" if np.isfinite(value) else ""


_DIAGNOSTICS = {
    "animals": "Animals",
    "observations": "Observations",
    "residual_sd": "Residual SD",
    "sd_intercept": "SD intercept",
    f"sd_{WINDOW}": "SD slope, window",
    f"sd_{AFTER}": "SD slope, after",
    "log_likelihood": "Log likelihood",
    "residual_skewness": "Skewness",
    "residual_kurtosis": "Kurtosis",
    "lag_one": "Lag one",
}


def _diagnostic_rows(analysis: Analysis) -> list[dict[str, Any]]:
    return [
        {
            "arms": row["arms"],
            "singular": row["singular"],
            "numbers": [float(row[name]) for name in _DIAGNOSTICS],
        }
        for row in diagnostics(analysis).to_dict("records")
    ]
