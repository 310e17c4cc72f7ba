"""States at which nothing changes, by Newton's method along implicit steps.

Each iteration is one step of the implicit Euler method, linearised:

    (I/h - J) d = f(y),    y <- y + d.

The step h starts small, so that the iteration follows the way the model itself would take, and
grows as changes get small; with h large this is Newton's method. This is pseudo-transient
continuation (C. T. Kelley and D. E. Keyes, SIAM J. Numer. Anal. 35:508, 1998,
doi 10.1137/S0036142996304796).
Two things follow from the diagonal 1/h: the matrix is regular where J is singular, and a quantity
that the kinetics conserve keeps the value it had at the start. All is done patient by patient: who
else is in the batch does not change a bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from estradyn.engine.compiled import CompiledModel
from estradyn.engine.solve import aligned, prepare_population

Array = NDArray[np.float64]

BLOCKS_AT_ONCE = 32
"""Vectors of patients that are searched side by side."""
LARGEST_STEP_IN_HORIZONS = 10.0
FIRST_STEP_IN_HORIZONS = 1e-6
MOST_ITERATIONS = 80
WANTED_CHANGE = 0.5
"""Relative change of a state per iteration that the step h aims at."""
STEP_FACTORS = (0.1, 30.0)
"""Least and most by which h changes from one iteration to the next."""
TOLERANCE = 1e-9
"""Relative size of the last change, at the largest h, of every state."""


@dataclass(frozen=True)
class Equilibria:
    """Equilibria of a population.

    Attributes
    ----------
    states
        Shape (patients, states); NaN for a patient without.
    found
        Whether each patient has one, shape (patients,).
    iterations
        Iterations each patient took, shape (patients,).
    """

    states: Array
    found: NDArray[np.bool_]
    iterations: NDArray[np.int64]


def find_equilibria(
    compiled: CompiledModel,
    parameters: Mapping[str, ArrayLike],
    horizon: float,
    *,
    patients: int | None = None,
    initial_states: Array | None = None,
    relevant: NDArray[np.bool_] | None = None,
    largest_drift: float = 1e-4,
    smallest_size: float = 1e-9,
    workers: int = 1,
) -> Equilibria:
    """Find, for every patient, the stable state at which her rates vanish.

    A patient has none here if the iteration does not converge, if a state that began at zero or
    above would end below zero, or if the state found is unstable: then following the model with
    `solve` tells what becomes of her.

    Parameters
    ----------
    compiled
        Compiled model.
    parameters, patients, initial_states
        As for `solve`. The search starts from the initial states.
    horizon
        Time within which the slowest process that matters settles.
    relevant
        States that have to come to rest, shape (states,), all by default. None of them may depend
        on one of the others, which stay as they are.
    largest_drift
        Relative growth over half the horizon above which the state is unstable.
    smallest_size
        Size below which a state's changes are judged against this size.
    workers
        Threads; the results do not depend on it.

    Raises
    ------
    InputError
        If names or shapes do not fit the model.
    """
    prepared = prepare_population(
        compiled, parameters, [0.0], patients=patients, initial_states=initial_states
    )
    count, states = prepared.patients, compiled.layout.states
    if compiled.depends_on_time or compiled.model.events:
        nobody = np.zeros(count, dtype=bool)
        return Equilibria(np.full((count, states), np.nan), nobody, nobody.astype(np.int64))
    if relevant is None:
        relevant = np.ones(states, dtype=bool)
    blocks = compiled.layout.width * np.arange(0, len(prepared.constants), BLOCKS_AT_ONCE)

    def search(first: int) -> Equilibria:
        block = first // compiled.layout.width
        lanes = _Lanes(
            compiled,
            prepared.constants[block : block + BLOCKS_AT_ONCE],
            prepared.initial_states[first : first + BLOCKS_AT_ONCE * compiled.layout.width],
        )
        with np.errstate(all="ignore"):
            settled, iterations = _settle(lanes, relevant, horizon, smallest_size)
            growth = _largest_growth(lanes.jacobian(), compiled, relevant)
        found = settled & (growth * horizon / 2 <= largest_drift)
        result = lanes.by_patient(lanes.state)
        result[~found] = np.nan
        return Equilibria(result, found, iterations)

    with ThreadPoolExecutor(workers) as pool:
        parts = list(pool.map(search, blocks.tolist()))
    return Equilibria(
        np.concatenate([part.states for part in parts]),
        np.concatenate([part.found for part in parts]),
        np.concatenate([part.iterations for part in parts]),
    )


class _Lanes:
    """Patients in vectors; every array has the shape (blocks, entries, lanes)."""

    def __init__(self, compiled: CompiledModel, constants: Array, initial: Array):
        layout = compiled.layout
        self.blocks, self.width, self.count = len(constants), layout.width, len(initial)
        self.compiled, self.constants = compiled, constants
        padding = np.repeat(initial[-1:], self.blocks * self.width - self.count, axis=0)
        padded = np.concatenate([initial, padding])
        self.state = self.vectors(layout.states)
        self.state[...] = padded.reshape(self.blocks, self.width, -1).transpose(0, 2, 1)
        self.rate = self.vectors(layout.states)
        self.shift = self.vectors(1)
        self.factor = self.vectors(layout.factors)
        self.entries = self.vectors(len(compiled.jacobian_entries))
        self.nothing = self.vectors(layout.states)
        self.change = self.vectors(layout.states)

    def vectors(self, entries: int) -> Array:
        """Return zeros of shape (blocks, entries, lanes)."""
        return aligned((self.blocks, entries, self.width))

    def by_patient(self, values: Array) -> Array:
        """Return values as (patients, entries)."""
        rows = values.transpose(0, 2, 1).reshape(self.blocks * self.width, values.shape[1])
        return np.ascontiguousarray(rows[: self.count])

    def step(self, blocks: NDArray[np.int64]) -> None:
        """Leave in `change` the solution d of (shift I - J) d = f for some blocks."""
        linearize, solve = self.compiled.function("linearize"), self.compiled.function("solve")
        used = (self.nothing, self.state, self.constants, self.shift, self.rate)
        arrays = [
            (array.ctypes.data, array.strides[0])
            for array in (*used, used[0], self.factor, self.change)
        ]
        for block in blocks.tolist():
            places = [base + block * stride for base, stride in arrays]
            linearize(*places[:7])
            solve(places[6], places[4], places[7])

    def jacobian(self) -> Array:
        """Return the entries of the Jacobian at the current state, shape (patients, entries)."""
        jacobian = self.compiled.function("jacobian")
        used = (self.nothing, self.state, self.constants, self.entries)
        arrays = [(array.ctypes.data, array.strides[0]) for array in used]
        for block in range(self.blocks):
            jacobian(*(base + block * stride for base, stride in arrays))
        return self.by_patient(self.entries)


def _settle(
    lanes: _Lanes, relevant: NDArray[np.bool_], horizon: float, smallest_size: float
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Iterate until each patient's last change is small; tell who got there and how fast."""
    largest = LARGEST_STEP_IN_HORIZONS * horizon
    moving = relevant[None, :, None]
    first = np.abs(lanes.state)
    from_above = (lanes.state >= 0) & moving
    step = np.full((lanes.blocks, lanes.width), FIRST_STEP_IN_HORIZONS * horizon)
    searching = np.ones((lanes.blocks, lanes.width), dtype=bool)
    searching.reshape(-1)[lanes.count :] = False
    settled = np.zeros_like(searching)
    iterations = np.zeros(searching.shape, dtype=np.int64)
    for _ in range(MOST_ITERATIONS):
        blocks = np.flatnonzero(searching.any(axis=1))
        if not blocks.size:
            break
        lanes.shift[blocks, 0] = 1.0 / step[blocks]
        lanes.change[blocks] = 0.0
        lanes.step(blocks)
        state, active = lanes.state[blocks], searching[blocks]
        change = np.where(moving, lanes.change[blocks], 0.0)
        after = state + change
        # Rounding alone may leave a state that is zero at rest just below.
        at_zero = from_above[blocks] & (after < 0) & (after >= -TOLERANCE * smallest_size)
        after = np.where(at_zero, 0.0, after)
        size = np.maximum(np.maximum(np.abs(state), np.abs(after)), smallest_size)
        share = (np.abs(change) / np.maximum(size, first[blocks] * TOLERANCE)).max(axis=1)
        # NaN compares false.
        fine = np.isfinite(share) & ~((after < 0) & from_above[blocks]).any(axis=1)
        tried = step[blocks]
        arrived = fine & (tried >= largest) & (share <= TOLERANCE) & active
        lanes.state[blocks] = np.where((fine & active)[:, None, :], after, state)
        factor = np.clip(WANTED_CHANGE / share, *STEP_FACTORS)
        step[blocks] = np.minimum(tried * np.where(fine, factor, STEP_FACTORS[0]), largest)
        iterations[blocks] += active
        settled[blocks] |= arrived
        searching[blocks] = active & ~arrived
    count = lanes.count
    return settled.reshape(-1)[:count], iterations.reshape(-1)[:count]


