"""Profile-likelihood intervals of landmarks.

The end of an interval is where the smallest sum of squares of all curves with that landmark
exceeds the overall smallest by F(1, df) times the residual variance (Venzon & Moolgavkar 1988,
doi:10.2307/2347496; Bates & Watts 1988, ch. 6).

The constrained minimum is found without a constraint: adding a penalty W (g - t)^2 on the landmark
g moves the minimum to a curve that is the best of all curves with *its own* value of g, so every
penalised minimum is a point on the profile whatever the weight, and no fit is forced on a value it
cannot reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f as f_distribution

from estradyn.assay.curves.fit import (
    CurveFit,
    bounds,
    curve_jacobian,
    curve_values,
    joint_places,
)
from estradyn.assay.curves.landmarks import DoseWindow, Landmark, landmark_value
from estradyn.assay.curves.least_squares import minimise
from estradyn.assay.curves.starts import starting_values

Array = NDArray[np.float64]
Index = NDArray[np.int64]

_ROUNDS = 16
_CLOSE = 0.004
_STIFFNESS = 25.0
_VALLEYS = 6
"""Starts from which curves beyond a limit are looked for."""
_BEYOND = 0.03
"""How far beyond, as a share of the distance of the limit from the estimate."""


@dataclass(frozen=True)
class LandmarkInterval:
    """A landmark of one curve of a fit with its interval, for each data set.

    Attributes
    ----------
    landmark
        What it is.
    group
        Curve of a joint fit it belongs to.
    value
        Estimate; NaN where the curve has none.
    lower, upper
        Limits; 0 or infinity where the data set none within the searched doses, NaN where there is
        no estimate.
    """

    landmark: Landmark
    group: int
    value: Array
    lower: Array
    upper: Array


@dataclass(frozen=True)
class _Lanes:
    """One search each: a data set, a landmark, a curve and a side of the interval."""

    row: Index
    kind: Index
    group: Index
    side: Array

    def subset(self, rows: Index) -> _Lanes:
        return replace(
            self,
            row=self.row[rows],
            kind=self.kind[rows],
            group=self.group[rows],
            side=self.side[rows],
        )


class _Profile:
    """A fit and the landmarks to profile, as functions of many lanes at once."""

    def __init__(self, fit: CurveFit, landmarks: Sequence[Landmark], level: float):
        self.fit = fit
        self.landmarks = landmarks
        self.window = DoseWindow.around(fit.data)
        self.places = joint_places(fit.family, fit.data.groups)
        self.root = np.sqrt(fit.data.weight)
        self.bounds = bounds(fit.family, fit.data)
        df = np.maximum(fit.residual_df, 1)
        self.least = fit.sum_of_squares - fit.data.pure_error
        self.allowed = np.maximum(fit.variance, 1e-300) * f_distribution.ppf(level, 1, df)

    def values(self, theta: Array, lanes: _Lanes) -> Array:
        """Logarithm of each lane's landmark."""
        result = np.empty(len(theta))
        for kind, landmark in enumerate(self.landmarks):
            chosen = np.flatnonzero(lanes.kind == kind)
            if len(chosen):
                local = np.take_along_axis(theta[chosen], self.places[lanes.group[chosen]], 1)
                result[chosen] = landmark.value(self.fit.family, local, self.window)
        return result

    def gradients(self, theta: Array, lanes: _Lanes, values: Array) -> Array:
        """Derivatives of the logarithms by the joint parameters, 0 where there are none."""
        result = np.zeros_like(theta)
        for kind, landmark in enumerate(self.landmarks):
            chosen = np.flatnonzero(lanes.kind == kind)
            if len(chosen):
                places = self.places[lanes.group[chosen]]
                local = np.take_along_axis(theta[chosen], places, 1)
                with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
                    gradient = landmark.gradient(
                        self.fit.family, local, self.window, values[chosen]
                    )
                result[chosen[:, None], places] = np.nan_to_num(gradient, posinf=0.0, neginf=0.0)
        return result

    def excess(self, theta: Array, lanes: _Lanes) -> Array:
        """Distance from the best fit; 1 at the end of the interval."""
        fit = self.fit
        difference = curve_values(fit.family, fit.data, theta) - fit.data.mean[lanes.row]
        square = np.sum((self.root[lanes.row] * difference) ** 2, axis=1)
        return np.sqrt(np.maximum(square - self.least[lanes.row], 0.0) / self.allowed[lanes.row])

    def standard_errors(self, lanes: _Lanes, values: Array) -> Array:
        """Wald standard errors, for the size of the first step only."""
        fit = self.fit
        theta = fit.theta[lanes.row]
        weighted = curve_jacobian(fit.family, fit.data, theta)[1] * self.root[lanes.row][:, :, None]
        normal = np.matmul(weighted.transpose(0, 2, 1), weighted)
        size = np.sqrt(np.maximum(np.einsum("bpp->bp", normal), 1e-300))
        inverse = np.linalg.pinv(normal / (size[:, :, None] * size[:, None, :]), rcond=1e-8)
        unit = self.gradients(theta, lanes, values) / size
        variance = np.einsum("bp,bpq,bq->b", unit, inverse, unit) * fit.variance[lanes.row]
        return np.clip(np.sqrt(np.maximum(variance, 0.0)), 0.005, 1.5)

    def pulled(self, start: Array, target: Array, weight: Array, lanes: _Lanes) -> Array:
        """Best curves under a penalty on the distance of their landmark from the target."""
        fit = self.fit
        stiff = np.sqrt(weight)

        def residuals(theta: Array, who: Index) -> tuple[Array, Array]:
            here = lanes.subset(who)
            response, jacobian = curve_jacobian(fit.family, fit.data, theta)
            value = self.values(theta, here)
            pull = self.gradients(theta, here, value)
            scale = self.root[here.row]
            residual = scale * (response - fit.data.mean[here.row])
            penalty = stiff[who] * (value - target[who])
            return (
                np.concatenate([residual, penalty[:, None]], axis=1),
                np.concatenate(
                    [scale[:, :, None] * jacobian, (stiff[who][:, None] * pull)[:, None, :]], axis=1
                ),
            )

        return minimise(residuals, start, *self.bounds, tolerance=1e-7, steps=50).theta

    def ends(self, lanes: _Lanes, centre: Array) -> Array:
        """Logarithms of the limits, infinite where there is none."""
        begin = self.fit.theta[lanes.row]
        result = self.search(lanes, centre, centre, np.zeros(len(centre)), begin)
        # Curves that fit as well can lie in another valley than the best one: a bell whose limbs
        # stand apart, say, beside one whose limbs have run into each other. A search that follows
        # the valley of the best curve never meets them: look from other starts beyond each limit.
        finite = np.flatnonzero(np.isfinite(result))
        if not len(finite):
            return result
        here = lanes.subset(finite)
        starts = starting_values(self.fit.family, self.fit.data, count=_VALLEYS, fine=False)
        many = here.subset(np.repeat(np.arange(len(finite)), _VALLEYS))
        limit = result[finite]
        error = self.standard_errors(here, centre[finite])
        beyond = limit + here.side * np.maximum(_BEYOND * np.abs(limit - centre[finite]), 0.01)
        weight = _STIFFNESS * self.allowed[here.row] / error**2
        found = self.pulled(
            starts[here.row].reshape(len(many.row), -1),
            np.repeat(beyond, _VALLEYS),
            np.repeat(weight, _VALLEYS),
            many,
        )
        reached, z = self.values(found, many), self.excess(found, many)
        gain = np.where(
            np.isfinite(reached) & (z < 1.0),
            many.side * (reached - np.repeat(limit, _VALLEYS)),
            -np.inf,
        ).reshape(len(finite), _VALLEYS)
        best = np.arange(len(finite)) * _VALLEYS + gain.argmax(axis=1)
        further = np.flatnonzero(gain.max(axis=1) > 0.0)
        if len(further):
            chosen = best[further]
            where = finite[further]
            result[where] = self.search(
                lanes.subset(where), centre[where], reached[chosen], z[chosen], found[chosen]
            )
        return result

    def search(
        self, lanes: _Lanes, centre: Array, inner: Array, inner_z: Array, inner_theta: Array
    ) -> Array:
        """Logarithms of the limits in the valleys of curves that lie inside the intervals."""
        count = len(centre)
        side = lanes.side
        error = self.standard_errors(lanes, centre)
        weight = _STIFFNESS * self.allowed[lanes.row] / error**2
        target = inner + side * error
        # The search runs over targets; what a penalised minimum reaches grows with its target.
        inner, inner_z, inner_reached = inner.copy(), inner_z.copy(), inner.copy()
        inner_theta = inner_theta.copy()
        outer, outer_z = np.full(count, np.nan), np.full(count, np.nan)
        done = np.zeros(count, bool)
        result = side * np.inf
        span = self.window.high - self.window.low
        for _ in range(_ROUNDS):
            active = np.flatnonzero(~done)
            if not len(active):
                break
            here = lanes.subset(active)
            found = self.pulled(inner_theta[active], target[active], weight[active], here)
            reached = self.values(found, here)
            z = np.where(np.isfinite(reached), self.excess(found, here), np.inf)
            close = np.abs(z - 1.0) < _CLOSE
            result[active[close]] = reached[close]
            done[active[close]] = True
            inside = z <= 1.0
            where = active[inside]
            inner[where], inner_z[where] = target[where], z[inside]
            inner_reached[where], inner_theta[where] = reached[inside], found[inside]
            outside = active[~inside]
            outer[outside] = target[outside]
            outer_z[outside] = z[~inside]
            # A curve far beyond all doses that still fits: the data set no limit on this side.
            done |= np.abs(inner_reached - centre) > span
            target = _next_target(inner, inner_z, outer, outer_z, side, error)
            narrow = ~done & (np.abs(outer - inner) < 1e-5 * (1 + np.abs(inner)))
            result[narrow] = inner_reached[narrow]
            done |= narrow
        bracketed = ~done & np.isfinite(outer)
        result[bracketed] = inner_reached[bracketed]
        return result


