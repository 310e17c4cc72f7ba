"""Tumor volume from two caliper diameters."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


class VolumeFormula(StrEnum):
    """How length L and width W (mm, L the longer) give a volume (mm3).

    ELLIPSOID_MEAN is pi/6 L W (L + W)/2, a height between the two diameters; HALF_LENGTH is the
    customary L W^2 / 2; ELLIPSOID is pi/6 L W^2, a height equal to the width.
    """

    ELLIPSOID_MEAN = "ellipsoid_mean"
    HALF_LENGTH = "half_length"
    ELLIPSOID = "ellipsoid"


EQUATIONS = {
    VolumeFormula.ELLIPSOID_MEAN: "π/6 · L · W · (L + W)/2",
    VolumeFormula.HALF_LENGTH: "L · W² / 2",
    VolumeFormula.ELLIPSOID: "π/6 · L · W²",
}


def tumor_volume(
    length: ArrayLike, width: ArrayLike, formula: VolumeFormula = VolumeFormula.ELLIPSOID_MEAN
) -> Array:
    """Volume in mm3; the larger diameter counts as the length.

    Parameters
    ----------
    length, width
        Perpendicular diameters in mm, of the same shape.
    formula
        Which formula.
    """
    first = np.asarray(length, dtype=np.float64)
    second = np.asarray(width, dtype=np.float64)
    longer, shorter = np.maximum(first, second), np.minimum(first, second)
    if formula is VolumeFormula.HALF_LENGTH:
        result = longer * shorter**2 / 2.0
    elif formula is VolumeFormula.ELLIPSOID:
        result = np.pi / 6.0 * longer * shorter**2
    else:
        result = np.pi / 6.0 * longer * shorter * (longer + shorter) / 2.0
    return np.asarray(result, dtype=np.float64)
