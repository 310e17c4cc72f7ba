"""Values of a setting: rows by flattened name that replace those of the tables."""

import shutil

import pytest

from estradyn.errors import ModelError, ParameterError
from estradyn.model import load_parameters, load_patient_model, models_directory
from estradyn.model.units import unit_ratio

SETTINGS = sorted(path.stem for path in (models_directory() / "settings").glob("*.tsv"))


@pytest.fixture
def models(tmp_path):
    folder = tmp_path / "models"
    shutil.copytree(models_directory(), folder)
    return folder


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_there_is_a_table_for_every_setting_but_the_metastatic_one():
    assert SETTINGS == ["adjuvant", "neoadjuvant", "prevention"]


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_changes_its_own_rows_and_no_others(setting):
    tables = load_parameters(drugs=()).by_name
    found = load_parameters(drugs=(), setting=setting).by_name
    changed = {name for name, row in found.items() if row != tables.get(name)}
    assert changed == {name for name, row in found.items() if row.path.parent.name == "settings"}
    assert tables.keys() <= found.keys()
    for name in changed:
        assert found[name].source.strip(), name
        assert unit_ratio(found[name].unit, found[name].unit) == 1.0


def test_the_model_takes_the_values_of_the_setting():
    model = load_patient_model(drugs=(), modules=(), setting="prevention").model
    values = {item.name: item.value for item in model.parameters}
    assert values["tumor_soft_tissue_volume"] == 1.0
    assert values["has_bone_metastases"] == 0.0


def test_rows_of_a_module_left_out_are_passed_over():
    found = load_parameters(drugs=(), modules=(), setting="adjuvant")
    assert "hot_flashes_background_logit" not in found.by_name


def test_an_unknown_setting_is_refused_with_those_there_are():
    with pytest.raises(ModelError, match=r"no setting 'palliative'.*adjuvant, neoadjuvant"):
        load_parameters(drugs=(), setting="palliative")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "tumor_soft_tissue_volume\t1\tmL",
            "tumor_soft_tissue_volume\t1\tmg",
            "prevention.tsv:.*mg",
        ),
        ("tumor_er_positive\t", "has_bone_metastases\t", "'has_bone_metastases' is given twice"),
        (
            "dimensionless\tnormal\t1.1\t-4\t6",
            "dimensionless\tfixed\t\t\t",
            "'tumor_growth_dependence_logit' is correlated",
        ),
    ],
)
def test_a_row_that_may_not_be_used_is_named(models, old, new, message):
    edit(models / "settings" / "prevention.tsv", old, new)
    with pytest.raises(ParameterError, match=message):
        load_parameters(directory=models, drugs=(), setting="prevention")
