"""The bone and calcium module alone, solved by libRoadRunner from its SBML."""

import csv
import itertools
import math
from collections.abc import Mapping
from functools import cache

import libsbml
import numpy as np
import pytest
import roadrunner

from estradyn.model.sources import find_model, models_directory, sbml_text

DAY, WEEK, YEAR = 24.0, 168.0, 8766.0
INPUTS = {
    "estrogen_ratio",
    "osteolysis",
    "tumor_pthrp",
    "structural_activity",
    "osteolysis_share",
    "hydration",
}
NO_LOOP = {"filtration_fall_maximum": 0.0, "volume_loss_maximum": 0.0}
PUBLISHED = {
    **NO_LOOP,
    "postmenopausal_estrogen_floor": 0.0,
    "trabecular_structure_rate": 0.0,
    "years_of_estrogen_deficiency": 0.0,
    "cortical_remodelling_exponent": 0.0,
    "remodelling_rate": 0.000397,
    "remodelling_osteoclast_exponent": 0.14,
    "lumbar_spine_trabecular_share": 1.0,
    "femoral_neck_trabecular_share": 0.0,
}
"""Values that leave Peterson & Riggs 2010 with Riggs 2012 and nothing else."""
POSTMENOPAUSAL = 0.033
"""Estradiol of 12 pmol/L over 100 pg/mL."""


@cache
def exported() -> str:
    return sbml_text(find_model("bone"))


@cache
def table() -> dict[str, dict[str, str]]:
    with (models_directory() / "bone.tsv").open(encoding="utf-8") as file:
        return {row["name"]: row for row in csv.DictReader(file, delimiter="\t")}


def simulator(
    values: Mapping[str, float] | None = None, rules: Mapping[str, str] | None = None
) -> roadrunner.RoadRunner:
    """The module with its table's values, some replaced, and inputs given as formulas of time."""
    document = libsbml.readSBMLFromString(exported())
    model = document.getModel()
    chosen = {name: float(row["value"]) for name, row in table().items()} | dict(values or {})
    for name, value in chosen.items():
        model.getParameter(name).setValue(value)
    for name, formula in (rules or {}).items():
        model.getParameter(name).setConstant(False)
        model.removeInitialAssignment(name)
        rule = model.createAssignmentRule()
        rule.setVariable(name)
        rule.setMath(libsbml.parseL3Formula(formula))
    runner = roadrunner.RoadRunner(libsbml.writeSBMLToString(document))
    runner.integrator.relative_tolerance = 1e-8
    runner.integrator.absolute_tolerance = 1e-10
    runner.integrator.maximum_num_steps = 200_000
    return runner


@cache
def states() -> tuple[str, ...]:
    model = libsbml.readSBMLFromString(exported()).getModel()
    return tuple(rule.getVariable() for rule in model.getListOfRules() if rule.isRate())


def relative_rates(runner: roadrunner.RoadRunner) -> dict[str, float]:
    return {name: abs(runner[name + "'"] / runner[name]) for name in states()}


def ratio_with_activity(activity: float) -> float:
    """The estrogen ratio at which the published function, scaled to 1 at 1, has a given value."""
    steepness = float(table()["estrogen_steepness"]["value"])
    half = float(table()["estrogen_half_saturation"]["value"]) ** steepness
    share = activity / (1 + half)
    return (half * share / (1 - share)) ** (1 / steepness)


def from_steady_state(
    ratio: float, later_ratio: float, times: list[float], values: Mapping[str, float] | None = None
) -> list[dict[str, float]]:
    """Outputs relative to the cells' steady state at one estrogen ratio, after a change to another.

    Bone structure, which goes on changing for decades, starts as the table says.
    """
    names = ["lumbar_spine_bmd", "total_hip_bmd", "ctx", "bone_alkaline_phosphatase"]
    runner = simulator(values)
    runner["estrogen_ratio"] = ratio
    runner["structural_activity"] = 0.0
    start = 60 * YEAR
    runner.simulate(0, start, 2)
    before = {name: runner[name] for name in names}
    runner["structural_activity"] = 1.0
    runner["estrogen_ratio"] = later_ratio
    results, now = [], start
    for time in times:
        runner.simulate(now, start + time, 2)
        now = start + time
        results.append({name: runner[name] / before[name] - 1 for name in names})
    return results


