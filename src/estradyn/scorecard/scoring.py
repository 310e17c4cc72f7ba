"""The rule by which a published number is met or missed.

A number is met when the prediction lies within its published 95 % interval, or within 1.96
standard errors of it; a percent of patients within the Wilson interval that their number gives; any
other number within the tolerance of its group, which stands in `tolerances.tsv` and was fixed
before the first run. The interval of the simulation decides nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from estradyn.evidence import Comparison, tolerances, wilson_interval
from estradyn.scorecard.prediction import Prediction
from estradyn.scorecard.targets import Target

_FOLD = (Comparison.FOLD, Comparison.REMAINING)
_LIMITS = (Comparison.AT_MOST, Comparison.AT_LEAST)
_SIGNS = (Comparison.DIRECTION, Comparison.INCREASE, Comparison.DECREASE)


@dataclass(frozen=True)
class Score:
    """A prediction beside the published number, on the scale on which they are compared.

    Attributes
    ----------
    context
        Context of the target.
    target
        What was asked.
    prediction
        What the model said; None where it said nothing, which is a miss.
    met
        Whether the rule holds.
    published
        The published number on the scale of the comparison (for `remaining`, what is left); NaN
        for a direction in words.
    allowed_lower, allowed_upper
        Where the prediction had to lie; may be infinite.
    rule
        What decided, in words.
    predicted, predicted_lower, predicted_upper
        The prediction and its simulation interval on the same scale.
    """

    context: str
    target: Target
    prediction: Prediction | None
    met: bool
    published: float
    allowed_lower: float
    allowed_upper: float
    rule: str
    predicted: float
    predicted_lower: float
    predicted_upper: float

    @property
    def is_fold(self) -> bool:
        """Whether the two are compared as a ratio."""
        return self.target.comparison in _FOLD

    @property
    def fold_error(self) -> float:
        """Ratio of the two, turned to be at least 1; NaN where they are not compared so."""
        if not self.is_fold or math.isnan(self.predicted):
            return math.nan
        if self.predicted <= 0 or self.published <= 0:
            return math.inf
        return max(self.predicted / self.published, self.published / self.predicted)

    @property
    def absolute_error(self) -> float:
        """Difference in the unit of the endpoint; NaN where they are not compared so."""
        if self.is_fold or self.target.comparison in _SIGNS:
            return math.nan
        return abs(self.predicted - self.published)

    @property
    def size_of_miss(self) -> float:
        """Error over what was allowed on that side: at most 1 where met, infinite without one."""
        if math.isnan(self.predicted):
            return math.inf
        if self.target.comparison in _SIGNS:
            return 0.0 if self.met else math.inf
        over = self.predicted > self.published
        limit = self.allowed_upper if over else self.allowed_lower
        if math.isinf(limit):
            return 0.0
        if self.is_fold and min(self.predicted, self.published, limit) > 0:
            error, allowed = (abs(math.log(x / self.published)) for x in (self.predicted, limit))
        else:
            error, allowed = (abs(x - self.published) for x in (self.predicted, limit))
        if error == 0.0:
            return 0.0
        return error / allowed if allowed > 0 else math.inf


def judge(context: str, target: Target, prediction: Prediction | None) -> Score:
    """Hold a prediction against the published number.

    Parameters
    ----------
    context
        Context of the target.
    target
        The published number and how it is to be compared.
    prediction
        What the model said, in the unit of the target; for `remaining` the fall in percent.

    Raises
    ------
    ValueError
        If the prediction is in another unit than the published number.
    """
    given = prediction or Prediction(math.nan, unit=target.unit)
    if target.number is not None and given.unit != target.unit:
        raise ValueError(
            f"the prediction of {target.id} is in '{given.unit}', it must be in '{target.unit}'"
        )
    published, lower, upper, rule = _allowed(target)
    value, low, high = given.value, given.lower, given.upper
    if target.comparison is Comparison.REMAINING:
        value, low, high = 100.0 - value, 100.0 - high, 100.0 - low
    # A comparison with NaN is false, so a prediction without a number is a miss.
    met = lower <= value <= upper
    if target.comparison in _SIGNS:
        met = met and value != 0.0
    return Score(context, target, prediction, met, published, lower, upper, rule, value, low, high)


def _allowed(target: Target) -> tuple[float, float, float, str]:
    """Published number, the interval the prediction must lie in, and the rule in words."""
    comparison, number = target.comparison, target.number
    if number is None:
        up = comparison is Comparison.INCREASE
        bounds = (0.0, math.inf) if up else (-math.inf, 0.0)
        return math.nan, *bounds, "an increase" if up else "a decrease"
    value = number.value
    if comparison is Comparison.DIRECTION:
        bounds = (0.0, math.inf) if value > 0 else (-math.inf, 0.0)
        return value, *bounds, "the same direction"
    if comparison in _LIMITS:
        most = comparison is Comparison.AT_MOST
        bounds = (-math.inf, value) if most else (value, math.inf)
        return value, *bounds, "at most" if most else "at least"
    lower, upper, rule = _interval(target)
    if comparison is Comparison.REMAINING:
        return _remaining(value, lower, upper, rule, target)
    if rule:
        return value, lower, upper, rule
    return value, *_within_tolerance(value, target)


def _interval(target: Target) -> tuple[float, float, str]:
    """The interval that decides; the rule is empty where there is none."""
    number = target.number
    assert number is not None
    if number.decides and number.lower is not None and number.upper is not None:
        return number.lower, number.upper, number.interval
    patients = target.item.row.patients
    if target.comparison is Comparison.PROPORTION and patients:
        return *wilson_interval(number.value, patients), "95% from n"
    return math.nan, math.nan, ""


def _remaining(
    value: float, lower: float, upper: float, rule: str, target: Target
) -> tuple[float, float, float, str]:
    """Turn a fall in percent, printed with or without its sign, into what is left."""
    left = 100.0 - abs(value)
    if not rule:
        return left, *_within_tolerance(left, target)
    ends = (100.0 - abs(end) if math.isfinite(end) else -math.inf for end in (lower, upper))
    low, high = sorted(ends)
    return left, low, high, rule


def _within_tolerance(value: float, target: Target) -> tuple[float, float, str]:
    kind = target.comparison.tolerance_kind
    assert kind is not None
    limit = tolerances()[target.item.group, kind].limit
    if target.comparison in _FOLD:
        low, high = sorted((value / limit, value * limit))
        return low, high, f"within {limit:g}-fold"
    reach = limit * abs(value) if target.comparison is Comparison.RELATIVE else limit
    text = f"within {100 * limit:g} %" if target.comparison is Comparison.RELATIVE else ""
    return value - reach, value + reach, text or f"within {limit:g} {_unit_word(target)}".rstrip()


def _unit_word(target: Target) -> str:
    return "points" if target.unit == "percent" else target.unit
