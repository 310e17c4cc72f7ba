"""People other than those of the patient's own text: their lines, values, outputs and rules."""

import shutil

import numpy as np
import pytest

from estradyn.engine import compile_model, solve
from estradyn.errors import InputError, ModelError
from estradyn.model import (
    compose,
    load_parameters,
    load_patient_model,
    models_directory,
    modules_giving,
)

GLAND = """// A gland that secretes estradiol at will.
model gland_turnover(luteinizing_hormone, follicle_stimulating_hormone, gland_secretion)
  unit ratio = dimensionless;
  unit per_hour = 1 / (3600 second);
  unit time_unit = 3600 second;
  unit volume = litre;
  estrogen_ratio = 1;  estrogen_ratio has ratio;
  turnover = 1;        turnover has per_hour;
  drive = 1;           drive has ratio;
  gland = 1;           gland has ratio;
  gland' = turnover * (drive / estrogen_ratio - gland);
  luteinizing_hormone := gland;           luteinizing_hormone has ratio;
  follicle_stimulating_hormone := gland;  follicle_stimulating_hormone has ratio;
  gland_secretion := gland;               gland_secretion has ratio;
end
"""
PART = """// Those whose gland replaces the feedback after menopause.
import "gland.ant"

model folk_part()
  gland: gland_turnover(luteinizing_hormone, follicle_stimulating_hormone, gland_secretion);  // instead of gonadotropins
  gland.estrogen_ratio := pituitary_estrogen_ratio;
  estrogen.gonadal_secretion := gland_secretion;
end
"""  # noqa: E501
HEADER = "name\tvalue\tunit\tdistribution\tspread\tlower\tupper\tlevel\tclass\tsource\tnote\n"


@pytest.fixture
def models(tmp_path):
    """The shipped models with two kinds of people: folk, and elders who extend them."""
    folder = tmp_path / "models"
    shutil.copytree(models_directory(), folder)
    own = folder / "populations"
    (folder / "gland.ant").write_text(GLAND)
    (folder / "gland.tsv").write_text(
        HEADER
        + "turnover\t0.1\t1/hour\tfixed\t\t\t\t\tassumed\tTest\t\n"
        + "drive\t1\tdimensionless\tfixed\t\t\t\t\tassumed\tTest\t\n"
    )
    (own / "folk.md").write_text("---\ntitle: Folk\n---\n\nFolk.\n")
    (own / "folk.ant").write_text(PART)
    (own / "folk.tsv").write_text(
        HEADER
        + "estrogen_gonadal_estradiol_share\t0.9\tdimensionless\tfixed\t\t\t\t\tassumed\tT\t\n"
        + "estrogen_baseline_estradiol\t300\tpmol/L\tlognormal\t1\t9\t900\tpatient\tassumed\tT\t\n"
    )
    (own / "folk_plausibility.tsv").write_text(
        "output\tlower\tupper\treason\tsource\n"
        "estradiol_concentration\t100\t900\tEstradiol is not that of folk\tTest\n"
    )
    (own / "folk_outputs.tsv").write_text(
        "name\tlabel\tunit\tendpoint\tchange\n"
        "gland_secretion\tSecretion\tdimensionless\tsecretion\tabsolute\n"
    )
    (own / "elders.md").write_text("---\ntitle: Elders\nextends: folk\n---\n\nElders.\n")
    (own / "elders.tsv").write_text(
        HEADER
        + "estrogen_baseline_estradiol\t200\tpmol/L\tlognormal\t1\t9\t900\tpatient\tassumed\tT\t\n"
    )
    return folder


def load(models, population):
    return load_patient_model(models, drugs=(), population=population)


def test_a_module_of_theirs_stands_instead_of_the_patients(models):
    text = compose(models / "patient.ant", (), (), "folk").text
    assert "gonadotropins" not in text.split("model patient")[1]
    assert "estrogen.gonadal_secretion := gland_secretion;" in text
    assert "estrogen.androgen_ratio := 1;" in text  # They do not say otherwise.
    found = load(models, "folk")
    assert "gland_gland" in found.model.state_names
    assert not [name for name in found.parameters.by_name if name.startswith("gonadotropins_")]


def test_others_hold_nothing_of_theirs(models):
    here, there = load(models, None), load_patient_model(drugs=())
    assert here.model == there.model
    assert here.parameters.by_name.keys() == there.parameters.by_name.keys()
    assert load(models, "postmenopausal_women").model == there.model


def test_their_secretion_feeds_estradiol(models):
    compiled = compile_model(load(models, "folk").model, ["estradiol_concentration"])
    drives = np.array([0.0, 1.0])
    course = solve(compiled, {"gland_drive": drives}, np.array([0.0, 2000.0]), patients=2)
    silent, usual = course["estradiol_concentration"][:, 1]
    assert usual == pytest.approx(300.0, rel=1e-4)
    assert silent == pytest.approx(30.0, rel=1e-3)  # What tissue makes.


