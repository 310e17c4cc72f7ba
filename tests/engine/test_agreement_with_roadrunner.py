"""The patients of a trial, solved again by libRoadRunner on the exported SBML."""

from __future__ import annotations

import numpy as np
import pytest

from estradyn.engine import DoseSchedule, compile_model, solve
from estradyn.model import export_sbml, load_patient_model
from estradyn.population import stream_population
from roadrunner_oracle import RoadRunnerPatient

DAYS = 56


@pytest.mark.slow
@pytest.mark.parametrize(
    ("doses_by_drug", "patients"),
    [
        ({"toremifene": (60.0, 200.0)}, 20),
        ({"tamoxifen": (20.0,), "exemestane": (25.0,)}, 3),
        ({"letrozole": (2.5,), "anastrozole": (1.0,)}, 3),
    ],
    ids=["toremifene", "tamoxifen and exemestane", "letrozole and anastrozole"],
)
def test_every_state_of_the_patients_agrees(
    doses_by_drug: dict[str, tuple[float, ...]], patients: int
) -> None:
    """Every state that is not near zero agrees to 1e-5 at the default tolerance."""
    drugs = tuple(doses_by_drug)
    patient = load_patient_model(drugs=drugs)
    states = list(patient.model.state_names)
    compiled = compile_model(patient.model, states)
    population = next(stream_population(patient, patients, seed=3, chunk_size=patients))
    # Some times fall within a day, where the drug is being absorbed.
    times = np.sort(np.concatenate([[1.0, 3.0, 8.0, 30.0], 168.0 * np.arange(9), [1341.5]]))
    amounts = {
        patient.drugs[drug].dose_state: np.resize(doses, patients)
        for drug, doses in doses_by_drug.items()
    }
    doses = DoseSchedule.together(
        [
            DoseSchedule.repeated(patients, state, amount, interval=24.0, count=DAYS)
            for state, amount in amounts.items()
        ]
    )
    solution = solve(
        compiled, population.parameters, times, doses, initial_states=population.initial_states
    )
    assert solution.succeeded.all()

    sbml = export_sbml("patient", drugs=drugs)
    dose_times = 24.0 * np.arange(DAYS)
    typical = np.array([amounts[state].min() if state in amounts else 0.0 for state in states])
    for index in range(patients):
        values = {name: float(array[index]) for name, array in population.parameters.items()}
        values |= dict(zip(states, population.initial_states[index].tolist(), strict=True))
        judge = RoadRunnerPatient(sbml, values, states)
        given = {state: float(amount[index]) for state, amount in amounts.items()}
        expected = judge.simulate(list(times), given, list(dose_times))
        # The judge's own absolute tolerance, 1e-14, is a millionth of the last term.
        near_zero = 1e-3 * np.maximum(np.abs(expected).max(axis=0), typical) + 1e-8
        error = np.abs(solution.values[index] - expected)
        relative = error / np.maximum(np.abs(expected), near_zero)
        worst = np.unravel_index(relative.argmax(), relative.shape)
        assert relative.max() < 1e-5, (
            f"patient {index}: {states[worst[1]]} at {times[worst[0]]} h differs by "
            f"{relative.max():.1e}"
        )
