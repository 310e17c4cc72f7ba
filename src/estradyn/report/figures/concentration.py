"""Drug concentration in plasma."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import altair as alt

from estradyn.report.figures.bands import OUTER, band_layers
from estradyn.report.figures.figure import Figure
from estradyn.report.figures.time_axis import weeks
from estradyn.report.palette import ArmPalette
from estradyn.report.theme import panel_width
from estradyn.report.trajectories import output_columns, quantile_bands, read_output

SHOWN_DAYS = 84.0
"""Twelve weeks: twice what a drug with a half-life of a week needs to reach its plateau."""


def drug_concentration(
    trajectories: Path,
    palette: ArmPalette,
    taken: Mapping[str, Mapping[str, str]],
    begun: Mapping[str, tuple[float, float]],
) -> Figure | None:
    """Concentration of each drug in the arms that take it: median and 5-95 % band.

    It is shown from the day on which the first arm begins the drug until `SHOWN_DAYS` after the
    last arm does.

    Parameters
    ----------
    trajectories
        Trajectory table.
    palette
        Colors of the arms.
    taken
        For each arm its drugs, each with the column that holds its concentration.
    begun
        First and last day on which an arm begins each drug.

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
        first, last = begun[drug]
        output = read_output(
            trajectories, outputs[drug], from_day=first, until_day=last + SHOWN_DAYS
        )
        takers = {arm: rows for arm, rows in output.items() if drug in taken.get(arm, ())}
        bands = quantile_bands(takers, OUTER)
        sizes |= {
            str(arm): int(n) for arm, n in bands.groupby("arm", sort=False)["n"].max().items()
        }
        axis = weeks(float(bands["time_day"].max()), float(bands["time_day"].min()))
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
    return Figure(
        identifier="drug-concentration",
        title="Drug concentration in plasma",
        caption=f"Line: median of the patients. Band: 5 to 95 % of them. {counted}.",
        chart=alt.hconcat(*panels) if len(panels) > 1 else panels[0],
    )
