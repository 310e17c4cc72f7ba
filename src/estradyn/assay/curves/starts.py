"""Starting values from a search over the whole grid of doses and slopes.

Every family is linear in control, floor and stimulation once its doses and slopes are fixed
(variable projection; Golub & Pereyra 1973, doi:10.1137/0710036). So a grid over doses and slopes
is solved exactly, for all data sets of a design at once, and no start is left to chance.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from estradyn.assay.curves.families import CurveFamily
from estradyn.assay.curves.observations import Observations

Array = NDArray[np.float64]

_CHUNK = 256
"""Data sets searched at a time, which bounds memory."""


def starting_values(family: CurveFamily, data: Observations, *, count: int, fine: bool) -> Array:
    """Best grid points of every data set.

    Parameters
    ----------
    family
        Curve to start.
    data
        Design and data sets.
    count
        Starts per data set.
    fine
        Whether to search a finer grid.

    Returns
    -------
    numpy.ndarray
        Parameter vectors in the layout of `joint_places`; shape (datasets, count, parameters).
    """
    grid = _grid(
        family, float(data.log_dose[data.dose > 0].min()), float(data.log_dose.max()), fine
    )
    variants = [family.linear]
    if family.has_floor:
        variants.append(tuple(name for name in family.linear if name != "floor"))
    datasets = len(data.mean)
    linear = len(family.linear)
    starts = np.empty((datasets, count, data.groups * linear + len(family.nonlinear)))
    projections = [_projections(family, data, grid, names) for names in variants]
    for first in range(0, datasets, _CHUNK):
        mean = data.mean[first : first + _CHUNK]
        candidates = [
            _solve(data, mean, projection, _places(family, names), linear)
            for names, projection in zip(variants, projections, strict=True)
        ]
        cost = np.concatenate([candidate[0] for candidate in candidates])
        coefficients = np.concatenate([candidate[1] for candidate in candidates])
        points = np.tile(grid, (len(variants), 1))
        for rank, stratum in enumerate(_strata(points, family, count)):
            chosen = stratum[cost[stratum].argmin(axis=0)]
            best = coefficients[chosen, np.arange(len(mean))]
            block = starts[first : first + len(mean), rank]
            block[:, : data.groups * linear] = best.reshape(len(mean), -1)
            block[:, data.groups * linear :] = points[chosen]
    return starts


def _strata(points: Array, family: CurveFamily, count: int) -> list[NDArray[np.int64]]:
    """Parts of the grid with different doses, each of which sends its best point.

    The best points of the whole grid often lie side by side in one valley, while a deeper one is
    narrow and falls between two points.
    """
    if not family.falls:
        return [np.arange(len(points))] * count
    doses = np.unique(points[:, 1])
    parts = np.array_split(doses, min(count, len(doses)))
    strata = [np.flatnonzero(np.isin(points[:, 1], part)) for part in parts]
    return [strata[i % len(strata)] for i in range(count)]


def _places(family: CurveFamily, names: tuple[str, ...]) -> list[int]:
    return [family.linear.index(name) for name in names]


@lru_cache(maxsize=64)
def _grid(family: CurveFamily, lowest: float, highest: float, fine: bool) -> Array:
    """Grid over the nonlinear parameters; shape (points, nonlinear parameters)."""
    if not family.falls:
        return np.empty((1, 0))
    if family.rise == "sigmoid":
        slopes = np.log([0.5, 1.0, 2.0, 4.0] if fine else [0.7, 1.5, 3.5])
        rises = np.log([0.7, 1.5, 3.0] if fine else [1.0, 2.5])
        doses = np.linspace(lowest - 0.7, highest + 0.7, 15 if fine else 11)
        points = [
            (slope, dose, rise, rise_dose)
            for slope in slopes
            for dose in doses
            for rise in rises
            for rise_dose in doses
            if rise_dose < dose
        ]
        return np.array(points)
    slopes = np.log(np.geomspace(0.3, 8.0, 14 if fine else 9))
    doses = np.linspace(lowest - 3.0, highest + 3.0, 40 if fine else 24)
    return np.array([(slope, dose) for slope in slopes for dose in doses])


def _projections(
    family: CurveFamily, data: Observations, grid: Array, names: tuple[str, ...]
) -> list[tuple[NDArray[np.bool_], Array, Array]]:
    """For every curve: its levels, and for every grid point its basis and pseudo-inverse."""
    theta = np.zeros((len(grid), 1, len(family.parameters)))
    theta[:, 0, len(family.linear) :] = grid
    places = _places(family, names)
    result = []
    weight = data.weight.mean(axis=0)
    for group in range(data.groups):
        levels = data.group == group
        root = np.sqrt(weight[levels])
        basis = family.jacobian(theta, data.log_dose[levels])[1][..., places] * root[:, None]
        # A rising term may be tiny at all doses: scale columns so that the cut-off is fair.
        size = np.maximum(np.linalg.norm(basis, axis=1, keepdims=True), 1e-300)
        inverse = np.linalg.pinv(basis / size, rcond=1e-8) / size.transpose(0, 2, 1)
        result.append((levels, basis, inverse))
    return result


def _solve(
    data: Observations,
    mean: Array,
    projections: list[tuple[NDArray[np.bool_], Array, Array]],
    places: list[int],
    linear: int,
) -> tuple[Array, Array]:
    """Cost of every grid point and data set, infinite where a coefficient is negative."""
    points = len(projections[0][1])
    cost = np.zeros((points, len(mean)))
    coefficients = np.zeros((points, len(mean), len(projections), linear))
    for group, (levels, basis, inverse) in enumerate(projections):
        target = (mean[:, levels] * np.sqrt(data.weight.mean(axis=0)[levels])).T
        solution = inverse @ target
        projected = np.einsum("gnq,nb->gqb", basis, target)
        fitted = np.einsum("gqb,gqb->gb", solution, projected)
        cost += np.sum(target**2, axis=0) - fitted
        cost[(solution < 0).any(axis=1)] = np.inf
        coefficients[:, :, group, places] = solution.transpose(0, 2, 1)
    return cost, coefficients
