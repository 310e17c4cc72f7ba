"""Patients from draw to baseline to acceptance."""

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import symengine
from scipy.integrate import solve_ivp

from estradyn.errors import InputError, SimulationError
from estradyn.model import TIME, load_patient_model
from estradyn.population import (
    Baselines,
    Drawn,
    EngineBaseline,
    Population,
    draw_candidates,
    draw_patients,
    stream_population,
)
from estradyn.population.baseline import states_behind

SMALL = Path(__file__).parents[1] / "model" / "data" / "small"


@pytest.fixture(scope="module")
def patient_model():
    return load_patient_model(SMALL)


class KnownBaseline:
    """The steady state of the small model, which is known in closed form."""

    def __init__(self, patient_model, fail=lambda hormone: ""):
        self.model = patient_model.model
        self.fixed = {item.name: item.value for item in self.model.parameters}
        self.fail = fail
        self.candidates = 0

    def __call__(self, parameters, count):
        self.candidates += count
        hormone = parameters["body_production"] / self.fixed["body_loss_rate"]
        volume = parameters["body_start_volume"]
        states = np.zeros((count, len(self.model.states)))
        states[:, self.model.state_names.index("hormone")] = hormone
        states[:, self.model.state_names.index("tumor_volume")] = volume
        outputs = {"hormone": hormone, "tumor_volume": volume}
        failures = [self.fail(value) for value in hormone]
        return Baselines(states, outputs, failures, np.zeros(count, dtype=bool))


def everyone(chunks) -> Population:
    """Join chunks into one population."""
    parts = list(chunks)
    rejected = sum((Counter(part.rejected) for part in parts), Counter())
    return Population(
        np.concatenate([part.patient_ids for part in parts]),
        {
            name: np.concatenate([part.parameters[name] for part in parts])
            for name in parts[0].parameters
        },
        parts[0].traits.iloc[:0],
        np.concatenate([part.initial_states for part in parts]),
        sum(part.drawn for part in parts),
        dict(rejected),
        sum(part.followed for part in parts),
    )


def assert_same(first: Population, second: Population) -> None:
    np.testing.assert_array_equal(first.patient_ids, second.patient_ids)
    np.testing.assert_array_equal(first.initial_states, second.initial_states)
    for name, values in first.parameters.items():
        np.testing.assert_array_equal(values, second.parameters[name])
    assert first.drawn == second.drawn
    assert dict(first.rejected) == dict(second.rejected)


def test_patients_are_numbered_drawn_and_plausible(patient_model):
    found = everyone(stream_population(patient_model, 300, 3))
    assert len(found) == 300
    assert (np.diff(found.patient_ids) > 0).all()
    hormone = found.initial_states[:, patient_model.model.state_names.index("hormone")]
    assert hormone.min() >= 5
    assert hormone.max() <= 40
    assert found.parameters["body_start_volume"].min() >= 5.5


def test_every_candidate_is_accounted_for(patient_model):
    found = everyone(stream_population(patient_model, 300, 3, 70))
    candidates = draw_candidates(patient_model.parameters, 3, np.arange(found.drawn))
    hormone = candidates.parameters["body_production"] / 0.5
    small = candidates.parameters["body_start_volume"] < 5.5
    outside = (hormone < 5) | (hormone > 40)
    assert found.rejected == {
        "Hormone outside its range": int(outside.sum()),
        "Tumor too small to measure": int((small & ~outside).sum()),
    }
    assert found.drawn == 300 + sum(found.rejected.values())
    assert found.patient_ids[-1] == found.drawn - 1
    np.testing.assert_array_equal(found.patient_ids, np.flatnonzero(~small & ~outside))


@pytest.mark.parametrize("chunk_size", [1, 37, 128, 1000])
def test_chunks_make_no_difference(patient_model, chunk_size):
    solver = KnownBaseline(patient_model)
    whole = everyone(stream_population(patient_model, 150, 8, 150, baseline_solver=solver))
    chunks = list(stream_population(patient_model, 150, 8, chunk_size, baseline_solver=solver))
    assert [len(chunk) for chunk in chunks[:-1]] == [chunk_size] * (len(chunks) - 1)
    assert_same(everyone(chunks), whole)


