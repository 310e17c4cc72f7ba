"""Drawing candidates from the parameter tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from estradyn.model.parameter_table import Level, ParameterRow, ParameterTable
from estradyn.population.distributions import value_at
from estradyn.population.random_streams import standard_normal

TrialEffects = Literal["drawn", "typical"]
"""Whether values that vary between trials are drawn once per seed or held at their value."""


@dataclass(frozen=True)
class Candidates:
    """Drawn values of women who may become patients.

    Attributes
    ----------
    numbers
        Their numbers, shape (candidates,).
    parameters
        Model parameters that vary between patients or trials: name to array (candidates,).
    traits
        Rows that are not model parameters, fixed ones included: name to array (candidates,).
    """

    numbers: NDArray[np.int64]
    parameters: dict[str, NDArray[np.float64]]
    traits: dict[str, NDArray[np.float64]]


def draw_candidates(
    table: ParameterTable,
    seed: int,
    numbers: ArrayLike,
    trial_effects: TrialEffects = "drawn",
) -> Candidates:
    """Draw values; each depends on the seed and the candidate's number alone.

    Correlated rows share a normal copula: independent normal values are joined by the Cholesky
    factor of their correlations and turned into values by `value_at`.

    Parameters
    ----------
    table
        The parameter table.
    seed
        Seed of the population.
    numbers
        Numbers of the candidates, from 0, shape (candidates,).
    trial_effects
        `drawn`: rows of level `trial` are drawn once per seed, the same for all candidates.
        `typical`: they keep their tabled value.

    Returns
    -------
    Candidates

    Raises
    ------
    InputError
        If the seed or a number is out of range.
    """
    wanted = np.asarray(numbers, dtype=np.int64)
    between_patients = table.varying(Level.PATIENT)
    normals = _correlated(table, between_patients, seed, wanted)
    drawn = {row.name: value_at(row, normals[row.name]) for row in between_patients}
    for row in table.varying(Level.TRIAL):
        value = row.value
        if trial_effects == "drawn":
            value = float(value_at(row, standard_normal(seed, f"trial:{row.name}", [0]))[0])
        drawn[row.name] = np.full(wanted.shape, value)
    parameters = {row.name: drawn[row.name] for row in table.parameters if row.varies}
    traits = {
        row.name: drawn[row.name] if row.varies else np.full(wanted.shape, row.value)
        for row in table.traits
    }
    return Candidates(wanted, parameters, traits)


def _correlated(
    table: ParameterTable, rows: Sequence[ParameterRow], seed: int, numbers: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Standard normal values of the rows, correlated as the table states."""
    normals = {row.name: standard_normal(seed, f"patient:{row.name}", numbers) for row in rows}
    pairs = {name for item in table.correlations for name in (item.first, item.second)}
    joined = [row.name for row in rows if row.name in pairs]
    factor = np.linalg.cholesky(table.correlation_matrix(joined))
    for index in reversed(range(len(joined))):
        # Summed one by one: a matrix product may round differently for another number of patients.
        total = factor[index, index] * normals[joined[index]]
        for earlier in range(index):
            total = total + factor[index, earlier] * normals[joined[earlier]]
        normals[joined[index]] = total
    return normals
