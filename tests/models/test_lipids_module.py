"""The lipid module alone, solved by libRoadRunner from its SBML."""

import csv
from functools import cache

import libsbml
import pytest
import roadrunner

from estradyn.model.sources import find_model, models_directory, sbml_text

DAY = 24.0
INPUT = "liver_estrogen_equivalent_ratio"
OUTPUTS = ("total_cholesterol", "ldl", "hdl", "triglycerides")
RATIO_AT_40_MG, RATIO_AT_60_MG = 18.4, 21.5


@cache
def exported() -> str:
    return sbml_text(find_model("lipids"))


@cache
def table() -> dict[str, dict[str, str]]:
    with (models_directory() / "lipids.tsv").open(encoding="utf-8") as file:
        return {row["name"]: row for row in csv.DictReader(file, delimiter="\t")}


def simulator() -> roadrunner.RoadRunner:
    document = libsbml.readSBMLFromString(exported())
    for name, row in table().items():
        document.getModel().getParameter(name).setValue(float(row["value"]))
    runner = roadrunner.RoadRunner(libsbml.writeSBMLToString(document))
    runner.integrator.relative_tolerance = 1e-8
    return runner


def percent_changes(ratio: float, days: float) -> dict[str, float]:
    runner = simulator()
    before = {name: runner[name] for name in OUTPUTS}
    runner[INPUT] = ratio
    runner.simulate(0, days * DAY, 2)
    return {name: 100 * (runner[name] / before[name] - 1) for name in OUTPUTS}


def test_units_pass_the_strict_check():
    document = libsbml.readSBMLFromString(exported())
    document.setConsistencyChecks(libsbml.LIBSBML_CAT_MODELING_PRACTICE, False)
    document.checkConsistencyWithStrictUnits()
    messages = [document.getError(i).getMessage() for i in range(document.getNumErrors())]
    assert messages == []


def test_every_constant_has_one_row():
    model = libsbml.readSBMLFromString(exported()).getModel()
    constants = {p.getId() for p in model.getListOfParameters() if p.getConstant()}
    assert constants - {INPUT} == set(table())


def test_baseline_does_not_move_without_a_drug():
    assert percent_changes(1.0, 730) == pytest.approx(dict.fromkeys(OUTPUTS, 0.0), abs=1e-6)


def test_baseline_total_is_the_sum_of_its_parts():
    runner = simulator()
    parts = runner["ldl"] + runner["hdl"] + runner["triglycerides"] / 2.2
    assert runner["total_cholesterol"] == pytest.approx(parts)
    # 0.672 mmol/L is 12 % of it (clinical LI16).
    assert runner["total_cholesterol"] == pytest.approx(5.6, abs=0.1)


def test_toremifene_40_mg_at_six_months():
    change = percent_changes(RATIO_AT_40_MG, 183)
    assert -14.0 <= change["ldl"] <= -13.0  # LI07, LI10
    assert -7.5 < change["total_cholesterol"] < -5.5  # LI05, LI09
    assert change["triglycerides"] < -5


def test_toremifene_60_mg_raises_hdl_at_one_year():
    change = percent_changes(RATIO_AT_60_MG, 365)
    assert change["hdl"] == pytest.approx(14, abs=2)  # LI01


def test_loss_of_estrogen_hardly_moves_lipids():
    change = percent_changes(0.02, 365)
    assert all(abs(value) < 3 for value in change.values())  # LI25


def test_effect_saturates():
    steps = [percent_changes(ratio, 183)["ldl"] for ratio in (1, 10, 20, 100, 1e4, 1e6)]
    assert steps == sorted(steps, reverse=True)
    assert steps[-2] - steps[-1] < 0.05


def test_lipids_return_within_weeks_when_the_drug_has_gone():
    runner = simulator()
    before = {name: runner[name] for name in OUTPUTS}
    runner[INPUT] = RATIO_AT_60_MG
    runner.simulate(0, 183 * DAY, 2)
    runner[INPUT] = 1.0
    runner.simulate(183 * DAY, 239 * DAY, 2)
    assert {name: runner[name] for name in OUTPUTS} == pytest.approx(before, rel=1e-3)
