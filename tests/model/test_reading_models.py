"""Antimony and SBML as one `OdeModel` value."""

import math
from pathlib import Path

import antimony
import libsbml
import numpy as np
import pytest
import roadrunner
import symengine as se

from estradyn.errors import ModelError, UnitError
from estradyn.model import OdeModel, load_model, parameters_without_value, with_values

SMALL = Path(__file__).parent / "data" / "small"


@pytest.fixture
def antimony_file(tmp_path):
    def write(text: str, name: str = "model.ant") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.fixture
def sbml_file(tmp_path):
    """Write SBML made from Antimony text, after a function has changed it."""

    def write(text: str, change=lambda model: None) -> Path:
        antimony.clearPreviousLoads()
        assert antimony.loadAntimonyString(text) >= 0, antimony.getLastError()
        document = libsbml.readSBMLFromString(antimony.getSBMLString(antimony.getMainModuleName()))
        change(document.getModel())
        path = tmp_path / "model.xml"
        path.write_text(libsbml.writeSBMLToString(document))
        return path

    return write


def rates(model: OdeModel, states: dict[str, float], time: float = 0.0) -> dict[str, float]:
    """Evaluate the right-hand side at given states."""
    known = {se.Symbol("time"): time, **{se.Symbol(k): v for k, v in states.items()}}
    known |= {se.Symbol(p.name): p.value for p in model.parameters}
    for item in (*model.derived, *model.assignments):
        known[se.Symbol(item.name)] = float(item.expression.subs(known).n(53, real=True))
    return {s.name: float(s.rate.subs(known).n(53, real=True)) for s in model.states}


def starts(model: OdeModel) -> dict[str, float]:
    known = {se.Symbol(p.name): p.value for p in model.parameters}
    for item in model.derived:
        known[se.Symbol(item.name)] = float(item.expression.subs(known).n(53, real=True))
    return {s.name: float(s.initial.subs(known).n(53, real=True)) for s in model.states}


def expression(model: OdeModel, name: str) -> se.Basic:
    found = {item.name: item.expression for item in (*model.derived, *model.assignments)}
    return found[name]


def test_modules_are_composed_and_flattened():
    model = load_model(SMALL / "patient.ant")
    assert model.name == "small_patient"
    assert model.time_unit == "hour"
    assert set(model.state_names) == {
        *("drug_gut", "drug_amount", "hormone", "tumor_volume", "body_exposure", "body_shed")
    }
    assert model.unit_of["drug_clearance"] == "liter / hour"
    assert model.unit_of["drug_concentration"] == "milligram / liter"
    assert expression(model, "body_drug") == se.Symbol("drug_concentration")


def test_reading_twice_gives_the_same_value():
    first, second = (load_model(SMALL / "patient.ant") for _ in range(2))
    assert first == second
    assert first.state_names == second.state_names


def test_right_hand_side_agrees_with_libroadrunner(antimony_file):
    path = antimony_file(
        """
        compartment cell = 2; compartment bag = 3;
        species A in cell, B in cell, $C in bag; substanceOnly species D in bag;
        A = 5; B = 0.5; C = 4; D = 7; k = 0.3; n = 1.7;
        f := k * A^n / (1 + A^n) + sin(time);
        bag' = 0.05 * bag;
        R1: A -> 2 B; cell * k * A;
        R2: B + C -> D; k * B * C;
        p' = max(0, A - B) * exp(-p) + f; p = 0.2;
        q = 3 * p + k;
        """
    )
    model = load_model(path)
    antimony.clearPreviousLoads()
    antimony.loadAntimonyFile(str(path))
    other = roadrunner.RoadRunner(antimony.getSBMLString(antimony.getMainModuleName()))
    start = starts(model)
    own = rates(model, start)
    # libRoadRunner gives the rate of a species' amount.
    assert own["A"] * 2 == pytest.approx(other.getValue("A'"), rel=1e-12)
    assert own["B"] * 2 == pytest.approx(other.getValue("B'"), rel=1e-12)
    for name in ("D", "bag", "p"):
        assert own[name] == pytest.approx(other.getValue(f"{name}'"), rel=1e-12)


