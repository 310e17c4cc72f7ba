"""One drug in a patient and in a dish: which part, tables and records each of them reads."""

from pathlib import Path

import pytest

from estradyn.errors import InputError, ModelError, ParameterError
from estradyn.model import drug_records, load_model, load_parameters, load_patient_model
from estradyn.model.parameter_table import VALUE_COLUMNS

UNITS = "  unit ratio = dimensionless;\n  unit per_hour = 1 / (3600 second);\n"
TIME = "  unit time_unit = 3600 second;\n"
TEXTS = {
    "target.ant": f"""// What drugs act on.
model target(response)
{UNITS}{TIME}  binding = 0;  binding has ratio;
  rate = 1;     rate has per_hour;
  response = 1; response has ratio;
  response' = rate * (1 / (1 + binding) - response);
end
""",
    "ligand.ant": f"""// A drug that is cleared.
model ligand(binding)
{UNITS}{TIME}  affinity = 1;  affinity has ratio;
  clearance = 1; clearance has per_hour;
  amount = 0;    amount has ratio;
  amount' = -clearance * amount;
  binding := affinity * amount; binding has ratio;
end
""",
    "patient.ant": """import "target.ant"
model patient()
  body: target(response);
  body.binding := 0;   // sum over drugs
end
""",
    "dish.ant": """import "target.ant"
model dish()
  body: target(response);
  body.binding := 0;   // sum over drugs
end
""",
    "drugs/blocker.ant": """import "ligand.ant"
model blocker_part()
  blocker: ligand(blocker_binding);
end
""",
    "drugs/blocker_dish.ant": """import "ligand.ant"
model blocker_part()
  blocker_cells: ligand(blocker_binding);
end
""",
    "drugs/tablet.ant": """import "ligand.ant"
model tablet_part()
  tablet: ligand(tablet_binding);
end
""",
    "dish/drugs/probe.ant": """import "ligand.ant"
model probe_part()
  probe: ligand(probe_binding);
end
""",
}
RECORD = """---
title: {title}
class: receptor antagonist
brand_names: [Madeupol]
approved_use: None, it is made up.
audience: research
source: Made up
url: https://example.org/drug
licence: CC-BY-4.0
language: en
last_reviewed: 2026-01-31
review_frequency: 12 months
status: current
version: 1
tags: [made up]
part: {part}
acts_on: [binding]
dose_state: {state}
dose_unit: dimensionless
concentration_output: {state}
{more}---
"""
PART = "    part: blocker_dish.ant\n"
DISH = """contexts:
  dish:
    part: blocker_dish.ant
    acts_on: [binding]
    dose_state: blocker_cells_amount
    dose_unit: dimensionless
    concentration_output: blocker_binding
"""


def table(**values: float) -> str:
    rows = ["\t".join(VALUE_COLUMNS)]
    for name, value in values.items():
        unit = "dimensionless" if name in ("affinity", "memory") else "1/hour"
        rows.append(f"{name}\t{value}\t{unit}\tfixed\t\t\t\tpatient\tassumed\tAssumed\t")
    return "\n".join(rows) + "\n"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    texts = dict(TEXTS)
    texts["body.tsv"] = table(rate=1, memory=5)
    texts["blocker.tsv"] = table(affinity=2, clearance=0.1)
    texts["tablet.tsv"] = table(affinity=3, clearance=0.2)
    texts["dish/body.tsv"] = table(rate=7)
    texts["dish/blocker_cells.tsv"] = table(affinity=4, clearance=0.01)
    texts["dish/probe.tsv"] = table(affinity=5, clearance=0.02)
    texts["dish/outputs.tsv"] = "name\tlabel\tunit\tendpoint\tchange\nresponse\tGrowth\t"
    texts["dish/outputs.tsv"] += "dimensionless\tgrowth\tabsolute\n"
    texts["drugs/blocker.md"] = RECORD.format(
        title="Blocker", part="blocker.ant", state="blocker_amount", more=DISH
    )
    texts["drugs/tablet.md"] = RECORD.format(
        title="Tablet", part="tablet.ant", state="tablet_amount", more=""
    )
    texts["dish/drugs/probe.md"] = RECORD.format(
        title="Probe", part="probe.ant", state="probe_amount", more=""
    )
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_a_drug_brings_its_part_for_each_context(models: Path) -> None:
    patient = load_patient_model(models)
    assert tuple(patient.drugs) == ("blocker", "tablet")
    assert set(patient.model.state_names) == {"response", "blocker_amount", "tablet_amount"}
    dish = load_patient_model(models, "dish")
    assert tuple(dish.drugs) == ("blocker", "probe")
    assert "blocker_cells_amount" in dish.model.state_names
    assert "blocker_amount" not in dish.model.state_names
    assert dish.drugs["blocker"].dose_state == "blocker_cells_amount"
    assert patient.drugs["blocker"].dose_state == "blocker_amount"
    alone = load_patient_model(models, "dish", drugs=("probe",))
    assert "blocker_cells_amount" not in alone.model.state_names