def _largest_growth(entries: Array, compiled: CompiledModel, relevant: NDArray[np.bool_]) -> Array:
    """Largest real part of the Jacobian's eigenvalues, shape (patients,); NaN if not finite.

    States that act on each other in a circle form a block; the eigenvalues are those of the blocks.
    """
    states = compiled.layout.states
    pattern = np.array(compiled.jacobian_entries, dtype=np.int64).reshape(-1, 2)
    position = {(row, column): place for place, (row, column) in enumerate(pattern.tolist())}
    graph = coo_matrix((np.ones(len(pattern)), pattern.T), shape=(states, states))
    number, label = connected_components(graph, directed=True, connection="strong")
    growth = np.full(len(entries), -np.inf)
    for block in range(number):
        members = np.flatnonzero((label == block) & relevant)
        matrix = np.zeros((len(entries), members.size, members.size))
        for row, column in np.ndindex(matrix.shape[1:]):
            place = position.get((int(members[row]), int(members[column])))
            if place is not None:
                matrix[:, row, column] = entries[:, place]
        finite = np.isfinite(matrix).all(axis=(1, 2))
        matrix[~finite] = 0.0
        if members.size:
            own = matrix[:, 0, 0] if members.size == 1 else _spectral_abscissa(matrix)
            growth = np.maximum(growth, np.where(finite, own, np.nan))
    return growth


def _spectral_abscissa(matrix: Array) -> Array:
    """Largest real part of the eigenvalues of each matrix."""
    return np.linalg.eigvals(matrix).real.max(axis=1)