def test_a_concentration_in_a_growing_compartment_follows_amount_over_volume(antimony_file):
    model = load_model(
        antimony_file("compartment V = 2; V' = 1; species S in V; S = 3; S -> ; 0.5 * S;")
    )
    assert "S_amount" in model.state_names
    assert "S" not in model.state_names
    assert expression(model, "S") == se.Symbol("S_amount") / se.Symbol("V")
    assert starts(model) == {"V": 2, "S_amount": 6}


def test_a_species_nothing_changes_is_diluted_by_a_growing_compartment(antimony_file):
    model = load_model(antimony_file("compartment V = 2; V' = 1; species S in V; S = 3;"))
    assert model.state_names == ("V",)
    assert expression(model, "S") == se.Symbol("S_amount") / se.Symbol("V")


def test_amounts_stay_amounts_and_concentrations_concentrations(antimony_file):
    model = load_model(
        antimony_file(
            "compartment V = 4; species S in V; substanceOnly species T in V;"
            "S = 3; T = 8; S -> T; 2 * S;"
        )
    )
    assert starts(model) == {"S": 3, "T": 8}
    assert rates(model, {"S": 3, "T": 8}) == pytest.approx({"S": -1.5, "T": 6.0})


def test_local_parameters_get_the_name_of_their_reaction(sbml_file):
    def change(model):
        law = model.getReaction("R").getKineticLaw()
        local = law.createLocalParameter()
        local.setId("k")
        local.setValue(0.25)

    model = load_model(
        sbml_file("compartment V=1; species S in V; S=2; k=9; R: S -> ; k*S;", change)
    )
    assert rates(model, {"S": 2.0})["S"] == pytest.approx(-0.5)
    values = {item.name: item.value for item in model.parameters}
    assert values["R_k"] == 0.25
    assert values["k"] == 9


def test_a_named_stoichiometry_and_a_conversion_factor_scale_the_change(sbml_file):
    def change(model):
        product = model.getReaction("R").getProduct(0)
        product.setIdAttribute("yield_")
        product.setConstant(False)
        rule = model.createAssignmentRule()
        rule.setVariable("yield_")
        rule.setMath(libsbml.parseL3Formula("2 * a"))
        model.setConversionFactor("factor")

    text = "compartment V=1; species S in V, P in V; S=2; P=0; a=3; factor=10; R: S -> P; S;"
    found = rates(load_model(sbml_file(text, change)), {"S": 2.0, "P": 0.0})
    assert found == pytest.approx({"S": -20.0, "P": 120.0})


def test_constants_that_follow_from_others_are_derived_in_order(antimony_file):
    model = load_model(
        antimony_file("c = 2 * b; b = a + 1; a = 3; third = 1/3; x = c * a; x' = -x; y := c;")
    )
    assert model.parameter_names == ("a", "third")
    assert [item.name for item in model.derived] == ["b", "c"]
    assert starts(model) == {"x": 24}
    assert {p.name: p.value for p in model.parameters}["third"] == pytest.approx(1 / 3)
    changed = with_values(model, {"a": 9.0})
    assert starts(changed) == {"x": 180}


def test_values_at_time_zero_see_through_rules_states_and_time(antimony_file):
    model = load_model(
        antimony_file("x = 2 * k; x' = -x; k = 5; y := x + time; start = y * 3; z = start; z' = 1;")
    )
    assert starts(model) == {"x": 10, "z": 30}


def test_assignments_are_sorted(antimony_file):
    model = load_model(antimony_file("a := b + 1; b := c * 2; c := x; x = 1; x' = a;"))
    assert [item.name for item in model.assignments] == ["c", "b", "a"]


def test_a_cycle_in_antimony_is_refused(antimony_file):
    with pytest.raises(ModelError, match=r"model.ant:1: Loop detected: k"):
        load_model(antimony_file("x' = 1; x = k; k = 2 * x;"))


def test_a_cycle_in_sbml_names_its_members(sbml_file):
    def change(model):
        for variable, formula in (("a", "b + 1"), ("b", "a + 1")):
            rule = model.createAssignmentRule()
            rule.setVariable(variable)
            rule.setMath(libsbml.parseL3Formula(formula))

    def not_constant(model):
        for name in "ab":
            model.getParameter(name).setConstant(False)
        change(model)

    with pytest.raises(ModelError, match=r"circle: (a -> b -> a|b -> a -> b)"):
        load_model(sbml_file("a = 1; b = 2;", not_constant))


