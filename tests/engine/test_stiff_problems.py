"""Classic stiff problems, read as text: the error follows the tolerance and stays below it."""

from __future__ import annotations

import numpy as np
import pytest

from estradyn.engine import compile_model, solve
from estradyn.engine.tableau import METHODS
from stiff_problems import STIFF_PROBLEMS, StiffProblem

TOLERANCES = (1e-4, 1e-6, 1e-8)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("problem", STIFF_PROBLEMS, ids=lambda problem: problem.name)
def test_the_error_stays_below_the_tolerance(problem: StiffProblem, method: str) -> None:
    model = problem.model()
    compiled = compile_model(model, model.state_names, method=method)
    errors = []
    for tolerance in TOLERANCES:
        solution = solve(compiled, {}, [problem.end], options=problem.options(tolerance))
        assert solution.status[0] == 0
        errors.append(problem.error(solution.values[0, 0]))
    assert (np.array(errors) < np.array(TOLERANCES)).all(), errors
    assert errors[2] < 1e-2 * errors[0]
