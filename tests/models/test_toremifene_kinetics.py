"""Toremifene in plasma against published levels and half-lives."""

import numpy as np
import pytest

from estradyn.engine import DoseSchedule, compile_model, solve
from estradyn.model import load_model, load_parameters, with_values

OUTPUTS = ("concentration", "metabolite_concentration")


@pytest.fixture(scope="module")
def compiled():
    model = load_model("oral_with_metabolite")
    rows = load_parameters().by_name
    values = {name: rows[f"toremifene_{name}"].value for name in model.parameter_names}
    return compile_model(with_values(model, values), OUTPUTS)


def give(compiled, dose, hours, interval=24.0, count=1):
    doses = DoseSchedule.repeated(1, "gut", dose, interval=interval, count=count)
    solution = solve(compiled, {}, hours, doses, patients=1)
    return solution["concentration"][0], solution["metabolite_concentration"][0]


def steady_state(compiled, dose):
    hours = np.linspace(24.0 * 120, 24.0 * 121, 97)
    parent, metabolite = give(compiled, dose, hours, count=121)
    return np.trapezoid(parent, hours) / 24.0, np.trapezoid(metabolite, hours) / 24.0


def test_sixty_mg_a_day_settles_near_the_published_level_with_twice_the_metabolite(compiled):
    parent, metabolite = steady_state(compiled, 60.0)
    assert parent == pytest.approx(0.9, rel=0.1)
    assert metabolite / parent == pytest.approx(2.0, rel=0.1)


def test_steady_state_is_reached_within_four_to_six_weeks(compiled):
    trough, metabolite = give(compiled, 60.0, np.array([28.0, 42.0, 200.0]) * 24.0, count=200)
    assert trough[0] > 0.95 * trough[2]
    assert metabolite[1] > 0.93 * metabolite[2]


def test_levels_rise_less_than_in_proportion_to_dose(compiled):
    low, _ = steady_state(compiled, 60.0)
    high, _ = steady_state(compiled, 400.0)
    assert 3.0 < high < 4.3
    assert high / low < 400.0 / 60.0 * 0.75


def test_single_dose_peaks_when_and_where_published(compiled):
    hours = np.linspace(0.0, 24.0, 481)
    parent, _ = give(compiled, 120.0, hours)
    assert 2.0 <= hours[parent.argmax()] <= 5.0
    assert parent.max() == pytest.approx(0.64, rel=0.15)


def test_terminal_half_life_is_within_the_published_range(compiled):
    hours = np.array([15.0, 25.0]) * 24.0
    parent, _ = give(compiled, 120.0, hours)
    half_life_days = 10.0 * np.log(2.0) / np.log(parent[0] / parent[1])
    assert 4.2 <= half_life_days <= 7.2


def test_nothing_is_lost_but_by_elimination(compiled):
    names = ("toremifene_metabolite_clearance", "toremifene_metabolite_molar_mass_ratio")
    model = with_values(
        compiled.model, {name.removeprefix("toremifene_"): 0.0 for name in names[:1]}
    )
    kept = compile_model(model, ("gut", "central_amount", "peripheral_amount", "metabolite_amount"))
    doses = DoseSchedule.from_records(0, 0.0, "gut", 60.0)
    solution = solve(kept, {}, [1.0, 100.0, 1000.0], doses, patients=1)
    ratio = load_parameters().by_name[names[1]].value
    weights = np.array([1.0, 1.0, 1.0, 1.0 / ratio])
    assert solution.values[0] @ weights == pytest.approx(np.full(3, 60.0), rel=1e-4)
