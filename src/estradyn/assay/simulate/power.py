"""Whether a plan would find the stimulation zone: it is simulated and analysed many times.

Each run is normalised and fitted as `estradyn assay analyze` does it. What is left out, for speed,
is that command's bootstrap of every curve: here one bootstrap under the best curve without
stimulation through the mean of all runs says how much evidence chance alone gives, and a run has
found the zone when its evidence is above 95 % of that and doses lie on both limbs of its peak.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from estradyn.assay.curves.choice import (
    BIPHASIC,
    MONOTONE,
    corrected_akaike,
    fit_families,
    limb_fault,
    simulated_data,
)
from estradyn.assay.curves.families import CurveFamily
from estradyn.assay.curves.fit import CurveFit
from estradyn.assay.curves.observations import Observations, observations, stacked
from estradyn.assay.normalise import normalise
from estradyn.assay.plan.design import AssayDesign
from estradyn.assay.replicates import make_replicates
from estradyn.assay.series import split_series
from estradyn.assay.simulate.plates import PlateSimulator, TrueSeries, true_series
from estradyn.assay.wells_table import wells_from_frame
from estradyn.errors import InputError

Array = NDArray[np.float64]

DEFAULT_RUNS = 50
NULL_SETS = 400
"""Data sets without a zone behind the critical value."""

LEVEL = 0.05
SMALLEST_ZONE = 1.0
"""Percent above the control from which a true curve counts as having a zone."""

RULE = (
    "A run counts when its best biphasic curve has more evidence (AICc) over the best monotone one "
    "than 95 % of data sets simulated without a zone, and doses lie on both sides of its peak."
)


@dataclass(frozen=True)
class ZonePower:
    """How often the zone of the drug alone is found at one time.

    Attributes
    ----------
    time_h
        Hours of treatment.
    found, runs
        Simulated runs that found it, and all.
    lower, upper
        95 % Monte-Carlo interval of the share (Wilson).
    truth
        What the plates would show without noise.
    """

    time_h: float
    found: int
    runs: int
    lower: float
    upper: float
    truth: TrueSeries

    @property
    def has_zone(self) -> bool:
        """Whether there is a zone to be found, at any dose."""
        return self.truth.peak_percent > self.truth.control + SMALLEST_ZONE

    @property
    def sentence(self) -> str:
        """The result in one sentence."""
        share = f"{self.found} of {self.runs} simulated runs ({self.lower:.0%} to {self.upper:.0%})"
        if not self.has_zone:
            return f"{self.time_h:g} h: a zone is found in {share}, though the model has none."
        peak = self.truth.peak_percent - self.truth.control
        return f"{self.time_h:g} h: the zone (peak +{peak:.0f} %) is found in {share}."


def zone_power(
    design: AssayDesign,
    *,
    runs: int = DEFAULT_RUNS,
    seed: int = 1,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[ZonePower]:
    """Simulate a plan and count the runs that find the zone of the drug alone.

    Parameters
    ----------
    design
        The plan.
    runs
        Number of simulated runs.
    seed
        Seed of all that is drawn.
    workers
        Threads of the solver.
    progress
        Called with runs done and planned.

    Returns
    -------
    list of ZonePower
        One per time.

    Raises
    ------
    InputError
        If the plan cannot be simulated, or `runs` is below 2.
    """
    if runs < 2:
        raise InputError(f"runs is {runs}; allowed are 2 or more")
    simulator = PlateSimulator(design, workers=workers)
    data: dict[float, list[Observations]] = {}
    for number in range(runs):
        for time, one in _series_of_run(simulator, seed * 1_000_003 + number).items():
            data.setdefault(time, []).append(one)
        if progress is not None:
            progress(number + 1, runs)
    truth = {one.time_h: one for one in true_series(design) if one.agonist_dose == 0}
    result = []
    for time, several in sorted(data.items()):
        found = int(_found(several, seed).sum())
        interval = binomtest(found, runs).proportion_ci(0.95, method="wilson")
        result.append(
            ZonePower(time, found, runs, float(interval.low), float(interval.high), truth[time])
        )
    return result


def _series_of_run(simulator: PlateSimulator, seed: int) -> dict[float, Observations]:
    """Data of the drug alone at each time."""
    plates = simulator.draw(seed)
    # Growth rates and wells with agonist are of no use here.
    wanted = (plates["agonist_dose"] == 0) & (plates["time_h"] > 0)
    table, _ = normalise(wells_from_frame(plates[wanted]))
    series, _ = split_series(table)
    result = {}
    for one in series:
        made = make_replicates(one.wells)
        result[one.key.time_h] = observations(
            made.table["dose"],
            made.table["response"],
            weight=made.table["weight"],
            lost_df=made.lost_df,
        )
    return result


def _found(several: list[Observations], seed: int) -> NDArray[np.bool_]:
    """Whether each data set shows a zone."""
    data = stacked(several)
    fits = fit_families(MONOTONE + BIPHASIC, data, starts=3, fine=False)
    null = _null_fit(data)
    chance = fit_families(
        MONOTONE + BIPHASIC,
        simulated_data(null, NULL_SETS, np.random.default_rng(seed)),
        starts=3,
        fine=False,
    )
    critical = float(np.quantile(_evidence(chance), 1.0 - LEVEL))
    strong = _evidence(fits) > critical
    candidates = [fits[family.name] for family in BIPHASIC if family.name in fits]
    best = np.argmin([corrected_akaike(fit) for fit in candidates], axis=0)
    usable = [not limb_fault(_one(candidates[family], i)) for i, family in enumerate(best)]
    return np.asarray(strong & np.array(usable), bool)


def _null_fit(data: Observations) -> CurveFit:
    """Best monotone curve through the mean of all data sets, with the scatter of a typical one."""
    middle = replace(
        data,
        mean=data.mean.mean(axis=0, keepdims=True),
        weight=np.median(data.weight, axis=0, keepdims=True),
        pure_error=np.array([np.median(data.pure_error)]),
        pure_error_df=data.pure_error_df[:1],
    )
    fits = fit_families(MONOTONE, middle)
    best = min(fits.values(), key=lambda fit: float(corrected_akaike(fit)[0]))
    # Lack of fit of a monotone curve to a zone is no scatter: residual variance is pure error.
    pure = float(middle.pure_error[0]) / max(int(middle.pure_error_df[0]), 1)
    return replace(best, sum_of_squares=np.array([pure * float(best.residual_df[0])]))


def _evidence(fits: dict[str, CurveFit]) -> Array:
    def smallest(families: tuple[CurveFamily, ...]) -> Array:
        able = [corrected_akaike(fits[f.name]) for f in families if f.name in fits]
        return np.asarray(np.min(able, axis=0))

    return smallest(MONOTONE) - smallest(BIPHASIC)


def _one(fit: CurveFit, row: int) -> CurveFit:
    """The fit of one data set."""
    one = slice(row, row + 1)
    return replace(
        fit,
        data=fit.data.subset(one),
        theta=fit.theta[one],
        sum_of_squares=fit.sum_of_squares[one],
        converged=fit.converged[one],
    )
