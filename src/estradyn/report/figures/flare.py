"""Flare in the first weeks: the signal against each patient's threshold, and who is in flare."""

from __future__ import annotations

from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd

from estradyn.report.figures.bands import NESTED, band_layers
from estradyn.report.figures.figure import Figure
from estradyn.report.figures.time_axis import TimeAxis, weeks
from estradyn.report.palette import INK, ArmPalette
from estradyn.report.theme import (
    FULL_WIDTH,
    PANEL_SPACING,
    arm_color,
    line_legend,
    panel_grid,
    panel_title,
)
from estradyn.report.trajectories import (
    ArmTrajectories,
    output_columns,
    quantile_bands,
    read_output,
)

LAST_DAY = 56.0
"""Eight weeks; flare reported in the clinic starts and ends within them."""


def flare_signal(trajectories: Path, patients: pd.DataFrame, palette: ArmPalette) -> Figure | None:
    """Flare signal in units of each patient's own threshold, one panel per arm.

    Parameters
    ----------
    trajectories
        Trajectory table with `flare_signal`.
    patients
        Needs `patient_id`, `arm` and the trait `flare_threshold`.
    palette
        Colors of the arms.

    Returns
    -------
    Figure or None
        None when the table holds no flare signal.
    """
    if "flare_signal" not in output_columns(trajectories) or "flare_threshold" not in patients:
        return None
    thresholds = {
        str(arm): rows.set_index("patient_id")["flare_threshold"]
        for arm, rows in patients.groupby("arm", observed=True)
    }
    relative: dict[str, ArmTrajectories] = {}
    for arm, rows in read_output(trajectories, "flare_signal", until_day=LAST_DAY).items():
        own = thresholds[arm].reindex(rows.patient_ids).to_numpy(dtype=float)
        relative[arm] = ArmTrajectories(
            rows.patient_ids, rows.time_day, rows.levels / own[:, np.newaxis]
        )
    bands = quantile_bands(relative, NESTED)
    axis = weeks(float(bands["time_day"].max()))
    columns, width = panel_grid(len(palette.arms))
    top = 1.05 * max(1.2, float(bands["q95"].max()))
    line = (
        alt.Chart(pd.DataFrame({"threshold": [1.0]}))
        .mark_rule(strokeDash=[4, 3], color=INK)
        .encode(y="threshold:Q")
    )
    panels = []
    for arm in palette.arms:
        own_bands = bands[bands["arm"] == arm]
        if own_bands.empty:
            continue
        layers = band_layers(
            own_bands,
            axis,
            palette,
            y_title="Flare signal / own threshold",
            y_scale=alt.Scale(type="sqrt", domain=[0, top], nice=False),
            legend=False,
        )
        panels.append(
            alt.layer(*layers, line).properties(
                title=panel_title(f"{arm} (n = {own_bands['n'].max()})", width),
                width=width,
                height=240,
            )
        )
    return Figure(
        identifier="flare-signal",
        title="Flare signal in the first eight weeks",
        caption=(
            "The inflammatory signal of the tumor divided by each patient's own threshold of "
            "symptoms (dashed line at 1). Line: median; bands: 25 to 75 % and 5 to 95 % of the "
            "patients. The scale is that of the square root, which shows low signals too."
        ),
        chart=alt.concat(*panels, columns=columns, spacing=PANEL_SPACING, bounds="flush"),
    )


def flare_onset(patients: pd.DataFrame, palette: ArmPalette) -> Figure | None:
    """Share of patients whose flare has begun, and share who are in flare, day by day.

    Parameters
    ----------
    patients
        Needs `arm`, `status`, `flare_onset_day` and `flare_end_day`.
    palette
        Colors of the arms.

    Returns
    -------
    Figure or None
        None when nobody flared.
    """
    flared = patients["symptomatic_flare"].fillna(value=False).astype(bool)
    if not flared.any():
        return None
    days = np.arange(0.0, LAST_DAY + 0.5, 0.5)
    axis: TimeAxis = weeks(LAST_DAY)
    frames = []
    for arm in palette.arms:
        own = patients[patients["arm"].astype(str) == arm]
        known = own[own["symptomatic_flare"].notna()]
        cases = known[known["symptomatic_flare"].astype(bool)]
        onset = cases["flare_onset_day"].to_numpy(dtype=float)
        end = np.nan_to_num(cases["flare_end_day"].to_numpy(dtype=float), nan=np.inf)
        begun = (onset[:, np.newaxis] <= days).sum(axis=0)
        over = (end[:, np.newaxis] <= days).sum(axis=0)
        for measure, count in (("in flare that day", begun - over), ("flare has begun", begun)):
            frames.append(
                pd.DataFrame(
                    {
                        "arm": arm,
                        "measure": measure,
                        "time": (days / axis.days).round(3),
                        "share": (100.0 * count / max(len(known), 1)).round(3),
                    }
                )
            )
    chart = (
        alt.Chart(pd.concat(frames))
        .mark_line(strokeWidth=2, interpolate="step-after")
        .encode(
            x=axis.channel(),
            y=alt.Y("share:Q", title="Patients (%)"),
            color=arm_color(palette, legend=line_legend()),
            strokeDash=alt.StrokeDash(
                "measure:N",
                scale=alt.Scale(
                    domain=["in flare that day", "flare has begun"], range=[[1, 0], [5, 3]]
                ),
                legend=line_legend(),
            ),
        )
        .properties(width=FULL_WIDTH, height=240)
    )
    return Figure(
        identifier="flare-onset",
        title="Onset and passing of symptomatic flare",
        caption=(
            "Solid: share of the patients of an arm in symptomatic flare that day. Dashed: share "
            "whose flare has begun by then."
        ),
        chart=chart,
    )
