"""Women before, around and after menopause, and those who stop hormone replacement."""

import numpy as np
import pytest

from estradyn.engine import compile_model, solve
from estradyn.model import load_parameters, load_patient_model
from estradyn.population import EngineBaseline

YEAR = 8766.0
OUTPUTS = ("lumbar_spine_bmd", "femoral_neck_bmd", "ctx", "bone_estrogen_ratio")


def course(people: str, years: list[float]) -> dict[str, np.ndarray]:
    """Outputs of the untreated typical woman of a population, by year."""
    patient = load_patient_model(drugs=(), modules=(), population=people)
    still = {"has_bone_metastases": np.zeros(1), "tumor_growth_activity": np.zeros(1)}
    baseline = EngineBaseline(patient)(still, 1).states
    compiled = compile_model(patient.model, OUTPUTS)
    times = np.array(years) * YEAR
    solution = solve(compiled, still, times, patients=1, initial_states=baseline)
    assert solution.succeeded.all()
    return {name: solution[name][0] for name in OUTPUTS}


def test_bone_is_lost_fastest_around_the_last_period():
    # The last period is in year 5 (SWAN: 7.4 % from year 4 to 7, 10.6 % in ten years).
    found = course("women_around_menopause", [0.0, 3.0, 4.0, 7.0, 10.0, 12.0])
    spine = found["lumbar_spine_bmd"]
    per_year = -np.diff(spine) / np.diff([0.0, 3.0, 4.0, 7.0, 10.0, 12.0])
    assert np.argmax(per_year) == 2
    assert per_year[0] < 0.002
    assert per_year[-1] > 0.004
    assert 0.07 < 1 - spine[4] / spine[0] < 0.14
    assert spine[4] < found["femoral_neck_bmd"][4]
    assert found["bone_estrogen_ratio"][0] > 10 * found["bone_estrogen_ratio"][-1]


def test_what_replacement_kept_is_lost_within_two_years_of_its_end():
    found = course("women_who_stopped_replacement", [0.0, 0.1, 2.0, 3.0])
    assert found["ctx"][0] < 1.2
    assert found["ctx"][2] > 1.9
    assert found["bone_estrogen_ratio"][1] < 0.1 * found["bone_estrogen_ratio"][0]
    spine = found["lumbar_spine_bmd"]
    assert spine[0] - spine[2] > 0.04
    assert spine[2] - spine[3] < 0.02


@pytest.mark.parametrize(
    ("people", "least", "most"),
    [
        ("women_soon_after_menopause", 3.0, 8.0),
        ("women_late_after_menopause", 9.0, 15.0),
        ("women_around_menopause", 0.0, 0.0),
    ],
)
def test_populations_differ_in_their_years_without_estrogen(people, least, most):
    rows = load_parameters(drugs=(), population=people).by_name
    assert least <= rows["bone_years_of_estrogen_deficiency"].value <= most


def test_half_of_a_population_can_have_had_replacement():
    rows = load_parameters(drugs=(), population="women_half_of_whom_stopped_replacement").by_name
    assert rows["former_source_has_source"].distribution.value == "bernoulli"
    assert rows["former_source_has_source"].value == 0.5
    assert "former_source_has_source" not in load_parameters(drugs=()).by_name
