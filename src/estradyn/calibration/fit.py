"""Weighted least squares from many starting points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.stats import qmc

from estradyn.calibration.prediction import Predictor
from estradyn.calibration.problem import FreeParameter
from estradyn.errors import SimulationError

Array = NDArray[np.float64]

RELATIVE_STEP = 1e-3
"""Step of the differences, as a share of the range of a parameter between its bounds."""

UNSOLVED = 1e3
"""Standard deviations that a measurement is off where an experiment could not be solved."""


@dataclass(frozen=True)
class Start:
    """One search: where it began and ended, and how far from the data."""

    begin: Array
    end: Array
    misfit: float


@dataclass(frozen=True)
class Fit:
    """The best of all searches.

    Attributes
    ----------
    values
        Fitted values in the model's units, shape (parameters,).
    misfit
        Sum of squares of residuals in standard deviations, priors included; twice the negative
        log-likelihood up to a constant.
    predicted
        Predictions at the fitted values, shape (measurements,).
    covariance
        Inverse of the curvature on the scales of the search, shape (parameters, parameters).
    starts
        Every search, the best first.
    """

    values: Array
    misfit: float
    predicted: Array
    covariance: Array
    starts: tuple[Start, ...]


class Residuals:
    """Distance from the data in standard deviations, as a function on the scales of the search.

    Parameters
    ----------
    predictor
        Predicts the measurements.
    held
        Fitted parameters that are held, by place, at a value on their scale.
    """

    def __init__(self, predictor: Predictor, held: dict[int, float] | None = None) -> None:
        self._predictor = predictor
        self._held = held or {}
        self.free = predictor.problem.free
        self.places = [place for place in range(len(self.free)) if place not in self._held]
        self.lower = np.array([item.to_scale(item.lower) for item in self.free])[self.places]
        self.upper = np.array([item.to_scale(item.upper) for item in self.free])[self.places]

    def whole(self, points: Array) -> Array:
        """Put the held parameters beside the searched ones, shape (points, parameters)."""
        full = np.empty((len(points), len(self.free)))
        full[:, self.places] = points
        for place, value in self._held.items():
            full[:, place] = value
        return full

    def many(self, points: Array) -> Array:
        """Residuals at many points, shape (points, measurements and priors)."""
        problem = self._predictor.problem
        full = self.whole(points)
        values = np.column_stack(
            [item.from_scale(full[:, place]) for place, item in enumerate(self.free)]
        )
        distance = (self._predictor(values) - problem.targets) / problem.standard_deviations
        distance = np.nan_to_num(distance, nan=UNSOLVED)
        return np.hstack([distance, _prior_distances(self.free, full)])

    def __call__(self, point: Array) -> Array:
        """Residuals at one point."""
        return np.asarray(self.many(point[None, :])[0])

    def jacobian(self, point: Array) -> Array:
        """Derivatives of the residuals, all differences solved side by side."""
        steps = RELATIVE_STEP * (self.upper - self.lower)
        upper = np.minimum(point + steps, self.upper)
        lower = np.maximum(point - steps, self.lower)
        count = len(point)
        points = np.repeat(point[None, :], 2 * count, axis=0)
        points[np.arange(count), np.arange(count)] = upper
        points[count + np.arange(count), np.arange(count)] = lower
        found = self.many(points)
        return np.asarray(((found[:count] - found[count:]) / (upper - lower)[:, None]).T)

    def search(self, begin: Array) -> Start:
        """Go downhill from one point within the bounds (trust region reflective)."""
        # A point on a bound cannot start; the margin is far below any difference that matters.
        margin = 1e-6 * (self.upper - self.lower)
        begin = np.clip(begin, self.lower + margin, self.upper - margin)
        found = least_squares(
            self, begin, self.jacobian, bounds=(self.lower, self.upper), xtol=1e-4, ftol=1e-3
        )
        return Start(begin, found.x, 2.0 * float(found.cost))


def fit(
    predictor: Predictor,
    *,
    starts: int = 10,
    seed: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Fit:
    """Fit the parameters of a problem.

    The first search begins at the nominal values, the others at a Latin hypercube sample of the
    box between the bounds, on the scales of the search.

    Parameters
    ----------
    predictor
        Predicts the measurements of the problem.
    starts
        Number of searches.
    seed
        Seed of the sample.
    progress
        Called with the number of searches done and to do.

    Raises
    ------
    SimulationError
        If the experiments cannot be solved at the best point found.
    """
    residuals = Residuals(predictor)
    nominal = np.array([item.to_scale(item.nominal) for item in residuals.free])
    sample = qmc.LatinHypercube(len(nominal), rng=np.random.default_rng(seed)).random(starts - 1)
    points = [nominal, *(residuals.lower + sample * (residuals.upper - residuals.lower))]
    found = []
    for done, point in enumerate(points):
        if progress is not None:
            progress(done, len(points))
        found.append(residuals.search(point))
    found.sort(key=lambda item: item.misfit)
    best = found[0]
    values = unscaled(residuals.free, best.end)
    predicted = predictor(values[None, :])[0]
    if np.isnan(predicted).any():
        raise SimulationError("the experiments cannot be solved anywhere the search came to")
    jacobian = residuals.jacobian(best.end)
    return Fit(
        values=values,
        misfit=best.misfit,
        predicted=predicted,
        covariance=np.asarray(np.linalg.pinv(jacobian.T @ jacobian), dtype=np.float64),
        starts=tuple(found),
    )


def unscaled(free: Sequence[FreeParameter], point: Array) -> Array:
    """Values in the model's units of a point on the scales of the search."""
    return np.array([item.from_scale(value) for item, value in zip(free, point, strict=True)])


def _prior_distances(free: Sequence[FreeParameter], full: Array) -> Array:
    columns = [
        (full[:, place] - item.prior[0]) / item.prior[1]
        for place, item in enumerate(free)
        if item.prior is not None
    ]
    return np.column_stack(columns) if columns else np.empty((len(full), 0))