def test_tables_of_a_context_hold_what_differs_there(models: Path) -> None:
    patient, dish = load_patient_model(models).parameters, load_parameters("dish", models)
    assert (patient.by_name["body_rate"].value, dish.by_name["body_rate"].value) == (1, 7)
    assert dish.by_name["blocker_cells_affinity"].value == 4
    # Traits are of the patient; tables of drugs that are not in the dish do not apply.
    assert "memory" in patient.by_name and dish.traits == ()
    assert not any(name.startswith("tablet") for name in dish.by_name)
    (models / "dish" / "body.tsv").unlink()
    assert load_parameters("dish", models).by_name["body_rate"].value == 1
    (models / "dish" / "body.tsv").write_text(table(memory=6))
    assert load_parameters("dish", models).by_name["memory"].value == 6


def test_shared_tables_may_repeat_rows_that_the_context_does_not_have(models: Path) -> None:
    text = (models / "drugs" / "blocker_dish.ant").read_text()
    text = text.replace("end\n", "  blocker: ligand(blocker_second);\nend\n")
    (models / "drugs" / "blocker_dish.ant").write_text(text)
    for name in ("body", "blocker"):
        path = models / f"{name}.tsv"
        path.write_text(path.read_text() + table(dose_cap=1).splitlines()[1] + "\n")
    assert "dose_cap" not in load_parameters("dish", models).by_name
    with pytest.raises(ParameterError, match="'dose_cap' stands in"):
        load_parameters("patient", models)


def test_other_tables_belong_to_a_context_alone(models: Path) -> None:
    (models / "baseline.tsv").write_text("name\tvalue\treason\nbody_rate\t0\tBecause\n")
    assert [item.name for item in load_patient_model(models).baseline] == ["body_rate"]
    dish = load_patient_model(models, "dish")
    assert dish.baseline == () and load_patient_model(models).outputs == ()
    assert [item.name for item in dish.outputs] == ["response"]


def test_the_digest_covers_all_contexts(models: Path) -> None:
    first = load_patient_model(models, "dish").digest
    (models / "dish" / "body.tsv").write_text(table(rate=8))
    assert load_patient_model(models, "dish").digest != first


def test_a_root_model_without_a_folder_is_another_patient(models: Path) -> None:
    (models / "variant.ant").write_text((models / "patient.ant").read_text())
    assert "blocker_amount" in load_model(models / "variant.ant", drugs=("blocker",)).state_names


def test_a_drug_without_a_part_for_the_context_is_refused(models: Path) -> None:
    with pytest.raises(ModelError, match=r"no drug 'tablet'.*context 'dish': blocker, probe"):
        load_patient_model(models, "dish", drugs=("tablet",))
    with pytest.raises(ModelError, match="no drug 'probe'"):
        load_patient_model(models, drugs=("probe",))


def test_a_parameter_of_a_context_needs_a_row(models: Path) -> None:
    (models / "dish" / "blocker_cells.tsv").unlink()
    with pytest.raises(ParameterError, match="'blocker_cells_affinity' "):
        load_patient_model(models, "dish")


def test_two_records_of_one_drug_in_a_context_are_refused(models: Path) -> None:
    (models / "dish" / "drugs" / "blocker.md").write_text(
        (models / "dish" / "drugs" / "probe.md").read_text()
    )
    with pytest.raises(ModelError, match="a record of 'blocker' for this context too"):
        drug_records(models, "dish")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("    dose_state: blocker_cells_amount\n", "", r"lacks 'contexts\.dish\.dose_state'"),
        (PART, "", r"'contexts\.dish\.part' must name"),
        (f"{PART}    acts_on: [binding]\n", "", r"lacks 'contexts\.dish\.part'"),
        (f"{PART}    acts_on: [binding]", f"{PART}    acts_on: 3", r"'contexts\.dish\.acts_on'"),
        (DISH, "contexts: [dish]\n", "'contexts' must hold"),
        (DISH, "contexts: {dish: 1}\n", "'contexts' must hold"),
    ],
)
def test_fields_of_a_context_that_may_not_be_used(
    models: Path, old: str, new: str, words: str
) -> None:
    path = models / "drugs" / "blocker.md"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=words) as caught:
        load_patient_model(models, "dish")
    assert "blocker.md" in str(caught.value)
