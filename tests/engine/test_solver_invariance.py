"""A patient's numbers are hers alone: nothing around her changes a bit."""

from __future__ import annotations

import numpy as np
import pytest
from engine_models import oral_drug, system
from hypothesis import given, settings
from hypothesis import strategies as st

from estradyn.engine import (
    CompiledModel,
    DoseSchedule,
    PatientStatus,
    SolverOptions,
    compile_model,
    solve,
)
from estradyn.engine.solve import Solution

PATIENTS = 37


def nonlinear():
    """Saturable elimination with a slow effect, so that step sizes differ between patients."""
    return system(
        {
            "gut": "-ka*gut",
            "plasma": "ka*gut - vmax*plasma/(km + plasma)",
            "effect": "k*(plasma**gamma/(half**gamma + plasma**gamma) - effect)"
            " + k*sin(omega*time)",
        },
        {"gut": 0.0, "plasma": 0.1, "effect": 0.0},
        {"ka": 1.0, "vmax": 3.0, "km": 4.0, "k": 0.05, "gamma": 2.4, "half": 8.0, "omega": 0.0},
    )


@pytest.fixture(scope="module")
def compiled() -> CompiledModel:
    return compile_model(nonlinear(), ["plasma", "effect"])


def population(seed: int = 5) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {
        "ka": random.lognormal(0.0, 1.0, PATIENTS),
        "vmax": random.lognormal(1.0, 0.5, PATIENTS),
        "half": random.lognormal(2.0, 0.5, PATIENTS),
    }


def doses_for(patients: np.ndarray) -> DoseSchedule:
    """Each patient's own schedule: dose and number of doses depend on who she is."""
    each = [
        DoseSchedule.from_records(
            place, 24.0 * np.arange(1 + patient % 5), "gut", 20.0 + 3.0 * patient
        )
        for place, patient in enumerate(patients)
    ]
    return DoseSchedule.together(each)


def run(
    compiled: CompiledModel, patients: np.ndarray, times: np.ndarray | None = None, workers: int = 1
) -> Solution:
    parameters = {name: values[patients] for name, values in population().items()}
    grid = np.arange(0.0, 121.0, 6.0) if times is None else times
    return solve(compiled, parameters, grid, doses_for(patients), workers=workers)


@pytest.fixture(scope="module")
def together(compiled: CompiledModel) -> Solution:
    return run(compiled, np.arange(PATIENTS))


@settings(max_examples=25, deadline=None)
@given(patients=st.lists(st.integers(0, PATIENTS - 1), min_size=1, max_size=60))
def test_any_batch_and_order(compiled, together, patients: list[int]) -> None:
    chosen = np.array(patients)
    solution = run(compiled, chosen)
    np.testing.assert_array_equal(solution.values, together.values[chosen])
    np.testing.assert_array_equal(solution.final_states, together.final_states[chosen])
    np.testing.assert_array_equal(solution.accepted_steps, together.accepted_steps[chosen])


@pytest.mark.parametrize("workers", [2, 3])
def test_any_number_of_workers(compiled, together, workers: int) -> None:
    many = np.tile(np.arange(PATIENTS), 6)
    solution = run(compiled, many, workers=workers)
    np.testing.assert_array_equal(solution.values, together.values[many])


@settings(max_examples=25, deadline=None)
@given(keep=st.sets(st.integers(0, 20), min_size=1))
def test_any_output_grid(compiled, together, keep: set[int]) -> None:
    """Fewer output times with the same end take the same steps to the same values."""
    chosen = np.array(sorted(keep | {20}))
    solution = run(compiled, np.arange(PATIENTS), np.arange(0.0, 121.0, 6.0)[chosen])
    np.testing.assert_array_equal(solution.values, together.values[:, chosen])


def test_any_subset_of_outputs(together) -> None:
    compiled = compile_model(nonlinear(), ["effect"])
    solution = run(compiled, np.arange(PATIENTS))
    np.testing.assert_array_equal(solution.values[:, :, 0], together.values[:, :, 1])


