"""Drug concentration in plasma."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import altair as alt

from estradyn.report.figures.bands import OUTER, band_layers
from estradyn.report.figures.figure import Figure
from estradyn.report.figures.time_axis import weeks
from estradyn.report.palette import ArmPalette
from estradyn.report.theme import panel_width
from estradyn.report.trajectories import (
    ArmTrajectories,
    output_columns,
    quantile_bands,
    read_output,
)

SHOWN_DAYS = 84.0
"""Twelve weeks: twice what a drug with a half-life of a week needs to reach its plateau."""


def drug_concentration(
    trajectories: Path,
    palette: ArmPalette,
    taken: Mapping[str, Mapping[str, str]],
    begun: Mapping[str, Mapping[str, float]],
) -> Figure | None:
    """Concentration of each drug in the arms that take it: median and 5-95 % band.

    Each arm is shown for `SHOWN_DAYS` from the day on which it begins the drug.

    Parameters
    ----------
    trajectories
        Trajectory table.
    palette
        Colors of the arms.
    taken
        For each arm its drugs, each with the column that holds its concentration.
    begun
        For each arm the day on which it begins each of its drugs.

    Returns
    -------
    Figure or None
        None when no drug of any arm has a concentration in the table.
    """
    columns = output_columns(trajectories)
    outputs = {drug: column for drugs in taken.values() for drug, column in drugs.items()}
    shown = sorted(drug for drug, column in outputs.items() if column in columns)
    if not shown:
        return None
    panels = []
    sizes: dict[str, int] = {}
    for drug in shown:
        starts = {arm: begun[arm][drug] for arm, drugs in taken.items() if drug in drugs}
        bands = quantile_bands(_from_first_dose(trajectories, outputs[drug], starts), OUTER)
        sizes |= {
            str(arm): int(n) for arm, n in bands.groupby("arm", sort=False)["n"].max().items()
        }
        axis = weeks(float(bands["time_day"].max()))
        panels.append(
            alt.layer(
                *band_layers(
                    bands,
                    axis,
                    palette,
                    y_title=f"{drug.capitalize()} (mg/L)",
                    y_scale=alt.Scale(zero=True),
                )
            ).properties(width=panel_width(len(shown)), height=220)
        )
    counted = ", ".join(f"{arm}: n = {n}" for arm, n in sizes.items())
    late = any(day > 0.0 for drugs in begun.values() for day in drugs.values())
    since = " Time is from the first dose of the drug in the arm." if late else ""
    return Figure(
        identifier="drug-concentration",
        title="Drug concentration in plasma",
        caption=f"Line: median of the patients. Band: 5 to 95 % of them.{since} {counted}.",
        chart=alt.hconcat(*panels) if len(panels) > 1 else panels[0],
    )


def _from_first_dose(
    trajectories: Path, output: str, starts: Mapping[str, float]
) -> dict[str, ArmTrajectories]:
    """One output of each arm with time counted from the day on which it begins the drug."""
    found: dict[str, ArmTrajectories] = {}
    for start in sorted(set(starts.values())):
        read = read_output(trajectories, output, from_day=start, until_day=start + SHOWN_DAYS)
        found |= {
            arm: replace(rows, time_day=rows.time_day - start)
            for arm, rows in read.items()
            if starts.get(arm) == start
        }
    return {arm: found[arm] for arm in starts if arm in found}
