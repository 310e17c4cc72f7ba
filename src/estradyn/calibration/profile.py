"""Profile likelihoods: how far each fitted value can move while the others follow.

Raue et al. 2009, doi:10.1093/bioinformatics/btp358. A parameter whose profile does not rise above
the threshold before its bound is not identifiable from the data on that side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from estradyn.calibration.fit import Fit, Residuals
from estradyn.calibration.prediction import Predictor
from estradyn.calibration.problem import FreeParameter

Array = NDArray[np.float64]

IDENTIFIABLE = "identifiable"
NOT_PROFILED = "not profiled"

_FIRST_STEP, _LARGEST_STEP, _SMALLEST_STEP = 0.03, 0.25, 0.005
"""Steps along a profile, as shares of the range between the bounds."""
_STEP_LIMIT = 25


@dataclass(frozen=True)
class Profile:
    """The profile of one parameter.

    Attributes
    ----------
    name
        The parameter.
    positions
        Values at which it was held, ascending, in the model's unit.
    misfits
        Smallest misfit with the parameter held there.
    lower, upper
        Where the profile passes the threshold; NaN on a side where it does not before the bound.
    """

    name: str
    positions: Array
    misfits: Array
    lower: float
    upper: float

    @property
    def verdict(self) -> str:
        """What the data say of the parameter."""
        if not self.positions.size:
            return NOT_PROFILED
        open_sides = [
            side for side, end in (("below", self.lower), ("above", self.upper)) if np.isnan(end)
        ]
        if not open_sides:
            return IDENTIFIABLE
        return f"not bounded {open_sides[0]}" if len(open_sides) == 1 else "not identifiable"


def no_profile(name: str) -> Profile:
    """Stand in for the profile of a parameter that was fitted and not profiled."""
    nothing = np.empty(0)
    return Profile(name, nothing, nothing, float("nan"), float("nan"))


def profile_likelihood(
    predictor: Predictor, fitted: Fit, place: int, *, level: float = 0.95
) -> Profile:
    """Profile one parameter of a fit.

    Parameters
    ----------
    predictor
        Predicts the measurements of the problem.
    fitted
        The fit.
    place
        Which of the fitted parameters.
    level
        Level of the interval.
    """
    item = predictor.problem.free[place]
    pairs = zip(predictor.problem.free, fitted.values, strict=True)
    best = np.array([free.to_scale(value) for free, value in pairs])
    threshold = fitted.misfit + float(chi2.ppf(level, 1))
    below = _walk(predictor, best, place, fitted.misfit, threshold, -1.0)
    above = _walk(predictor, best, place, fitted.misfit, threshold, 1.0)
    points = [*reversed(below), (float(best[place]), fitted.misfit), *above]
    positions = np.array([position for position, _ in points])
    misfits = np.array([misfit for _, misfit in points])
    middle = len(below)
    return Profile(
        name=item.name,
        positions=np.asarray(item.from_scale(positions)),
        misfits=misfits,
        lower=_crossing(item, positions[middle::-1], misfits[middle::-1], threshold),
        upper=_crossing(item, positions[middle:], misfits[middle:], threshold),
    )


def _walk(
    predictor: Predictor, best: Array, place: int, misfit: float, threshold: float, side: float
) -> list[tuple[float, float]]:
    """Step away from the optimum until the threshold is passed or the bound is reached."""
    item = predictor.problem.free[place]
    low, high = float(item.to_scale(item.lower)), float(item.to_scale(item.upper))
    bound = low if side < 0 else high
    others = [other for other in range(len(best)) if other != place]
    point, position, step = best[others], float(best[place]), _FIRST_STEP * (high - low)
    found: list[tuple[float, float]] = []
    for _ in range(_STEP_LIMIT):
        if position == bound:
            break
        target = max(position - step, bound) if side < 0 else min(position + step, bound)
        residuals = Residuals(predictor, {place: target})
        if others:
            search = residuals.search(point)
            point, reached = search.end, search.misfit
        else:
            reached = float(np.sum(residuals(np.empty(0)) ** 2))
        found.append((target, reached))
        if reached > threshold:
            break
        # Steps grow where the profile is flat and shrink where it is steep.
        rise = max(reached - misfit, 0.0)
        factor = 2.0 if rise < 0.3 else 1.2 if rise < 1.0 else 0.6
        share = float(np.clip(factor * step / (high - low), _SMALLEST_STEP, _LARGEST_STEP))
        step = share * (high - low)
        position, misfit = target, reached
    return found


def _crossing(item: FreeParameter, positions: Array, misfits: Array, threshold: float) -> float:
    """Value where a side of the profile passes the threshold; NaN if it does not."""
    over = np.flatnonzero(misfits > threshold)
    if not len(over) or over[0] == 0:
        return float("nan")
    last = int(over[0])
    # The root of the rise is nearly linear near a minimum.
    roots = np.sqrt(np.maximum(misfits[[last - 1, last]] - misfits[0], 0.0))
    wanted = np.sqrt(threshold - misfits[0])
    share = (wanted - roots[0]) / (roots[1] - roots[0])
    position = positions[last - 1] + share * (positions[last] - positions[last - 1])
    return float(item.from_scale(position))
