"""Fit growth, adaptation and fulvestrant of MCF-7 in culture to counted cells.

Run from the repository root (about a minute), with the folder of shared data beside it or named by
`ESTRADYN_SHARED`; without the data it changes nothing::

    python calibration/well.py

The data are the counts of He et al. (doi:10.1038/s41540-025-00604-z): cells that grew in 10 nM
estradiol are counted for up to three weeks with estradiol, without it, with 10 pM, and with
fulvestrant. Each count counts by the logarithm of its fold over the dish of day 0, with the
standard deviation of biological repeats (24 %; 50 % for the arms at 10 pM, whose dishes were washed
once and keep an unknown part of 10 nM). The concentration of fulvestrant that halves the number of
cells, 0.29 nM (row ICI01), counts with a factor of 1.5.

What is not fitted: the competition for the receptor, partial agonism and the midpoint and steepness
of growth are those of a patient's tumor; the destruction of receptor by fulvestrant follows from
half-lives; the rates of receptor gain over months are set by row SERM02.

Run of 2026-11-29. The residuals are 1.7 times what repeats scatter, as experiments differ: one
grows to 200-fold with estradiol (119 reached), another to 20-fold. Without estradiol 5-fold in the
first week and then a plateau (5.6 to 9.7, then a plateau); fulvestrant without estradiol 1.3-fold
(1.4 to 2.2), 500 nmol/L against 10 nmol/L estradiol 2.0-fold (1.8 to 3.6), 200 nmol/L overshoots
(85 against 34 to 48); IC50 0.26 nmol/L. Adaptation rate and activity of fed cells are known
together, not apart (log SE 0.6 and 0.4). Activity after adaptation is not fitted: the three weeks
would take it to zero, and growth that comes back over months (SERM02) would then have no cause.
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cohort import RowValues, write_rows
from numpy.typing import NDArray
from scipy.optimize import least_squares

from estradyn.assay.simulate.cells import Medium, simulate_cells
from estradyn.assay.wells import GROWTH_AREA_CM2
from estradyn.model import load_parameters

Array = NDArray[np.float64]

SHARED = Path(os.environ.get("ESTRADYN_SHARED", Path(__file__).parents[2] / "shared"))
COUNTS = SHARED / "data" / "mcf7_counts.csv"
AREA_CM2 = {"60 mm dish": 21.0, '"10cm2 dish"': 55.0}
"""Growth area of the vessels, by the beginning of their names."""

REPEAT_SD = 0.24
CARRY_OVER_SD = 0.5
INHIBITION = ("ICI01", 0.29, np.log(1.5))

PER_AREA, CAPACITY = "tumor_capacity_per_area", "tumor_capacity"
"""What is fitted of room for cells, thousands per cm2, and the row for a well of 96."""

START = {
    "tumor_birth_rate": 0.026,
    "tumor_adaptation_rate": 0.015,
    "tumor_fed_activity": 0.06,
    PER_AREA: 430.0,
    "fulvestrant_ligand_tumor_partition": 0.92,
}


@dataclass(frozen=True)
class Arm:
    """One dish of day 0 and its sisters: what they held and their counts."""

    name: str
    treatment: dict[str, float]
    start: float
    area: float
    hours: Array
    fold: Array
    spread: float


def read_arms() -> list[Arm]:
    """Arms with estradiol and fulvestrant alone; no other drug, no alternation, no duplicate."""
    found: dict[tuple[str, ...], list[dict[str, str]]] = {}
    with COUNTS.open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            others = (row[f"{drug}_nM"] for drug in ("palbociclib", "abemaciclib", "azd1775"))
            if any(float(value or 0) for value in others) or row["cell_line"] != "MCF-7":
                continue
            late = row["experiment"] == "20201026" and float(row["day"]) > 3
            if row["duplicate_of"] or late or "alternating" in row["condition"]:
                continue
            if float(row["day"]) > 0:
                key = (row["experiment"], row["bio_rep"], row["condition"])
                found.setdefault(key, []).append(row)
    arms = []
    for key, rows in found.items():
        first = rows[0]
        doses = {name: float(first[f"{name}_nM"]) * 1e-9 for name in ("estradiol", "fulvestrant")}
        rows.sort(key=lambda row: float(row["day"]))
        area = next(size for name, size in AREA_CM2.items() if first["vessel"].startswith(name))
        arms.append(
            Arm(
                name=" ".join(key),
                treatment={name: dose for name, dose in doses.items() if dose > 0},
                start=float(first["t0_cells"]) / 1000.0,
                area=area,
                hours=np.array([24.0 * float(row["day"]) for row in rows]),
                fold=np.array([float(row["fold_over_t0"]) for row in rows]),
                spread=CARRY_OVER_SD if doses["estradiol"] == 1e-11 else REPEAT_SD,
            )
        )
    return arms


def predicted(arms: list[Arm], values: dict[str, float]) -> list[Array]:
    """Fold of each arm at its counts."""
    hours = np.unique(np.concatenate([[0.0], *(arm.hours for arm in arms)]))
    parameters = dict(values)
    per_area = parameters.pop(PER_AREA)
    cells = simulate_cells(
        [arm.treatment for arm in arms],
        hours,
        cell_line="MCF-7",
        medium=Medium(deprivation_h=0.0),
        parameters={
            **parameters,
            "tumor_seeded_cells": np.array([arm.start for arm in arms]),
            CAPACITY: np.array([per_area * arm.area for arm in arms]),
        },
    )["live_cells"]
    return [cells[i][np.searchsorted(hours, arm.hours)] / arm.start for i, arm in enumerate(arms)]


def half_inhibition(values: dict[str, float]) -> float:
    """Fulvestrant in nmol/L that halves the number of cells after six days without estradiol."""
    doses = np.logspace(-11.5, -7.5, 33)
    parameters = {name: value for name, value in values.items() if name != PER_AREA}
    cells = simulate_cells(
        [{}, *({"fulvestrant": dose, "estradiol": 1e-20} for dose in doses)],
        [144.0],
        cell_line="MCF-7",
        medium=Medium(deprivation_h=0.0),
        parameters={**parameters, CAPACITY: 1e6},
    )["live_cells"][:, 0]
    share = cells[1:] / cells[0]
    return float(1e9 * np.exp(np.interp(-0.5, -share, np.log(doses))))


def main() -> None:
    """Fit, write the rows and print what they reach."""
    if not COUNTS.is_file():
        print(f"Kept the growth of MCF-7: there are no counts in {COUNTS} (set ESTRADYN_SHARED).")
        return
    arms = read_arms()
    names = list(START)

    def misfit(logarithms: Array) -> Array:
        values = dict(zip(names, np.exp(logarithms), strict=True))
        rows = [
            np.log(model / arm.fold) / arm.spread
            for arm, model in zip(arms, predicted(arms, values), strict=True)
        ]
        _, published, spread = INHIBITION
        rows.append(np.array([np.log(half_inhibition(values) / published) / spread]))
        return np.concatenate(rows)

    start = np.log(np.array(list(START.values())))
    fit = least_squares(
        misfit, start, bounds=(start - np.log(10), start + np.log(10)), diff_step=0.02
    )
    values = dict(zip(names, np.exp(fit.x), strict=True))
    covariance = np.linalg.pinv(fit.jac.T @ fit.jac) * 2 * fit.cost / (fit.fun.size - len(names))
    for name, logarithm, error in zip(names, fit.x, np.sqrt(np.diag(covariance)), strict=True):
        print(f"{name}: {np.exp(logarithm):.4g} (log SE {error:.2f})")
    rows = {name: value for name, value in values.items() if name != PER_AREA}
    rows[CAPACITY] = values[PER_AREA] * GROWTH_AREA_CM2[96]
    write_rows(load_parameters("well"), {name: RowValues(value) for name, value in rows.items()})
    print(f"root mean square of {fit.fun.size} residuals {np.sqrt(np.mean(fit.fun**2)):.2f}")
    for arm, model in zip(arms, predicted(arms, values), strict=True):
        pairs = " ".join(
            f"d{h / 24:.0f} {m:.3g} ({o:.3g})"
            for h, m, o in zip(arm.hours, model, arm.fold, strict=True)
        )
        print(f"  {arm.name}: {pairs}")
    print(f"  fulvestrant IC50 {half_inhibition(values):.2g} nmol/L ({INHIBITION[1]})")


if __name__ == "__main__":
    main()
