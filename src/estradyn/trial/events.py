"""Symptomatic flare and hypercalcemia as episodes above a threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from estradyn.trial.study import FlareDefinition, HypercalcemiaDefinition

Array = NDArray[np.float64]

CTCAE_HYPERCALCEMIA_LIMITS = (2.9, 3.1, 3.4)
"""Upper limits of grades 1 to 3 for corrected calcium, mmol/L (CTCAE version 5.0)."""


@dataclass(frozen=True)
class Episode:
    """First time a signal is above its threshold; arrays of shape (patients,).

    Attributes
    ----------
    occurred
        Whether it meets the definition.
    onset_day, end_day
        When the threshold is passed, upwards and downwards; NaN for a patient without an episode,
        and an end of NaN for one that does not end before the last output.
    peak
        Largest value during the episode, in the unit of the signal.
    """

    occurred: NDArray[np.bool_]
    onset_day: Array
    end_day: Array
    peak: Array

    @property
    def duration_days(self) -> Array:
        """Days from onset to end."""
        return self.end_day - self.onset_day


def first_episode(days: Array, signal: Array, threshold: Array) -> Episode:
    """Find the first time each signal rises above its threshold and falls below again.

    Crossing times are linear between outputs. A signal above its threshold from the beginning has
    no onset until it has been below.

    Parameters
    ----------
    days
        Output days, ascending, shape (times,).
    signal
        Shape (patients, times).
    threshold
        Shape (patients,).
    """
    times = signal.shape[1]
    above = np.asarray(signal > threshold[:, None])
    rises = np.zeros_like(above)
    rises[:, 1:] = above[:, 1:] & (signal[:, :-1] <= threshold[:, None])
    occurred = np.asarray(rises.any(axis=1))
    start = np.where(occurred, rises.argmax(axis=1), 1)
    falls = (~above) & (np.arange(times) > start[:, None])
    ended = occurred & falls.any(axis=1)
    stop = np.where(ended, falls.argmax(axis=1), times - 1)

    onset = np.where(occurred, _crossing(days, signal, threshold, start), np.nan)
    end = np.where(ended, _crossing(days, signal, threshold, np.maximum(stop, 1)), np.nan)
    inside = above & (np.arange(times) >= start[:, None]) & (np.arange(times) <= stop[:, None])
    highest = np.where(inside, signal, -np.inf).max(axis=1, initial=-np.inf)
    return Episode(occurred, onset, end, np.where(occurred, highest, np.nan))


def _crossing(days: Array, signal: Array, threshold: Array, after: NDArray[np.int64]) -> Array:
    """Day on which the signal equals the threshold between an output and the one before."""
    rows = np.arange(signal.shape[0])
    low, high = signal[rows, after - 1], signal[rows, after]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(high == low, 0.0, (threshold - low) / (high - low))
    return days[after - 1] + np.clip(share, 0.0, 1.0) * (days[after] - days[after - 1])


def symptomatic_flare(
    days: Array, flare_signal: Array, flare_threshold: Array, definition: FlareDefinition
) -> Episode:
    """Find symptomatic flares: signs that pass the patient's own threshold and go, on treatment.

    The signal must pass the threshold within `onset_window` and fall below it again within
    `resolution_window`. Signs that begin in time and stay are not flare; neither is a signal that
    was above the threshold before treatment.

    Parameters
    ----------
    days
        Output days, shape (times,).
    flare_signal
        Inflammatory signal, relative to its own baseline, shape (patients, times).
    flare_threshold
        Value of the signal from which the patient has symptoms, shape (patients,).
    definition
        The two windows.
    """
    episode = first_episode(days, flare_signal, flare_threshold)
    with np.errstate(invalid="ignore"):
        meets = (episode.onset_day <= definition.onset_window) & (
            episode.end_day <= definition.resolution_window
        )
    return _only(episode, meets)


def hypercalcemia(
    days: Array, plasma_calcium: Array, definition: HypercalcemiaDefinition
) -> Episode:
    """Find hypercalcemia of flare: calcium passes the threshold within the onset window.

    Parameters
    ----------
    days
        Output days, shape (times,).
    plasma_calcium
        Corrected plasma calcium, mmol/L, shape (patients, times).
    definition
        Threshold and window.
    """
    threshold = np.full(plasma_calcium.shape[0], definition.threshold)
    episode = first_episode(days, plasma_calcium, threshold)
    with np.errstate(invalid="ignore"):
        return _only(episode, episode.onset_day <= definition.onset_window)


def _only(episode: Episode, meets: NDArray[np.bool_]) -> Episode:
    occurred = episode.occurred & meets
    return Episode(
        occurred,
        np.where(occurred, episode.onset_day, np.nan),
        np.where(occurred, episode.end_day, np.nan),
        np.where(occurred, episode.peak, np.nan),
    )


def hypercalcemia_grade(peak: Array) -> NDArray[np.int8]:
    """CTCAE version 5.0 grade of a corrected calcium in mmol/L; 0 where there is none (NaN)."""
    grade = 1 + np.searchsorted(CTCAE_HYPERCALCEMIA_LIMITS, np.nan_to_num(peak), side="left")
    return np.where(np.isnan(peak), 0, grade).astype(np.int8)
