"""Estimates against closed forms and published examples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from estradyn.trial.statistics import (
    compare_survival,
    geometric_mean_change_percent,
    kaplan_meier,
    mean,
    median,
    proportion_percent,
    proportion_percent_of,
    survival_percent,
)

# Remission in weeks, Freireich et al. 1963, Blood 21:699-716; the standard example of survival
# textbooks, with published median 23 weeks, log-rank chi-square 16.79, hazard ratio 0.21.
TREATED_WEEKS = np.array(
    [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35], dtype=float
)
TREATED_EVENT = np.array([1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0], bool)
PLACEBO_WEEKS = np.array(
    [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23], dtype=float
)
PLACEBO_EVENT = np.ones(21, dtype=bool)


@pytest.mark.parametrize(
    ("count", "n", "lower", "upper"),
    # Newcombe 1998, Stat Med 17:857-872, table I, method 3.
    [(81, 263, 25.53, 36.62), (15, 148, 6.24, 16.05), (0, 20, 0.0, 16.11), (1, 29, 0.61, 17.18)],
)
def test_wilson_interval_gives_newcombes_examples(
    count: int, n: int, lower: float, upper: float
) -> None:
    estimate = proportion_percent_of(count, n)
    assert estimate.value == pytest.approx(100.0 * count / n)
    assert estimate.lower == pytest.approx(lower, abs=0.006)
    assert estimate.upper == pytest.approx(upper, abs=0.006)


def test_proportion_of_nobody_has_no_value() -> None:
    estimate = proportion_percent(np.array([], dtype=bool))
    assert np.isnan(estimate.value)
    assert estimate.n == 0


def test_mean_has_students_interval() -> None:
    # Student's sleep data, group 2: mean 2.33, 95 % interval 0.90 to 3.76 (R, t.test).
    extra = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4, np.nan])
    estimate = mean(extra)
    assert estimate.value == pytest.approx(2.33)
    assert estimate.lower == pytest.approx(0.8976775, abs=1e-6)
    assert estimate.upper == pytest.approx(3.7623225, abs=1e-6)
    assert estimate.n == 10


def test_mean_of_one_value_has_no_interval() -> None:
    estimate = mean(np.array([3.0]))
    assert (estimate.value, estimate.n) == (3.0, 1)
    assert np.isnan(estimate.lower)


def test_geometric_mean_change_of_halves_and_doubles_is_none() -> None:
    estimate = geometric_mean_change_percent(np.array([0.5, 2.0, 0.5, 2.0, np.nan, 0.0]))
    assert estimate.value == pytest.approx(0.0)
    assert estimate.n == 4
    assert (1 + estimate.lower / 100) * (1 + estimate.upper / 100) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("n", "lower_rank", "upper_rank"), [(6, 1, 6), (10, 2, 9), (20, 6, 15), (100, 40, 61)]
)
def test_median_lies_between_the_tabulated_ranks(n: int, lower_rank: int, upper_rank: int) -> None:
    values = np.random.default_rng(3).permutation(np.arange(1.0, n + 1))
    estimate = median(values)
    assert estimate.value == (n + 1) / 2
    assert (estimate.lower, estimate.upper) == (lower_rank, upper_rank)


def test_median_of_five_has_no_interval() -> None:
    assert np.isnan(median(np.arange(5.0)).lower)
    assert median(np.array([np.nan])).n == 0


@given(st.lists(st.floats(-1e6, 1e6), min_size=6, max_size=40))
def test_median_interval_holds_the_median_and_keeps_order(values: list[float]) -> None:
    estimate = median(np.array(values))
    assert estimate.lower <= estimate.value <= estimate.upper


def test_kaplan_meier_gives_freireichs_curve() -> None:
    curve = kaplan_meier(TREATED_WEEKS, TREATED_EVENT)
    table = curve.table.set_index("time_day")
    assert curve.median_days.value == 23.0
    assert table.loc[6.0, "survival"] == pytest.approx(0.8571, abs=1e-4)
    assert table.loc[23.0, "survival"] == pytest.approx(0.4482, abs=1e-4)
    assert table.loc[10.0, "at_risk"] == 15
    assert table.loc[23.0, "at_risk"] == 6
    assert kaplan_meier(PLACEBO_WEEKS, PLACEBO_EVENT).median_days.value == 8.0


def test_cox_and_log_rank_give_freireichs_comparison() -> None:
    comparison = compare_survival(TREATED_WEEKS, TREATED_EVENT, PLACEBO_WEEKS, PLACEBO_EVENT)
    # Efron ties: coefficient -1.572, standard error 0.412 (R, survival::coxph).
    assert np.log(comparison.hazard_ratio.value) == pytest.approx(-1.5721, abs=2e-4)
    assert np.log(comparison.hazard_ratio.lower) == pytest.approx(-1.5721 - 1.96 * 0.4124, abs=1e-3)
    assert comparison.log_rank_p == pytest.approx(4.17e-5, rel=1e-2)
    assert comparison.hazard_ratio.n == 42


def test_curve_that_never_falls_to_half_has_an_infinite_median() -> None:
    curve = kaplan_meier(np.full(10, 100.0), np.arange(10) < 2)
    assert np.isinf(curve.median_days.value)


def test_groups_without_events_are_not_compared() -> None:
    comparison = compare_survival(TREATED_WEEKS, TREATED_EVENT, PLACEBO_WEEKS, ~PLACEBO_EVENT)
    assert np.isnan(comparison.hazard_ratio.value)


def test_without_an_event_the_interval_is_that_of_none_among_those_followed() -> None:
    days, event = np.full(30, 1826.0), np.zeros(30, bool)
    free = survival_percent(kaplan_meier(days, event), 1826.0)
    none = proportion_percent_of(0, 30)
    assert (free.value, free.upper, free.n) == (100.0, 100.0, 30)
    assert free.lower == pytest.approx(100.0 - none.upper)
    assert 85.0 < free.lower < 95.0
