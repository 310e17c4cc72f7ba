"""Parametric bootstrap of a fitted curve: bands, and percentile intervals of its landmarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from estradyn.assay.curves.choice import simulated_data
from estradyn.assay.curves.fit import CurveFit, bounds, curve_jacobian
from estradyn.assay.curves.landmarks import DoseWindow, Landmark, landmark_value
from estradyn.assay.curves.least_squares import minimise

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PercentileInterval:
    """Percentile interval of a landmark (Efron & Tibshirani 1993, ch. 13).

    Attributes
    ----------
    lower, upper
        Percentiles of the draws that have the landmark.
    share
        Share of draws that have it.
    """

    lower: float
    upper: float
    share: float


def bootstrap_draws(fit: CurveFit, count: int, seed: int) -> Array:
    """Refit a curve to data simulated from it.

    Parameters
    ----------
    fit
        Fit to a single data set.
    count
        Number of simulated data sets.
    seed
        Seed of the simulation.

    Returns
    -------
    numpy.ndarray
        Parameters; shape (count, parameters).
    """
    data = simulated_data(fit, count, np.random.default_rng(seed))
    root = np.sqrt(data.weight)
    family = fit.family

    def residuals(theta: Array, who: NDArray[np.int64]) -> tuple[Array, Array]:
        response, jacobian = curve_jacobian(family, data, theta)
        scale = root[who]
        return scale * (response - data.mean[who]), scale[:, :, None] * jacobian

    start = np.repeat(fit.theta, count, axis=0)
    return minimise(residuals, start, *bounds(family, data), tolerance=1e-7, steps=60).theta


def curve_band(
    fit: CurveFit, draws: Array, dose: Array, level: float = 0.95
) -> tuple[Array, Array]:
    """Lower and upper limit of the response at each dose."""
    log_dose = np.log(dose / fit.data.reference_dose)
    curves = fit.family.evaluate(draws[:, None, :], log_dose)
    tail = 0.5 * (1.0 - level)
    low, high = np.quantile(curves, [tail, 1.0 - tail], axis=0)
    return low, high


def percentile_interval(
    fit: CurveFit, draws: Array, landmark: Landmark, level: float = 0.95
) -> PercentileInterval:
    """Percentile interval of one landmark."""
    window = DoseWindow.around(fit.data)
    values = landmark.value(fit.family, draws, window)
    present = values[np.isfinite(values)]
    share = len(present) / len(draws)
    if len(present) < 20:
        return PercentileInterval(np.nan, np.nan, share)
    tail = 0.5 * (1.0 - level)
    limits = np.quantile(present, [tail, 1.0 - tail])
    low, high = landmark_value(landmark, limits, fit.data.reference_dose)
    return PercentileInterval(float(low), float(high), share)