@pytest.mark.parametrize("first", [1, 40, 149])
def test_patients_follow_those_drawn_before(patient_model, first):
    solver = KnownBaseline(patient_model)
    whole = everyone(stream_population(patient_model, 150, 8, 40, baseline_solver=solver))
    begun = everyone(stream_population(patient_model, first, 8, baseline_solver=solver))
    drawn = Drawn(begun.drawn, begun.rejected)
    assert drawn.accepted == first
    rest = stream_population(patient_model, 150 - first, 8, 40, after=drawn, baseline_solver=solver)
    assert_same(everyone([begun, *rest]), whole)


def test_a_larger_population_begins_with_the_smaller_one(patient_model):
    few = everyone(stream_population(patient_model, 40, 8))
    many = everyone(stream_population(patient_model, 400, 8))
    np.testing.assert_array_equal(few.initial_states, many.initial_states[:40])


def test_workers_make_no_difference(patient_model):
    one = everyone(stream_population(patient_model, 200, 5, 60, workers=1))
    two = everyone(stream_population(patient_model, 200, 5, 110, workers=2))
    assert_same(one, two)


def test_any_patient_can_be_drawn_again_alone(patient_model):
    whole = everyone(stream_population(patient_model, 60, 5))
    places = [41, 3, 17]
    again = draw_patients(patient_model, 5, whole.patient_ids[places])
    np.testing.assert_array_equal(again.patient_ids, whole.patient_ids[places])
    np.testing.assert_array_equal(again.initial_states, whole.initial_states[places])
    assert list(again.traits.index) == list(again.patient_ids)
    for name, values in again.parameters.items():
        np.testing.assert_array_equal(values, whole.parameters[name][places])


def test_other_seeds_give_other_patients(patient_model):
    first = next(stream_population(patient_model, 20, 1))
    second = next(stream_population(patient_model, 20, 2))
    assert not np.isin(
        first.parameters["drug_clearance"], second.parameters["drug_clearance"]
    ).any()


def test_traits_are_one_row_per_patient(patient_model):
    chunk = next(stream_population(patient_model, 20, 1))
    assert list(chunk.traits.columns) == ["pain_threshold", "smoker", "scale"]
    assert list(chunk.traits.index) == list(chunk.patient_ids)


def test_trial_effects_can_be_held(patient_model):
    held = next(stream_population(patient_model, 5, 1, trial_effects="typical"))
    assert set(held.parameters["body_reference"]) == {20.0}
    drawn = next(stream_population(patient_model, 5, 1))
    assert len(set(drawn.parameters["body_reference"])) == 1
    assert drawn.parameters["body_reference"][0] != 20.0


def test_the_engine_finds_the_steady_state(patient_model):
    candidates = draw_candidates(patient_model.parameters, 2, np.arange(100))
    found = EngineBaseline(patient_model)(candidates.parameters, 100)
    known = KnownBaseline(patient_model)(candidates.parameters, 100)
    assert set(found.failures) == {""}
    np.testing.assert_allclose(found.states, known.states, rtol=1e-9, atol=1e-12)
    for name, values in known.outputs.items():
        np.testing.assert_allclose(found.outputs[name], values, rtol=1e-9)


def test_the_steady_state_is_where_an_independent_solver_arrives(patient_model):
    candidates = draw_candidates(patient_model.parameters, 2, [11])
    found = EngineBaseline(patient_model)(candidates.parameters, 1)
    production = candidates.parameters["body_production"][0]
    path = solve_ivp(lambda t, y: production - 0.5 * y, (0, 200), [20.0], rtol=1e-9, atol=1e-9)
    place = patient_model.model.state_names.index("hormone")
    assert found.states[0, place] == pytest.approx(path.y[0, -1], rel=1e-7)


def test_states_that_only_accumulate_keep_their_initial_value(patient_model):
    place = patient_model.model.state_names.index("body_shed")
    assert next(stream_population(patient_model, 10, 1)).initial_states[:, place].max() == 0


