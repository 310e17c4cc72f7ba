"""mRECIST and the flare-aware class."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from estradyn.xenograft import FlareRule, ResponseClass, flare_aware, mrecist

TWICE_WEEKLY = np.arange(0.0, 57.0, 3.5)


def flare_curve(peak: float, days: np.ndarray = TWICE_WEEKLY) -> np.ndarray:
    """Rise to `peak` times baseline on day 14, then fall to 40 % of it on day 56."""
    return 150.0 * np.exp(np.interp(days, [0, 14, 56], [0.0, np.log(peak), np.log(0.4)]))


def test_worked_example() -> None:
    days = [0, 3, 7, 11, 18, 22, 26, 30, 32, 35]
    volumes = [250.8, 320.4, 402.3, 382.6, 384, 445.9, 460.2, 546.8, 554.3, 617.9]
    found = mrecist(days, volumes)
    assert found.response is ResponseClass.PROGRESSION
    assert found.best_change == pytest.approx(52.55, abs=0.005)
    assert found.best_average == pytest.approx(35.18, abs=0.005)


@pytest.mark.parametrize("peak", [1.4, 1.6, 1.8, 2.0])
@pytest.mark.parametrize("step", [3.5, 7.0])
def test_a_flare_that_responds_is_stable_by_mrecist_and_partial_when_rebased(
    peak: float, step: float
) -> None:
    days = np.arange(0.0, 57.0, step)
    volumes = flare_curve(peak, days)
    assert mrecist(days, volumes).response is ResponseClass.STABLE
    found = flare_aware(days, volumes)
    assert found.response is ResponseClass.PARTIAL
    assert found.flare and found.early_rise and found.rechecked


@pytest.mark.parametrize(
    ("change", "expected"),
    [(-97.0, "CR"), (-60.0, "PR"), (-10.0, "SD"), (80.0, "PD")],
)
def test_classes_of_a_level_change(change: float, expected: str) -> None:
    days = np.arange(0.0, 29.0, 3.5)
    volumes = np.full(days.size, 100.0 + change)
    volumes[0] = 100.0
    assert mrecist(days, volumes).response == expected


def test_progression_stays_progression() -> None:
    volumes = 150.0 * np.exp(0.045 * TWICE_WEEKLY)
    found = flare_aware(TWICE_WEEKLY, volumes)
    assert found.response is ResponseClass.PROGRESSION
    assert found.early_rise and not found.flare


def test_progression_is_unconfirmed_until_rechecked() -> None:
    days = np.arange(0.0, 25.0, 3.5)
    volumes = 150.0 * np.exp(0.06 * days)
    assert mrecist(days, volumes).response is ResponseClass.PROGRESSION
    assert flare_aware(days, volumes).response is ResponseClass.UNCONFIRMED_PROGRESSION


def test_recheck_counts_from_the_first_rise() -> None:
    days = np.array([0.0, 3.0, 10.0, 14.0, 21.0, 24.0, 31.0, 38.0])
    volumes = 150.0 * np.exp(0.07 * days)
    assert flare_aware(days, volumes).rechecked
    assert not flare_aware(days, volumes, FlareRule(recheck_after=36.0)).rechecked


def test_leaving_for_size_after_growth_is_progression() -> None:
    days = np.arange(0.0, 36.0, 3.5)
    volumes = 150.0 * np.exp(np.where(days < 12, 0.0, 0.1 * (days - 12)))
    kept = days <= 33
    open_case = flare_aware(days[kept], volumes[kept])
    assert open_case.response is ResponseClass.UNCONFIRMED_PROGRESSION
    closed = flare_aware(days[kept], volumes[kept], left_for_size=True)
    assert closed.response is ResponseClass.PROGRESSION


def test_a_response_before_the_end_of_the_window_is_kept() -> None:
    volumes = 150.0 * np.exp(np.interp(TWICE_WEEKLY, [0, 14, 56], [0.0, -1.2, -1.2]))
    assert flare_aware(TWICE_WEEKLY, volumes).response is ResponseClass.PARTIAL


def test_a_response_hidden_by_one_low_reference_is_found() -> None:
    """The readings around day 21 are a third too low: raw re-basing loses the response."""
    volumes = flare_curve(1.5)
    volumes[np.abs(TWICE_WEEKLY - 21.0) <= 3.5] *= 0.67
    found = flare_aware(TWICE_WEEKLY, volumes)
    assert found.rebased.response is ResponseClass.STABLE
    assert found.response is ResponseClass.PARTIAL


def test_one_small_reading_is_no_response() -> None:
    volumes = 150.0 * np.interp(TWICE_WEEKLY, [0, 14, 56], [1.0, 1.6, 1.2])
    volumes[-4] *= 0.5
    found = flare_aware(TWICE_WEEKLY, volumes)
    assert found.fall_probability < 0.1
    assert found.response is ResponseClass.STABLE


def test_slow_growth_after_an_early_rise_is_progression() -> None:
    """mRECIST takes the smallest change from day 10 on, which is small when growth is slow."""
    volumes = 150.0 * np.exp(0.027 * TWICE_WEEKLY)
    assert mrecist(TWICE_WEEKLY, volumes).response is ResponseClass.STABLE
    found = flare_aware(TWICE_WEEKLY, volumes)
    assert found.rebased.response is ResponseClass.STABLE
    assert found.growth_probability > 0.99
    assert found.response is ResponseClass.PROGRESSION


def test_standstill_after_an_early_rise_is_stable() -> None:
    volumes = 150.0 * np.interp(TWICE_WEEKLY, [0, 10, 56], [1.0, 1.5, 1.5])
    assert flare_aware(TWICE_WEEKLY, volumes).response is ResponseClass.STABLE


def test_a_tumor_that_vanishes_after_a_flare_is_complete() -> None:
    volumes = flare_curve(1.5)
    volumes[TWICE_WEEKLY > 30] = 0.0
    assert flare_aware(TWICE_WEEKLY, volumes).response is ResponseClass.COMPLETE


def test_true_volumes_are_judged_as_they_stand() -> None:
    just_short = 150.0 * np.interp(TWICE_WEEKLY, [0, 21, 56], [1.0, 1.4, 0.69])
    assert flare_aware(TWICE_WEEKLY, just_short).response is ResponseClass.PARTIAL
    exact = flare_aware(TWICE_WEEKLY, just_short, without_error=True)
    assert exact.response is ResponseClass.STABLE
    assert exact.fall_probability == 0.0


@pytest.mark.parametrize("days", [[0.0], [0.0, 3.0, 7.0]])
def test_too_short_is_not_evaluable(days: list[float]) -> None:
    assert mrecist(days, [100.0] * len(days)).response is ResponseClass.NOT_EVALUABLE


@given(
    st.lists(st.floats(1.0, 5000.0), min_size=6, max_size=20),
    st.floats(0.01, 100.0),
)
def test_the_unit_of_volume_does_not_matter(volumes: list[float], factor: float) -> None:
    days = 3.5 * np.arange(len(volumes))
    plain = flare_aware(days, volumes)
    scaled = flare_aware(days, np.asarray(volumes) * factor)
    assert plain.early_rise == scaled.early_rise
    assert plain.largest_rise == pytest.approx(scaled.largest_rise, rel=1e-9, abs=1e-9)
    assert mrecist(days, volumes).best_change == pytest.approx(
        mrecist(days, np.asarray(volumes) * factor).best_change, rel=1e-9, abs=1e-9
    )
