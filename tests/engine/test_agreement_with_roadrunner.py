"""The patients of a trial, solved again by libRoadRunner on the exported SBML."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from roadrunner import Config

from estradyn.engine import DoseSchedule, SolverOptions, compile_model, solve
from estradyn.model import export_sbml, load_patient_model
from estradyn.population import stream_population
from roadrunner_oracle import RoadRunnerPatient

TRACE = {"goserelin": (1e-6,)}
"""A millionth of a depot: CVODE gets stuck where what an agonist holds is 1e-300."""

OPTIONS = {
    "premenopausal_women": SolverOptions(relative_tolerance=1e-7),
    "adjuvant": SolverOptions(relative_tolerance=5e-7),
}
"""By people or else setting. Estradiol of a cycle crosses the kinks of the tumor's stimulation
again and again, and at the default tolerance one state of forty women is 2.6e-5 off; on tamoxifen
after surgery a woman's stimulation sets in at such a kink, and is 1.02e-5 off a day later."""


@pytest.fixture(autouse=True)
def quick_compilation() -> Iterator[None]:
    """Let libRoadRunner compile each patient's model by its quicker compiler."""
    before = Config.getValue(Config.LLVM_BACKEND)
    Config.setValue(Config.LLVM_BACKEND, Config.LLJIT)
    yield
    Config.setValue(Config.LLVM_BACKEND, before)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("people", "setting", "doses_by_drug", "patients", "weeks"),
    [
        (None, None, {"toremifene": (60.0, 200.0)}, 20, 8),
        (None, None, {"tamoxifen": (20.0,), "exemestane": (25.0,)}, 3, 8),
        (None, "neoadjuvant", {"letrozole": (2.5,), "tamoxifen": (20.0,)}, 20, 4),
        (None, "adjuvant", {"tamoxifen": (20.0,), "anastrozole": (1.0,)}, 20, 4),
        (None, "prevention", {"exemestane": (25.0,), "toremifene": (60.0,)}, 20, 4),
        ("men", "adjuvant", {"letrozole": (2.5,), "clomiphene": (25.0,)}, 20, 4),
        ("premenopausal_women", "adjuvant", {"tamoxifen": (20.0,)} | TRACE, 20, 4),
        ("premenopausal_women", None, {"goserelin": (0.13,), "exemestane": (25.0,)}, 20, 4),
        (
            *("oligo_ovulatory_women", None),
            *({"letrozole": (2.5,), "clomiphene": (50.0,)} | TRACE, 20, 4),
        ),
    ],
    ids=[
        *("metastatic", "two drugs at once", "neoadjuvant", "adjuvant", "prevention", "men"),
        *("cycling", "ovary silenced", "seldom ovulating"),
    ],
)
def test_every_state_of_the_patients_agrees(
    people: str | None,
    setting: str | None,
    doses_by_drug: dict[str, tuple[float, ...]],
    patients: int,
    weeks: int,
) -> None:
    """Every state agrees to 1e-5 at the default tolerance, or where that is said at another.

    Near zero, below a thousandth of what the state reaches in any of the patients, it is judged
    against that: cells of a kind that one tumor hardly has are no part of its volume.
    """
    drugs = tuple(doses_by_drug)
    patient = load_patient_model(drugs=drugs, setting=setting, population=people)
    states = list(patient.model.state_names)
    compiled = compile_model(patient.model, states)
    population = next(stream_population(patient, patients, seed=3, chunk_size=patients))
    # Some times fall within a day, where the drug is being absorbed.
    end = 168.0 * weeks
    times = np.sort(
        np.concatenate([[1.0, 3.0, 8.0, 30.0], np.arange(0.0, end + 1.0, 168.0), [end - 2.5]])
    )
    amounts = {
        patient.drugs[drug].dose_state: np.resize(doses, patients)
        for drug, doses in doses_by_drug.items()
    }
    doses = DoseSchedule.together(
        [
            DoseSchedule.repeated(patients, state, amount, interval=24.0, count=7 * weeks)
            for state, amount in amounts.items()
        ]
    )
    solution = solve(
        compiled,
        population.parameters,
        times,
        doses,
        initial_states=population.initial_states,
        options=OPTIONS.get(people or setting or ""),
    )
    assert solution.succeeded.all()

    plain = load_patient_model(drugs=drugs, population=people).model
    of_setting = {
        one.name: one.value
        for one, other in zip(patient.model.parameters, plain.parameters, strict=True)
        if one.value != other.value
    }
    assert bool(of_setting) == (setting is not None)
    sbml = export_sbml("patient", of_setting, drugs=drugs, population=people)
    dose_times = 24.0 * np.arange(7 * weeks)
    # The judge's own absolute tolerance, 1e-14, is a millionth of the last term.
    reached = np.abs(solution.values).max(axis=(0, 1))
    given_at_once = [amounts[state].min() if state in amounts else 0.0 for state in states]
    near_zero = 1e-3 * np.maximum(reached, given_at_once) + 1e-8
    for index in range(patients):
        values = {name: float(array[index]) for name, array in population.parameters.items()}
        values |= dict(zip(states, population.initial_states[index].tolist(), strict=True))
        # At 1e-10 CVODE gets stuck in the first second of one patient on exemestane.
        judge = RoadRunnerPatient(sbml, values, states, relative_tolerance=1e-9)
        given = {state: float(amount[index]) for state, amount in amounts.items()}
        expected = judge.simulate(list(times), given, list(dose_times))
        error = np.abs(solution.values[index] - expected)
        relative = error / np.maximum(np.abs(expected), near_zero)
        worst = np.unravel_index(relative.argmax(), relative.shape)
        assert relative.max() < 1e-5, (
            f"patient {index}: {states[worst[1]]} at {times[worst[0]]} h differs by "
            f"{relative.max():.1e}"
        )
