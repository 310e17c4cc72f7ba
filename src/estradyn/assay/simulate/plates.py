"""The plates of a plan as a reader would measure them, and what they would show without noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from estradyn.assay.plan.design import AssayDesign
from estradyn.assay.plan.maps import plate_maps
from estradyn.assay.simulate.cells import (
    Medium,
    Treatment,
    capacity_of,
    simulate_cells,
    tabled_culture,
)
from estradyn.assay.simulate.scatter import Scatter, scatter_of
from estradyn.assay.wells import GROWTH_AREA_CM2, PLATE_SHAPES

Array = NDArray[np.float64]

HOURS_OF_REPEATS = 168.0
"""Time over which the fold of biological repeats was compared."""

DOSES_PER_DECADE = 20
DECADES_BEYOND = 1.5
"""How far beyond the planned doses the true curves are drawn."""


@dataclass(frozen=True)
class TrueSeries:
    """What a dose series would show without noise.

    Attributes
    ----------
    agonist_dose
        Constant dose of the agonist beside the drug, mol/L; 0 if none.
    time_h
        Hours of treatment.
    doses, percent
        Doses in mol/L and the signal as a percentage of vehicle.
    control
        Percentage without the drug: 100, or that of the agonist alone.
    """

    agonist_dose: float
    time_h: float
    doses: Array
    percent: Array
    control: float

    @property
    def peak_percent(self) -> float:
        """Largest signal, percent of vehicle."""
        return float(max(self.percent.max(), self.control))

    @property
    def peak_dose(self) -> float:
        """Dose of the largest signal; NaN where none is above the control."""
        if self.percent.max() <= self.control:
            return float("nan")
        return float(self.doses[self.percent.argmax()])

    @property
    def limiting_dose(self) -> float:
        """Dose above the peak at which the signal is back at the control; NaN if it never is."""
        if np.isnan(self.peak_dose):
            return float("nan")
        peak = int(self.percent.argmax())
        below = np.flatnonzero(self.percent[peak:] <= self.control)
        if not below.size:
            return float("nan")
        after = peak + int(below[0])
        pair = self.percent[[after, after - 1]]
        return float(np.exp(np.interp(self.control, pair, np.log(self.doses[[after, after - 1]]))))


def simulate_plates(design: AssayDesign, *, seed: int = 1, workers: int = 1) -> pd.DataFrame:
    """Simulate every plate of a design as a reader would measure it.

    Plates of one number at different times are one biological repeat and share how fast its cells
    grow. Wells differ by seeding, place on the plate and reading.

    Parameters
    ----------
    design
        The plan.
    seed
        Seed of all that is drawn.
    workers
        Threads of the solver.

    Returns
    -------
    pandas.DataFrame
        One row per used well with `plate`, `well`, `role`, `drug`, `dose`, `agonist`,
        `agonist_dose` (mol/L), `time_h`, `readout`, `cell_line`, `signal`: what
        `estradyn.assay.wells_from_frame` takes.

    Raises
    ------
    InputError
        If a compound, the cell line or the readout is not known.

    Examples
    --------
    >>> from estradyn.assay import analyze, wells_from_frame
    >>> from estradyn.assay.plan import load_design
    >>> design = load_design("design.yaml")                             # doctest: +SKIP
    >>> result = analyze(wells_from_frame(simulate_plates(design)))     # doctest: +SKIP
    """
    return PlateSimulator(design, workers=workers).draw(seed)


class PlateSimulator:
    """Draws a plan's plates again and again."""

    def __init__(self, design: AssayDesign, *, workers: int = 1) -> None:
        self.design = design
        self._workers = workers
        self._maps = plate_maps(design)
        self._scatter = scatter_of(design.readout, design.cell_line)
        self._values = _culture_values(design)

    def draw(self, seed: int) -> pd.DataFrame:
        """The plates of one run; see `simulate_plates`."""
        generator = np.random.default_rng(seed)
        scatter, maps = self._scatter, self._maps
        shape = PLATE_SHAPES[self.design.plate]
        pace = self._paces(generator)[maps["repeat"].to_numpy() - 1]
        seeded = self._values["tumor_seeded_cells"] * _lognormal(
            generator, scatter.seeding_cv, len(maps)
        )
        place = _plate_factors(maps, shape, scatter, generator)
        reading_cv = max(scatter.readout.well_cv**2 - scatter.seeding_cv**2, 0.0) ** 0.5
        reading = _lognormal(generator, reading_cv, len(maps))
        background = scatter.readout.background + scatter.readout.background_sd * (
            generator.standard_normal(len(maps))
        )
        amount = self._amounts(maps, pace, seeded)
        signal = amount * scatter.readout.per_thousand * place * reading + background
        table = maps[["plate", "well", "role", "drug", "dose", "agonist", "agonist_dose", "time_h"]]
        return table.assign(
            readout=self.design.readout,
            cell_line=self.design.cell_line,
            signal=[float(f"{value:.5g}") for value in signal],
        )

    def _paces(self, generator: np.random.Generator) -> Array:
        """Factor on the birth rate of each repeat."""
        births = self._values["tumor_birth_rate"] * HOURS_OF_REPEATS
        count = self.design.plates_per_time
        return 1.0 + self._scatter.repeat_cv / births * generator.standard_normal(count)

    def _amounts(self, maps: pd.DataFrame, pace: Array, seeded: Array) -> Array:
        """Variable behind the signal in each well; 0 in blanks."""
        amounts = np.zeros(len(maps))
        cells = (maps["role"] != "blank").to_numpy()
        for time in np.unique(maps["time_h"]):
            rows = np.flatnonzero(cells & (maps["time_h"] == time).to_numpy())
            found = simulate_cells(
                [_treatment(self.design, *pair) for pair in _doses(maps.iloc[rows])],
                [time],
                cell_line=self.design.cell_line,
                medium=_medium(self.design),
                parameters={
                    **self._values,
                    "tumor_birth_rate": self._values["tumor_birth_rate"] * pace[rows],
                    "tumor_seeded_cells": seeded[rows],
                },
                workers=self._workers,
            )
            amounts[rows] = found[self._scatter.readout.output][:, 0]
        return amounts