def test_reactions_can_be_read_by_their_names(antimony_file):
    model = load_model(
        antimony_file("compartment V=1; species S in V; S=2; R: S -> ; 3*S; x' = R; x = 0;")
    )
    assert expression(model, "R") == 3 * se.Symbol("S")
    assert rates(model, {"S": 2.0, "x": 0.0}) == pytest.approx({"S": -6.0, "x": 6.0})


def test_a_parameter_without_a_value_is_not_a_number(antimony_file):
    model = load_model(antimony_file("x' = -k * x; x = 1; unused has second;"))
    assert parameters_without_value(model) == ("k",)
    assert math.isnan(model.parameters[0].value)


def add_algebraic_rule(model):
    model.createAlgebraicRule().setMath(libsbml.parseL3Formula("x - 1"))


def remove_kinetic_law(model):
    model.getReaction(0).unsetKineticLaw()


@pytest.mark.parametrize(
    ("text", "change", "words"),
    [
        ("x = 1; x' = -x; flush: at 2 after time > 3: x = 0;", None, "'flush' has a delay"),
        ("x = 1; x' = -delay(x, 2);", None, "delay"),
        ("x = 1; y = 2;", add_algebraic_rule, "algebraic rule"),
        ("compartment V=1; species S in V; R: S -> ; S;", remove_kinetic_law, "'R' has no kinetic"),
        ("x = 1; x' = factorial(x);", None, "factorial"),
    ],
)
def test_what_is_not_solved_is_refused_by_name(sbml_file, text, change, words):
    path = sbml_file(text, change or (lambda model: None))
    with pytest.raises(ModelError, match=words) as caught:
        load_model(path)
    assert str(caught.value).startswith(str(path))


def test_a_fast_reaction_is_refused(sbml_file):
    path = sbml_file("compartment V=1; species S in V; R: S -> ; S;")
    text = path.read_text().replace("level3/version2", "level3/version1")
    text = text.replace('level="3" version="2"', 'level="3" version="1"')
    path.write_text(text.replace('<reaction id="R"', '<reaction id="R" fast="true"'))
    with pytest.raises(ModelError, match="fast reaction"):
        load_model(path)


def test_a_package_with_effect_is_refused(tmp_path):
    path = tmp_path / "model.xml"
    path.write_text(
        '<sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3" version="1" '
        'xmlns:comp="http://www.sbml.org/sbml/level3/version1/comp/version1" comp:required="true">'
        '<model id="m"/></sbml>'
    )
    with pytest.raises(ModelError, match="package 'comp'"):
        load_model(path)


def test_an_older_level_is_read(sbml_file, tmp_path):
    path = sbml_file("compartment V=2; species S in V; S=3; k=0.5; R: S -> ; k*S*V;")
    document = libsbml.readSBMLFromString(path.read_text())
    document.setLevelAndVersion(2, 4, False)
    old = tmp_path / "old.xml"
    old.write_text(libsbml.writeSBMLToString(document))
    assert 'level="2"' in old.read_text()
    assert rates(load_model(old), {"S": 3.0}) == pytest.approx({"S": -1.5})


@pytest.mark.parametrize("text", ["", "<sbml>", "not xml at all", "<a><b></a>"])
def test_text_that_is_not_sbml_is_refused(tmp_path, text):
    path = tmp_path / "model.xml"
    path.write_text(text)
    with pytest.raises(ModelError, match=str(path)):
        load_model(path)


def test_a_binary_file_is_refused(tmp_path):
    path = tmp_path / "model.xml"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(ModelError, match="UTF-8"):
        load_model(path)


def test_an_antimony_fault_names_file_and_line(antimony_file):
    path = antimony_file("model m\n  x = 1;\n  y := 3 +* x;\nend\n")
    with pytest.raises(ModelError) as caught:
        load_model(path)
    assert caught.value.line == 3
    assert caught.value.source is not None
    assert Path(caught.value.source).name == "model.ant"


