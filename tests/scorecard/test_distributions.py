"""Shares of women beyond a limit, means and percentiles, and levels as an assay reads them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from estradyn.errors import InputError
from estradyn.model.assays import Reading
from estradyn.scorecard.course import Course
from estradyn.scorecard.distributions import factor, parse_conditions

UNITS = {"estradiol_concentration": "pmol/L", "estrone_concentration": "pmol/L"}


def test_conditions_hold_all_together_or_any_of_them() -> None:
    levels = {
        "estradiol_concentration": np.array([1.0, 3.0, 3.0, np.nan]),
        "estrone_concentration": np.array([6.0, 4.0, 6.0, 6.0]),
    }
    high = "estrone_concentration >= 5 pmol/L and estradiol_concentration >= 2 pmol/L"
    found = parse_conditions(high).hold(levels, UNITS)
    np.testing.assert_array_equal(found, [False, False, True, False])
    low = "estrone_concentration < 5 pmol/L or estradiol_concentration < 2 pmol/L"
    found = parse_conditions(low).hold(levels, UNITS)
    np.testing.assert_array_equal(found, [True, True, False, False])


@given(st.lists(st.floats(0.1, 20.0), min_size=1, max_size=20), st.integers(2, 50))
def test_a_limit_means_the_same_by_mass_and_by_amount(values: list[float], tenths: int) -> None:
    levels = {"estradiol_concentration": np.array(values)}
    amount = tenths / 10 * 1e3 / 272.38
    near = np.isclose(levels["estradiol_concentration"], amount)
    found = parse_conditions(f"estradiol_concentration < {tenths / 10} pg/mL").hold(levels, UNITS)
    expected = levels["estradiol_concentration"] < amount
    np.testing.assert_array_equal(found[~near], expected[~near])
    back = amount * factor("estradiol_concentration", "pmol/L", "pg/mL")
    assert back == pytest.approx(tenths / 10)


@pytest.mark.parametrize(
    "text",
    [
        "estradiol_concentration",
        "estradiol_concentration > 2 pmol/L",
        "a < 1 pmol/L and b < 1 pmol/L or c < 1 pmol/L",
    ],
)
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="allowed are such as"):
        parse_conditions(text)


def test_units_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(InputError, match="cannot be compared"):
        factor("estradiol_concentration", "day", "pmol/L")


def course(before: float, after: float) -> Course:
    hours = np.array([0.0, 12.0, 24.0])
    values = np.array([2.0 * after, after / 2.0, after])
    return Course(1.0, 24.0, before, np.array([after, after]), hours, values)


def test_a_reading_below_the_limit_counts_as_the_limit_unless_it_is_extrapolated() -> None:
    reading = Reading(2.0, 0.0, 3.0, "Made up")
    read = course(10.0, 1.0).read_by(reading, extrapolated=False)
    assert read.remaining == pytest.approx(100.0 * 3.0 / 20.0)
    assert course(10.0, 1.0).read_by(reading, extrapolated=True).remaining == pytest.approx(10.0)


def test_the_mean_over_a_day_and_the_time_of_the_lowest_level() -> None:
    one = course(10.0, 1.0)
    assert one.mean_remaining == pytest.approx(100.0 * (1.25 + 0.75) / 2.0 / 10.0)
    assert one.time_of_lowest == 12.0
