"""What calipers, camera, blood and histology show of a mouse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Measurement:
    """Errors of measurement; volumes in mm3, errors as standard deviation of the logarithm.

    Attributes
    ----------
    small_error, large_error
        One observer's volume of small and of large tumors: 27 and 7 % (Euhus 1986,
        doi:10.1002/jso.2930310402; ME03, ME02).
    small_volume, large_volume
        Volumes to which these apply, straight in log volume between them (assumed).
    observer_difference
        Mean absolute difference between two observers as a share of the mean: 0.15 (ME01), or 0
        when one observer measures throughout. Each visit has one observer of `observers`.
    observers
        Number of observers.
    length_to_width
        Median ratio of the two diameters, and the standard deviation of its logarithm between
        animals (assumed).
    weight_error, calcium_error, phosphatase_error
        Scale and assays (assumed).
    flux_per_mm3
        Photons per second and mm3 of tumor (assumed; only ratios matter).
    flux_error
        Bioluminescence: between days of one animal (assumed: substrate, depth, position).
    histology_error
        Share of stained cells, on the logit scale (assumed: section and counting).
    """

    small_error: float = 0.27
    large_error: float = 0.07
    small_volume: float = 50.0
    large_volume: float = 1000.0
    observer_difference: float = 0.0
    observers: int = 3
    length_to_width: tuple[float, float] = (1.25, 0.08)
    weight_error: float = 0.015
    calcium_error: float = 0.03
    phosphatase_error: float = 0.06
    flux_per_mm3: float = 2.0e5
    flux_error: float = 0.30
    histology_error: float = 0.35

    def reading_error(self, volume: Array) -> Array:
        """Error of one observer's reading of a volume (mm3)."""
        span = np.log(self.large_volume / self.small_volume)
        share = np.clip(np.log(np.maximum(volume, 1e-9) / self.small_volume) / span, 0.0, 1.0)
        result: Array = self.small_error + share * (self.large_error - self.small_error)
        return result


def caliper_readings(
    volume: Array, measurement: Measurement, generator: np.random.Generator
) -> Array:
    """Volumes (mm3) as read on each visit; shape (animals, visits) as the true ones."""
    own = measurement.reading_error(volume) * generator.standard_normal(volume.shape)
    # Mean |difference| of two normal values is 2 / sqrt(pi) of their standard deviation.
    spread = measurement.observer_difference * np.sqrt(np.pi) / 2.0
    bias = spread * generator.standard_normal(measurement.observers)
    observer = generator.integers(0, measurement.observers, volume.shape[1])
    read: Array = volume * np.exp(own + bias[observer])
    return read


def diameters(
    volume: Array, measurement: Measurement, generator: np.random.Generator
) -> tuple[Array, Array]:
    """Length and width (mm) that give a volume by pi/6 L W (L + W) / 2; shape as the volumes."""
    median, spread = measurement.length_to_width
    ratio = median * np.exp(spread * np.abs(generator.standard_normal((volume.shape[0], 1))))
    width = np.cbrt(12.0 * volume / (np.pi * ratio * (1.0 + ratio)))
    return ratio * width, width


def with_log_error(values: Array, error: float, generator: np.random.Generator) -> Array:
    """Values with an error of their logarithm."""
    read: Array = values * np.exp(error * generator.standard_normal(values.shape))
    return read


def stained_share(
    percent: Array, measurement: Measurement, generator: np.random.Generator
) -> Array:
    """Percent of stained cells as counted: the error is on the logit scale, so within 0 to 100."""
    share = np.clip(percent / 100.0, 1e-6, 1.0 - 1e-6)
    logit = np.log(share / (1.0 - share))
    error = measurement.histology_error * generator.standard_normal(percent.shape)
    counted: Array = 100.0 / (1.0 + np.exp(-(logit + error)))
    return counted


def pain_grade(score: Array, generator: np.random.Generator) -> Array:
    """Whole grades around a true score, as a grimace scale gives them."""
    read: Array = np.maximum(np.rint(score + 0.3 * generator.standard_normal(score.shape)), 0.0)
    return read


def on_days(values: Array, days: Array, wanted: Sequence[float]) -> Array:
    """Values on the wanted days, missing on the others; shape (animals, days)."""
    seen = np.isin(days, np.asarray(wanted, dtype=np.float64))
    shown: Array = np.where(seen, values, np.nan)
    return shown
