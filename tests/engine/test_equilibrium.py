"""Equilibria: where they are, when there is none, and whom they depend on."""

from __future__ import annotations

import numpy as np
import pytest
from engine_models import hires, system
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from estradyn.engine import CompiledModel, SolverOptions, compile_model, find_equilibria, solve
from estradyn.model import load_patient_model
from estradyn.population import draw_candidates

HORIZON = 1e4


def binding():
    """Receptor and ligand that bind, with turnover of the ligand; the receptor is conserved."""
    return system(
        {
            "ligand": "made - lost*ligand - on*ligand*free + off*bound",
            "free": "off*bound - on*ligand*free",
            "bound": "on*ligand*free - off*bound",
        },
        {"ligand": 0.0, "free": 3.0, "bound": 0.5},
        {"made": 2.0, "lost": 0.1, "on": 0.4, "off": 5.0},
    )


@pytest.fixture(scope="module")
def compiled():
    return compile_model(binding(), ["ligand"])


def test_a_conserved_quantity_keeps_its_value(compiled) -> None:
    made = np.array([0.0, 1e-3, 2.0, 500.0])
    found = find_equilibria(compiled, {"made": made}, HORIZON)
    assert found.found.all()
    ligand = made / 0.1
    bound = 3.5 * ligand * 0.4 / (ligand * 0.4 + 5.0)
    expected = np.stack([ligand, 3.5 - bound, bound], axis=1)
    np.testing.assert_allclose(found.states, expected, rtol=1e-9, atol=1e-12)


def test_a_stiff_model_ends_where_long_integration_does() -> None:
    compiled = compile_model(hires(), ["y1"])
    horizon = 1e6
    found = find_equilibria(compiled, {}, horizon)
    options = SolverOptions(relative_tolerance=1e-10, size_share=0.0, absolute_tolerance=1e-14)
    followed = solve(compiled, {}, [horizon], options=options)
    assert found.found.all()
    np.testing.assert_allclose(found.states, followed.final_states, rtol=1e-7)


def patient_candidates(count: int) -> tuple[CompiledModel, dict[str, ArrayLike], NDArray[np.bool_]]:
    """The drug-free patient model, candidates' own parameters, and the states that come to rest."""
    patient = load_patient_model(drugs=())
    candidates = draw_candidates(patient.parameters, 3, np.arange(count))
    still = {item.name: item.value for item in patient.baseline}
    drifting = ("exchangeable_bone_calcium", "deep_bone_calcium")
    relevant = np.array([not name.endswith(drifting) for name in patient.model.state_names])
    return compile_model(patient.model, []), {**candidates.parameters, **still}, relevant


def test_a_state_that_is_zero_at_rest_does_not_hold_the_search_up() -> None:
    """Rounding leaves it just below zero in some patients and some iterations."""
    compiled, parameters, relevant = patient_candidates(128)
    found = find_equilibria(compiled, parameters, 1e7, relevant=relevant)
    assert found.found.all()
    assert (found.states[:, relevant] >= 0).all()
    assert found.iterations.max() <= 20


def test_the_patient_model_agrees_with_long_integration() -> None:
    """All states that come to rest, at candidates' own parameters, to one part in 1e8."""
    compiled, parameters, relevant = patient_candidates(24)
    horizon = 1e7
    found = find_equilibria(compiled, parameters, horizon, relevant=relevant)
    options = SolverOptions(relative_tolerance=1e-10)
    followed = solve(compiled, parameters, [horizon], options=options)
    assert found.found.all()
    np.testing.assert_allclose(
        found.states[:, relevant], followed.final_states[:, relevant], rtol=1e-8, atol=1e-12
    )


@pytest.mark.parametrize(
    ("rates", "initial"),
    [
        ({"y": "y*(1 - y)"}, {"y": 0.0}),
        ({"y": "0.001*y"}, {"y": 1.0}),
        ({"y": "1"}, {"y": 0.0}),
        ({"y": "-1"}, {"y": 1.0}),
        ({"y": "-sqrt(y) - 1"}, {"y": 2.0}),
        # The Brusselator's equilibrium (1, 3) is the centre of a limit cycle.
        ({"y": "1 - 4*y + y*y*z", "z": "3*y - y*y*z"}, {"y": 1.0, "z": 3.0}),
    ],
    ids=["unstable", "growth", "accumulation", "exhaustion", "below zero", "limit cycle"],
)
def test_what_is_not_a_stable_state_is_not_found(rates, initial) -> None:
    found = find_equilibria(compile_model(system(rates, initial), []), {}, HORIZON)
    assert not found.found.any()
    assert np.isnan(found.states).all()


def test_rates_that_depend_on_time_have_no_equilibrium() -> None:
    compiled = compile_model(system({"y": "exp(-time) - y"}, {"y": 1.0}), [])
    assert not find_equilibria(compiled, {}, HORIZON).found.any()


def test_states_that_do_not_matter_may_drift() -> None:
    model = system({"y": "2 - y", "total": "y"}, {"y": 0.0, "total": 7.0})
    compiled = compile_model(model, [])
    assert not find_equilibria(compiled, {}, HORIZON).found.any()
    found = find_equilibria(compiled, {}, HORIZON, relevant=np.array([True, False]))
    np.testing.assert_allclose(found.states, [[2.0, 7.0]], rtol=1e-12)


MADE = np.random.default_rng(1).lognormal(0.0, 3.0, 300)


@pytest.fixture(scope="module")
def together(compiled):
    return find_equilibria(compiled, {"made": MADE}, HORIZON)


@settings(max_examples=25, deadline=None)
@given(patients=st.lists(st.integers(0, 299), min_size=1, max_size=40))
def test_any_batch_and_order_gives_the_same_bits(compiled, together, patients) -> None:
    found = find_equilibria(compiled, {"made": MADE[patients]}, HORIZON)
    np.testing.assert_array_equal(found.states, together.states[patients])
    np.testing.assert_array_equal(found.iterations, together.iterations[patients])


def test_any_number_of_workers_gives_the_same_bits(compiled, together) -> None:
    found = find_equilibria(compiled, {"made": MADE}, HORIZON, workers=2)
    np.testing.assert_array_equal(found.states, together.states)


@pytest.mark.parametrize("poison", [np.nan, np.inf, -1e6])
def test_a_poisoned_patient_spoils_nobody_else(compiled, together, poison) -> None:
    made = MADE.copy()
    made[13] = poison
    found = find_equilibria(compiled, {"made": made}, HORIZON)
    assert not found.found[13]
    others = np.arange(MADE.size) != 13
    np.testing.assert_array_equal(found.states[others], together.states[others])
