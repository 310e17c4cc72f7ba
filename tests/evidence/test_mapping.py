from __future__ import annotations

import csv
import os
from importlib import resources
from pathlib import Path

import pytest

from estradyn.errors import ParameterError
from estradyn.evidence import Comparison, Status, mapping, miss_reasons, printed_numbers, tolerances
from estradyn.evidence.mapping import COLUMNS, mapped_contexts, read_mapping
from estradyn.evidence.rows import GRADES, TABLES_OF_CONTEXT, EvidenceRow, evidence_rows


def test_every_row_of_the_clinical_tables_is_mapped_once() -> None:
    # That no row is mapped twice is refused on reading.
    assert set(mapping("clinical")) == set(evidence_rows("clinical"))


def test_preclinical_rows_are_shared_out_between_cells_and_mice() -> None:
    contexts = [name for name in mapped_contexts() if name != "clinical"]
    mapped = [name for context in contexts for name in mapping(context)]
    assert len(mapped) == len(set(mapped))
    if len(contexts) == 2:
        assert set(mapped) == set(evidence_rows("mouse"))


@pytest.mark.parametrize("context", mapped_contexts())
def test_what_is_not_modelled_says_why(context: str) -> None:
    for item in mapping(context).values():
        if item.status is Status.NOT_MODELLED:
            assert item.reason
            assert item.comparison is None
        else:
            assert item.endpoints
            assert item.scenario


def test_every_tolerance_is_used_by_a_group_of_a_mapping() -> None:
    groups = {item.group for context in mapped_contexts() for item in mapping(context).values()}
    if len(mapped_contexts()) == len(TABLES_OF_CONTEXT):
        assert {group for group, _ in tolerances()} <= groups
    assert all(item.reason for item in tolerances().values())


def test_package_tables_hold_every_shared_row_of_grade_a_to_c_as_it_is() -> None:
    shared = Path(os.environ.get("ESTRADYN_SHARED", Path(__file__).parents[3] / "shared"))
    if not (shared / "evidence").is_dir():
        pytest.skip("the shared evidence folder is not here")
    for source in sorted((shared / "evidence").glob("*.csv")):
        shipped = resources.files("estradyn.evidence") / source.name
        with source.open(encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        if source.name.endswith("_unverified.csv"):
            assert not shipped.is_file(), "what was recalled and never checked is not shipped"
            continue
        with shipped.open(encoding="utf-8") as stream:
            assert list(csv.DictReader(stream)) == rows
        assert {row["grade"] for row in rows} <= set(GRADES)


def test_every_reason_of_a_miss_belongs_to_a_modelled_row() -> None:
    for context, name in miss_reasons():
        assert mapping(context)[name].status is Status.MODELLED


def _written(tmp_path: Path, **cells: str) -> Path:
    row = {
        "evidence": "EF02",
        "group": "response and progression",
        "status": "modelled",
        "use": "check",
        "scenario": "metastatic: toremifene 60 mg/day",
        "endpoint": "objective_response_rate",
        "time": "",
        "comparison": "proportion",
        "reason": "",
        **cells,
    }
    path = tmp_path / "mapping.tsv"
    line = "\t".join(row[name] for name in COLUMNS)
    path.write_text("\t".join(COLUMNS) + f"\n{line}\n", encoding="utf-8")
    return path


def test_a_right_mapping_is_read(tmp_path: Path) -> None:
    item = read_mapping(_written(tmp_path), "clinical")["EF02"]
    assert item.comparison is Comparison.PROPORTION
    assert item.endpoints == ("objective_response_rate",)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"evidence": "EF999"}, "no evidence 'EF999'"),
        ({"status": "maybe"}, "status is 'maybe'"),
        ({"use": "tuned"}, "use is 'tuned'"),
        ({"use": ""}, "'use' is empty"),
        ({"comparison": "close"}, "comparison is 'close'"),
        ({"comparison": "relative"}, "has no relative tolerance"),
        ({"group": "tea leaves"}, "'tea leaves' has no absolute tolerance"),
        ({"status": "not_modelled"}, "in a row that is not_modelled"),
    ],
)
def test_a_wrong_mapping_names_file_and_line(
    tmp_path: Path, cells: dict[str, str], message: str
) -> None:
    path = _written(tmp_path, **cells)
    with pytest.raises(ParameterError, match=message) as caught:
        read_mapping(path, "clinical")
    assert caught.value.line == 2