def true_series(design: AssayDesign) -> list[TrueSeries]:
    """Dose series of a design as they would be without noise, at every time.

    Parameters
    ----------
    design
        The plan.

    Returns
    -------
    list of TrueSeries
        The drug alone at each time, then beside the agonist where the plan has that.
    """
    tops, lows = max(design.doses()), min(design.doses())
    span = np.log10(tops / lows) + 2 * DECADES_BEYOND
    doses = np.logspace(
        np.log10(lows) - DECADES_BEYOND,
        np.log10(tops) + DECADES_BEYOND,
        round(span * DOSES_PER_DECADE) + 1,
    )
    beside = design.agonist.with_drug if design.agonist is not None else None
    output = scatter_of(design.readout, design.cell_line).readout.output
    times = sorted(design.times_h)
    result = []
    for agonist_dose in (0.0, *([] if beside is None else [beside])):
        wells: Sequence[Treatment] = [
            {},
            _treatment(design, 0.0, agonist_dose),
            *(_treatment(design, dose, agonist_dose) for dose in doses),
        ]
        found = simulate_cells(
            wells,
            times,
            cell_line=design.cell_line,
            medium=_medium(design),
            parameters=_culture_values(design),
        )[output]
        percent = 100.0 * found / found[0]
        result += [
            TrueSeries(agonist_dose, time, doses, percent[2:, i], float(percent[1, i]))
            for i, time in enumerate(times)
        ]
    return result


def _medium(design: AssayDesign) -> Medium:
    medium = design.medium
    return Medium(
        medium.serum_percent,
        medium.charcoal_stripped,
        medium.phenol_red_free,
        medium.deprivation_h,
        medium.insulin,
    )


def _treatment(design: AssayDesign, dose: float, agonist_dose: float) -> dict[str, float]:
    """What a well holds. Every well names every compound, so that all wells are one model."""
    held = {design.drug.name: dose}
    if design.agonist is not None:
        held[design.agonist.name] = held.get(design.agonist.name, 0.0) + agonist_dose
    return held


def _doses(wells: pd.DataFrame) -> list[tuple[float, float]]:
    return list(zip(wells["dose"].astype(float), wells["agonist_dose"].astype(float), strict=True))


def _culture_values(design: AssayDesign) -> dict[str, float]:
    """Values that follow from plate and seeding."""
    tabled = tabled_culture()
    area = GROWTH_AREA_CM2[design.plate]
    seeded = tabled["tumor_seeded_cells"] * area / GROWTH_AREA_CM2[96]
    if design.cells_per_well is not None:
        seeded = design.cells_per_well / 1000.0
    return {
        "tumor_birth_rate": tabled["tumor_birth_rate"],
        "tumor_capacity": capacity_of(area),
        "tumor_seeded_cells": seeded,
    }


def _lognormal(generator: np.random.Generator, cv: float, count: int) -> Array:
    """Factors with mean 1 and a coefficient of variation."""
    spread = np.sqrt(np.log1p(cv**2))
    return np.asarray(np.exp(spread * generator.standard_normal(count) - 0.5 * spread**2))


def _plate_factors(
    maps: pd.DataFrame, shape: tuple[int, int], scatter: Scatter, generator: np.random.Generator
) -> Array:
    """Factor on the signal of each well by its plate and its place there."""
    factor = np.ones(len(maps))
    for _, wells in maps.groupby("plate", sort=False):
        gain = _lognormal(generator, scatter.readout.plate_cv, 1)[0]
        slope = scatter.gradient_sd * generator.standard_normal(2)
        row, column = wells["row"].to_numpy(), wells["column"].to_numpy()
        tilt = slope[0] * (row / (shape[0] - 1) - 0.5) + slope[1] * (column / (shape[1] - 1) - 0.5)
        rim = (row == 0) | (column == 0) | (row == shape[0] - 1) | (column == shape[1] - 1)
        factor[wells.index] = gain * (1.0 + tilt) * np.where(rim, 1.0 - scatter.edge_loss, 1.0)
    return factor
