"""Generated pages about the model: complete, typeset as the model computes, honest about limits."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import libsbml
import pytest
from typer.testing import CliRunner

from estradyn.cli.application import application
from estradyn.errors import InputError, ModelError
from estradyn.model.composition import compose
from estradyn.model.parameter_table import read_value_rows
from estradyn.model.patient_model import load_patient_model
from estradyn.model.people import people_records
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


@pytest.mark.parametrize("name", ["well", "mouse"])
def test_other_contexts_have_pages_though_their_records_say_less(name: str, tmp_path: Path) -> None:
    pages = write_model_pages(tmp_path / name, name)
    assert len(pages) > 4
    assert "settings.html" not in pages[0].read_text()


def test_a_module_has_no_pages_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"'lipids' composes no modules.*patient"):
        write_model_pages(tmp_path / "lipids", "lipids")
    assert list(tmp_path.iterdir()) == []


def test_values_of_settings_and_people_stand_on_pages_with_class_and_source(folder: Path) -> None:
    models = find_model("patient").path.parent
    for file_name, tables in (
        ("settings.html", sorted((models / "settings").glob("*.tsv"))),
        ("people.html", [path for p in people_records(models).values() for path in p.values]),
    ):
        page = (folder / file_name).read_text()
        assert f'href="{file_name}"' in (folder / "index.html").read_text()
        assert tables
        for path in tables:
            assert f"<code>{path.stem}</code>" in page
            for row in read_value_rows(path):
                name = row.name.removeprefix(f"{path.stem}_").replace("_", " ")
                assert f'<th scope="row">{name}</th>' in page, name


def test_values_of_people_take_the_place_of_those_they_begin_from(folder: Path) -> None:
    page = (folder / "people.html").read_text()
    section = page.split('<h2 id="hypogonadal_men">')[1].split("</section>")[0]
    assert section.count(">estrogen baseline estradiol<") == 1
    assert section.count(">estrogen baseline estrone<") == 1


def test_lists_of_a_module_are_text_and_remarks_for_writers_are_left_out(folder: Path) -> None:
    page = (folder / "bone.html").read_text()
    assert '<pre class="formula">[postmenopausal_estrogen_floor' not in page
    assert "would double bone turnover [postmenopausal_estrogen_floor 0]" in page
    assert "Numbers are placeholders" not in page