def test_a_row_mapped_twice_is_refused(tmp_path: Path) -> None:
    path = _written(tmp_path)
    text = path.read_text(encoding="utf-8")
    path.write_text(text + text.splitlines()[1] + "\n", encoding="utf-8")
    with pytest.raises(ParameterError, match="mapped twice"):
        read_mapping(path, "clinical")


def _row(**cells: str) -> EvidenceRow:
    names = EvidenceRow.__dataclass_fields__
    return EvidenceRow(**{name: cells.get(name, "") for name in names})


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"value": "0.9", "unit": "ug/mL"}, [(0.9, None, None, "")]),
        ({"value": "640", "unit": "ng/mL"}, [(0.64, None, None, "")]),
        ({"value": "2-5", "unit": "h"}, [(3.5, 2.0, 5.0, "range")]),
        ({"value": ">98.9", "unit": "%"}, [(98.9, 98.9, float("inf"), "limit")]),
        ({"value": "~300", "unit": "ng/mL"}, [(0.3, None, None, "")]),
        ({"value": "linear", "unit": "%"}, [None]),
        ({"value": "5", "unit": "furlong"}, [None]),
        (
            {"value": "-2.7", "unit": "%", "spread": "-3.4 to -2.0", "spread_kind": "95% CI"},
            [(-2.7, -3.4, -2.0, "95% CI")],
        ),
        (
            {"value": "-81", "unit": "%", "spread": "66-88", "spread_kind": "95% CI of reduction"},
            [(-81.0, -88.0, -66.0, "95% CI")],
        ),
        (
            {"value": "8.2", "unit": "%", "spread": "1", "spread_kind": "SE"},
            [(8.2, pytest.approx(6.24, abs=0.01), pytest.approx(10.16, abs=0.01), "95% from SE")],
        ),
        (
            {"value": "10", "unit": "h", "spread": "4", "spread_kind": "SD", "n": "16"},
            [
                (
                    10.0,
                    pytest.approx(8.04, abs=0.01),
                    pytest.approx(11.96, abs=0.01),
                    "95% from SD and n",
                )
            ],
        ),
        (
            {"value": "1.4", "unit": "SUV", "spread": "0.7", "spread_kind": "SD"},
            [(1.4, None, None, "")],
        ),
        (
            {"value": "278 (128-557) / 290 (123-375)", "unit": "nM"},
            [(278.0, None, None, ""), (290.0, None, None, "")],
        ),
        (
            {"value": "4; 9", "unit": "d; h"},
            [(4.0, None, None, ""), (9.0, None, None, "")],
        ),
    ],
)
def test_printed_numbers_are_read_with_their_interval(
    cells: dict[str, str], expected: list[tuple[float, float | None, float | None, str] | None]
) -> None:
    found = [
        None if number is None else (number.value, number.lower, number.upper, number.interval)
        for number in printed_numbers(_row(**cells))
    ]
    assert found == expected


def test_units_are_found_where_they_are_printed() -> None:
    area = _row(value="6422 / 6958", unit="nM", quantity="AUC0-24 (nM*h)")
    assert [number.unit for number in printed_numbers(area) if number] == ["nmol*hour/L"] * 2
    level = _row(value="6422", unit="nM", quantity="level (median)")
    assert [number.unit for number in printed_numbers(level) if number] == ["nmol/L"]
    short = printed_numbers(_row(value="0.9-2.6; 5; in proportion", unit="h; d"))
    assert [number and number.unit for number in short] == ["hour", "day", None]
    (most,) = printed_numbers(_row(value="up to -86", unit="%"))
    assert most is not None
    assert most.value == -86.0


def test_the_range_of_single_patients_does_not_decide() -> None:
    ranged = _row(value="0.9", unit="ug/mL", spread="0.6-1.3", spread_kind="range")
    (number,) = printed_numbers(ranged)
    assert number is not None
    assert (number.lower, number.upper, number.decides) == (0.6, 1.3, False)
