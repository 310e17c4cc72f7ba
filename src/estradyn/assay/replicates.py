"""Wells to replicates: the plate, not the well, is what is repeated.

Wells of one plate share cells, medium and reader, so they say how well a plate was pipetted, not
how far the next plate would differ. Dividing by the plate's vehicle mean puts the error of that
mean into every dose of the plate, and leaves the vehicle with no scatter at all. Plates are
therefore aligned on *all* treatments they share (a two-way layout on the logarithmic scale); the
vehicle keeps its own scatter and takes part in the fit like any dose.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Replicates:
    """Replicates of one curve.

    Attributes
    ----------
    table
        Columns `plate`, `dose`, `response`, `wells`, `weight`; one row per plate and dose, or one
        per well where there is a single plate.
    unit
        `plate` or `well`: what a row stands for.
    lost_df
        Degrees of freedom spent on aligning the plates.
    plate_factors
        Factor each plate was divided by, by plate.
    """

    table: pd.DataFrame
    unit: str
    lost_df: int
    plate_factors: dict[str, float]


def make_replicates(wells: pd.DataFrame, *, align: bool = True) -> Replicates:
    """Average wells to plates, align the plates and weigh them.

    Parameters
    ----------
    wells
        Columns `plate`, `dose`, `response` (percent of vehicle, or growth rate), one row per well.
    align
        Whether plates may be aligned; only responses above 0 can be.

    Returns
    -------
    Replicates
        Weights are relative to a typical cell of wells, and follow from the scatter within cells
        and the scatter of cells about aligned plates (method of moments).
    """
    plates = wells["plate"].unique()
    if len(plates) == 1:
        table = wells.assign(wells=1, weight=1.0)
        return Replicates(
            table[["plate", "dose", "response", "wells", "weight"]].reset_index(drop=True),
            "well",
            0,
            {str(plates[0]): 1.0},
        )
    cells = (
        wells.groupby(["plate", "dose"], sort=True)["response"]
        .agg(["mean", "count", "var"])
        .reset_index()
        .rename(columns={"mean": "response", "count": "wells"})
    )
    within_df = float((cells["wells"] - 1).sum())
    within = float((cells["var"].fillna(0.0) * (cells["wells"] - 1)).sum()) / max(within_df, 1.0)
    factors = dict.fromkeys(map(str, plates), 1.0)
    lost = 0
    if align and (cells["response"] > 0).all():
        effect = _plate_effects(cells)
        if effect is not None:
            cells["response"] /= cells["plate"].map(np.exp(effect))
            factors = {str(plate): float(np.exp(value)) for plate, value in effect.items()}
            lost = len(plates) - 1
    residual = cells["response"] - cells.groupby("dose")["response"].transform("mean")
    free = len(cells) - cells["dose"].nunique() - lost
    between = float((residual**2).sum()) / max(free, 1)
    interaction = max(between - within * float((1.0 / cells["wells"]).mean()), 0.0)
    variance = interaction + within / cells["wells"]
    typical = interaction + within / float(cells["wells"].median())
    cells["weight"] = typical / variance if typical > 0 else 1.0
    return Replicates(
        cells[["plate", "dose", "response", "wells", "weight"]], "plate", lost, factors
    )


def _plate_effects(cells: pd.DataFrame) -> pd.Series | None:
    """Additive plate effects on the logarithm, with mean 0; None if plates share no dose."""
    logarithm = cells.assign(response=np.log(cells["response"].to_numpy()))
    wide = logarithm.pivot_table(index="dose", columns="plate", values="response")
    shared = wide.dropna()
    if shared.empty:
        return None
    if len(shared) == len(wide):
        return shared.mean() - shared.to_numpy().mean()
    # Unbalanced: least squares on plate and dose, with the plate effects adding up to 0.
    doses, plates = list(wide.index), [str(plate) for plate in wide.columns]
    design = np.zeros((len(logarithm) + 1, len(doses) + len(plates)))
    for row, cell in enumerate(logarithm.itertuples()):
        design[row, doses.index(cell.dose)] = 1.0
        design[row, len(doses) + plates.index(str(cell.plate))] = 1.0
    design[-1, len(doses) :] = 1.0
    target = np.append(logarithm["response"].to_numpy(), 0.0)
    solution = np.linalg.lstsq(design, target, rcond=None)[0]
    return pd.Series(solution[len(doses) :], index=plates)
