"""Landmarks of a curve: where it peaks, how high, where it returns to the control and halves it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from estradyn.assay.curves.families import CurveFamily
from estradyn.assay.curves.observations import Observations

Array = NDArray[np.float64]

SEARCH_BELOW, SEARCH_ABOVE = np.log(1e2), np.log(1e4)
"""How far beyond the tested doses a landmark is looked for, on the logarithmic scale."""

_GRID_POINTS = 121
_WIDE, _NARROW = 8, 2
"""Bisections in a bracket as wide as the window, and in one of two steps of the grid."""
_FALSE_POSITIONS = 6
_STEP = 1e-5


@dataclass(frozen=True)
class DoseWindow:
    """Logarithms of dose over reference dose between which landmarks are looked for."""

    low: float
    high: float

    @classmethod
    def around(cls, data: Observations) -> DoseWindow:
        """Window around the tested doses."""
        finite = data.log_dose[data.dose > 0]
        return cls(float(finite.min() - SEARCH_BELOW), float(finite.max() + SEARCH_ABOVE))


@dataclass(frozen=True)
class Landmark:
    """One number read off a curve.

    Attributes
    ----------
    name
        Name in tables.
    label
        Name as printed.
    is_dose
        Whether it is a dose (a factor of the reference dose) or a percentage of the control.
    shape
        `biphasic`, `monotone` or `any`: the curves that can have it.
    value
        Function of family, parameters (curves, parameters) and window that gives the logarithm of
        the landmark, NaN where the curve has none.
    gradient
        Derivatives of that logarithm by the parameters, (curves, parameters), from family,
        parameters, window and the logarithm itself.
    """

    name: str
    label: str
    is_dose: bool
    shape: str
    value: Callable[[CurveFamily, Array, DoseWindow], Array]
    gradient: Callable[[CurveFamily, Array, DoseWindow, Array], Array]

    def belongs_to(self, family: CurveFamily) -> bool:
        """Whether curves of a family can have the landmark."""
        if not family.falls:
            return False
        return self.shape == "any" or (self.shape == "biphasic") == family.biphasic


def _root(function: Callable[[Array], Array], low: Array, high: Array, bisections: int) -> Array:
    """Root of a function that is positive at `low` and not at `high`, curve by curve.

    Bisections first, which no shape can mislead, then false position with the rule of Anderson and
    Björck 1973 (doi:10.1007/BF01951936), which does not leave an end where it is.
    """
    for _ in range(bisections):
        middle = 0.5 * (low + high)
        positive = function(middle) > 0
        low, high = np.where(positive, middle, low), np.where(positive, high, middle)
    at_low, at_high = function(low), function(high)
    place = 0.5 * (low + high)
    with np.errstate(invalid="ignore", divide="ignore"):
        for _ in range(_FALSE_POSITIONS):
            place = (at_low * high - at_high * low) / (at_low - at_high)
            place = np.where(np.isfinite(place), np.clip(place, low, high), 0.5 * (low + high))
            here = function(place)
            positive = here > 0
            share = 1.0 - here / np.where(positive, at_low, at_high)
            share = np.where(share > 0.0, share, 0.5)
            at_low, at_high = (
                np.where(positive, here, share * at_low),
                np.where(positive, share * at_high, here),
            )
            low, high = np.where(positive, place, low), np.where(positive, high, place)
    return place


def peak_log_dose(family: CurveFamily, theta: Array, window: DoseWindow) -> Array:
    """Logarithm of the dose of the highest response; NaN where no dose exceeds the control."""
    grid = np.linspace(window.low, window.high, _GRID_POINTS)
    response = family.evaluate(theta[:, None, :], grid)
    top = response.argmax(axis=1)
    inside = (top > 0) & (top < _GRID_POINTS - 1)
    place = np.clip(top, 1, _GRID_POINTS - 2)
    peak = _root(lambda x: family.slope(theta, x), grid[place - 1], grid[place + 1], _NARROW)
    exceeds = family.evaluate(theta, peak) > theta[:, family.place("control")]
    return np.where(inside & exceeds, peak, np.nan)


def _peak_gradient(
    family: CurveFamily, theta: Array, window: DoseWindow, log_value: Array
) -> Array:
    """Implicit differentiation of slope(theta, peak) = 0."""
    bend = family.slope(theta, log_value + _STEP) - family.slope(theta, log_value - _STEP)
    columns = []
    for place in range(theta.shape[1]):
        step = _STEP * np.maximum(np.abs(theta[:, place]), 1e-2)
        up, down = theta.copy(), theta.copy()
        up[:, place] += step
        down[:, place] -= step
        change = (family.slope(up, log_value) - family.slope(down, log_value)) / (2.0 * step)
        columns.append(change)
    return -np.stack(columns, axis=1) / (bend / (2.0 * _STEP))[:, None]


def _peak_log_percent(family: CurveFamily, theta: Array, window: DoseWindow) -> Array:
    peak = peak_log_dose(family, theta, window)
    height = family.evaluate(theta, np.where(np.isnan(peak), window.low, peak))
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.log(100.0 * height / theta[:, family.place("control")])
    return np.where(np.isnan(peak), np.nan, ratio)


def _peak_percent_gradient(
    family: CurveFamily, theta: Array, window: DoseWindow, log_value: Array
) -> Array:
    """At the peak the response does not change with dose: only the parameters matter."""
    response, jacobian = family.jacobian(theta, peak_log_dose(family, theta, window))
    gradient = jacobian / response[:, None]
    control = family.place("control")
    gradient[:, control] -= 1.0 / theta[:, control]
    return gradient


def _fall_log_dose(fraction: float, family: CurveFamily, theta: Array, window: DoseWindow) -> Array:
    """Dose beyond the peak at which the response has fallen to a fraction of the control."""
    nowhere = np.full(len(theta), np.nan)
    begin = peak_log_dose(family, theta, window) if family.biphasic else nowhere
    start = np.where(np.isnan(begin), window.low, begin)
    level = fraction * theta[:, family.place("control")]
    end = np.full(len(theta), window.high)
    crossed = (family.evaluate(theta, start) > level) & (family.evaluate(theta, end) <= level)
    if fraction >= 1.0:
        # A curve that never rose above the control has nowhere to return from.
        crossed &= ~np.isnan(begin)
    root = _root(lambda x: family.evaluate(theta, x) - level, start, end, _WIDE)
    return np.where(crossed, root, np.nan)


def _fall_gradient(
    fraction: float, family: CurveFamily, theta: Array, window: DoseWindow, log_value: Array
) -> Array:
    """Implicit differentiation of response(theta, dose) = fraction of the control."""
    jacobian = family.jacobian(theta, log_value)[1].copy()
    jacobian[:, family.place("control")] -= fraction
    return -jacobian / family.slope(theta, log_value)[:, None]


def _midpoint(family: CurveFamily, theta: Array, window: DoseWindow) -> Array:
    """The dose parameter itself: halfway between control and floor."""
    return theta[:, family.place("log_dose")].copy()


def _midpoint_gradient(
    family: CurveFamily, theta: Array, window: DoseWindow, log_value: Array
) -> Array:
    gradient = np.zeros_like(theta)
    gradient[:, family.place("log_dose")] = 1.0
    return gradient


PEAK_DOSE = Landmark(
    "peak_dose", "dose of the peak", True, "biphasic", peak_log_dose, _peak_gradient
)
PEAK_PERCENT = Landmark(
    "peak_percent",
    "peak, % of control",
    False,
    "biphasic",
    _peak_log_percent,
    _peak_percent_gradient,
)
LIMITING_DOSE = Landmark(
    "limiting_dose",
    "dose of return to control (LDS)",
    True,
    "biphasic",
    partial(_fall_log_dose, 1.0),
    partial(_fall_gradient, 1.0),
)
HALF_DOSE = Landmark(
    "ed50",
    "ED50 from the control, falling limb",
    True,
    "any",
    partial(_fall_log_dose, 0.5),
    partial(_fall_gradient, 0.5),
)

MIDPOINT = Landmark(
    "midpoint_dose",
    "dose halfway from control to plateau (EC50)",
    True,
    "monotone",
    _midpoint,
    _midpoint_gradient,
)

LANDMARKS = (PEAK_DOSE, PEAK_PERCENT, LIMITING_DOSE, HALF_DOSE, MIDPOINT)
"""LDS is the limiting dose for stimulation; ED50 is half of the control, not of the peak."""


def landmarks_of(family: CurveFamily) -> tuple[Landmark, ...]:
    """Landmarks that curves of a family can have."""
    return tuple(landmark for landmark in LANDMARKS if landmark.belongs_to(family))


def landmark_value(landmark: Landmark, log_value: Array, reference_dose: float) -> Array:
    """Dose or percentage from the logarithm a landmark works with."""
    return np.exp(log_value) * (reference_dose if landmark.is_dose else 1.0)
