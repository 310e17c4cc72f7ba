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


def changed(compiled, **values):
    return compile_model(with_values(compiled.model, values), OUTPUTS)


def test_what_the_wall_takes_arrives_as_metabolite_at_once(compiled):
    hours = np.linspace(0.0, 72.0, 145)
    _, with_wall = give(compiled, 120.0, hours)
    _, without = give(changed(compiled, wall_metabolism=0.0), 120.0, hours)
    # Peak after one dose 159 and 233 ng/mL (pk014, pk015).
    assert 0.159 / 1.5 < with_wall.max() < 0.233 * 1.5
    assert with_wall[:13].max() > 5.0 * without[:13].max()


def test_an_inducer_lowers_passage_through_the_wall_as_it_raises_clearance(compiled):
    hours = np.concatenate([np.linspace(0.0, 24.0, 241), np.linspace(26.0, 1200.0, 588)])
    usual, _ = give(compiled, 120.0, hours)
    induced, _ = give(changed(compiled, enzyme_activity=3.0), 120.0, hours)
    area = np.trapezoid(induced, hours) / np.trapezoid(usual, hours)
    # Five days of rifampin left 13 % of the area and 45 % of the peak (pk033, pk034).
    assert area == pytest.approx(0.13, rel=0.25)
    assert induced.max() / usual.max() == pytest.approx(0.45, rel=0.25)