def peak_calcium(
    osteolysis_per_day: float,
    pthrp: float,
    ratio: float = 1.0,
    values: Mapping[str, float] | None = None,
) -> float:
    """Highest calcium in a flare: osteolysis and PTHrP rise to a peak on day 10 and fall again."""
    start = 0.0 if ratio == 1 else 60 * YEAR
    pulse = f"(max(0, time - {start}) / 240 * exp(1 - max(0, time - {start}) / 240))^2"
    rules = {
        "osteolysis": f"{osteolysis_per_day / 24} * {pulse}",
        "tumor_pthrp": f"{pthrp} * {pulse}",
    }
    runner = simulator(values, rules)
    runner["estrogen_ratio"] = ratio
    if start:
        runner.simulate(0, start, 2)
    return runner.simulate(start, start + 60 * DAY, 481, ["time", "plasma_calcium"])[:, 1].max()


def test_units_pass_the_strict_check():
    document = libsbml.readSBMLFromString(exported())
    document.setConsistencyChecks(libsbml.LIBSBML_CAT_MODELING_PRACTICE, False)
    document.checkConsistencyWithStrictUnits()
    messages = [document.getError(i).getMessage() for i in range(document.getNumErrors())]
    assert messages == []


def test_every_constant_has_one_row():
    model = libsbml.readSBMLFromString(exported()).getModel()
    constants = {
        parameter.getId()
        for parameter in model.getListOfParameters()
        if parameter.getConstant() and model.getInitialAssignment(parameter.getId()) is None
    }
    assert constants - INPUTS == set(table())


def test_baseline_is_a_steady_state():
    rates = relative_rates(simulator())
    assert len(rates) == 32
    assert max(rates.values()) < 1e-5


def test_baseline_does_not_drift_in_a_year():
    runner = simulator(PUBLISHED)
    before = {name: runner[name] for name in states()}
    runner.simulate(0, YEAR, 2)
    assert {name: runner[name] for name in states()} == pytest.approx(before, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        ("calcium_baseline", 1.05),
        ("phosphate_baseline", 0.9),
        ("parathyroid_hormone_baseline", 1.6),
        ("filtration_baseline", 0.7),
        ("calcium_turnover", 1.5),
        ("estrogen_half_saturation", 2.0),
        ("resorption_osteoclast_maximum", 1.5),
    ],
)
def test_a_changed_set_point_keeps_the_baseline(name: str, factor: float):
    runner = simulator({name: factor * float(table()[name]["value"])})
    assert max(relative_rates(runner).values()) < 1e-5
    if name == "calcium_baseline":
        assert runner["plasma_calcium"] == pytest.approx(1.05 * 2.35)


def test_estrogen_activity_is_one_before_menopause_and_the_published_function_below():
    runner = simulator(PUBLISHED)
    assert runner["estrogen_activity"] == pytest.approx(1, rel=1e-12)
    at_one = 1 / (1 + 0.15**2.1)
    for ratio in (0.02, 0.1, 0.4):
        runner["estrogen_ratio"] = ratio
        published = ratio**2.1 / (ratio**2.1 + 0.15**2.1)
        assert runner["estrogen_activity"] == pytest.approx(published / at_one, rel=1e-9)


def test_low_estrogen_for_24_weeks_gives_the_published_response():
    runner = simulator(PUBLISHED)
    runner["estrogen_ratio"] = ratio_with_activity(0.1)
    assert runner["estrogen_activity"] == pytest.approx(0.1)
    runner.simulate(0, 24 * WEEK, 2)
    assert runner["lumbar_spine_bmd"] == pytest.approx(1 - 0.049, abs=0.0005)
    assert runner["ctx"] == pytest.approx(2.26, abs=0.01)
    assert runner["bone_alkaline_phosphatase"] == pytest.approx(1.65, abs=0.01)
    assert runner["plasma_calcium"] == pytest.approx(2.33, abs=0.005)


