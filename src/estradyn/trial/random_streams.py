"""Chance in a trial: one stream per patient, arm and purpose, so nothing depends on order."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


class Purpose(IntEnum):
    """What chance is used for; the numbers are part of every result and never change."""

    MISSED_DOSES = 1
    SCAN_DAYS = 2
    DIAMETER_ERRORS = 3
    NON_TARGET_ERRORS = 4
    VISIT_DAYS = 5
    VISIT_ERRORS = 6
    LESIONS = 7
    EXAMINATION_ERRORS = 8
    ADHERENCE = 11


def stream(
    seed: int, purpose: Purpose, arm: int, patient_id: int, part: int = 0
) -> np.random.Generator:
    """Return the random numbers of one patient in one arm for one (part of a) purpose.

    Counter-based (Philox 4x64; Salmon et al. 2011, doi 10.1145/2063384.2063405): a stream is
    found from its numbers alone, whatever was drawn before. Patients who are the same in every arm
    still have their own errors of measurement in each.
    """
    bits = np.random.Philox(
        key=np.array([seed, patient_id], dtype=np.uint64),
        counter=np.array([0, part, int(purpose), arm], dtype=np.uint64),
    )
    return np.random.Generator(bits)


def per_patient(
    seed: int,
    purpose: Purpose,
    arm: int,
    patient_ids: NDArray[np.int64],
    draw: Callable[[np.random.Generator], ArrayLike],
    part: int = 0,
) -> Array:
    """Draw an array for each patient from her own stream; shape (patients, *one draw)."""
    return np.array(
        [draw(stream(seed, purpose, arm, int(patient_id), part)) for patient_id in patient_ids],
        dtype=np.float64,
    )
