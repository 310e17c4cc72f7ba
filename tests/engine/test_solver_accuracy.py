"""The solver against closed forms and published end values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from engine_models import forced_decay, hires, oral_drug, robertson, system, van_der_pol

from estradyn.engine import DoseSchedule, SolverOptions, compile_model, solve
from estradyn.engine.tableau import METHODS
from estradyn.errors import InputError

TIGHT = SolverOptions(relative_tolerance=1e-9, size_share=0.0, absolute_tolerance=1e-15)


@pytest.mark.parametrize("method", METHODS)
def test_order_of_convergence(method: str) -> None:
    """Halving fixed steps shrinks the error by two to the order."""
    model = system({"y": "-y**2*(1 + sin(time))"}, {"y": 1.0})
    compiled = compile_model(model, ["y"], method=method)
    exact = 1.0 / (1.0 + 2.0 + 1.0 - np.cos(2.0))
    errors = []
    for step in (0.1, 0.05):
        loose = SolverOptions(
            relative_tolerance=1e3, absolute_tolerance=1e3, first_step=step, largest_step=step
        )
        value = solve(compiled, {}, [2.0], options=loose)["y"][0, 0]
        errors.append(abs(value - exact))
    observed = np.log2(errors[0] / errors[1])
    assert observed > METHODS[method].order - 0.4


@pytest.mark.parametrize("method", METHODS)
def test_interpolation_is_as_good_as_the_steps(method: str) -> None:
    compiled = compile_model(system({"y": "-k*y"}, {"y": 1.0}, {"k": 0.7}), ["y"], method=method)
    times = np.linspace(0.0, 10.0, 1001)
    options = SolverOptions(relative_tolerance=1e-7, absolute_tolerance=1e-12)
    solution = solve(compiled, {}, times, options=options)
    assert solution.accepted_steps[0] < 200
    np.testing.assert_allclose(solution["y"][0], np.exp(-0.7 * times), rtol=3e-6)


@pytest.mark.parametrize(
    ("method", "rates", "order"),
    [
        ("RODAS4", {"gut": "-gut", "blood": "gut - 0.3*blood**2"}, 3),
        ("Rodas5P", {"gut": "-gut", "blood": "gut - 0.3*blood**2"}, 4),
        ("Rodas5P", {"gut": "-gut", "blood": "gut - 0.3*blood"}, 5),
    ],
    ids=["RODAS4", "Rodas5P", "Rodas5P, linear"],
)
def test_order_of_interpolation(method: str, rates: dict[str, str], order: int) -> None:
    """Inside one step, half as long, the error shrinks by two to the order plus one."""
    compiled = compile_model(system(rates, {"gut": 1.0, "blood": 0.4}), list(rates), method=method)
    tightest = replace(TIGHT, relative_tolerance=1e-13)
    errors = []
    for step in (0.2, 0.1):
        times = step * np.linspace(0.1, 1.0, 10)
        one_step = SolverOptions(
            relative_tolerance=1e3, absolute_tolerance=1e3, first_step=step, largest_step=step
        )
        solution = solve(compiled, {}, times, options=one_step)
        assert solution.accepted_steps[0] == 1
        exact = solve(compiled, {}, times, options=tightest)
        errors.append(np.abs(solution.values - exact.values).max())
    assert np.log2(errors[0] / errors[1]) > order + 1 - 0.4


@pytest.mark.parametrize("method", METHODS)
def test_robertson_end_values(method: str) -> None:
    """Mazzia and Magherini, Test Set for IVP Solvers, problem ROBER."""
    compiled = compile_model(robertson(), ["y1", "y2", "y3"], method=method)
    values = solve(compiled, {}, [40.0, 1e11], options=TIGHT).values[0]
    np.testing.assert_allclose(values[0], [0.7158270688, 9.185534765e-6, 0.2841637457], rtol=1e-7)
    expected = [0.2083340149701255e-07, 0.8333360770334713e-13, 0.9999999791665050]
    np.testing.assert_allclose(values[1], expected, rtol=2e-6)


@pytest.mark.parametrize("method", METHODS)
def test_hires_end_values(method: str) -> None:
    """Mazzia and Magherini, Test Set for IVP Solvers, problem HIRES."""
    compiled = compile_model(hires(), [f"y{i}" for i in range(1, 9)], method=method)
    values = solve(compiled, {}, [321.8122], options=TIGHT).values[0, 0]
    expected = [
        0.7371312573325668e-3,
        0.1442485726316185e-3,
        0.5888729740967575e-4,
        0.1175651343283149e-2,
        0.2386356198831331e-2,
        0.6238968252742796e-2,
        0.2849998395185769e-2,
        0.2850001604814231e-2,
    ]
    np.testing.assert_allclose(values, expected, rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_van_der_pol_end_values(method: str) -> None:
    """Mazzia and Magherini, Test Set for IVP Solvers, problem VDPOL."""
    compiled = compile_model(van_der_pol(), ["y1", "y2"], method=method)
    start = np.array([[2.0, 0.0]])
    values = solve(compiled, {}, [2.0], initial_states=start, options=TIGHT).values[0, 0]
    np.testing.assert_allclose(values, [1.706167732170483, -0.8928097010247975], rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_rates_that_depend_on_time(method: str) -> None:
    compiled = compile_model(forced_decay(), ["y"], method=method)
    times = np.linspace(0.0, 6.0, 13)
    k = 50.0
    exact = (k**2 * np.cos(times) + k * np.sin(times) - k**2 * np.exp(-k * times)) / (1 + k**2)
    values = solve(compiled, {}, times, options=TIGHT)["y"][0]
    np.testing.assert_allclose(values, exact, atol=1e-8)


def test_repeated_oral_doses_match_superposition() -> None:
    compiled = compile_model(oral_drug(), ["gut", "concentration"])
    times = np.arange(0.0, 240.5, 0.5)
    doses = DoseSchedule.repeated(1, "gut", 60.0, interval=24.0, count=10)
    values = solve(compiled, {}, times, doses, options=TIGHT)["concentration"][0]
    ka, k, volume = 1.5, 1.1 / 20.0, 20.0
    exact = np.zeros_like(times)
    for start in 24.0 * np.arange(10):
        since = np.maximum(times - start, 0.0)
        exact += 60.0 * ka / (volume * (ka - k)) * (np.exp(-k * since) - np.exp(-ka * since))
    np.testing.assert_allclose(values, exact, atol=1e-8)


def test_output_at_the_time_of_a_dose_comes_before_it() -> None:
    compiled = compile_model(oral_drug(), ["gut"])
    doses = DoseSchedule.repeated(1, "gut", 60.0, interval=24.0, count=2)
    values = solve(compiled, {}, [0.0, 24.0, 24.0, 25.0], doses)["gut"][0]
    assert values[0] == 0.0
    assert values[1] == values[2] < 1e-6
    assert values[3] > 10.0


def test_derived_constants_and_initial_values_follow_parameters() -> None:
    model = system(
        {"amount": "inflow - rate*amount"},
        {"amount": "steady"},
        {"inflow": 4.0, "rate": 2.0},
        derived={"steady": "inflow/rate"},
    )
    compiled = compile_model(model, ["amount", "steady"])
    solution = solve(compiled, {"inflow": np.array([4.0, 6.0])}, [0.0, 5.0])
    np.testing.assert_allclose(solution.values[:, :, 0], [[2.0, 2.0], [3.0, 3.0]], rtol=1e-9)
    np.testing.assert_array_equal(solution.values[:, :, 1], [[2.0, 2.0], [3.0, 3.0]])


def test_infusion_matches_its_closed_form() -> None:
    compiled = compile_model(oral_drug(), ["plasma"], inflow_states=["plasma"])
    times = np.array([0.0, 1.0, 2.0, 5.0, 24.0])
    doses = DoseSchedule.infusions(0, 1.0, 4.0, "plasma", 100.0)
    values = solve(compiled, {}, times, doses, options=TIGHT)["plasma"][0]
    k, rate = 1.1 / 20.0, 25.0
    level = rate / k * (1 - np.exp(-k * np.clip(times - 1.0, 0.0, 4.0)))
    exact = level * np.exp(-k * np.maximum(times - 5.0, 0.0))
    np.testing.assert_allclose(values, exact, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("state", ["nowhere", "gut"])
def test_infusion_into_a_state_not_prepared_for_it_is_refused(state: str) -> None:
    compiled = compile_model(oral_drug(), ["plasma"], inflow_states=["plasma"])
    doses = DoseSchedule.infusions(0, 0.0, 1.0, state, 1.0)
    with pytest.raises(InputError, match=state):
        solve(compiled, {}, [1.0], doses)


@pytest.mark.parametrize("unit", [1e-9, 1e-3, 1.0, 1e6])
def test_results_do_not_depend_on_the_unit_of_the_doses(unit: float) -> None:
    """A dose in moles is solved as well as one in milligrams, down to its last trace."""
    compiled = compile_model(oral_drug(), ["plasma"])
    doses = DoseSchedule.from_records(0, 0.0, "gut", 100.0 * unit)
    times = np.array([1.0, 24.0, 100.0])
    values = solve(compiled, {}, times, doses)["plasma"][0]
    ka, k = 1.5, 1.1 / 20.0
    exact = 100.0 * unit * ka / (ka - k) * (np.exp(-k * times) - np.exp(-ka * times))
    np.testing.assert_allclose(values, exact, rtol=1e-4)
