"""Course of one tumor without the error of the calipers, and what is not known of it.

The log volume is a smooth curve whose growth rate wanders (an integrated Wiener process; its mean
is a cubic smoothing spline, Wahba 1978, doi:10.1111/j.2517-6161.1978.tb01050.x), read with the
caliper error that was published for its size. How fast the growth rate wanders and how good the
calipers were is not taken as known: the answer is averaged over grids of both, weighted by how well
each explains the readings of the animal. No other animal and no simulated mouse is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, ndtr

from estradyn.xenograft.measurement import Measurement

Array = NDArray[np.float64]

WANDERING = (0.002, 0.004, 0.008, 0.016, 0.032)
"""Standard deviation of the growth rate (1/day) that one day adds: from a rate that stays within
0.015 per day over eight weeks to one that turns from doubling in a week to shrinking as fast
within six (assumed; each value as likely as the next before the data)."""

ERROR_FACTOR = (0.35, 0.5, 0.7, 1.0, 1.4, 2.0)
ERROR_FACTOR_SPREAD = 0.5
"""Error of these calipers over the published one, and the standard deviation of its logarithm
before the data (assumed)."""

GROWTH_RATE_SPREAD = 0.05
"""Standard deviation of the growth rate at the first reading, 1/day (assumed: it doubles the tumor
in two weeks)."""

LEVEL_SPREAD = 10.0
"""Standard deviation of the log volume then, around the mean of all readings: it is not known."""

SMALLEST_SHARE = 0.025
"""Share of the first volume that smaller readings, zeros too, enter with: half the limit of a
complete response, since a tumor that cannot be felt has no logarithm."""

_DRAWS = 1000


@dataclass(frozen=True)
class SmoothedChange:
    """Change of log volume from a reference day.

    Attributes
    ----------
    days
        Shape (days,).
    mean
        Shape (days,).
    covariance
        Shape (days, days).
    """

    days: Array
    mean: Array
    covariance: Array

    def chance_of_fall(self, log_limit: float) -> float:
        """Probability that the change is at or below a limit on one or more of the days."""
        values, vectors = np.linalg.eigh(self.covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        lowest = (self.mean[:, None] + root @ _normal_draws(self.days.size)).min(axis=0)
        return float((lowest <= log_limit).mean())

    def chance_of_growth(self, log_limit: float) -> float:
        """Probability that the change is at or above a limit on the last day."""
        spread = float(np.sqrt(max(self.covariance[-1, -1], 1e-12)))
        return float(ndtr((self.mean[-1] - log_limit) / spread))


def smoothed_change(
    days: Array,
    volumes: Array,
    reference_day: float,
    wanted_days: Array,
    measurement: Measurement | None = None,
) -> SmoothedChange:
    """Estimate by how much a tumor changed from one day to others.

    Parameters
    ----------
    days
        Days of the readings, ascending, shape (visits,).
    volumes
        Readings in mm3, the first above zero.
    reference_day
        Day from which the change counts; it need not be a visit.
    wanted_days
        Days up to which it counts.
    measurement
        Caliper error; the published one by default.
    """
    measurement = measurement or Measurement()
    logs = np.log(np.maximum(volumes, SMALLEST_SHARE * volumes[0]))
    # The error follows from the level, which the neighbours tell better than the reading alone.
    level = np.convolve(np.pad(logs, 1, mode="edge"), np.full(3, 1.0 / 3.0), "valid")
    error = measurement.reading_error(np.exp(level))
    # The growth rate wanders from the first reading on, which may be a day before treatment.
    time = days - days[0]
    places = np.concatenate([[reference_day], wanted_days]) - days[0]
    own, across, among = (
        (_wandering(a, b), _line(a, b)) for a, b in ((time, time), (places, time), (places, places))
    )
    wander, factor = (x.ravel() for x in np.meshgrid(WANDERING, ERROR_FACTOR, indexing="ij"))
    square = (wander**2)[:, None, None]
    noise = (factor**2)[:, None, None] * np.diag(error**2)
    root = np.linalg.cholesky(square * own[0] + own[1] + noise)
    # Readings and the covariance of the wanted days with them, both without correlation.
    middle = logs.mean()
    right = np.empty((wander.size, days.size, places.size + 1))
    right[:, :, 0] = logs - middle
    right[:, :, 1:] = np.swapaxes(square * across[0] + across[1], 1, 2)
    white = np.linalg.solve(root, right)
    readings, weights = white[:, :, 0], white[:, :, 1:]
    fit = (
        -0.5 * (readings**2).sum(axis=1)
        - np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
        - 0.5 * (np.log(factor) / ERROR_FACTOR_SPREAD) ** 2
    )
    share = np.exp(fit - logsumexp(fit))
    transposed = np.swapaxes(weights, 1, 2)
    curve = (transposed @ readings[:, :, None])[:, :, 0]
    covariance = square * among[0] + among[1] - transposed @ weights
    change = curve[:, 1:] - curve[:, :1]
    apart = (
        covariance[:, 1:, 1:]
        - covariance[:, 1:, :1]
        - covariance[:, :1, 1:]
        + covariance[:, :1, :1]
    )
    mean = share @ change
    around = change - mean
    total = np.tensordot(share, apart, axes=1) + (share[:, None] * around).T @ around
    return SmoothedChange(np.asarray(wanted_days, dtype=np.float64), mean, total)


def _wandering(first: Array, second: Array) -> Array:
    """Covariance of a Wiener process integrated once, for a wandering of one."""
    sooner = np.minimum(first[:, None], second[None, :])
    later = np.maximum(first[:, None], second[None, :])
    result: Array = sooner**2 * (3.0 * later - sooner) / 6.0
    return result


def _line(first: Array, second: Array) -> Array:
    """Covariance of a straight line of which little is known."""
    return LEVEL_SPREAD**2 + GROWTH_RATE_SPREAD**2 * np.outer(first, second)


@lru_cache(maxsize=64)
def _normal_draws(size: int) -> Array:
    """Fixed standard normal draws, shape (size, draws): the same readings give the same answer."""
    return np.random.default_rng(size).standard_normal((size, _DRAWS))
