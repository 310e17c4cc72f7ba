"""Tables that may not be used: one sentence with file and line, and nothing written."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from event_lines import HEADER, record
from hypothesis import given, settings
from hypothesis import strategies as st

from estradyn.errors import InputError
from estradyn.simulation import (
    even_times,
    number_table,
    read_event_records,
    read_parameter_values,
    read_times,
    simulate_file,
)

MODEL = Path(__file__).with_name("oral_drug.ant")
STATES = ("depot", "amount")
GOOD = [record(2, 3, 0), record(1, 0, 1, AMT=100, CMT=1, II=24, ADDL=2), record(1, 5, 0)]


def refuses(path: Path, *words: str) -> None:
    with pytest.raises(InputError) as error:
        read_event_records(path, STATES)
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message


def table(tmp_path: Path, *lines: str, header: str = HEADER) -> Path:
    path = tmp_path / "events.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


FAULTS = [
    (record(1, 6, 1, AMT=1, CMT=3), "CMT is '3'", "1 to 2", "depot, amount"),
    (record(1, 6, 1, AMT=1, CMT="liver"), "CMT is 'liver'"),
    (record(1, 6, 1, AMT=1, CMT=1.5), "CMT is '1.5'"),
    (record(1, 6, 1, AMT=1), "CMT is ''"),
    (record(1, 6, 1, AMT=-5, CMT=1), "AMT is -5", "0 or above"),
    (record(1, 6, 1, AMT="nan", CMT=1), "AMT is 'nan'", "finite number"),
    (record(1, 6, 1, AMT="inf", CMT=1), "AMT is 'inf'"),
    (record(1, 6, 1, AMT="1_0", CMT=1), "AMT is '1_0'"),
    (record(1, 6, 1, AMT="60 mg", CMT=1), "AMT is '60 mg'"),
    (record(1, 6, 1, AMT=1, CMT=1, RATE=-3), "RATE is -3", "-2 (the model's duration)"),
    (record(1, 6, 1, AMT=1, CMT=1, RATE=1, DUR=1), "DUR is 1"),
    (record(1, 6, 1, AMT=1, CMT=1, DUR=-1), "DUR is -1"),
    (record(1, 6, 1, AMT=1, CMT=1, II=-24), "II is -24"),
    (record(1, 6, 1, AMT=1, CMT=1, ADDL=3), "II is 0", "ADDL"),
    (record(1, 6, 1, AMT=1, CMT=1, ADDL=1.5, II=1), "ADDL is 1.5"),
    (record(1, 6, 1, AMT=1, CMT=1, SS=1), "II is 0", "SS"),
    (record(1, 6, 1, AMT=1, CMT=1, SS=3, II=1), "SS is 3", "0, 1 or 2"),
    (record(1, 6, 1, CMT=1, SS=1, II=1), "AMT is 0", "SS"),
    (record(1, 6, 1, AMT=1, CMT=1, LAGT=-1), "LAGT is -1"),
    (record(1, 6, 1, AMT=1, CMT=1, BIOAV=-1), "BIOAV is -1"),
    (record(1, 6, 0, RATE=4), "RATE is 4", "EVID 0, 2 or 3"),
    (record(1, 6, 3, AMT=4), "AMT is 4"),
    (record(1, 6, 5), "EVID is 5", "4 (reset and dose)"),
    (record(1, 6, 0.5), "EVID is 0.5"),
    (record(1, -6, 0), "TIME is -6"),
    (record(1, 4, 0), "TIME is 4 after 5 in line 4"),
    (record(1.5, 6, 0), "ID is 1.5"),
    (",6,0" + "," * 9, "ID is empty"),
    ("1,,0" + "," * 9, "TIME is empty"),
    ("1,6," + "," * 9, "EVID is empty"),
    ("1,6,0", "3 cells", "12"),
    ('1,6,0,"' + "," * 9, "comma-separated"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault[1])
def test_a_record_that_may_not_be_used(tmp_path, fault) -> None:
    line, *words = fault
    place = "events.csv" if "comma-separated" in words else "events.csv:5: "
    refuses(table(tmp_path, *GOOD, line), place, *words)


def test_an_id_that_comes_back(tmp_path) -> None:
    """NONMEM takes a second person, others the same one: nobody may guess which was meant."""
    others = [record(3, 0, 0), record(1, 9, 0), record(2, 9, 0)]
    words = ["events.csv:6: ", "ID 1 comes back", "end in line 4", "stand together"]
    refuses(table(tmp_path, *GOOD, *others), *words)
    refuses(table(tmp_path, *GOOD, record(2, 12, 0)), ":5: ", "ID 2 comes back", "end in line 2")


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (HEADER + ",SEX", ["events.csv:1: ", "'SEX'", "ID, TIME"]),
        (HEADER.lower(), ["'id'", "ID, TIME"]),
        (HEADER.replace("DUR", "RATE"), ["RATE twice"]),
        (HEADER.replace("EVID", "MDV"), ["no column EVID"]),
        (HEADER.replace(",", ";"), ["allowed are ID, TIME"]),
        ("", ["no column ID"]),
    ],
)
def test_columns(tmp_path, header, words) -> None:
    refuses(table(tmp_path, *GOOD, header=header), *words)


def test_files(tmp_path, monkeypatch) -> None:
    refuses(tmp_path / "none.csv", "none.csv: there is no such file")
    refuses(tmp_path, "is not a file")
    refuses(table(tmp_path), "no rows")
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"ID,TIME,EVID\n\xff\xfe,0,0\n")
    refuses(binary, "UTF-8")
    binary.write_bytes(b"ID,TIME,EVID\n\x00,0,0\n")
    refuses(binary, "binary.csv")
    monkeypatch.setattr(number_table, "LARGEST_TABLE_BYTES", 50)
    refuses(table(tmp_path, *GOOD), "MB")


def test_what_other_programs_write_is_read(tmp_path) -> None:
    path = tmp_path / "events.csv"
    text = 'ID,TIME,EVID,"AMT",CMT,DV,MDV\r\n3, 0 ,1,1e2,2.0,.,1\r\n\r\n3,1.0,0,.,.,5.5,0\r\n'
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    records = read_event_records(path, STATES)
    assert records.ids.tolist() == [3]
    assert records.amount.tolist() == [100, 0]
    assert records.state.tolist() == [1, -1]
    assert records.line.tolist() == [2, 4]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ID,clearance\n1,1\n2,nan\n", [":3: ", "clearance is 'nan'"]),
        ("ID,clearance\n1,1\n2,\n", [":3: ", "clearance is empty"]),
        ("ID,clearance\n1,1\n2,2\n1,3\n", [":4: ", "ID 1 is given twice"]),
        ("ID,clearance\n1,1\n", ["no row for ID 2"]),
        ("ID,clearance\n1,1\n2,1\n3,1\n", [":4: ", "ID 3"]),
        ("ID,weight\n1,1\n2,1\n", [":1: ", "'weight'", "clearance"]),
        ("clearance\n1\n2\n", ["no column ID"]),
    ],
)
def test_parameter_tables(tmp_path, oral_drug, text, words) -> None:
    path = tmp_path / "parameters.csv"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        read_parameter_values(path, oral_drug, np.array([1, 2]))
    for word in ["parameters.csv", *words]:
        assert word in str(error.value)


def test_parameters_are_matched_by_id(tmp_path, oral_drug) -> None:
    path = tmp_path / "parameters.csv"
    path.write_text("clearance,ID\n7,2\n5,1\n")
    values = read_parameter_values(path, oral_drug, np.array([1, 2]))
    assert {name: column.tolist() for name, column in values.items()} == {"clearance": [5, 7]}


def test_output_times(tmp_path) -> None:
    path = tmp_path / "times.csv"
    path.write_text("TIME\n0\n0.5\n7\n")
    assert read_times(path).tolist() == [0, 0.5, 7]
    assert even_times(2, 4).tolist() == [0, 0.5, 1, 1.5, 2]
    for text, word in [("0\n1\n", "'0'"), ("TIME\n1\n1\n", ":3: "), ("TIME\n-1\n", "-1")]:
        path.write_text(text)
        with pytest.raises(InputError, match=word):
            read_times(path)
    for duration, steps in [(0, 5), (-1, 5), (np.nan, 5), (np.inf, 5), (1, 0), (1, 10**9)]:
        with pytest.raises(InputError):
            even_times(duration, steps)


CHARACTERS = "0123456789.,-+eE\n\"' ;\tnaif_é\x00"


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), edits=st.integers(1, 6))
def test_mutated_tables_give_a_result_or_one_sentence(tmp_path_factory, seed, edits) -> None:
    """Characters and cells replaced, removed or doubled at random."""
    chance = random.Random(seed)
    lines = [
        *GOOD,
        record(2, 3, 4, AMT=5, CMT=2, RATE=-2, SS=1, II=8, LAGT=3),
        record(2, 9, 0),
    ]
    text = list("\n".join([HEADER, *lines]) + "\n")
    for _ in range(edits):
        place = chance.randrange(len(text))
        width = chance.choice([0, 1, 1, 5, 40])
        replacement = "".join(chance.choices(CHARACTERS, k=chance.choice([0, 1, 1, 3])))
        text[place : place + width] = replacement
    folder = tmp_path_factory.mktemp("mutated")
    events, out = folder / "events.csv", folder / "out.csv"
    events.write_text("".join(text))
    try:
        simulate_file(MODEL, events, out, outputs=["amount"])
    except InputError as error:
        assert "\n" not in str(error)
        assert [path.name for path in folder.iterdir()] == ["events.csv"]
    else:
        assert out.read_text().startswith("id,time,amount\n")
