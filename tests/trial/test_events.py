from __future__ import annotations

import numpy as np
import pytest

from estradyn.trial.events import (
    first_episode,
    hypercalcemia,
    hypercalcemia_grade,
    symptomatic_flare,
)
from estradyn.trial.study import FlareDefinition, HypercalcemiaDefinition

DAYS = np.array([0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0])


def test_crossings_lie_between_outputs() -> None:
    signal = np.array([[0.0, 4.0, 4.0, 1.0, 0, 0, 0, 0, 0, 0]])
    episode = first_episode(DAYS, signal, np.array([2.0]))
    assert episode.onset_day[0] == pytest.approx(5.0)
    assert episode.end_day[0] == pytest.approx(20.0 + 10.0 * 2.0 / 3.0)
    assert episode.peak[0] == 4.0
    assert episode.duration_days[0] == pytest.approx(65.0 / 3.0)


def test_signal_above_from_the_start_has_no_onset_until_it_was_below() -> None:
    signal = np.array([[5.0, 5, 5, 5, 5, 5, 5, 5, 5, 5], [5.0, 5, 0, 5, 5, 0, 0, 0, 0, 0]])
    episode = first_episode(DAYS, signal, np.array([2.0, 2.0]))
    assert episode.occurred.tolist() == [False, True]
    assert np.isnan(episode.onset_day[0])
    assert episode.onset_day[1] == pytest.approx(24.0)


def test_signal_that_stays_up_has_no_end() -> None:
    signal = np.array([[0.0, 5, 5, 5, 5, 5, 5, 5, 5, 5]])
    episode = first_episode(DAYS, signal, np.array([2.0]))
    assert episode.occurred[0]
    assert np.isnan(episode.end_day[0])


def test_patient_without_numbers_has_no_episode() -> None:
    episode = first_episode(DAYS, np.full((1, 10), np.nan), np.array([2.0]))
    assert not episode.occurred[0]
    assert np.isnan(episode.peak[0])


@pytest.mark.parametrize(
    ("signal", "flares"),
    [
        ([0, 5, 5, 0, 0, 0, 0, 0, 0, 0], True),
        ([0, 5, 5, 5, 5, 5, 5, 5, 5, 5], False),  # never goes
        ([0, 5, 5, 5, 5, 5, 5, 5, 5, 0], False),  # goes too late
        ([0, 0, 0, 0, 0, 5, 5, 0, 0, 0], False),  # comes too late
        ([5, 5, 5, 0, 0, 0, 0, 0, 0, 0], False),  # was there before treatment
        ([0, 1, 1, 0, 0, 0, 0, 0, 0, 0], False),  # never passes the threshold
    ],
)
def test_symptomatic_flare_comes_early_and_goes(signal: list[float], flares: bool) -> None:
    episode = symptomatic_flare(DAYS, np.array([signal]), np.array([2.0]), FlareDefinition())
    assert episode.occurred[0] == flares
    assert np.isfinite(episode.onset_day[0]) == flares


def test_each_patient_has_her_own_threshold() -> None:
    signal = np.tile([0.0, 3, 3, 0, 0, 0, 0, 0, 0, 0], (2, 1))
    episode = symptomatic_flare(DAYS, signal, np.array([2.0, 4.0]), FlareDefinition())
    assert episode.occurred.tolist() == [True, False]


def test_hypercalcemia_of_flare_begins_within_its_window() -> None:
    calcium = np.full((3, 10), 2.4)
    calcium[0, 1:3] = 3.0
    calcium[1, 6:] = 3.0
    calcium[2, 1] = 2.75
    episode = hypercalcemia(DAYS, calcium, HypercalcemiaDefinition())
    assert episode.occurred.tolist() == [True, False, False]
    assert episode.peak[0] == 3.0
    assert np.isnan(episode.peak[1])


def test_grades_follow_ctcae() -> None:
    peaks = np.array([np.nan, 2.8, 2.9, 2.95, 3.1, 3.2, 3.4, 3.41])
    assert hypercalcemia_grade(peaks).tolist() == [0, 1, 1, 2, 2, 3, 3, 4]
