"""Wells to replicates: the plate, not the well, is what is repeated.

Wells of one plate share cells, medium and reader, so they say how well a plate was pipetted, not
how far the next plate would differ. Dividing by the plate's vehicle mean puts the error of that
mean into every dose of the plate, and leaves the vehicle with no scatter at all. Plates are
therefore aligned on *all* treatments they share; the vehicle keeps its own scatter and takes part
in the fit like any dose. A plate is brighter or darker by a factor, so the response of plate p at
dose d is f_p m_d plus scatter. Least squares on the responses themselves, with the scatter that the
curves are fitted with, finds the factors: where nearly all cells are dead, a reading tells next to
nothing of the brightness of its plate, and a mean of logarithms would let it tell as much as any.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]

SMALLEST_MEAN = 5.0
"""Percent of vehicle below which scatter in proportion to the mean grows no smaller."""

_ROUNDS = 200
_CLOSE = 1e-12


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


def make_replicates(wells: pd.DataFrame, *, proportional: bool = False) -> Replicates:
    """Average wells to plates, align the plates and weigh them.

    Parameters
    ----------
    wells
        Columns `plate`, `dose`, `response` (percent of vehicle), one row per well.
    proportional
        Whether scatter grows with the mean, for the alignment; else it is the same at all doses.

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
    found = _plate_factors(cells, proportional=proportional)
    if found is not None:
        cells["response"] /= cells["plate"].map(found)
        factors = {str(plate): float(value) for plate, value in found.items()}
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


def _plate_factors(cells: pd.DataFrame, *, proportional: bool) -> pd.Series | None:
    """Factor of each plate, with geometric mean 1; None if the plates cannot be aligned.

    Alternating least squares of the product of plate and dose, which are linear one by one.
    """
    wide = cells.pivot_table(index="dose", columns="plate", values="response")
    if wide.dropna().empty:
        return None
    response = wide.to_numpy()
    known = np.isfinite(response)
    response = np.where(known, response, 0.0)
    factor = np.ones(response.shape[1])
    weight = known.astype(float)
    for _ in range(_ROUNDS):
        mean = (weight * response) @ factor / (weight @ factor**2)
        if proportional:
            weight = known / np.maximum(mean, SMALLEST_MEAN)[:, None] ** 2
        before = factor
        factor = mean @ (weight * response) / (mean**2 @ weight)
        if not (factor > 0).all():
            return None
        factor = factor / np.exp(np.log(factor).mean())
        if np.abs(factor - before).max() < _CLOSE:
            break
    return pd.Series(factor, index=wide.columns)
