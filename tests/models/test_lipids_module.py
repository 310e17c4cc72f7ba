"""The lipid module alone, solved by libRoadRunner from its SBML."""

import csv
from functools import cache

import libsbml
import pytest
import roadrunner

from estradyn.model.sources import find_model, models_directory, sbml_text

DAY = 24.0
RECEPTOR = "liver_estrogen_equivalent_ratio"
ESTRADIOL, BINDING = "available_estradiol", "liver_binding"
HDL, VLDL = "liver_hdl_stimulus", "liver_vldl_stimulus"
DRUG_FREE = "drug_free_available_estradiol"
INPUTS = {RECEPTOR, ESTRADIOL, DRUG_FREE, BINDING, HDL, VLDL}
OUTPUTS = (
    *("total_cholesterol", "ldl", "hdl", "triglycerides"),
    *("lipoprotein_a", "apolipoprotein_a1", "apolipoprotein_b"),
)
TYPICAL_ESTRADIOL = 0.025
"""Estradiol of 12 pmol/L that is available, over its dissociation constant."""


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


def drug(binding: float, receptor: float, hdl: float, vldl: float, estradiol: float = 1.0):
    """Inputs under a ligand that binds so much, with its agonism in each process."""
    available = estradiol * TYPICAL_ESTRADIOL
    stimulus = receptor * binding
    ratio = (available + stimulus) / (1 + binding - stimulus) / TYPICAL_ESTRADIOL
    return {
        DRUG_FREE: TYPICAL_ESTRADIOL,
        ESTRADIOL: available,
        RECEPTOR: ratio,
        BINDING: binding,
        HDL: hdl * binding,
        VLDL: vldl * binding,
    }


def percent_changes(inputs: dict[str, float], days: float) -> dict[str, float]:
    runner = simulator()
    before = {name: runner[name] for name in OUTPUTS}
    for name, value in inputs.items():
        runner[name] = value
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
    assert constants - INPUTS == set(table())


def test_baseline_does_not_move_without_a_drug():
    expected = pytest.approx(dict.fromkeys(OUTPUTS, 0.0), abs=1e-6)
    assert percent_changes(drug(0, 0, 0, 0), 730) == expected


def test_baseline_total_is_the_sum_of_its_parts():
    runner = simulator()
    parts = runner["ldl"] + runner["hdl"] + runner["triglycerides"] / 2.2
    assert runner["total_cholesterol"] == pytest.approx(parts)
    # 0.672 mmol/L is 12 % of it (clinical LI16).
    assert runner["total_cholesterol"] == pytest.approx(5.6, abs=0.1)


def test_processes_answer_each_to_its_own_agonism():
    strong, none = 0.5, 0.0
    on_receptor = percent_changes(drug(5, strong, none, none), 183)
    on_hdl = percent_changes(drug(5, none, strong, none), 183)
    on_vldl = percent_changes(drug(5, none, none, strong), 183)
    assert on_receptor["ldl"] < -10 < on_hdl["ldl"]
    assert on_hdl["hdl"] > 5 > on_receptor["hdl"]
    assert on_vldl["triglycerides"] > 10
    # More LDL receptors clear more remnants of VLDL.
    assert on_receptor["triglycerides"] < on_hdl["triglycerides"]


def test_an_antagonist_without_agonism_acts_as_loss_of_estrogen_does():
    blocked = percent_changes(drug(500, 0, 0, 0), 365)
    deprived = percent_changes(drug(0, 0, 0, 0, estradiol=0.002), 365)
    assert blocked == pytest.approx(deprived, abs=0.1)


def test_loss_of_estrogen_hardly_moves_cholesterol_and_raises_lipoprotein_a():
    change = percent_changes(drug(0, 0, 0, 0, estradiol=0.02), 365)
    moved = [
        abs(change[name]) for name in OUTPUTS if name not in ("lipoprotein_a", "triglycerides")
    ]
    assert max(moved) < 5  # LI25
    assert abs(change["triglycerides"]) < 10
    assert change["lipoprotein_a"] > 0


def test_apolipoproteins_follow_their_particles():
    change = percent_changes(drug(5, 0.5, 0.5, 0.1), 183)
    assert change["apolipoprotein_a1"] == pytest.approx(change["hdl"], abs=1)
    assert change["ldl"] < change["apolipoprotein_b"] < change["triglycerides"]


def test_effect_saturates():
    steps = [percent_changes(drug(b, 0.9, 0, 0), 183)["ldl"] for b in (0, 1, 10, 100, 1e4, 1e6)]
    assert steps == sorted(steps, reverse=True)
    assert steps[-2] - steps[-1] < 0.05


def test_lipids_return_within_weeks_when_the_drug_has_gone():
    runner = simulator()
    before = {name: runner[name] for name in OUTPUTS}
    for name, value in drug(5, 0.5, 0.5, 0.2).items():
        runner[name] = value
    runner.simulate(0, 183 * DAY, 2)
    for name, value in drug(0, 0, 0, 0).items():
        runner[name] = value
    runner.simulate(183 * DAY, 239 * DAY, 2)
    assert {name: runner[name] for name in OUTPUTS} == pytest.approx(before, rel=1e-3)