def test_states_behind_outputs_are_found_through_rules_and_rates(patient_model):
    model = patient_model.model
    assert states_behind(model, ["drug_concentration"]) == {"drug_gut", "drug_amount"}
    assert states_behind(model, ["hormone"]) == {"drug_gut", "drug_amount", "hormone"}
    assert "body_shed" in states_behind(model, ["body_shed"])


def test_rules_see_the_patients_own_parameters(patient_model):
    rule = replace(patient_model.plausibility[0], output="body_growth_activity", lower=0.5)
    found = next(stream_population(replace(patient_model, plausibility=(rule,)), 10, 1))
    assert found.drawn == 10


def test_a_model_without_a_steady_state_is_an_error(patient_model):
    growing = replace(patient_model, baseline=())
    with pytest.raises(SimulationError, match="no drug-free steady state"):
        next(stream_population(growing, 10, 1))


def test_a_slow_drift_is_not_a_steady_state(patient_model):
    slow = {item.name: item for item in patient_model.baseline}["body_growth_activity"]
    drifting = replace(patient_model, baseline=(replace(slow, value=1e-7),))
    candidates = draw_candidates(patient_model.parameters, 1, [0, 1])
    found = EngineBaseline(drifting)(candidates.parameters, 2)
    assert found.failures == ["no drug-free steady state"] * 2
    assert np.isnan(found.states).all()


def test_whom_newtons_method_does_not_serve_is_followed_in_time(patient_model):
    """Rates that fade with time have no Jacobian's equilibrium, but settle all the same."""
    model = patient_model.model
    settling = tuple(
        replace(state, rate=state.rate * (1 + symengine.exp(-symengine.Symbol(TIME))))
        if state.name == "hormone"
        else state
        for state in model.states
    )
    fading = replace(patient_model, model=replace(model, states=settling))
    plain = everyone(stream_population(patient_model, 30, 4))
    found = everyone(stream_population(fading, 30, 4))
    assert plain.followed == 0
    assert found.followed == found.drawn
    np.testing.assert_allclose(found.initial_states, plain.initial_states, rtol=1e-5, atol=1e-9)


def test_failures_are_counted_before_rules(patient_model):
    solver = KnownBaseline(patient_model, lambda hormone: "failed" if hormone > 30 else "")
    rule = replace(patient_model.plausibility[0], lower=12.0)
    strict = replace(patient_model, plausibility=(rule,))
    found = everyone(stream_population(strict, 200, 3, baseline_solver=solver))
    candidates = draw_candidates(patient_model.parameters, 3, np.arange(found.drawn))
    hormone = candidates.parameters["body_production"] / 0.5
    assert found.rejected == {
        "failed": int((hormone > 30).sum()),
        "Hormone outside its range": int((hormone < 12).sum()),
    }


def test_a_hopeless_population_is_given_up(patient_model):
    rule = replace(patient_model.plausibility[0], lower=39.9, upper=40.0)
    solver = KnownBaseline(patient_model)
    hopeless = replace(patient_model, plausibility=(rule,))
    with pytest.raises(SimulationError, match=r"of 1000 candidates .* Hormone outside its range"):
        list(stream_population(hopeless, 500, 3, baseline_solver=solver))
    assert solver.candidates < 3000


def test_a_value_that_is_not_a_number_is_not_plausible(patient_model):
    class WithNan(KnownBaseline):
        def __call__(self, parameters, count):
            found = super().__call__(parameters, count)
            found.outputs["hormone"][found.outputs["hormone"] > 25] = math.nan
            return found

    found = everyone(
        stream_population(patient_model, 60, 3, baseline_solver=WithNan(patient_model))
    )
    assert found.parameters["body_production"].max() <= 12.5


@pytest.mark.parametrize(("size", "chunk_size"), [(0, 10), (-5, 10), (10, 0)])
def test_sizes_out_of_range_are_refused(patient_model, size, chunk_size):
    with pytest.raises(InputError, match="at least 1"):
        next(stream_population(patient_model, size, 1, chunk_size))
