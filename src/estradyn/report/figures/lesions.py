"""Size of the target lesions: waterfall of best change, spider of every scan."""

from __future__ import annotations

from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd

from estradyn.report.figures.figure import Figure
from estradyn.report.figures.time_axis import months
from estradyn.report.palette import INK, MUTED, ArmPalette
from estradyn.report.theme import PANEL_SPACING, line_legend, panel_grid, panel_title

LARGEST_NUMBER_OF_LINES = 150
"""Spider lines drawn per arm; more hide one another."""

LARGEST_CHANGE_SHOWN = 100.0
"""Percent; lesions that grow more are drawn at this height."""

RESPONSE_LINES = pd.DataFrame({"change": [-30.0, 20.0]})
"""RECIST 1.1 limits of partial response and progression (Eisenhauer 2009,
doi:10.1016/j.ejca.2008.10.026); progression counts from the smallest sum, not from baseline."""

_NO_FLARE = "no symptomatic flare"


def _limits() -> alt.Chart:
    return (
        alt.Chart(RESPONSE_LINES)
        .mark_rule(strokeDash=[4, 3], color=INK, strokeWidth=1)
        .encode(y="change:Q")
    )


def _change_axis(field: str) -> alt.Y:
    return alt.Y(
        f"{field}:Q",
        title="Change in sum of diameters (%)",
        stack=False,
        scale=alt.Scale(domain=[-100, LARGEST_CHANGE_SHOWN], nice=False),
        axis=alt.Axis(values=[-100, -50, -30, 0, 20, 50, 100]),
    )


def _rank_axis(field: str) -> alt.X:
    return alt.X(
        f"{field}:Q",
        title="Patients (% of arm, largest growth first)",
        scale=alt.Scale(domain=[0, 100], nice=False),
        axis=alt.Axis(grid=False),
    )


def _group_color(palette: ArmPalette, legend: alt.Legend) -> alt.Color:
    domain = [f"{arm}, with flare" for arm in palette.arms]
    return alt.Color(
        "group:N",
        scale=alt.Scale(domain=[*domain, _NO_FLARE], range=[*palette.colors, MUTED]),
        legend=legend,
    )


def _grouped(patients: pd.DataFrame) -> pd.Series:
    flared = patients["symptomatic_flare"].fillna(value=False).astype(bool)
    return (patients["arm"].astype(str) + ", with flare").where(flared, _NO_FLARE)


def waterfall(patients: pd.DataFrame, palette: ArmPalette) -> Figure | None:
    """Best change of each patient from baseline, worst first, one panel per arm.

    Parameters
    ----------
    patients
        Needs `arm`, `best_change_percent` and `symptomatic_flare`.
    palette
        Colors of the arms.

    Returns
    -------
    Figure or None
        None when nobody had measurable change.
    """
    measured = patients[patients["best_change_percent"].notna()].copy()
    if measured.empty:
        return None
    measured["arm"] = measured["arm"].astype(str)
    measured["group"] = _grouped(measured)
    columns, width = panel_grid(len(palette.arms))
    panels = []
    for arm in palette.arms:
        own = measured[measured["arm"] == arm]
        if own.empty:
            continue
        outline, flared = _waterfall_shapes(own, width)
        area = (
            alt.Chart(outline)
            .mark_area(color=MUTED)
            .encode(x=_rank_axis("position"), y=_change_axis("change"))
        )
        bars = (
            alt.Chart(flared)
            .mark_rect()
            .encode(
                x=_rank_axis("start"),
                x2="end:Q",
                y=_change_axis("change"),
                y2=alt.datum(0),
                color=_group_color(palette, alt.Legend()),
            )
        )
        title = panel_title(f"{arm} (n = {len(own)})", width)
        panels.append(
            alt.layer(area, bars, _limits()).properties(title=title, width=width, height=260)
        )
    return Figure(
        identifier="waterfall",
        title="Best change in the sum of the longest diameters",
        caption=(
            "One bar per patient with a scan after baseline, measured change against her own "
            "baseline; patients with symptomatic flare in color. Dashed: −30 % (partial response) "
            f"and +20 %. Growth above {LARGEST_CHANGE_SHOWN:.0f} % is drawn at that height."
        ),
        chart=alt.concat(*panels, columns=columns, spacing=PANEL_SPACING, bounds="flush"),
    )


