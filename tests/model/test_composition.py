"""Drugs put into a patient's text: what is joined, what is left out, and what is refused."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import symengine as se

from estradyn.errors import InputError, ModelError
from estradyn.model import (
    OdeModel,
    compose,
    drug_records,
    load_model,
    load_parameters,
    load_patient_model,
    models_directory,
)

PATIENT = models_directory() / "patient.ant"
DRUGS = tuple(drug_records(models_directory()))

# Toremifene wired by hand: what composing the patient with it must amount to.
BY_HAND = """import "oral_with_metabolite.ant"
import "qt_concentration_response.ant"
import "serm_ligand.ant"

model patient()
  toremifene: oral_with_metabolite(toremifene_concentration, desmethyltoremifene_concentration);
  toremifene_ligand: serm_ligand(breast_b, breast_s, bone_b, bone_s, liver_b, liver_s, uterus_b, uterus_s, pituitary_b, pituitary_s, hdl_s, vldl_s);
  toremifene_ligand.parent_concentration := toremifene_concentration;
  toremifene_ligand.metabolite_concentration := desmethyltoremifene_concentration;
  toremifene_qt: qt_concentration_response(qt_ms);
  toremifene_qt.concentration := toremifene_concentration;
"""  # noqa: E501
INPUTS_BY_HAND = {
    "breast_binding := 0;": "breast_binding := breast_b;",
    "breast_stimulus := 0;": "breast_stimulus := breast_s;",
    "bone_binding := 0;": "bone_binding := bone_b;",
    "bone_stimulus := 0;": "bone_stimulus := bone_s;",
    "liver_binding := 0;": "liver_binding := liver_b;",
    "liver_stimulus := 0;": "liver_stimulus := liver_s;",
    "lipids.liver_binding := 0;": "lipids.liver_binding := liver_b;",
    "liver_hdl_stimulus := 0;": "liver_hdl_stimulus := hdl_s;",
    "liver_vldl_stimulus := 0;": "liver_vldl_stimulus := vldl_s;",
    "uterus_binding := 0;": "uterus_binding := uterus_b;",
    "uterus_stimulus := 0;": "uterus_stimulus := uterus_s;",
    "pituitary_binding := 0;": "pituitary_binding := pituitary_b;",
    "pituitary_stimulus := 0;": "pituitary_stimulus := pituitary_s;",
    "qtc_prolongation := 0;": "qtc_prolongation := qt_ms;",
}


@pytest.fixture
def models(tmp_path):
    folder = tmp_path / "models"
    shutil.copytree(models_directory(), folder)
    return folder


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def rates(model: OdeModel, values: dict[str, float], states: dict[str, float]) -> dict[str, float]:
    """Rates of all states at given parameter values and states, at time 0."""
    known = {se.Symbol(p.name): se.RealDouble(values[p.name]) for p in model.parameters}
    known |= {se.Symbol(name): se.RealDouble(value) for name, value in states.items()}
    known[se.Symbol("time")] = se.RealDouble(0.0)
    for item in (*model.derived, *model.assignments):
        known[se.Symbol(item.name)] = item.expression.subs(known)
    return {s.name: float(s.rate.subs(known).n(53, real=True)) for s in model.states}


def test_one_drug_amounts_to_the_patient_wired_by_hand(models):
    shutil.copy(PATIENT, models / "wired.ant")
    edit(models / "wired.ant", "model patient()\n", BY_HAND)
    for line, wiring in INPUTS_BY_HAND.items():
        edit(models / "wired.ant", line, wiring)
    wired = load_model(models / "wired.ant", drugs=())
    composed = load_patient_model(models, drugs=("toremifene",)).model
    assert composed.state_names == wired.state_names
    values = {item.name: item.value for item in composed.parameters}
    assert set(wired.parameter_names) == values.keys()
    random = np.random.default_rng(7)
    for _ in range(3):
        states = {name: float(random.uniform(0.5, 2.0)) for name in composed.state_names}
        found, expected = rates(composed, values, states), rates(wired, values, states)
        for name in composed.state_names:
            assert found[name] == pytest.approx(expected[name], rel=1e-12, abs=1e-14), name


def test_a_line_marked_for_drugs_becomes_their_sum_or_product():
    text = compose(PATIENT, ("tamoxifen", "toremifene", "letrozole", "exemestane")).text
    assert "receptor.bone_binding := tamoxifen_bone_binding + toremifene_bone_binding;" in text
    assert "estrogen.inhibitor_binding := letrozole_inhibitor_binding;" in text
    assert "estrogen.remaining_aromatase := exemestane_remaining_aromatase;" in text
    assert text.count('import "oral_with_metabolite.ant"') == 1
    assert "anastrozole" not in text


def test_without_drugs_the_text_stays_as_it_is():
    composition = compose(PATIENT, ())
    assert composition.text == PATIENT.read_text()
    assert composition.drugs == {}
    module = compose(models_directory() / "estrogen.ant", ("letrozole",))
    assert module.drugs is None


def test_the_order_in_which_drugs_are_named_makes_no_difference():
    first, second = (compose(PATIENT, names).text for names in (DRUGS, DRUGS[::-1]))
    assert first == second == compose(PATIENT).text


@pytest.mark.parametrize("drugs", [(), *((name,) for name in DRUGS), DRUGS])
def test_a_patient_holds_the_drugs_that_are_named_and_no_other(drugs):
    found = load_patient_model(drugs=drugs)  # Units are checked on the way.
    assert tuple(found.drugs) == drugs
    for name in DRUGS:
        held = [state for state in found.model.state_names if state.startswith(f"{name}_")]
        tabled = [row for row in found.parameters.by_name if row.startswith(f"{name}_")]
        reported = [output.name for output in found.outputs if name in output.name]
        assert bool(held) == bool(tabled) == bool(reported) == (name in drugs)
    # No row of another drug's tables is taken for a trait.
    assert {row.name for row in found.parameters.traits} == {"flare_threshold", "new_lesion_volume"}
    assert load_parameters(drugs=drugs).by_name.keys() == found.parameters.by_name.keys()


def test_a_correlation_with_a_drug_that_is_left_out_does_not_apply():
    for drugs, applies in ((("tamoxifen",), True), (("letrozole",), False)):
        pairs = [item.first for item in load_patient_model(drugs=drugs).parameters.correlations]
        assert ("tamoxifen_clearance" in pairs) == applies
        assert "receptor_tumor_estradiol_ratio" in pairs


def test_a_drug_without_a_record_is_refused():
    with pytest.raises(ModelError, match=r"no drug 'letrozol'; .*letrozole"):
        load_patient_model(drugs=("letrozol",))


@pytest.mark.parametrize(
    ("name", "old", "new", "error", "words"),
    [
        ("letrozole.md", "[inhibitor_", "[bindings, in", ModelError, "'bindings'; a drug can"),
        ("letrozole.md", "[inhibitor_", "in, [", InputError, "must be a list of names"),
        ("letrozole.md", "part: letrozole.ant", "part: ../x.ant", InputError, "beside the record"),
        ("letrozole.md", "part: letrozole.ant", "part: no.ant", ModelError, "cannot be read"),
        ("letrozole.ant", "(letrozole_inhibitor", "(inhibitor", ModelError, "no 'letrozole_inhib"),
        ("letrozole.ant", "  letrozole:", "  bone:", ModelError, "'bone' of the drug 'letrozole'"),
        ("letrozole.ant", "model letrozole_part()", "x := 1\nmodel a()", ModelError, "outside"),
        ("letrozole.ant", "model letrozole_part()", "", ModelError, "must hold one model"),
    ],
)
def test_a_part_that_does_not_fit_is_refused(models, name, old, new, error, words):
    edit(models / "drugs" / name, old, new)
    with pytest.raises(error) as caught:
        load_patient_model(models, drugs=("letrozole",))
    assert words in str(caught.value)


def test_a_fault_in_a_part_is_named_by_its_own_file_and_line(models):
    path = models / "drugs" / "letrozole.ant"
    edit(
        path, "  letrozole_aromatase.concentration :=", "  letrozole_aromatase.concentration := :="
    )
    with pytest.raises(ModelError) as caught:
        load_patient_model(models, drugs=("letrozole",))
    assert Path(caught.value.source) == path
    lines = path.read_text().splitlines()
    assert ":= :=" in lines[caught.value.line - 1]


def test_the_neutral_value_must_fit_the_operation(models):
    edit(models / "patient.ant", "remaining_aromatase := 1;", "remaining_aromatase := 0;")
    with pytest.raises(ModelError, match="product over no drugs is 1, not 0"):
        load_patient_model(models)