def _next_target(
    inner: Array, inner_z: Array, outer: Array, outer_z: Array, side: Array, error: Array
) -> Array:
    """Interpolate between the two sides of the limit, or step outwards while there is one only."""
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (1.0 - inner_z) / (outer_z - inner_z)
    share = np.where(np.isfinite(share), np.clip(share, 0.05, 0.95), 0.5)
    between = inner + share * (outer - inner)
    stretch = np.clip(1.0 / np.maximum(inner_z, 0.05) - 1.0, 0.15, 2.0)
    step = np.maximum(error, 0.05) * np.maximum(inner_z, 0.5) * 2.0 * stretch
    beyond = inner + side * np.clip(step, 0.02, 2.5)
    return np.where(np.isfinite(outer), between, beyond)


def profile_intervals(
    fit: CurveFit,
    landmarks: Sequence[Landmark],
    *,
    level: float = 0.95,
    no_stimulation: Array | None = None,
) -> list[LandmarkInterval]:
    """Profile-likelihood intervals of landmarks, for all curves and data sets of a fit at once.

    Parameters
    ----------
    fit
        Fitted curves.
    landmarks
        Landmarks to profile.
    level
        Confidence level.
    no_stimulation
        Sum of squares of the nested monotone fit of each data set. Where it lies within the
        interval's threshold, a curve without stimulation is not excluded, and the lower limit of
        the peak is 100 %.

    Returns
    -------
    list of LandmarkInterval
        One for each landmark and curve, landmark by landmark.
    """
    profile = _Profile(fit, landmarks, level)
    datasets, groups = len(fit.theta), fit.data.groups
    kind, group, row = (
        axis.reshape(-1)
        for axis in np.meshgrid(
            np.arange(len(landmarks)), np.arange(groups), np.arange(datasets), indexing="ij"
        )
    )
    lanes = _Lanes(row, kind, group, np.ones(len(row)))
    estimate = profile.values(fit.theta[row], lanes)
    present = np.flatnonzero(np.isfinite(estimate))
    limits = np.full((2, len(row)), np.nan)
    if len(present):
        both = np.concatenate([present, present])
        searched = replace(lanes.subset(both), side=np.repeat([-1.0, 1.0], len(present)))
        limits[:, present] = profile.ends(searched, estimate[both]).reshape(2, -1)
    shape = (len(landmarks), groups, datasets)
    estimate, low, high = (x.reshape(shape) for x in (estimate, limits[0], limits[1]))
    intervals = []
    for i, landmark in enumerate(landmarks):
        for j in range(groups):
            value, lower, upper = (
                landmark_value(landmark, x[i, j], fit.data.reference_dose)
                for x in (estimate, low, high)
            )
            if not landmark.is_dose:
                lower = np.maximum(lower, 100.0)
                if no_stimulation is not None and groups == 1:
                    flat = no_stimulation <= fit.sum_of_squares + profile.allowed
                    lower = np.where(flat & np.isfinite(value), 100.0, lower)
            intervals.append(LandmarkInterval(landmark, j, value, lower, upper))
    return intervals