def test_cortical_structure_is_the_published_femoral_neck():
    runner = simulator(PUBLISHED)
    runner["estrogen_ratio"] = ratio_with_activity(0.1)
    times = np.linspace(0, 2 * YEAR, 2001)
    course = runner.simulate(
        0, times[-1], times.size, ["time", "osteoblasts", "osteoclasts", "femoral_neck_bmd"]
    )
    density = 1.0
    for now, later in itertools.pairwise(course):
        loss = 0.000005651 * later[2] ** 0.3101
        steady = later[1] ** 0.0793 / later[2] ** 0.3101
        density = steady + (density - steady) * math.exp(-loss * (later[0] - now[0]))
    assert density < 0.99
    assert course[-1, 3] == pytest.approx(density, abs=1e-5)


def test_calcium_homeostasis_is_tight():
    runner = simulator(PUBLISHED)
    runner["osteolysis"] = 2.0
    runner.simulate(0, 2 * WEEK, 2)
    milligram_per_decilitre = 4.008 * runner["plasma_calcium"]
    assert milligram_per_decilitre == pytest.approx(11.1, abs=0.05)
    assert runner["parathyroid_hormone"] < 0.5


@pytest.mark.parametrize(
    ("pthrp", "values", "expected"),
    [(0.0, NO_LOOP, 2.58), (0.0, {}, 2.66), (5.0, NO_LOOP, 2.74), (5.0, {}, 3.00)],
    ids=["bare", "loop", "pthrp", "both"],
)
def test_hypercalcemia_needs_both_pthrp_and_the_kidney_loop(pthrp, values, expected):
    peak = peak_calcium(30, pthrp, POSTMENOPAUSAL, values)
    assert peak == pytest.approx(expected, abs=0.01)


def test_half_the_osteolysis_gives_no_hypercalcemia():
    assert peak_calcium(15, 2.5, POSTMENOPAUSAL) < 2.75
    assert peak_calcium(15, 2.5) < 2.75


def test_flare_before_menopause_also_stays_in_the_published_range_of_peaks():
    assert 2.79 < peak_calcium(30, 5) < 3.2


def test_hypercalcemia_costs_filtration_and_passes():
    pulse = "(time / 240 * exp(1 - time / 240))^2"
    rules = {"osteolysis": f"1.25 * {pulse}", "tumor_pthrp": f"5 * {pulse}"}
    runner = simulator({}, rules)
    course = runner.simulate(0, 120 * DAY, 241, ["time", "glomerular_filtration", "plasma_calcium"])
    assert course[0, 1] == 1
    assert 0.4 < course[:, 1].min() < 0.8
    assert course[-1, 1] == pytest.approx(1, abs=0.02)
    assert course[-1, 2] == pytest.approx(2.35, abs=0.05)


def test_kidney_loop_is_silent_without_hypercalcemia():
    runner = simulator()
    runner["estrogen_ratio"] = POSTMENOPAUSAL
    runner.simulate(0, 2 * YEAR, 2)
    assert runner["glomerular_filtration"] == pytest.approx(1, abs=1e-9)


def test_tumor_pthrp_raises_calcium_and_resorption_but_not_calcitriol():
    runner = simulator()
    runner["tumor_pthrp"] = 4.0
    runner.simulate(0, 2 * WEEK, 2)
    assert runner["plasma_calcium"] > 2.40
    assert runner["ctx"] > 1.05
    assert runner["parathyroid_hormone"] < 0.9
    assert runner["calcitriol_ratio"] < 1


def test_survival_of_osteoblasts_jumps_where_bcl2_passes_its_threshold():
    runner = simulator()
    runner["bcl2"] = 105.0
    below = runner["survival_runx2"]
    runner["bcl2"] = 105.001
    assert (below, runner["survival_runx2"]) == pytest.approx((1.0, 1.5), abs=1e-3)


def test_no_estrogen_at_all_is_legal():
    runner = simulator()
    runner["estrogen_ratio"] = 0.0
    course = runner.simulate(0, YEAR, 3, list(states()))
    assert np.isfinite(course).all()


