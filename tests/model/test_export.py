"""Exported SBML: valid, complete, and the same equations in another program."""

from pathlib import Path

import libsbml
import numpy as np
import pytest
import roadrunner
import symengine as se

from estradyn.errors import ModelError, UnitError
from estradyn.model import export_sbml, load_model, load_patient_model, shipped_models
from estradyn.model.people import people_records
from estradyn.model.sbml import model_from_sbml
from estradyn.model.sources import models_directory

SMALL = Path(__file__).parent / "data" / "small"


def faults(text: str) -> list[str]:
    document = libsbml.readSBMLFromString(text)
    document.setConsistencyChecks(libsbml.LIBSBML_CAT_MODELING_PRACTICE, False)
    document.checkConsistencyWithStrictUnits()
    return [document.getError(i).getMessage() for i in range(document.getNumErrors())]


@pytest.mark.parametrize("name", shipped_models())
def test_every_shipped_model_passes_the_strict_checks(name):
    text = export_sbml(name)
    assert faults(text) == []
    assert 'level="3" version="2"' in text


@pytest.mark.slow
@pytest.mark.parametrize("people", people_records(models_directory()))
def test_every_population_passes_the_strict_checks(people):
    assert faults(export_sbml("patient", population=people)) == []


def test_values_are_those_of_the_tables():
    table = load_patient_model().parameters
    exported = model_from_sbml(export_sbml("patient"), "patient.xml")
    values = {item.name: item.value for item in exported.parameters}
    assert values == table.model_values()


def test_given_values_replace_those_of_the_text():
    text = export_sbml(SMALL / "patient.ant", {"drug_central": 33.0, "body_production": 4.0})
    values = {item.name: item.value for item in model_from_sbml(text, "x.xml").parameters}
    assert (values["drug_central"], values["body_production"]) == (33.0, 4.0)


def test_a_value_replaces_an_initial_assignment(tmp_path):
    path = tmp_path / "model.ant"
    path.write_text("a = 2/3; x = 1; x' = -a*x;")
    text = export_sbml(path, {"a": 5.0})
    assert "initialAssignment" not in text
    assert {p.name: p.value for p in model_from_sbml(text, "x.xml").parameters} == {"a": 5.0}


def test_what_is_not_a_constant_is_refused():
    for name in ("nobody", "drug_gut"):
        with pytest.raises(ModelError, match=name):
            export_sbml(SMALL / "patient.ant", {name: 1.0})


def test_units_are_checked_on_request(tmp_path):
    path = tmp_path / "model.ant"
    path.write_text("a = 2; a has second; b := a; b has litre;")
    assert "assignmentRule" in export_sbml(path)
    with pytest.raises(UnitError, match="'b'"):
        export_sbml(path, strict_units=True)


def test_the_shipped_patient_has_the_same_rates_in_libroadrunner():
    model = load_patient_model().model
    other = roadrunner.RoadRunner(export_sbml("patient"))
    time = se.Symbol("time")
    known = {se.Symbol(p.name): se.RealDouble(p.value) for p in model.parameters}
    for item in model.derived:
        known[se.Symbol(item.name)] = item.expression.subs(known)
    start = np.array([float(s.initial.subs(known).n(53, real=True)) for s in model.states])
    for item in model.assignments:
        known[se.Symbol(item.name)] = item.expression.subs(known)
    symbols = [*(se.Symbol(name) for name in model.state_names), time]
    rates = se.Lambdify(symbols, [state.rate.subs(known) for state in model.states])
    random = np.random.default_rng(20)
    for _ in range(5):
        states = (start + 1e-3) * random.uniform(0.7, 1.4, start.size)
        for name, value in zip(model.state_names, states, strict=True):
            other.setValue(name, value)
        expected = [other.getValue(f"{name}'") for name in model.state_names]
        # A rate near zero is a difference of larger ones: judged against the state per hour.
        np.testing.assert_allclose(
            rates([*states, 0.0]), expected, rtol=1e-9, atol=1e-12 * np.abs(states).max()
        )


def test_a_model_written_and_read_again_is_the_same():
    model = load_model(SMALL / "patient.ant")
    assert model_from_sbml(export_sbml(SMALL / "patient.ant"), "x.xml") == model
