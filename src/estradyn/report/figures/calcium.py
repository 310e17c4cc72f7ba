"""Plasma calcium in the first weeks."""

from __future__ import annotations

from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd

from estradyn.report.figures.bands import NESTED, band_layers
from estradyn.report.figures.figure import Figure
from estradyn.report.figures.time_axis import weeks
from estradyn.report.palette import INK, ArmPalette
from estradyn.report.theme import PANEL_SPACING, arm_color, panel_grid, panel_title
from estradyn.report.trajectories import output_columns, quantile_bands, read_output

LAST_DAY = 56.0
"""Eight weeks, the period in which calcium is watched."""

LARGEST_NUMBER_OF_LINES = 60
"""Patients with hypercalcemia drawn one by one in each arm."""


def plasma_calcium(
    trajectories: Path, patients: pd.DataFrame, palette: ArmPalette, threshold: float
) -> Figure | None:
    """Calcium bands of each arm with every patient who became hypercalcemic.

    Parameters
    ----------
    trajectories
        Trajectory table with `plasma_calcium` (mmol/L).
    patients
        Needs `patient_id`, `arm` and `hypercalcemia`.
    palette
        Colors of the arms.
    threshold
        Concentration (mmol/L) above which the study calls hypercalcemia.

    Returns
    -------
    Figure or None
        None when the table holds no calcium.
    """
    if "plasma_calcium" not in output_columns(trajectories):
        return None
    calcium = read_output(trajectories, "plasma_calcium", until_day=LAST_DAY)
    bands = quantile_bands(calcium, NESTED)
    axis = weeks(float(bands["time_day"].max()))
    cases = patients[patients["hypercalcemia"].fillna(value=False).astype(bool)]
    frames: list[pd.DataFrame] = []
    counts: dict[str, int] = {}
    for arm, rows in calcium.items():
        ids = cases.loc[cases["arm"].astype(str) == arm, "patient_id"].to_numpy()
        counts[arm] = ids.size
        places = np.flatnonzero(np.isin(rows.patient_ids, ids))[:LARGEST_NUMBER_OF_LINES]
        frames.extend(
            pd.DataFrame(
                {
                    "arm": arm,
                    "patient_id": rows.patient_ids[place],
                    "time": (rows.time_day / axis.days).round(3),
                    "calcium": rows.levels[place].round(3),
                }
            )
            for place in places
        )
    lines = pd.concat(frames).dropna() if frames else pd.DataFrame()
    highest = max([threshold, bands["q95"].max(), *(lines["calcium"] if len(lines) else [])])
    scale = alt.Scale(domain=[min(2.0, float(bands["q5"].min())), float(highest) + 0.05])
    columns, width = panel_grid(len(palette.arms))
    limit = (
        alt.Chart(pd.DataFrame({"limit": [threshold]}))
        .mark_rule(strokeDash=[4, 3], color=INK)
        .encode(y="limit:Q")
    )
    panels = []
    for arm in palette.arms:
        own = bands[bands["arm"] == arm]
        if own.empty:
            continue
        layers = band_layers(
            own, axis, palette, y_title="Plasma calcium (mmol/L)", y_scale=scale, legend=False
        )
        if counts.get(arm):
            layers.append(
                alt.Chart(lines[lines["arm"] == arm])
                .mark_line(strokeWidth=0.9, opacity=0.7, clip=True)
                .encode(
                    x=axis.channel(),
                    y=alt.Y("calcium:Q", scale=scale),
                    detail="patient_id:N",
                    color=arm_color(palette),
                )
            )
        panels.append(
            alt.layer(*layers, limit).properties(
                title=panel_title(f"{arm} (n = {own['n'].max()})", width),
                width=width,
                height=240,
            )
        )
    counted = ", ".join(f"{arm}: {counts.get(arm, 0)}" for arm in palette.arms)
    return Figure(
        identifier="plasma-calcium",
        title="Plasma calcium in the first eight weeks",
        caption=(
            "Line: median; bands: 25 to 75 % and 5 to 95 % of the patients. Thin lines: patients "
            f"with hypercalcemia ({counted}; at most {LARGEST_NUMBER_OF_LINES} drawn per arm). "
            f"Dashed: the limit of {threshold:g} mmol/L."
        ),
        chart=alt.concat(*panels, columns=columns, spacing=PANEL_SPACING, bounds="flush"),
    )
