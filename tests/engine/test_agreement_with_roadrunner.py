"""The patients of a trial, solved again by libRoadRunner on the exported SBML."""

from __future__ import annotations

import numpy as np
import pytest

from estradyn.engine import DoseSchedule, compile_model, solve
from estradyn.model import export_sbml, load_patient_model
from estradyn.population import stream_population
from roadrunner_oracle import RoadRunnerPatient

PATIENTS = 20
DAYS = 56
DOSES = (60.0, 200.0)


@pytest.mark.slow
def test_every_state_of_twenty_patients_agrees() -> None:
    """Every state that is not near zero agrees to 1e-5 at the default tolerance."""
    patient = load_patient_model()
    drug = next(iter(patient.drugs.values()))
    states = list(patient.model.state_names)
    compiled = compile_model(patient.model, states)
    population = next(stream_population(patient, PATIENTS, seed=3, chunk_size=PATIENTS))
    # Some times fall within a day, where the drug is being absorbed.
    times = np.sort(np.concatenate([[1.0, 3.0, 8.0, 30.0], 168.0 * np.arange(9), [1341.5]]))
    amounts = np.resize(DOSES, PATIENTS)
    doses = DoseSchedule.repeated(PATIENTS, drug.dose_state, amounts, interval=24.0, count=DAYS)
    solution = solve(
        compiled, population.parameters, times, doses, initial_states=population.initial_states
    )
    assert solution.succeeded.all()

    sbml = export_sbml("patient")
    dose_times = 24.0 * np.arange(DAYS)
    typical = np.where(np.array(states) == drug.dose_state, min(DOSES), 0.0)
    for index in range(PATIENTS):
        values = {name: float(array[index]) for name, array in population.parameters.items()}
        values |= dict(zip(states, population.initial_states[index].tolist(), strict=True))
        judge = RoadRunnerPatient(sbml, values, states)
        expected = judge.simulate(list(times), drug.dose_state, amounts[index], list(dose_times))
        near_zero = 1e-3 * np.maximum(np.abs(expected).max(axis=0), typical) + 1e-9
        error = np.abs(solution.values[index] - expected)
        relative = error / np.maximum(np.abs(expected), near_zero)
        worst = np.unravel_index(relative.argmax(), relative.shape)
        assert relative.max() < 1e-5, (
            f"patient {index}: {states[worst[1]]} at {times[worst[0]]} h differs by "
            f"{relative.max():.1e}"
        )