def test_a_fault_in_an_imported_file_names_that_file(antimony_file):
    antimony_file("model part\n  z := 3 3;\nend\n", "part.ant")
    path = antimony_file('import "part.ant"\nmodel m\n  A: part();\nend\n')
    with pytest.raises(ModelError) as caught:
        load_model(path)
    assert Path(caught.value.source).name == "part.ant"
    assert caught.value.line == 2


@pytest.mark.parametrize("name", ["extent", "length", "substance", "volume"])
def test_an_argument_named_like_a_unit_is_refused_and_not_a_crash(antimony_file, name):
    antimony_file(f"model inner(x,\n  {name})\n  x = 1\nend\n", "inner.ant")
    path = antimony_file('import "inner.ant"\nmodel outer()\n  k = 1\nend\n')
    with pytest.raises(ModelError, match=rf"inner\.ant.*'{name}'"):
        load_model(path)


def test_a_comment_may_speak_of_units(antimony_file):
    path = antimony_file("/*\nmodel like(volume)\n*/\nmodel m() // length\n  k = 1\nend\n")
    assert [parameter.name for parameter in load_model(path).parameters] == ["k"]


def test_a_missing_model_is_an_error_that_lists_the_shipped_ones(tmp_path):
    with pytest.raises(ModelError, match=r"no model 'nobody'.*\.ant"):
        load_model("nobody")
    with pytest.raises(ModelError, match="no such model file"):
        load_model(tmp_path / "nobody.ant")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('compartment="V"', 'compartment="W"', "'S' refers to a compartment"),
        ('species="S" stoich', 'species="T" stoich', "'R' refers to a species"),
        ('variable="y"', 'variable="z"', "'z' refers to a variable"),
        ('symbol="k"', 'symbol="z"', "'z' refers to a variable"),
        ("<ci> k </ci>", "<ci> z </ci>", "refers to 'z', which the model does not have"),
    ],
)
def test_a_reference_to_nothing_is_refused(sbml_file, old, new, words):
    path = sbml_file("compartment V=1; species S in V; R: S -> ; k*S; k = 2/3; y := k;")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(ModelError, match=words):
        load_model(path)


def test_the_reserved_name_time_is_refused(tmp_path):
    path = tmp_path / "model.xml"
    path.write_text(
        '<sbml xmlns="http://www.sbml.org/sbml/level3/version2/core" level="3" version="2">'
        '<model id="m"><listOfParameters><parameter id="time" value="1" constant="true"/>'
        "</listOfParameters></model></sbml>"
    )
    with pytest.raises(ModelError, match="'time'"):
        load_model(path)


def test_base_units_inside_submodels_keep_their_meaning(antimony_file):
    antimony_file("model part(q)\n  q = 1; q has dimensionless; r = 2; r has metre;\nend", "p.ant")
    path = antimony_file('import "p.ant"\nmodel m\n  A: part(z);\n  unit one = dimensionless;\nend')
    model = load_model(path)
    assert model.unit_of["A_r"] == "meter"
    assert model.unit_of["z"] == "dimensionless"


def test_strict_units_name_the_variable_and_both_units(antimony_file):
    path = antimony_file(
        "unit mg = 1e-3 gram; V = 2; V has litre; a = 1; a has mg; c := a / V; c has mg;"
    )
    load_model(path)
    with pytest.raises(UnitError, match=r"'c' has the unit 'milligram / liter' .* 'milligram'"):
        load_model(path, strict_units=True)


def test_with_values_refuses_an_unknown_name():
    with pytest.raises(ModelError, match="'nobody' is not a parameter"):
        with_values(load_model(SMALL / "patient.ant"), {"nobody": 1.0})


def test_every_expression_evaluates_at_the_start():
    model = load_model(SMALL / "patient.ant")
    assert np.isfinite(list(rates(model, starts(model)).values())).all()


def test_an_error_beside_a_character_outside_ascii_is_a_sentence(tmp_path):
    path = tmp_path / "model.ant"
    path.write_text("model m()\n  x = 💥;\nend\n", encoding="utf-8")
    with pytest.raises(ModelError):
        load_model(path)


def test_a_huge_file_is_refused_without_being_read(tmp_path):
    path = tmp_path / "model.xml"
    with path.open("wb") as file:
        file.truncate(10_000_000_000)
    with pytest.raises(ModelError, match="10000 MB"):
        load_model(path)