def test_values_outputs_and_rules_are_theirs(models):
    folk, elders = load(models, "folk"), load(models, "elders")
    rows = [found.parameters.by_name["estrogen_baseline_estradiol"] for found in (folk, elders)]
    assert [row.value for row in rows] == [300.0, 200.0]
    assert elders.parameters.by_name["estrogen_gonadal_estradiol_share"].value == 0.9
    for found in (folk, elders):
        assert "gland_secretion" in [output.name for output in found.outputs]
        (rule,) = (rule for rule in found.plausibility if rule.output == "estradiol_concentration")
        assert (rule.lower, rule.upper) == (100.0, 900.0)
        assert len(found.plausibility) == len(load(models, None).plausibility)


def test_a_setting_applies_to_them_and_yields_where_both_speak(models):
    path = models / "populations" / "elders.tsv"
    row = "residual_disease\t0.1\tdimensionless\tbernoulli\t\t\t\tpatient\tassumed\tTest\t\n"
    path.write_text(path.read_text() + row)
    found = load_parameters(directory=models, drugs=(), setting="adjuvant", population="elders")
    assert found.by_name["residual_disease"].value == 0.1
    assert found.by_name["has_bone_metastases"].value == 0.0


def test_what_replaces_an_optional_module_is_always_there(models):
    wanted = ["luteinizing_hormone", "endometrial_thickness"]
    assert "gonadotropins" in modules_giving(wanted, directory=models)
    assert modules_giving(wanted, directory=models, population="folk") == ("endometrium",)
    bare = load_patient_model(models, drugs=(), modules=(), population="folk")
    assert "luteinizing_hormone" in [output.name for output in bare.outputs]


def test_an_optional_module_may_be_theirs_for_good(models):
    path = models / "populations" / "folk.ant"
    again = (
        "  binding_globulin: globulin_turnover(sex_hormone_binding_globulin);"
        "  // instead of binding_globulin\n"
        "  binding_globulin.estrogen_ratio := liver_estrogen_ratio;\n"
        "  binding_globulin.globulin_synthesis_left := 1;\nend\n"
    )
    path.write_text(path.read_text().replace("end\n", again))
    for population, held in (("folk", True), (None, False)):
        found = load_patient_model(models, drugs=(), modules=(), population=population)
        name = "binding_globulin_turnover_rate"
        assert (name in found.parameters.by_name) == (name in found.model.parameter_names) == held
    assert "binding_globulin_turnover_rate" in load(models, None).parameters.by_name


def test_what_they_do_not_have_is_left_out(models):
    path = models / "populations" / "folk.ant"
    path.write_text(path.read_text().replace("end\n", "  // without endometrium\nend\n"))
    found = load(models, "folk")
    assert "endometrial_thickness" not in [output.name for output in found.outputs]
    assert not [name for name in found.parameters.by_name if name.startswith("endometrium_")]
    assert modules_giving(["endometrial_thickness"], directory=models, population="folk") == ()
    assert "endometrial_thickness" in [output.name for output in load(models, None).outputs]


def test_people_without_a_record_are_refused_with_those_there_are(models):
    with pytest.raises(ModelError, match=r"no population 'giants'.*elders, folk"):
        load(models, "giants")
    with pytest.raises(ModelError, match="describes no people"):
        load_patient_model(model_name="mouse", drugs=(), population="folk")


@pytest.mark.parametrize(
    ("name", "old", "new", "error", "words"),
    [
        ("folk.md", "title: Folk", "name: Folk", InputError, "lacks 'title'"),
        ("folk.md", "---\ntitle", "title", InputError, "front matter"),
        ("folk.md", "title: Folk", "title: Folk\nsettings: adjuvant", InputError, "'settings' is"),
        ("elders.md", "extends: folk", "extends: kings", InputError, "'extends' is 'kings'"),
        ("elders.md", "extends: folk", "extends: elders", InputError, "'elders' extends itself"),
        ("folk.ant", "instead of gonadotropins", "instead of gonads", ModelError, "'gonads' is no"),
        (
            "folk.ant",
            "end\n",
            "receptor.receptor_content := 2;\nend\n",
            ModelError,
            "does not mark",
        ),
        ("folk.ant", "model folk_part()", "x = 1\nmodel a()", ModelError, "outside the model"),
    ],
)
def test_what_does_not_fit_is_refused(models, name, old, new, error, words):
    path = models / "populations" / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(error, match=words):
        load(models, "elders")