def test_estrogen_deprivation_after_menopause_raises_resorption_as_published():
    half_year, one_year = from_steady_state(POSTMENOPAUSAL, 0.03 * POSTMENOPAUSAL, [YEAR / 2, YEAR])
    # Letrozole against placebo: 13 and 14 % at 6 months (clinical BO66, BO67).
    assert 0.10 < half_year["ctx"] < 0.24
    assert one_year["lumbar_spine_bmd"] < half_year["lumbar_spine_bmd"] < 0


def test_published_low_estrogen_end_doubles_resorption_on_an_aromatase_inhibitor():
    (one_year,) = from_steady_state(POSTMENOPAUSAL, 0.1 * POSTMENOPAUSAL, [YEAR], PUBLISHED)
    assert one_year["ctx"] > 0.9
    assert one_year["bone_alkaline_phosphatase"] > 1.2


def test_estrogen_agonism_after_menopause_lowers_turnover_and_the_gain_lasts():
    half_year, two_years, five_years = from_steady_state(
        POSTMENOPAUSAL, 1.8 * POSTMENOPAUSAL, [YEAR / 2, 2 * YEAR, 5 * YEAR]
    )
    # Toremifene 40 mg: N-telopeptide -14 to -16 % at 6 months (clinical BO56, BO65).
    assert -0.18 < half_year["ctx"] < -0.10
    assert two_years["bone_alkaline_phosphatase"] < -0.1
    untreated = from_steady_state(POSTMENOPAUSAL, POSTMENOPAUSAL, [2 * YEAR, 5 * YEAR])
    gains = [
        treated["lumbar_spine_bmd"] - alone["lumbar_spine_bmd"]
        for treated, alone in zip((two_years, five_years), untreated, strict=True)
    ]
    assert 0.005 < gains[0] < gains[1]


def lost_in(year: float, years_before: float, **values: float) -> float:
    """Share of the spine's density that an untreated woman loses in a year."""
    changed = {"years_of_estrogen_deficiency": years_before, **values}
    start, end = from_steady_state(POSTMENOPAUSAL, POSTMENOPAUSAL, [1.0, year * YEAR], changed)
    return start["lumbar_spine_bmd"] - end["lumbar_spine_bmd"]


def test_untreated_women_lose_bone_faster_soon_after_menopause_than_late():
    soon, middle, late = (lost_in(1.0, years) for years in (1.0, 10.0, 25.0))
    assert 0.02 > soon > middle > late > 0
    assert 0.004 < middle < 0.015


def test_structure_rests_without_its_rates_and_while_it_is_held():
    resting = {"trabecular_structure_rate": 0.0, "cortical_structure_rate": 0.0}
    assert lost_in(2.0, 3.0, **resting) == pytest.approx(0, abs=1e-5)
    runner = simulator()
    runner["structural_activity"] = 0.0
    before = runner["trabecular_structure"], runner["cortical_structure"]
    runner["estrogen_ratio"] = POSTMENOPAUSAL
    runner.simulate(0, 2 * YEAR, 2)
    assert (runner["trabecular_structure"], runner["cortical_structure"]) == before


def test_spine_loses_more_than_hip_and_hip_more_than_femoral_neck_within_months():
    runner = simulator({"years_of_estrogen_deficiency": 0.0})
    runner["estrogen_ratio"] = POSTMENOPAUSAL
    runner.simulate(0, YEAR, 2)
    sites = ("lumbar_spine_bmd", "total_hip_bmd", "femoral_neck_bmd")
    lost = [1 - runner[name] for name in sites]
    assert lost[0] > lost[1] > lost[2] > 0.01


@pytest.mark.slow
def test_calcium_of_untreated_women_varies_within_the_reference_interval():
    random = np.random.default_rng(20)
    calcium = []
    for _ in range(14):
        values = {
            name: float(row["value"]) * np.exp(float(row["spread"]) * random.standard_normal())
            for name, row in table().items()
            if row["distribution"] == "lognormal"
        }
        runner = simulator(values)
        runner.integrator.relative_tolerance = 1e-6
        runner["estrogen_ratio"] = POSTMENOPAUSAL
        runner.simulate(0, 20 * YEAR, 2)
        calcium.append(runner["plasma_calcium"])
    spread = np.std(calcium) / np.mean(calcium)
    assert 0.015 < spread < 0.03
    assert 2.1 < min(calcium) <= max(calcium) < 2.6
