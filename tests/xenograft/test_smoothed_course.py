"""The smoothed course of one tumor."""

from __future__ import annotations

import numpy as np
import pytest

from estradyn.xenograft.measurement import Measurement, caliper_readings
from estradyn.xenograft.smoothed_course import smoothed_change

DAYS = np.array(sorted({*range(0, 57, 7), *range(3, 57, 7)}), dtype=float)
JUDGED = DAYS[DAYS >= 31.0]


def flares(final: float) -> tuple[np.ndarray, float]:
    """A rise by half to day 10, then a straight fall of log volume; its change from day 21."""
    logs = np.interp(DAYS, [0.0, 10.0, 56.0], [0.0, np.log(1.5), np.log(final)])
    change = float(np.log(final) - np.interp(21.0, DAYS, logs))
    return 150.0 * np.exp(logs), change


def test_readings_without_error_are_followed() -> None:
    volumes, change = flares(0.5)
    found = smoothed_change(DAYS, volumes, 21.0, JUDGED)
    assert found.mean[-1] == pytest.approx(change, abs=0.03)
    assert found.chance_of_growth(np.log(1.35)) < 0.001
    assert found.chance_of_fall(np.log(0.5)) > 0.95


def test_intervals_hold_the_truth_and_errors_are_smaller_than_those_of_readings() -> None:
    volumes, change = flares(0.5)
    generator = np.random.default_rng(1)
    errors, spreads, raw = [], [], []
    for read in caliper_readings(np.tile(volumes, (200, 1)), Measurement(), generator):
        found = smoothed_change(DAYS, read, 21.0, JUDGED)
        errors.append(found.mean[-1] - change)
        spreads.append(np.sqrt(found.covariance[-1, -1]))
        raw.append(np.log(read[-1] / read[DAYS == 21.0][0]) - change)
    assert abs(np.mean(errors)) < 0.04
    assert np.std(errors) < 0.65 * np.std(raw)
    assert np.mean(np.abs(errors) < 1.96 * np.array(spreads)) == pytest.approx(0.95, abs=0.05)


def test_probabilities_are_those_of_the_truth() -> None:
    """Among tumors around the limit, of those with a chance near p about a share p fell so far."""
    generator = np.random.default_rng(2)
    chances, fell = [], []
    for _ in range(600):
        volumes, change = flares(float(np.exp(generator.uniform(-1.2, 0.2))))
        read = caliper_readings(volumes[None, :], Measurement(), generator)[0]
        chances.append(smoothed_change(DAYS, read, 21.0, JUDGED).chance_of_fall(np.log(0.5)))
        fell.append(change <= np.log(0.5))
    chance, truth = np.array(chances), np.array(fell)
    assert truth[chance < 0.2].mean() < 0.12
    assert truth[chance > 0.8].mean() > 0.88
    between = (chance > 0.3) & (chance < 0.7)
    assert truth[between].mean() == pytest.approx(0.5, abs=0.2)


def test_the_same_readings_give_the_same_answer() -> None:
    read = caliper_readings(flares(0.6)[0][None, :], Measurement(), np.random.default_rng(3))[0]
    first, second = (smoothed_change(DAYS, read, 21.0, JUDGED) for _ in range(2))
    assert first.chance_of_fall(np.log(0.5)) == second.chance_of_fall(np.log(0.5))


@pytest.mark.parametrize(
    ("days", "volumes"),
    [
        ([-9.0, 14.0, 28.0, 40.0], [150.0, 220.0, 120.0, 110.0]),
        ([0.0, 21.0, 31.0], [150.0, 200.0, 90.0]),
        ([0.0, 14.0, 28.0, 56.0], [150.0, 220.0, 120.0, 0.0]),
        ([0.0, 20.0, 22.0, 60.0, 120.0], [1e-3, 2e-3, 1e-3, 5e3, 1e4]),
    ],
)
def test_few_visits_gaps_and_zeros_give_numbers(days: list[float], volumes: list[float]) -> None:
    time = np.array(days)
    found = smoothed_change(time, np.array(volumes), 21.0, time[time >= 31.0])
    assert np.isfinite(found.mean).all() and (np.diag(found.covariance) > 0).all()
    assert 0.0 <= found.chance_of_fall(np.log(0.5)) <= 1.0
