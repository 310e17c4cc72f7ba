"""The report of a calibration: one HTML file that stands alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt
import numpy as np
import pandas as pd
from scipy.stats import chi2

from estradyn import __version__
from estradyn.calibration.profile import NOT_PROFILED, Profile
from estradyn.report.drawing import draw_figure
from estradyn.report.figures.figure import Figure
from estradyn.report.templates import house_style, page_environment
from estradyn.report.wording import interval_text, label_of, number_text, words_of

if TYPE_CHECKING:
    from estradyn.calibration.run import Calibration

_THRESHOLD = float(chi2.ppf(0.95, 1))
_COLUMNS = 3


def calibration_html(found: Calibration) -> str:
    """Compose the report as one HTML text that asks for nothing outside itself."""
    problem, fitted = found.problem, found.fitted
    figures = [_residuals(found)]
    if any(profile.positions.size for profile in found.profiles):
        figures.append(_profiles(found))
    if len(fitted.starts) > 1:
        figures.append(_starts(found))
    return (
        page_environment("estradyn.calibration")
        .get_template("calibration.html.jinja")
        .render(
            style=house_style(),
            version=__version__,
            title=label_of(problem.name),
            misfit=number_text(fitted.misfit),
            measurements=len(problem.measurements),
            free=len(problem.free),
            same=sum(start.misfit - fitted.misfit < 0.1 for start in fitted.starts),
            starts=len(fitted.starts),
            parameters=_parameter_rows(found),
            pairs=_strong_correlations(found),
            rows=_measurement_rows(found),
            figures=[draw_figure(item, number) for number, item in enumerate(figures, 1)],
        )
    )


def _parameter_rows(found: Calibration) -> list[dict[str, str]]:
    return [
        {
            "name": words_of(item.name),
            "value": number_text(float(value)),
            "interval": _ends(profile),
            "bounds": interval_text(item.lower, item.upper),
            "verdict": profile.verdict,
        }
        for item, value, profile in zip(
            found.problem.free, found.fitted.values, found.profiles, strict=True
        )
    ]


def _ends(profile: Profile) -> str:
    lower, upper = profile.lower, profile.upper
    if not profile.positions.size:
        return NOT_PROFILED
    if np.isnan(lower) and np.isnan(upper):
        return "none within the bounds"
    return interval_text(None if np.isnan(lower) else lower, None if np.isnan(upper) else upper)


def _measurement_rows(found: Calibration) -> list[dict[str, str]]:
    return [
        {
            "dataset": item.dataset,
            "experiment": words_of(found.problem.experiments[item.experiment].name),
            "observable": words_of(item.observable),
            "day": number_text(item.time / 24.0),
            "published": number_text(item.value),
            "spread": number_text(item.standard_deviation),
            "fitted": number_text(float(value)),
            "residual": number_text((float(value) - item.value) / item.standard_deviation),
        }
        for item, value in zip(found.problem.measurements, found.fitted.predicted, strict=True)
    ]


def _strong_correlations(found: Calibration) -> list[tuple[str, str, str]]:
    """Pairs of parameters that the data tell apart poorly."""
    covariance = found.fitted.covariance
    size = np.sqrt(np.maximum(np.diag(covariance), 1e-300))
    correlation = covariance / np.outer(size, size)
    names = [words_of(item.name) for item in found.problem.free]
    return [
        (names[first], names[second], number_text(float(correlation[first, second])))
        for first in range(len(names))
        for second in range(first + 1, len(names))
        if abs(correlation[first, second]) > 0.9
    ]


def _residuals(found: Calibration) -> Figure:
    rows = pd.DataFrame(
        {
            "what": [
                f"{item.dataset} {words_of(item.observable)}, "
                f"{words_of(found.problem.experiments[item.experiment].name)}, "
                f"day {item.time / 24:g}"
                for item in found.problem.measurements
            ],
            "residual": (found.fitted.predicted - found.problem.targets)
            / found.problem.standard_deviations,
        }
    )
    reach = max(3.0, float(rows["residual"].abs().max()) * 1.1)
    base = alt.Chart(rows).encode(
        y=alt.Y("what:N", sort=None, title=None, axis=alt.Axis(labelLimit=420))
    )
    x = alt.X(
        "residual:Q",
        scale=alt.Scale(domain=[-reach, reach]),
        title="Fitted minus published, in standard deviations",
    )
    band = (
        alt.Chart(pd.DataFrame({"low": [-1.96], "high": [1.96]}))
        .mark_rect(opacity=0.12, color="#0b6fb8")
        .encode(x="low:Q", x2="high:Q")
    )
    chart = alt.layer(
        band,
        base.mark_rule(color="#0b6fb8").encode(x=x, x2=alt.datum(0)),
        base.mark_circle(size=60, color="#0b6fb8", opacity=1).encode(x=x),
    ).properties(width=420, height=18 * len(rows))
    return Figure(
        "residuals",
        "How near the fit comes to each published number",
        "Dots outside the shaded band are missed by more than 1.96 standard deviations.",
        chart,
    )


def _profiles(found: Calibration) -> Figure:
    panels = []
    for item, value, profile in zip(
        found.problem.free, found.fitted.values, found.profiles, strict=True
    ):
        if not profile.positions.size:
            continue
        rows = pd.DataFrame(
            {"value": profile.positions, "rise": profile.misfits - found.fitted.misfit}
        )
        scale = alt.Scale(type="linear" if item.scale == "lin" else "log", nice=False)
        line = (
            alt.Chart(rows[rows["rise"] < 3 * _THRESHOLD])
            .mark_line(point=True, color="#0b6fb8")
            .encode(
                x=alt.X("value:Q", scale=scale, title=None, axis=alt.Axis(tickCount=4)),
                y=alt.Y("rise:Q", title="Rise of the misfit"),
            )
        )
        limit = alt.Chart(pd.DataFrame({"y": [_THRESHOLD]})).mark_rule(
            strokeDash=[4, 3], color="#6b7280"
        )
        best = alt.Chart(pd.DataFrame({"x": [value]})).mark_rule(color="#6b7280")
        panels.append(
            alt.layer(line, limit.encode(y="y:Q"), best.encode(x="x:Q")).properties(
                width=230, height=130, title=words_of(item.name)
            )
        )
    rows_of_panels = [
        alt.hconcat(*panels[place : place + _COLUMNS]) for place in range(0, len(panels), _COLUMNS)
    ]
    return Figure(
        "profiles",
        "Profile likelihoods",
        "Smallest misfit with one parameter held while the others follow. The dashed line is the "
        "95 % threshold, the vertical line the fit. A curve that stays below the threshold to "
        "its end says that the data do not bound the parameter there.",
        alt.vconcat(*rows_of_panels),
    )


def _starts(found: Calibration) -> Figure:
    misfits = [start.misfit for start in found.fitted.starts]
    rows = pd.DataFrame({"rank": np.arange(1, len(misfits) + 1), "misfit": misfits})
    chart = (
        alt.Chart(rows)
        .mark_line(point=True, color="#0b6fb8")
        .encode(
            x=alt.X("rank:O", title="Search, the best first"),
            y=alt.Y("misfit:Q", scale=alt.Scale(type="log"), title="Misfit"),
        )
        .properties(width=420, height=180)
    )
    return Figure(
        "starts",
        "Searches from different starts",
        "A flat beginning means that several searches found the same optimum.",
        chart,
    )
