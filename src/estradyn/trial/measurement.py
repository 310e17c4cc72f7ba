"""What the scanner and the laboratory report of what is true."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from estradyn.trial.random_streams import Purpose, per_patient
from estradyn.trial.schedule import log_error
from estradyn.trial.study import Criteria, Scans

Array = NDArray[np.float64]

MM3_PER_ML = 1000.0

BELOW_LIMIT = -np.inf
"""What stands for a value below the quantification limit of its assay: it is no number, and lower
than every one that is."""


@dataclass(frozen=True)
class TumorReadings:
    """Imaging of one group of patients; every array has shape (patients, scans).

    Attributes
    ----------
    sum_of_diameters
        Measured sum of longest diameters, mm; NaN throughout without measurable disease.
    true_sum_of_diameters
        The same without error of measurement.
    non_target_volume
        Measured volume of bone disease, mL; zero throughout without bone disease.
    true_non_target_volume
        The same without error of measurement.
    """

    sum_of_diameters: Array
    true_sum_of_diameters: Array
    non_target_volume: Array
    true_non_target_volume: Array


def at_days(days: Array, values: Array, wanted: Array) -> Array:
    """Read trajectories on each patient's own days, linear between outputs.

    Parameters
    ----------
    days
        Output days, ascending, shape (times,).
    values
        Shape (patients, times).
    wanted
        Shape (patients, appointments), within `days`.
    """
    after = np.clip(np.searchsorted(days, wanted), 1, days.size - 1)
    before = after - 1
    share = (wanted - days[before]) / (days[after] - days[before])
    low = np.take_along_axis(values, before, axis=1)
    high = np.take_along_axis(values, after, axis=1)
    # Picked, not mixed, at the ends: on an output day the value is that output to the last bit.
    return np.where(share == 0.0, low, np.where(share == 1.0, high, low + share * (high - low)))


def number_of_lesions(
    baseline_volume: Array, scans: Scans, criteria: Criteria
) -> NDArray[np.int64]:
    """Target lesions of each patient: as many as are planned and measurable.

    The soft-tissue volume is spread evenly over spherical lesions, the largest number up to
    `target_lesions` for which each still has the smallest measurable diameter at baseline. A
    patient whose whole soft-tissue disease would not make one such lesion has no measurable
    disease (0) and is judged by her non-target disease.
    """
    smallest = MM3_PER_ML**-1 * np.pi / 6.0 * criteria.smallest_measurable**3
    with np.errstate(invalid="ignore"):
        possible = np.floor(np.nan_to_num(baseline_volume) / smallest * (1.0 + 1e-12))
    return np.minimum(possible, scans.target_lesions).astype(np.int64)


def diameter_of_sphere(volume: Array) -> Array:
    """Diameter in mm of a sphere of a volume in mL."""
    return np.cbrt(6.0 / np.pi * MM3_PER_ML * np.maximum(volume, 0.0))


def read_tumor(
    soft_tissue_volume: Array,
    bone_volume: Array,
    scans: Scans,
    criteria: Criteria,
    *,
    seed: int,
    arm: int,
    patient_ids: NDArray[np.int64],
) -> TumorReadings:
    """Measure the lesions on every scan.

    Each target lesion is read with its own log-normal error. RECIST 1.1 (section 3.2, doi
    10.1016/j.ejca.2008.10.026): a lesion that is still seen but smaller than `smallest_measured`
    is recorded as that; one that is no longer seen, here below `smallest_visible`, as 0 mm. Bone
    disease is read with the error that as many lesions, each with the same error of its diameter,
    would have in volume; its part below the smallest visible lesion is recorded as none.

    Parameters
    ----------
    soft_tissue_volume, bone_volume
        True volumes on the days of the scans, mL, shape (patients, scans); scan 0 is baseline.
    scans
        Number of lesions and error of a diameter.
    criteria
        Smallest diameters.
    seed, arm, patient_ids
        What the errors depend on.
    """
    lesions, error = scans.target_lesions, log_error(scans.diameter_error)
    size = soft_tissue_volume.shape[1]
    counts = number_of_lesions(soft_tissue_volume[:, 0], scans, criteria)
    present = np.arange(lesions) < counts[:, None]
    diameter = diameter_of_sphere(soft_tissue_volume / np.maximum(counts, 1)[:, None])
    factors = np.exp(
        error
        * per_patient(
            seed,
            Purpose.DIAMETER_ERRORS,
            arm,
            patient_ids,
            lambda generator: generator.standard_normal((size, lesions)),
        )
    )
    each = _recorded(diameter[:, :, None], factors, criteria)
    measured = np.where(present[:, None, :], each, 0.0).sum(axis=2)
    true = counts[:, None] * _recorded(diameter, np.ones_like(diameter), criteria)
    without = counts == 0
    measured[without], true[without] = np.nan, np.nan
    failed = np.isnan(soft_tissue_volume).any(axis=1)
    measured[failed], true[failed] = np.nan, np.nan

    visible = MM3_PER_ML**-1 * np.pi / 6.0 * criteria.smallest_visible**3
    true_bone = np.where(bone_volume < visible, 0.0, bone_volume)
    volume_factors = np.exp(
        3.0
        * error
        / np.sqrt(lesions)
        * per_patient(
            seed,
            Purpose.NON_TARGET_ERRORS,
            arm,
            patient_ids,
            lambda generator: generator.standard_normal(size),
        )
    )
    return TumorReadings(measured, true, true_bone * volume_factors, true_bone)


def _recorded(true_diameter: Array, factor: Array, criteria: Criteria) -> Array:
    measured = np.maximum(true_diameter * factor, criteria.smallest_measured)
    return np.where(true_diameter < criteria.smallest_visible, 0.0, measured)


def read_laboratory(
    true_values: Array,
    errors: Array,
    *,
    seed: int,
    arm: int,
    patient_ids: NDArray[np.int64],
    series: int,
) -> Array:
    """Measure quantities with independent log-normal errors.

    Parameters
    ----------
    true_values
        Shape (patients, visits, quantities).
    errors
        Standard deviation of the logarithm of the error, shape (quantities,).
    seed, arm, patient_ids, series
        What the errors depend on.
    """
    shape = true_values.shape[1:]
    normal = per_patient(
        seed,
        Purpose.VISIT_ERRORS,
        arm,
        patient_ids,
        lambda generator: generator.standard_normal(shape),
        series,
    )
    return true_values * np.exp(errors * normal)


def censored(measured: Array, limits: Array) -> Array:
    """Replace what lies below the quantification limit of its assay by `BELOW_LIMIT`.

    Parameters
    ----------
    measured
        Shape (patients, visits, quantities).
    limits
        Shape (quantities,); NaN where an assay has no limit.
    """
    with np.errstate(invalid="ignore"):
        return np.where(measured < limits, BELOW_LIMIT, measured)
