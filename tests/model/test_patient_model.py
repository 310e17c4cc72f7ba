"""The patient model: equations, tables, rules and drugs as one value."""

import math
import shutil
from pathlib import Path

import pytest

from estradyn.errors import EstradynError, InputError, ModelError, ParameterError, UnitError
from estradyn.model import (
    Distribution,
    load_patient_model,
    models_directory,
    read_drug_record,
    shipped_models,
    with_fixed_values,
)

SMALL = Path(__file__).parent / "data" / "small"


@pytest.fixture
def models(tmp_path):
    folder = tmp_path / "models"
    shutil.copytree(SMALL, folder)
    return folder


def append(path: Path, row: str) -> None:
    path.write_text(path.read_text() + row.replace("|", "\t") + "\n")


def test_everything_is_read_into_one_value():
    found = load_patient_model(SMALL)
    values = {item.name: item.value for item in found.model.parameters}
    assert values["drug_central"] == 20
    assert values["body_production"] == 10
    assert [(item.name, item.value) for item in found.baseline] == [("body_growth_activity", 0)]
    hormone, volume = found.plausibility
    assert (hormone.output, hormone.lower, hormone.upper) == ("hormone", 5, 40)
    assert (volume.lower, volume.upper) == (5.5, math.inf)
    names = [item.name for item in found.outputs]
    assert names == ["drug_concentration", "hormone", "tumor_volume"]
    assert found.drugs["inhibitor"].dose_state == "drug_gut"
    assert found.drugs["inhibitor"].fields["title"] == "Inhibitor"
    assert found.drugs["inhibitor"].body.startswith("# Inhibitor")


def test_the_digest_follows_the_content(models):
    first = load_patient_model(models).digest
    assert load_patient_model(models).digest == first == load_patient_model(SMALL).digest
    append(models / "drugs" / "inhibitor.md", "More.")
    assert load_patient_model(models).digest != first


def test_units_of_the_model_are_checked(models):
    text = (models / "patient.ant").read_text()
    (models / "patient.ant").write_text(text.replace("end", "  z := hormone; z has second;\nend"))
    with pytest.raises(UnitError, match=r"'z' has the unit 'picomole / liter' where 'second'"):
        load_patient_model(models)


@pytest.mark.parametrize(
    ("table", "row", "words"),
    [
        ("baseline", "nobody|1|Why", "'nobody' is not a parameter"),
        ("baseline", "body_production|x|Why", "value is 'x'"),
        ("plausibility", "nobody|1|2|Why|Who", "'nobody' is not a variable"),
        ("plausibility", "hormone|||Why|Who", "no bound"),
        ("plausibility", "hormone|3|2|Why|Who", "not below"),
        ("outputs", "nobody|Nobody|mg|nobody|absolute", "'nobody' is not a variable"),
        ("outputs", "hormone|Hormone|pmol/L|hormone|absolute", "given twice"),
        ("outputs", "drug_amount|Amount|mg/L|amount|absolute", "in 'mg/L', the model has it in"),
        ("outputs", "drug_amount|Amount|mg|amount|twofold", "change is 'twofold'"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(models, table, row, words):
    path = models / f"{table}.tsv"
    append(path, row)
    with pytest.raises(ParameterError) as caught:
        load_patient_model(models)
    assert words in str(caught.value)
    assert caught.value.line == len(path.read_text().splitlines())
    assert Path(caught.value.source).name == path.name


@pytest.mark.parametrize(
    ("old", "new", "error", "words"),
    [
        ("dose_state: drug_gut\n", "", InputError, "lacks 'dose_state'"),
        ("dose_state: drug_gut\n", "dose_state: 3\n", InputError, "lacks 'dose_state'"),
        ("drug_gut", "nobody", ModelError, "dose_state 'nobody' is not a state"),
        ("output: drug_concentration", "output: nobody", ModelError, "'nobody' is not in the mo"),
        ("dose_unit: mg", "dose_unit: mL", UnitError, "'mL' cannot be converted"),
        ("dose_unit: mg", "dose_unit: [mg", InputError, "inhibitor.md:18"),
        ("title: Inhibitor", "title: !!python/object/apply:os.getcwd []", InputError, "os.getcwd"),
        ("---\ntitle", "title", InputError, "front matter"),
    ],
)
def test_a_bad_drug_record_is_refused(models, old, new, error, words):
    path = models / "drugs" / "inhibitor.md"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(error) as caught:
        load_patient_model(models)
    assert words in str(caught.value)
    assert "inhibitor.md" in str(caught.value)


def test_front_matter_must_be_a_mapping(tmp_path):
    path = tmp_path / "drug.md"
    path.write_text("---\n- a\n- b\n---\ntext\n")
    with pytest.raises(InputError, match="name: value"):
        read_drug_record(path)


def test_a_folder_without_a_patient_is_an_error(tmp_path):
    with pytest.raises(ModelError, match="no model 'patient'"):
        load_patient_model(tmp_path)


def test_values_can_be_held_for_everyone():
    found = load_patient_model(SMALL)
    held = with_fixed_values(found, {"body_production": 7.0, "smoker": 1.0})
    row = held.parameters.by_name["body_production"]
    assert (row.value, row.distribution, row.varies) == (7.0, Distribution.FIXED, False)
    assert {item.name: item.value for item in held.model.parameters}["body_production"] == 7.0
    assert held.parameters.by_name["smoker"].value == 1.0
    assert held.parameters.correlations == ()
    assert found.parameters.by_name["body_production"].value == 10.0
    with pytest.raises(ParameterError, match="'nobody'"):
        with_fixed_values(found, {"nobody": 1.0})


def test_the_shipped_patient_loads_with_consistent_units():
    if "patient" not in shipped_models():
        pytest.skip("no patient model is shipped")
    found = load_patient_model()
    assert found.model.time_unit == "hour"
    assert set(found.drugs) == {path.stem for path in (models_directory() / "drugs").glob("*.md")}
    assert all(math.isfinite(item.value) for item in found.model.parameters)


def test_errors_share_one_base():
    assert issubclass(ParameterError, EstradynError)