def _waterfall_shapes(patients: pd.DataFrame, width: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Outline of all bars of one arm, and the bars of patients with flare.

    Positions are in percent of the arm. A large arm has more bars than pixels: its outline keeps
    one bar per half pixel, and a flare patient's bar is at least one pixel wide and drawn once.
    """
    ordered = patients.sort_values("best_change_percent", ascending=False)
    size = len(ordered)
    change = ordered["best_change_percent"].clip(-100.0, LARGEST_CHANGE_SHOWN).round(2).to_numpy()
    shown = np.unique(np.linspace(0, size - 1, min(size, 2 * width)).round().astype(int))
    edges = 100.0 * np.append(shown, size) / size
    outline = pd.DataFrame(
        {
            "position": np.column_stack([edges[:-1], edges[1:]]).ravel().round(3),
            "change": np.repeat(change[shown], 2),
        }
    )
    place = np.flatnonzero((ordered["group"] != _NO_FLARE).to_numpy())
    pixel = 100.0 / width
    _, first = np.unique(np.floor(2.0 * (100.0 * place / size) / pixel), return_index=True)
    place = place[first]
    centre, half = 100.0 * (place + 0.5) / size, max(50.0 / size, pixel / 2.0)
    bars = pd.DataFrame(
        {
            "group": ordered["group"].to_numpy()[place],
            "start": (centre - half).round(3),
            "end": (centre + half).round(3),
            "change": change[place],
        }
    )
    return outline, bars


def spider(assessments: Path, patients: pd.DataFrame, palette: ArmPalette) -> Figure | None:
    """Change from baseline at every scan, one line per patient, one panel per arm.

    Parameters
    ----------
    assessments
        Assessment table; needs `patient_id`, `arm`, `actual_day`, `on_study` and
        `sum_of_longest_diameters`; the earliest scan of a patient is her baseline.
    patients
        Needs `patient_id`, `arm` and `symptomatic_flare`.
    palette
        Colors of the arms.

    Returns
    -------
    Figure or None
        None when nobody was scanned twice.
    """
    keys = ["arm", "patient_id"]
    scans = pd.read_parquet(
        assessments,
        columns=[*keys, "actual_day", "sum_of_longest_diameters"],
        filters=[("on_study", "=", True)],
    )
    scans = scans.dropna(subset=["sum_of_longest_diameters"]).sort_values("actual_day")
    scans = scans.assign(arm=scans["arm"].astype(str))
    baseline = scans.groupby(keys)["sum_of_longest_diameters"].transform("first")
    scans = scans[(baseline > 0) & (scans.groupby(keys)["arm"].transform("size") > 1)]
    if scans.empty:
        return None
    change = 100.0 * (scans["sum_of_longest_diameters"] / baseline[scans.index] - 1.0)
    axis = months(float(scans["actual_day"].max()))
    grouped = patients.assign(arm=patients["arm"].astype(str), group=_grouped(patients))
    lines = scans[keys].assign(
        time=(scans["actual_day"].clip(lower=0.0) / axis.days).round(2),
        change=change.clip(-100.0, LARGEST_CHANGE_SHOWN).round(1),
    )
    columns, width = panel_grid(len(palette.arms))
    panels = []
    drawn: dict[str, tuple[int, int]] = {}
    for arm in palette.arms:
        own = lines[lines["arm"] == arm]
        ids = np.sort(own["patient_id"].unique())
        if ids.size == 0:
            continue
        # The same patients whatever the arm: evenly spaced numbers are as good as random ones.
        kept = ids[np.unique(np.linspace(0, ids.size - 1, LARGEST_NUMBER_OF_LINES).astype(int))]
        drawn[arm] = (kept.size, ids.size)
        own = own[own["patient_id"].isin(kept)].merge(grouped[[*keys, "group"]], on=keys)
        y = _change_axis("change")
        layers = [
            alt.Chart(rows)
            .mark_line(strokeWidth=stroke, opacity=opacity, clip=True)
            .encode(
                x=axis.channel(),
                y=y,
                detail="patient_id:N",
                color=_group_color(palette, line_legend()),
            )
            for rows, stroke, opacity in (
                (own[own["group"] == _NO_FLARE], 0.8, 0.9),
                (own[own["group"] != _NO_FLARE], 1.3, 0.85),
            )
            if not rows.empty
        ]
        panels.append(
            alt.layer(*layers, _limits()).properties(
                title=panel_title(f"{arm} ({kept.size} of {ids.size} patients)", width),
                width=width,
                height=260,
            )
        )
    counted = "; ".join(f"{arm}: {kept} of {size}" for arm, (kept, size) in drawn.items())
    return Figure(
        identifier="spider",
        title="Sum of the longest diameters over time",
        caption=(
            "One line per patient through her measured scans until she leaves the study; patients "
            f"with symptomatic flare in color. At most {LARGEST_NUMBER_OF_LINES} patients per arm "
            f"are drawn, evenly spaced by patient number ({counted}). Growth above "
            f"{LARGEST_CHANGE_SHOWN:.0f} % is drawn at that height."
        ),
        chart=alt.concat(*panels, columns=columns, spacing=PANEL_SPACING, bounds="flush"),
    )
