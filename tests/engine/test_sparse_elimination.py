"""The sparse factorisation, through linear systems whose solution is a matrix exponential."""

from __future__ import annotations

import numpy as np
import pytest
from engine_models import system
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import expm

from estradyn.engine import SolverOptions, compile_model, solve
from estradyn.engine.elimination import plan_elimination


@given(
    size=st.integers(1, 12),
    entries=st.sets(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=40),
)
def test_plan_covers_every_entry_of_the_factors(size: int, entries: set[tuple[int, int]]) -> None:
    """Numeric elimination along the plan touches planned entries only, and solves the system."""
    entries = {(row, column) for row, column in entries if row < size and column < size}
    random = np.random.default_rng(len(entries) + 100 * size)
    matrix = np.zeros((size, size))
    for row, column in entries:
        matrix[row, column] = random.normal()
    matrix += (1.0 + np.abs(matrix).sum()) * np.eye(size)
    plan = plan_elimination(size, entries)
    assert sorted(plan.order) == list(range(size))

    work, right_side = matrix.copy(), random.normal(size=size)
    x = right_side.copy()
    for pivot, below, right in plan.steps:
        for row in below:
            factor = work[row, pivot] / work[pivot, pivot]
            for column in right:
                known = (row, column) in entries or row == column or (row, column) in plan.fill
                assert known
                work[row, column] -= factor * work[pivot, column]
            x[row] -= factor * x[pivot]
    for pivot, _, right in reversed(plan.steps):
        x[pivot] = (x[pivot] - sum(work[pivot, c] * x[c] for c in right)) / work[pivot, pivot]
    np.testing.assert_allclose(matrix @ x, right_side, atol=1e-9)


def test_a_chain_creates_no_fill() -> None:
    """An arrow pointing the wrong way fills in completely unless its tip is eliminated last."""
    arrow = {(0, i) for i in range(8)} | {(i, 0) for i in range(8)}
    assert plan_elimination(8, arrow).fill == frozenset()


@pytest.mark.parametrize("seed", range(4))
def test_linear_systems_match_the_matrix_exponential(seed: int) -> None:
    random = np.random.default_rng(seed)
    size = 9
    matrix = random.normal(size=(size, size)) * (random.random((size, size)) < 0.35)
    matrix -= np.diag(np.abs(matrix).sum(axis=1) + 10.0 ** random.uniform(-2, 3, size))
    names = [f"y{i}" for i in range(size)]
    rates = {
        name: " + ".join(
            f"({float(value)!r})*{other}" for value, other in zip(row, names, strict=True)
        )
        for name, row in zip(names, matrix, strict=True)
    }
    start = random.uniform(0.5, 2.0, size)
    compiled = compile_model(system(rates, dict.fromkeys(names, 1.0)), names)
    options = SolverOptions(relative_tolerance=1e-9, absolute_tolerance=1e-14)
    solution = solve(compiled, {}, [0.3, 2.0], initial_states=start[None, :], options=options)
    for place, time in enumerate((0.3, 2.0)):
        exact = expm(matrix * time) @ start
        np.testing.assert_allclose(solution.values[0, place], exact, rtol=1e-6, atol=1e-9)
