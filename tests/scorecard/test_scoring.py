from __future__ import annotations

import math

import pytest

from estradyn.evidence import Comparison, EvidenceRow, MappingRow, Status, Use
from estradyn.scorecard import Prediction, Score, judge
from estradyn.scorecard.targets import targets_of_row

GROUP = {
    Comparison.PROPORTION: "flare",
    Comparison.VALUE: "lipids",
    Comparison.RELATIVE: "calcium",
    Comparison.FOLD: "hormones",
    Comparison.REMAINING: "hormones",
}


def score(
    comparison: Comparison, predicted: float | None, *, endpoints: str = "x", **cells: str
) -> Score:
    names = EvidenceRow.__dataclass_fields__
    printed = {"value": "10", "unit": "%", **cells}
    row = EvidenceRow(**{name: printed.get(name, "") for name in names})
    item = MappingRow(
        row,
        GROUP.get(comparison, "lipids"),
        Status.MODELLED,
        Use.CHECK,
        "",
        (endpoints,),
        "",
        comparison,
        "",
    )
    (target,) = targets_of_row(item)
    given = None if predicted is None else Prediction(predicted, unit=target.unit)
    return judge("clinical", target, given)


@pytest.mark.parametrize(
    ("comparison", "cells", "predicted", "met"),
    [
        # 10 of 100, Wilson 5.5 to 17.4, which decides before the 5 points of the group.
        (Comparison.PROPORTION, {"n": "100"}, 17.0, True),
        (Comparison.PROPORTION, {"n": "100"}, 5.2, False),
        (Comparison.PROPORTION, {}, 14.9, True),
        (Comparison.PROPORTION, {}, 15.1, False),
        (Comparison.VALUE, {}, 14.9, True),
        (Comparison.VALUE, {}, 15.1, False),
        # A printed interval decides, however narrow.
        (Comparison.VALUE, {"spread": "9.5-10.5", "spread_kind": "95% CI"}, 11.0, False),
        (Comparison.VALUE, {"spread": "1-30", "spread_kind": "95% CI"}, 29.0, True),
        (Comparison.VALUE, {"spread": "1", "spread_kind": "SE"}, 11.9, True),
        (Comparison.VALUE, {"spread": "1", "spread_kind": "SE"}, 12.1, False),
        (Comparison.RELATIVE, {}, 10.7, True),
        (Comparison.RELATIVE, {}, 10.9, False),
        (Comparison.FOLD, {}, 14.9, True),
        (Comparison.FOLD, {}, 6.6, False),
        (Comparison.FOLD, {}, -10.0, False),
        # A range of single patients leaves the decision to the tolerance.
        (Comparison.FOLD, {"spread": "1-100", "spread_kind": "range"}, 20.0, False),
        # 90 percent of suppression leave 10; within 1.5-fold of that.
        (Comparison.REMAINING, {"value": "90"}, 85.1, True),
        (Comparison.REMAINING, {"value": "90"}, 84.9, False),
        (Comparison.REMAINING, {"value": "-90"}, 93.0, True),
        (Comparison.REMAINING, {"value": "-90"}, 93.5, False),
        (Comparison.REMAINING, {"value": ">98.9"}, 99.9, True),
        (Comparison.REMAINING, {"value": ">98.9"}, 98.5, False),
        (Comparison.REMAINING, {"value": "75-78"}, 76.0, True),
        (Comparison.AT_MOST, {}, 9.0, True),
        (Comparison.AT_MOST, {}, 10.1, False),
        (Comparison.AT_LEAST, {}, 10.1, True),
        (Comparison.DIRECTION, {"value": "-3"}, -0.1, True),
        (Comparison.DIRECTION, {"value": "-3"}, 0.1, False),
        (Comparison.DIRECTION, {"value": "3"}, 0.0, False),
        (Comparison.INCREASE, {"value": "rose", "unit": ""}, 0.1, True),
        (Comparison.DECREASE, {"value": "fell", "unit": ""}, 0.1, False),
    ],
)
def test_rule(comparison: Comparison, cells: dict[str, str], predicted: float, met: bool) -> None:
    result = score(comparison, predicted, **cells)
    assert result.met is met
    assert (result.size_of_miss <= 1.0) is met


@pytest.mark.parametrize("comparison", list(Comparison))
@pytest.mark.parametrize("predicted", [None, math.nan])
def test_no_prediction_is_a_miss(comparison: Comparison, predicted: float | None) -> None:
    result = score(comparison, predicted)
    assert not result.met
    assert result.size_of_miss == math.inf


def test_errors_are_on_the_scale_of_the_comparison() -> None:
    fold = score(Comparison.FOLD, 5.0)
    assert (fold.fold_error, math.isnan(fold.absolute_error)) == (2.0, True)
    remaining = score(Comparison.REMAINING, 80.0, value="90")
    assert (remaining.published, remaining.predicted) == (10.0, 20.0)
    assert remaining.fold_error == pytest.approx(2.0)
    value = score(Comparison.VALUE, 16.0)
    assert (value.absolute_error, math.isnan(value.fold_error)) == (6.0, True)
    assert value.size_of_miss == pytest.approx(6.0 / 5.0)


def test_simulation_interval_does_not_decide() -> None:
    result = score(Comparison.VALUE, 16.0)
    wide = Prediction(16.0, 0.0, 32.0, "percent")
    assert not judge("clinical", result.target, wide).met


def test_prediction_in_another_unit_is_refused() -> None:
    target = score(Comparison.VALUE, 1.0).target
    with pytest.raises(ValueError, match="is in 'month', it must be in 'percent'"):
        judge("clinical", target, Prediction(1.0, unit="month"))
