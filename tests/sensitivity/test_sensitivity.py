"""Gradients against closed forms, Sobol indices against functions with known ones."""

from __future__ import annotations

import numpy as np
import pytest
from engine_models import oral_drug, system

from estradyn.engine import DoseSchedule, SolverOptions, compile_model, solve
from estradyn.errors import InputError, SimulationError
from estradyn.sensitivity import gradient, sobol_indices


def test_gradient_of_an_oral_dose_matches_its_closed_form() -> None:
    compiled = compile_model(oral_drug(), ["concentration"])
    doses = DoseSchedule.from_records(0, 0.0, "gut", 100.0)
    times = np.array([0.5, 2.0, 8.0, 24.0])
    found = gradient(compiled, ["ka", "clearance", "volume"], times, doses)

    def concentration(ka: float, clearance: float, volume: float) -> np.ndarray:
        k = clearance / volume
        scale = 100.0 * ka / (volume * (ka - k))
        return scale * (np.exp(-k * times) - np.exp(-ka * times))

    at = np.array([1.5, 1.1, 20.0])
    np.testing.assert_allclose(found.values[:, 0], concentration(*at), rtol=1e-6)
    for place in range(3):
        # A complex step gives the exact derivative.
        moved = at.astype(complex)
        moved[place] += 1e-30j
        exact = concentration(*moved).imag / 1e-30
        np.testing.assert_allclose(found.derivatives[place, :, 0], exact, rtol=2e-5, atol=1e-7)


def test_gradient_by_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(InputError, match="nonsense"):
        gradient(compile_model(oral_drug(), ["gut"]), ["nonsense"], [1.0])


def test_gradient_of_a_patient_who_cannot_be_solved_says_so() -> None:
    model = system({"x": "x**2"}, {"x": 1.0}, {"unused": 1.0}, {"y": "x*unused"})
    compiled = compile_model(model, ["y"])
    with pytest.raises(SimulationError, match="could not be solved"):
        gradient(compiled, ["unused"], [2.0], options=SolverOptions(step_limit=2000))


def ishigami(values) -> np.ndarray:
    x, y, z = values["x"], values["y"], values["z"]
    return np.sin(x) + 7.0 * np.sin(y) ** 2 + 0.1 * z**4 * np.sin(x)


def test_sobol_indices_of_the_ishigami_function() -> None:
    """T. Homma and A. Saltelli, Reliab Eng Syst Saf 52:1, 1996, 0951-8320(96)00002-6."""
    a, b, pi = 7.0, 0.1, np.pi
    variance = a**2 / 8 + b * pi**4 / 5 + b**2 * pi**8 / 18 + 0.5
    first = np.array([0.5 * (1 + b * pi**4 / 5) ** 2, a**2 / 8, 0.0]) / variance
    interaction = 8 * b**2 * pi**8 / 225 / variance
    total = first + np.array([interaction, 0.0, interaction])
    found = sobol_indices(ishigami, dict.fromkeys("xyz", (-pi, pi)), samples=4096, seed=1)
    np.testing.assert_allclose(found.table["first_order"], first, atol=0.02)
    np.testing.assert_allclose(found.table["total"], total, atol=0.02)
    for kind, exact in (("first_order", first), ("total", total)):
        half_width = found.table[f"{kind}_interval"]
        assert (abs(found.table[kind] - exact) < 2 * half_width + 1e-3).all()
    assert found.evaluations == 4096 * 5


def test_sobol_indices_of_the_g_function() -> None:
    """I. M. Sobol, Math Comput Simul 55:271, 2001, doi 10.1016/S0378-4754(00)00270-6."""
    weights = np.array([0.0, 1.0, 4.5, 9.0, 99.0])

    def g_function(values) -> np.ndarray:
        result = 1.0
        for weight, x in zip(weights, values.values(), strict=True):
            result = result * (abs(4 * x - 2) + weight) / (1 + weight)
        return result

    partial = 1 / (3 * (1 + weights) ** 2)
    variance = np.prod(1 + partial) - 1
    bounds = {f"x{place}": (0.0, 1.0) for place in range(5)}
    found = sobol_indices(g_function, bounds, samples=4096, seed=2)
    np.testing.assert_allclose(found.table["first_order"], partial / variance, atol=0.02)
    total = partial * np.prod(1 + partial) / (1 + partial) / variance
    np.testing.assert_allclose(found.table["total"], total, atol=0.02)


def test_sobol_indices_of_a_population() -> None:
    """Exposure is dose over clearance: absorption has no share in it."""
    compiled = compile_model(
        system(
            {"gut": "-ka*gut", "plasma": "ka*gut - clearance*plasma", "area": "plasma"},
            {"gut": 100.0, "plasma": 0.0, "area": 0.0},
            {"ka": 1.0, "clearance": 1.0},
        ),
        ["area"],
    )

    def exposure(values) -> np.ndarray:
        return solve(compiled, values, [60.0], workers=2)["area"][:, 0]

    found = sobol_indices(exposure, {"ka": (0.8, 1.2), "clearance": (0.8, 1.2)}, samples=64)
    np.testing.assert_allclose(found.table["total"], [0.0, 1.0], atol=0.02)


def test_bad_bounds_and_sizes_are_refused() -> None:
    with pytest.raises(InputError, match="power of two"):
        sobol_indices(ishigami, {"x": (0.0, 1.0)}, samples=100)
    with pytest.raises(InputError, match="ascend"):
        sobol_indices(ishigami, {"x": (1.0, 0.0)}, samples=8)
    with pytest.raises(SimulationError, match="not finite"):
        sobol_indices(lambda values: values["x"] * np.nan, {"x": (0.0, 1.0)}, samples=8)