@pytest.mark.parametrize("width", [2, 4])
def test_narrower_vectors_agree(together, width: int) -> None:
    narrow = compile_model(nonlinear(), ["plasma", "effect"], width=width)
    solution = run(narrow, np.arange(PATIENTS))
    np.testing.assert_allclose(solution.values, together.values, rtol=1e-12)


POISONS = {
    "not a number": ({"km": np.nan}, PatientStatus.NOT_FINITE),
    "division by zero": ({"km": 0.0, "plasma": 0.0}, PatientStatus.NOT_FINITE),
    "power of a negative number": ({"half": -1.0}, PatientStatus.NOT_FINITE),
    "too many steps": ({"omega": 1e4}, PatientStatus.STEP_LIMIT),
}


@pytest.mark.parametrize("lane", range(8))
@pytest.mark.parametrize("poison", POISONS)
def test_a_poisoned_patient_spoils_nobody_else(compiled, lane: int, poison: str) -> None:
    changes, expected = POISONS[poison]
    patients = 19
    parameters = {name: values[:patients].copy() for name, values in population().items()}
    parameters |= {"km": np.full(patients, 4.0), "omega": np.zeros(patients)}
    start = np.tile([0.0, 0.1, 0.0], (patients, 1))
    grid, doses = np.arange(0.0, 121.0, 6.0), doses_for(np.arange(patients))
    options = SolverOptions(retry=False, step_limit=5000)

    def solved() -> Solution:
        return solve(compiled, parameters, grid, doses, initial_states=start, options=options)

    clean = solved()
    assert clean.succeeded.all()
    for name, value in changes.items():
        if name in parameters:
            parameters[name][lane] = value
        else:
            start[lane, 1] = value
    spoiled = solved()
    assert spoiled.status[lane] == expected
    assert np.isnan(spoiled.values[lane]).all()
    assert np.isnan(spoiled.final_states[lane]).all()
    others = np.arange(patients) != lane
    np.testing.assert_array_equal(spoiled.values[others], clean.values[others])
    np.testing.assert_array_equal(spoiled.status[others], clean.status[others])


def test_retry_rescues_a_patient_who_ran_out_of_steps(compiled) -> None:
    patients = np.arange(12)
    parameters = {name: values[patients] for name, values in population().items()}
    grid = np.arange(0.0, 121.0, 6.0)
    full = solve(compiled, parameters, grid, doses_for(patients))
    needed = full.accepted_steps + full.rejected_steps
    limit = int(np.sort(needed)[-3])
    options = SolverOptions(step_limit=limit)
    solution = solve(compiled, parameters, grid, doses_for(patients), options=options)
    rescued = solution.status == PatientStatus.RETRIED
    np.testing.assert_array_equal(rescued, needed >= limit)
    assert 1 <= rescued.sum() < len(patients)
    np.testing.assert_allclose(solution.values[rescued], full.values[rescued], rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(solution.values[~rescued], full.values[~rescued])


def test_the_reference_solver_agrees(compiled) -> None:
    """The last rung of the ladder gives what the vector solver gives."""
    patients = np.arange(3)
    parameters = {name: values[patients] for name, values in population().items()}
    grid = np.arange(0.0, 121.0, 6.0)
    full = solve(compiled, parameters, grid, doses_for(patients))
    # One step is never enough for the vector solver, even on retry.
    starved = solve(
        compiled, parameters, grid, doses_for(patients), options=SolverOptions(step_limit=1)
    )
    assert (starved.status == PatientStatus.RETRIED).all()
    np.testing.assert_allclose(starved.values, full.values, rtol=1e-4, atol=1e-6)


def test_machine_code_is_kept_and_found_again(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("ESTRADYN_CACHE", str(tmp_path))
    first = compile_model(oral_drug(), ["plasma"])
    second = compile_model(oral_drug(), ["plasma"])
    assert not first.from_cache
    assert second.from_cache
    kernel = next((tmp_path / "kernels").glob("*.kernel"))
    kernel.write_bytes(kernel.read_bytes()[:-10])
    assert not compile_model(oral_drug(), ["plasma"]).from_cache
    monkeypatch.setenv("ESTRADYN_CACHE", "off")
    assert not compile_model(oral_drug(), ["plasma"]).from_cache
