"""Unit texts and unit checks."""

import libsbml
import pint
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from estradyn.errors import UnitError
from estradyn.model import check_units, load_model, unit_faults, unit_ratio
from estradyn.model.sources import find_model, sbml_text
from estradyn.model.unit_text import pint_text
from estradyn.model.units import same_unit

HEADER = """
unit mg = 1e-3 gram; unit mg_per_litre = 1e-3 gram / litre; unit per_hour = 1 / (3600 second);
unit time_unit = 3600 second; unit substance = 1e-3 gram; unit extent = 1e-3 gram;
unit volume = litre; unit litre_per_hour = litre / (3600 second);
compartment V = 3; V has litre; substanceOnly species gut in V, am in V; gut has mg; am has mg;
gut = 1; am = 0; k = 1; k has per_hour;
"""


@pytest.fixture
def sbml(tmp_path):
    def write(text: str) -> str:
        path = tmp_path / "model.ant"
        path.write_text(HEADER + text)
        return sbml_text(find_model(path))

    return write


def definition(*units: tuple[str, float, int, float]) -> libsbml.UnitDefinition:
    made = libsbml.UnitDefinition(3, 2)
    for kind, exponent, scale, multiplier in units:
        unit = made.createUnit()
        unit.setKind(libsbml.UnitKind_forName(kind))
        unit.setExponent(exponent)
        unit.setScale(scale)
        unit.setMultiplier(multiplier)
    return made


@pytest.mark.parametrize(
    ("units", "text"),
    [
        ([("mole", 1, -3, 1), ("litre", -1, 0, 1)], "millimole / liter"),
        ([("second", -1, 3, 3.6)], "1 / hour"),
        ([("mole", 1, 0, 1e-12), ("second", -2, 0, 3600)], "picomole / hour ** 2"),
        ([("dimensionless", 1, 0, 1)], "dimensionless"),
        ([("dimensionless", 1, -2, 1)], "percent"),
        ([("kilogram", 1, 0, 1)], "kilogram"),
        ([("item", 1, 0, 1)], "count"),
        ([("litre", 1, 0, 1.5)], "1.5 * liter"),
        ([("gram", 1, 0, 1), ("dimensionless", -1, 0, 1)], "gram"),
        ([("metre", 1, 0, 1), ("metre", -1, 0, 1)], "dimensionless"),
        ([], ""),
    ],
)
def test_unit_definitions_become_readable_text(units, text):
    assert pint_text(definition(*units)) == text


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["mole", "litre", "second", "gram", "metre", "dimensionless", "item"]),
            st.integers(-3, 3).filter(bool),
            st.integers(-12, 6),
            st.sampled_from([1.0, 60.0, 3.6, 0.01, 24.0]),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_the_text_means_the_same_as_the_definition(units):
    made = definition(*units)
    registry = pint.get_application_registry()
    meaning = registry.Quantity(1, "")
    for kind, exponent, scale, multiplier in units:
        name = "count" if kind == "item" else kind
        meaning = meaning * registry.Quantity(multiplier * 10.0**scale, name) ** exponent
    ratio = (registry.Quantity(pint_text(made)) / meaning).to("dimensionless").magnitude
    assert ratio == pytest.approx(1.0, rel=1e-9)


def test_ratio_of_units():
    assert unit_ratio("g", "mg") == pytest.approx(1000)
    assert unit_ratio("percent", "dimensionless") == pytest.approx(0.01)
    assert same_unit("pmol/L", "picomole / liter")
    assert not same_unit("pmol/mL", "picomole / liter")


@pytest.mark.parametrize("text", ["foo", "mg/", "1/0", '__import__("os")', "mg**", "[]", "mg mg2"])
def test_what_is_not_a_unit_is_refused(text):
    with pytest.raises(UnitError):
        unit_ratio(text, "mg")


@settings(deadline=None)
@given(st.text(max_size=12))
def test_any_text_is_a_unit_or_an_error(text):
    try:
        assert isinstance(unit_ratio(text, text), float)
    except UnitError as error:
        assert "unit" in str(error)


def test_units_that_do_not_measure_the_same_are_both_named():
    with pytest.raises(UnitError, match=r"'mg' cannot be converted into 'mL'"):
        unit_ratio("mg", "mL")


def test_a_consistent_model_passes(sbml):
    text = sbml(
        "R: gut -> am; k * gut; c := am / V; c has mg_per_litre; d := c * 2; d has mg_per_litre;"
    )
    check_units(text, "model.ant")
    assert unit_faults(text, "model.ant") == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "c := am / V; c has mg;",
            "the expression of 'c' has the unit 'milligram / liter' where 'milligram' is expected",
        ),
        (
            "R: gut -> am; k * V * gut;",
            "the expression of 'R' has the unit 'liter * milligram / hour' where "
            "'milligram / hour' is expected",
        ),
        (
            "e = 1; e has mg; e' = k * V;",
            "the expression of 'e' has the unit 'liter / hour' where 'milligram / hour'",
        ),
        ("f = k * 3; f has mg;", "the expression of 'f' has the unit '1 / hour' where 'milligram'"),
        ("d := am + V; d has mg;", "'am + V' joins units that differ (am in milligram"),
        ("x = 3; z := x * am; z has mg;", "x in no unit"),
        ("x = 3;", "'x' does not have a 'units' attribute"),
    ],
)
def test_a_fault_names_the_variable_and_both_units(sbml, text, sentence):
    with pytest.raises(UnitError) as caught:
        check_units(sbml(text), "model.ant")
    assert sentence in str(caught.value)
    assert str(caught.value).startswith("model.ant: ")


def test_faults_are_counted(sbml):
    with pytest.raises(UnitError, match="and 1 more"):
        check_units(sbml("c := am / V; c has mg; d := am; d has litre;"), "model.ant")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("k has furlong;", "gives 'k' the unit 'furlong', which is not defined"),
        ("unit speed = furlong / second; k has speed;", "which is not defined"),
        ("W = 2; compartment W; W has furlong;", "gives 'W' the unit 'furlong'"),
        ("substanceOnly species s in V; s = 1; s has furlong;", "gives 's' the unit 'furlong'"),
    ],
)
def test_an_unknown_unit_is_named(tmp_path, text: str, said: str) -> None:
    path = tmp_path / "model.ant"
    path.write_text(HEADER + "gut -> am; k * gut;" + text)
    with pytest.raises(UnitError) as caught:
        load_model(path)
    assert said in str(caught.value)
    assert "model.ant" in str(caught.value)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('kind="litre"', 'kind="furlong"', "by a kind of unit that SBML does not have"),
        ('units="mg"', 'units="furlong"', "the unit 'furlong', which is not defined"),
        ('timeUnits="time_unit"', 'timeUnits="furlong"', "gives 'time' the unit 'furlong'"),
    ],
)
def test_an_unknown_unit_in_sbml_is_named(
    tmp_path, sbml, before: str, after: str, said: str
) -> None:
    text = sbml("gut -> am; k * gut; p = 1; p has mg;")
    assert before in text
    path = tmp_path / "model.xml"
    path.write_text(text.replace(before, after))
    with pytest.raises(UnitError, match=said):
        load_model(path)
