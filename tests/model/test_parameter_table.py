"""Value tables: what is read, and what is refused where."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from estradyn.errors import EstradynError, ParameterError
from estradyn.model import (
    Distribution,
    EvidenceClass,
    Level,
    load_model,
    load_parameters,
    models_directory,
)
from estradyn.model.parameter_table import VALUE_COLUMNS, read_parameters
from estradyn.model.table_file import TableRow, read_table

SMALL = Path(__file__).parent / "data" / "small"


@pytest.fixture
def models(tmp_path):
    folder = tmp_path / "models"
    shutil.copytree(SMALL, folder)
    return folder


def replace_line(path: Path, line: int, text: str) -> None:
    lines = path.read_text().splitlines()
    lines[line - 1] = text.replace("|", "\t")
    path.write_text("\n".join(lines) + "\n")


def test_rows_find_their_parameter_by_table_and_name():
    table = load_parameters("patient", SMALL)
    row = table.by_name["drug_clearance"]
    assert (row.value, row.unit, row.spread) == (2.0, "L/hour", 0.4)
    assert row.distribution is Distribution.LOGNORMAL
    assert row.level is Level.PATIENT
    assert row.evidence_class is EvidenceClass.ASSUMED
    assert (row.path.name, row.line) == ("drug.tsv", 4)
    assert not row.is_trait


def test_rows_the_model_does_not_have_are_traits():
    table = load_parameters("patient", SMALL)
    assert [row.name for row in table.traits] == ["pain_threshold", "smoker", "scale"]


def test_rows_are_sorted_by_level():
    table = load_parameters("patient", SMALL)
    assert [row.name for row in table.varying(Level.TRIAL)] == ["body_reference"]
    assert "smoker" in [row.name for row in table.varying(Level.PATIENT)]
    assert "body_loss_rate" not in [row.name for row in table.varying(Level.PATIENT)]


def test_correlations_fill_a_symmetric_matrix():
    table = load_parameters("patient", SMALL)
    names = ["pain_threshold", "body_production", "smoker"]
    expected = [[1, -0.5, 0], [-0.5, 1, 0], [0, 0, 1]]
    np.testing.assert_array_equal(table.correlation_matrix(names), expected)


def test_a_single_module_reads_its_own_table(models):
    (models / "drug.tsv").rename(models / "oral.tsv")
    table = load_parameters("oral", models)
    assert [row.name for row in table.rows] == ["central", "absorption_rate", "clearance"]


def test_a_single_module_without_a_table_keeps_the_values_of_its_text():
    assert load_parameters("turnover", SMALL).rows == ()


GOOD = "clearance|2|L/hour|lognormal|0.4|||patient|assumed|Assumed|"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (GOOD.replace("L/hour", ""), "'unit' is empty"),
        (GOOD.replace("L/hour", "furlong/blink"), "is not a unit"),
        (GOOD.replace("L/hour", "L/minute"), "in 'L/minute', the model declares it in 'liter / h"),
        (GOOD.replace("L/hour", "mg/hour"), "'mg/hour', the model declares it in 'liter / hour'"),
        (GOOD.replace("|2|", "||"), "'value' is empty"),
        (GOOD.replace("|2|", "|two|"), "value is 'two'"),
        (GOOD.replace("|2|", "|nan|"), "finite number"),
        (GOOD.replace("|2|", "|1e999|"), "finite number"),
        (GOOD.replace("|2|", "|-2|"), "above 0"),
        (GOOD.replace("0.4", ""), "needs a spread"),
        (GOOD.replace("0.4", "-1"), "must be above 0"),
        (GOOD.replace("0.4", "inf"), "finite number"),
        (GOOD.replace("lognormal", "cauchy"), "distribution is 'cauchy'"),
        (GOOD.replace("lognormal", "fixed"), "no spread"),
        (GOOD.replace("lognormal|0.4", "uniform|"), "needs lower and upper"),
        (GOOD.replace("lognormal", "logitnormal"), "between 0 and 1"),
        (GOOD.replace("lognormal|0.4", "bernoulli|"), "from 0 to 1"),
        (GOOD.replace("0.4||", "0.4|3|"), "below its lower bound 3"),
        (GOOD.replace("0.4||", "0.4||1"), "above its upper bound 1"),
        (GOOD.replace("0.4||", "0.4|3|1"), "lower < upper"),
        (GOOD.replace("patient", "country"), "level is 'country'"),
        (GOOD.replace("|patient|", "||"), "'level' is empty"),
        (GOOD.replace("|assumed|", "|guessed|"), "class is 'guessed'"),
        (GOOD.replace("|assumed|", "||"), "'class' is empty"),
        (GOOD.replace("|Assumed|", "||"), "'source' is empty"),
        (GOOD + "|one|cell|more", "cells"),
        (GOOD.replace("clearance", ""), "'name' is empty"),
        (GOOD.replace("clearance", "absorption_rate").replace("L/hour", "1/hour"), "drug.tsv:3 al"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(models, row, words):
    replace_line(models / "drug.tsv", 4, row)
    with pytest.raises(ParameterError) as caught:
        load_parameters("patient", models)
    assert words in str(caught.value)
    assert Path(caught.value.source).name == "drug.tsv"
    assert caught.value.line == 4


def test_cells_missing_at_the_end_of_a_line_are_empty(models):
    replace_line(models / "drug.tsv", 2, "central|20|L|fixed||||patient|measured|A paper")
    assert load_parameters("patient", models).by_name["drug_central"].note == ""


def test_a_parameter_without_a_row_is_named(models):
    replace_line(models / "drug.tsv", 4, "")
    with pytest.raises(ParameterError, match="'drug_clearance'"):
        load_parameters("patient", models)


def test_a_table_with_other_columns_is_refused(models):
    replace_line(models / "drug.tsv", 1, "name|value|units")
    with pytest.raises(ParameterError, match=r"drug\.tsv:1: has the columns name, value, units"):
        load_parameters("patient", models)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("body_production|nobody|0.1|assumed|Assumed|", "no table has 'nobody'"),
        ("body_production|body_loss_rate|0.1|assumed|Assumed|", "'body_loss_rate' does not vary"),
        ("body_production|body_reference|0.1|assumed|Assumed|", "'body_reference' does not vary"),
        ("body_production|smoker|1.2|assumed|Assumed|", "must be from -1 to 1"),
        ("body_growth_rate|body_production|0.1|assumed|Assumed|", "given twice"),
        ("smoker|smoker|0.1|assumed|Assumed|", "is one value"),
        ("body_production|smoker|x|assumed|Assumed|", "correlation is 'x'"),
        ("body_production|smoker|0.1|rumor|Assumed|", "class is 'rumor'"),
    ],
)
def test_a_bad_correlation_is_named_by_file_and_line(models, row, words):
    replace_line(models / "correlations.tsv", 3, row)
    with pytest.raises(ParameterError) as caught:
        load_parameters("patient", models)
    assert words in str(caught.value)
    assert caught.value.line == 3


def test_correlations_that_contradict_each_other_are_refused(models):
    path = models / "correlations.tsv"
    rows = [
        "body_production\tsmoker\t0.9\tassumed\tAssumed\t",
        "body_growth_rate\tsmoker\t-0.9\tassumed\tAssumed\t",
    ]
    path.write_text(path.read_text() + "\n".join(rows) + "\n")
    with pytest.raises(ParameterError, match="positive definite"):
        load_parameters("patient", models)


CELL = st.text(
    st.characters(codec="utf-8", exclude_characters="\t\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"),
    max_size=8,
)


@settings(deadline=None)
@given(st.lists(CELL, min_size=11, max_size=11))
def test_any_row_is_read_or_refused_by_name(tmp_path_factory, cells):
    folder = tmp_path_factory.mktemp("models")
    header = "\t".join(VALUE_COLUMNS)
    (folder / "extra.tsv").write_text(f"{header}\n" + "\t".join(cells) + "\n", encoding="utf-8")
    try:
        table = read_parameters(load_model(SMALL / "oral.ant"), folder, stem="extra")
    except EstradynError as error:
        assert "extra.tsv" in str(error) or "no table" in str(error)
    else:
        assert all(np.isfinite(row.value) for row in table.rows)


@settings(deadline=None)
@given(
    value=st.floats(1e-6, 1e6),
    spread=st.floats(1e-3, 3),
    note=st.text(st.characters(codec="ascii", categories=["L", "N"]), max_size=20),
)
def test_a_written_row_is_read_back(tmp_path_factory, value, spread, note):
    folder = tmp_path_factory.mktemp("models")
    row = ["k", repr(value), "1/hour", "lognormal", repr(spread), "", ""]
    row += ["trial", "derived", "Somewhere", note]
    (folder / "t.tsv").write_text("\t".join(VALUE_COLUMNS) + "\n" + "\t".join(row) + "\n")
    cells = read_table(folder / "t.tsv", VALUE_COLUMNS)[0]
    assert cells.number("value") == value
    assert cells.optional_number("spread") == spread
    assert cells.optional_number("lower") is None
    assert cells.cells["note"] == note


SHIPPED = [
    row
    for path in sorted(models_directory().rglob("*.tsv"))
    for columns in [tuple(path.read_text(encoding="utf-8").split("\n", 1)[0].split("\t"))]
    if {"class", "source", "note"} <= set(columns)
    for row in read_table(path, columns)
]
"""Every row that says where its number comes from: values, correlations, co-medication."""


def named(row: TableRow) -> str:
    return f"{row.path.relative_to(models_directory())}:{row.line}"


def test_every_shipped_number_that_is_assumed_has_bounds_or_a_range() -> None:
    assumed = [row for row in SHIPPED if row.cells["class"] == "assumed"]
    assert len({row.path.parent for row in assumed}) >= 4  # people, populations, mice, wells
    unbounded = [
        named(row)
        for row in assumed
        if not (row.cells.get("lower") and row.cells.get("upper"))
        and not re.search(r"\brange .+? to ", row.cells["note"], re.IGNORECASE)
    ]
    assert unbounded == []


def test_only_what_is_assumed_has_no_other_source() -> None:
    """What is measured, fitted or derived names what it comes from."""
    contradicting = [
        named(row)
        for row in SHIPPED
        if row.cells["class"] != "assumed" and row.cells["source"].lower().startswith("assumed")
    ]
    assert contradicting == []


def test_an_assumed_value_lies_in_the_range_of_its_note() -> None:
    number = r"(-?\d+(?:\.\d+)?(?:e-?\d+)?)"
    # A word behind the numbers may be another unit.
    in_its_unit = re.compile(rf"\brange {number} to {number}(?=[;,:)]|\.\s|\.?$)", re.IGNORECASE)
    outside = []
    found = 0
    for row in SHIPPED:
        match = in_its_unit.search(row.cells["note"])
        if row.cells["class"] != "assumed" or match is None:
            continue
        column = next(name for name in ("value", "correlation", "factor") if name in row.cells)
        low, high = sorted(float(bound) for bound in match.groups())
        found += 1
        if not low <= row.number(column) <= high:
            outside.append(named(row))
    assert found > 150
    assert outside == []
