"""Every value of class fitted comes from a command here or from a model that was published."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from estradyn.calibration import write_fitted_values
from estradyn.errors import ParameterError
from estradyn.evidence import evidence_rows
from estradyn.model import load_parameters, models_directory

ROOT = Path(__file__).parents[2]
COMMAND = re.compile(r"calibration/[\w/]+(?:\.py)?")

PUBLISHED_MODELS = {
    "doi:10.1016/j.bone.2009.08.053": "calcium, parathyroid hormone and bone remodelling",
    "doi:10.1038/psp.2012.10": "bone density from remodelling, with estrogen",
    "doi:10.1038/psp.2014.47": "LDL receptors and clearance",
    "doi:10.1016/j.jtbi.2012.11.020": "the menstrual cycle",
    "doi:10.1111/j.1365-2125.2005.02335.x": "exemestane and estrone sulfate",
    "doi:10.1111/bcp.12388": "tamoxifen and its metabolites",
}
"""Models whose authors fitted the value to data of their own, and what they describe."""


@dataclass(frozen=True)
class FittedRow:
    """A line of class fitted in some table of the models."""

    table: Path
    names: tuple[str, ...]
    source: str


def fitted_rows() -> Iterator[FittedRow]:
    for table in sorted(models_directory().rglob("*.tsv")):
        with table.open(encoding="utf-8") as file:
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                if row.get("class") == "fitted":
                    # A name is flattened already, or it is in the table of a module.
                    name = row.get("name") or row["first"]
                    names = (name, f"{table.stem}_{name}")
                    yield FittedRow(table, names, row["source"])


def fits(path: Path, names: tuple[str, ...]) -> bool:
    """Whether a script states one of the names, or a PEtab problem estimates it."""
    if path.is_file():
        return any(re.search(rf'"{name}"', path.read_text(encoding="utf-8")) for name in names)
    with (path / "parameters.tsv").open(encoding="utf-8") as file:
        estimated = {
            row["parameterId"]
            for row in csv.DictReader(file, delimiter="\t")
            if row["estimate"] == "1"
        }
    return not estimated.isdisjoint(names)


def test_commands_that_fit_every_fitted_value_exist_and_state_it() -> None:
    rows = list(fitted_rows())
    assert len(rows) > 300
    wrong = []
    for row in rows:
        commands = [ROOT / path for path in COMMAND.findall(row.source)]
        published = any(model in row.source for model in PUBLISHED_MODELS)
        by_command = any(path.exists() and fits(path, row.names) for path in commands)
        if not all(path.exists() for path in commands) or not (published or by_command):
            wrong.append(f"{row.table.name}: {row.names[0]}: {row.source}")
    assert not wrong, "\n".join(wrong)


def test_every_published_model_on_the_list_has_values() -> None:
    sources = " ".join(row.source for row in fitted_rows())
    assert [model for model in PUBLISHED_MODELS if model not in sources] == []


def test_make_calibrate_runs_every_command_that_a_value_names() -> None:
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = {path for row in fitted_rows() for path in COMMAND.findall(row.source)}
    exposure = "calibration/exposure"
    missing = sorted(path for path in named if path not in recipe and not path.startswith(exposure))
    assert exposure in recipe
    assert missing == []


def test_the_rate_at_which_lesions_appear_follows_from_cancers_found() -> None:
    cancers = evidence_rows()["PV02"]
    assert cancers.unit == "per 1000"
    years = 69.0 / 12.0
    rate = -math.log1p(-float(cancers.value) / 1000.0) / years
    assert load_parameters().by_name["lesions_baseline_rate"].value == pytest.approx(rate, rel=1e-3)


def test_estradiol_of_a_tumor_before_menopause_follows_from_that_after_it() -> None:
    after = load_parameters().by_name
    before = load_parameters(population="premenopausal_women").by_name
    ratio, share = "receptor_tumor_estradiol_ratio", "receptor_local_estradiol_share"

    def uptake(rows) -> float:
        return rows[ratio].value * (1.0 - rows[share].value)

    def made(rows) -> float:
        return rows[ratio].value * rows[share].value

    assert uptake(before) == pytest.approx(uptake(after), rel=0.01)
    per_plasma = after["estrogen_baseline_estradiol"].value / 360.0
    assert made(before) == pytest.approx(made(after) * per_plasma, rel=0.01)


def test_estrone_sulfate_before_menopause_is_in_the_ratio_of_that_after_it() -> None:
    after = load_parameters().by_name
    before = load_parameters(population="premenopausal_women").by_name

    def ratio(rows) -> float:
        return (
            rows["estrogen_baseline_estrone_sulfate"].value
            / rows["estrogen_baseline_estrone"].value
        )

    assert ratio(before) == pytest.approx(ratio(after), rel=0.01)


def test_derived_rows_are_written_as_what_follows_and_as_nothing_else(tmp_path: Path) -> None:
    header = "name\tvalue\tunit\tdistribution\tspread\tlower\tupper\tlevel\tclass\tsource\tnote"
    path = tmp_path / "small.tsv"
    (tmp_path / "small.ant").write_text("model small()\n  a = 1; b = 1;\n  x := a * b;\nend\n")
    path.write_text(
        f"{header}\n"
        "a\t1\tdimensionless\tfixed\t\t\t\tpatient\tderived\tTwice b\t\n"
        "b\t1\tdimensionless\tfixed\t\t\t\tpatient\tfitted\tcalibration/some.py\t\n"
    )
    table = load_parameters("small", tmp_path)
    with pytest.raises(ParameterError, match="derived, only fitted"):
        write_fitted_values(table, {"a": 2.0})
    with pytest.raises(ParameterError, match="fitted, only derived"):
        write_fitted_values(table, {}, following={"b": 2.0})
    write_fitted_values(table, {"b": 1234.5}, following={"a": 2469.0})
    written = load_parameters("small", tmp_path).by_name
    assert (written["b"].value, written["a"].value) == (1230.0, 2470.0)
    assert "1.2" not in path.read_text()
