"""Generated pages about the model: complete, typeset as the model computes, honest about limits."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import libsbml
import pytest
from typer.testing import CliRunner

from estradyn.cli.application import application
from estradyn.errors import InputError
from estradyn.model.composition import compose
from estradyn.model.patient_model import load_patient_model
from estradyn.model.sources import find_model
from estradyn.report.model_pages import write_model_pages
from estradyn.report.model_pages.equations import formula_markup
from estradyn.report.model_pages.wiring import wiring


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pages") / "model"
    write_model_pages(out)
    return out


def typeset(formula: str) -> str:
    """Formula as plain text, with fractions as (over)/(under) and powers as ^."""
    root = ElementTree.fromstring(f"<math>{formula_markup(libsbml.parseL3Formula(formula))}</math>")

    def text(element: ElementTree.Element) -> str:
        parts = [text(child) for child in element]
        if element.tag == "mfrac":
            return f"[{parts[0]}]/[{parts[1]}]"
        if element.tag == "msup":
            return f"{parts[0]}^{parts[1]}"
        return (element.text or "") + "".join(parts)

    return text(root).replace("\N{MINUS SIGN}", "-").replace("\N{DOT OPERATOR}", "*")


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("a - (b - c)", "a-(b-c)"),
        ("a - (b + c)", "a-(b+c)"),
        ("a + (b + c)", "a+b+c"),
        ("(a + b) * c", "(a+b)*c"),
        ("a * (b / c)", "a*[b]/[c]"),
        ("a / b / c", "[a]/[b*c]"),
        ("a / (b / c)", "[a]/[[b]/[c]]"),
        ("(a + b)^n", "(a+b)^n"),
        ("(a * b)^2", "(a*b)^2"),
        ("(a^b)^c", "(a^b)^c"),
        ("-(a + b)", "-(a+b)"),
        ("a * (-b)", "a*(-b)"),
        ("a - b * c", "a-b*c"),
    ],
)
def test_formula_keeps_its_meaning(formula: str, expected: str) -> None:
    assert typeset(formula) == expected


def test_every_value_and_equation_of_the_patient_is_on_a_page(folder: Path) -> None:
    pages = {path.name: path.read_text() for path in folder.glob("*.html")}
    everything = "".join(pages.values()).replace("\N{NO-BREAK SPACE}", " ")
    patient = load_patient_model()
    for row in patient.parameters.rows:
        assert f'<th scope="row">{row.name.replace("_", " ")}</th>' in everything, row.name
    printed = re.findall(r'<div class="equation" id="\w+"', everything)
    joined = wiring(compose(find_model("patient").path))
    assert len(printed) > len({item.module for item in joined.instances})
    assert everything.count("<math") == len(printed)


def test_pages_link_to_each_other_and_ask_for_nothing_outside(folder: Path) -> None:
    for path in folder.glob("*.html"):
        text = path.read_text()
        for address in re.findall(r'href="([^"#]+)"', text):
            assert address.startswith("http") or (folder / address).is_file(), address
        assert "<script" not in text
        assert not re.search(r'(?:src|@import)\s*=?\s*"?https?:', text)


def test_wiring_of_the_patient() -> None:
    joined = wiring(compose(find_model("patient").path, ["toremifene"]))
    between = {(item.source, item.target): item.quantities for item in joined.connections}
    assert between["estrogen", "receptor"] == (
        "estradiol_concentration",
        "drug_free_estradiol",
        "aromatase_activity",
    )
    assert "cell_birth_rate" in between["tumor", "receptor"]
    assert "toremifene_breast_binding" in between["toremifene_ligand", "receptor"]
    assert "bone_estrogen_ratio" in between["receptor", "bone"]
    assert ("tumor", "lipids") not in between


def test_command_writes_the_folder_and_refuses_one_with_other_files(tmp_path: Path) -> None:
    out = tmp_path / "model"
    result = CliRunner().invoke(
        application, ["model", "document", "--drug", "letrozole", "--out", str(out)]
    )
    assert result.exit_code == 0, result.output
    assert "index.html" in result.output
    assert "letrozole" in (out / "index.html").read_text()
    assert "toremifene" not in (out / "index.html").read_text()
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"thesis\.txt"):
        write_model_pages(tmp_path / "foreign")
