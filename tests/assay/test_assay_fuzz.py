"""Damaged plate files are read or refused with one sentence, never with a traceback."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from assay_examples import GEN5, PLATER, SOFTMAX, WELLMAP, assay_frame
from hypothesis import given, settings
from hypothesis import strategies as st

from estradyn.assay.layout import read_layout
from estradyn.assay.readers import read_measurements
from estradyn.assay.readers.text import parse_clock, parse_number
from estradyn.assay.wells import parse_well, well_name
from estradyn.errors import InputError

KINETIC = """Software Version\t3
Plate Number\tPlate 1
Reader Type:\tx
Procedure Details
Read\tod
\tAbsorbance Endpoint
\tWavelengths:  600

od:600

Time\tT od:600\tA1\tA2\tB1
0:00:00\t37.0\t0.1\t0.2\t0.3
0:01:00\t37.0\t0.2\t0.3\t0.4
0:00:00\t\t\t\t
"""
TIDY = assay_frame(plates=1, times=(48.0,)).to_csv(index=False)
SEEDS = {
    "gen5.txt": GEN5,
    "kinetic.txt": KINETIC,
    "softmax.txt": SOFTMAX,
    "plater.csv": PLATER,
    "tidy.csv": TIDY,
    "map.toml": WELLMAP,
}
BITS = [
    b"\t", b",", b";", b"\n", b"\r\n", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"1e999", b"-",
    b"nan", b"OVRFLW", b"A1", b"Z99", b"0:00:00", b'"', b"Plate:", b"Plate Number", b"~End",
    b"\xb2", b"1\xc2\xb9", b"[", b"]", b"...", b"=", b"Time", b"Results", b"##BLOCKS", b"1,5",
    b"999999999",
]  # fmt: skip


def damaged(content: bytes, generator: np.random.Generator) -> bytes:
    data = bytearray(content)
    for _ in range(generator.integers(1, 6)):
        place = int(generator.integers(0, max(len(data), 1)))
        kind = generator.integers(0, 6)
        if kind == 0:
            data[place:place] = BITS[generator.integers(0, len(BITS))]
        elif kind == 1:
            del data[place : place + int(generator.integers(1, 40))]
        elif kind == 2 and data:
            data[min(place, len(data) - 1)] = int(generator.integers(0, 256))
        elif kind == 3:
            end = place + int(generator.integers(1, 80))
            data[place:place] = data[place:end]
        elif kind == 4:
            del data[place:]
        else:
            lines = bytes(data).split(b"\n")
            generator.shuffle(lines)
            data = bytearray(b"\n".join(lines))
    return bytes(data)


def survives(path: Path) -> bool:
    """Whether the file was read; refusal is an InputError of one line that names the file."""
    reader = read_layout if path.suffix == ".toml" else read_measurements
    outcomes = []
    for read in {reader, read_layout}:
        try:
            read(path)
            outcomes.append(True)
        except InputError as error:
            assert path.name in str(error)
            assert len(str(error)) < 900
            outcomes.append(False)
    return any(outcomes)


def run_damaged_files(count: int, folder: Path) -> list[bool]:
    generator = np.random.default_rng(5)
    names = list(SEEDS)
    read = []
    for i in range(count):
        name = names[i % len(names)]
        path = folder / name
        path.write_bytes(damaged(SEEDS[name].encode(), generator))
        read.append(survives(path))
    return read


def test_damaged_files(tmp_path: Path) -> None:
    read = run_damaged_files(600, tmp_path)
    # Damage must both be survived and be noticed, or the test says nothing.
    assert 50 < sum(read) < 550


@pytest.mark.slow
def test_five_thousand_damaged_files(tmp_path: Path) -> None:
    assert len(run_damaged_files(5000, tmp_path)) == 5000


@pytest.mark.parametrize("name", [*SEEDS])
def test_undamaged_seed_is_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(SEEDS[name])
    assert survives(path)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.txt"
    path.write_bytes(content)
    survives(path)


@pytest.mark.parametrize("text", [",", ";;\n;;", "\t\n", '""', '","', "well,signal\n", ",1\nA"])
def test_nearly_empty_tables(text: str, tmp_path: Path) -> None:
    path = tmp_path / "any.csv"
    path.write_text(text)
    survives(path)


@given(st.text(max_size=20))
def test_parsers_of_cells_never_raise_unasked(text: str) -> None:
    number = parse_number(text)
    assert number is None or isinstance(number, float)
    clock = parse_clock(text)
    assert clock is None or clock >= 0


@given(st.integers(0, 31), st.integers(0, 47))
def test_well_names_round_trip(row: int, column: int) -> None:
    assert parse_well(well_name(row, column)) == (row, column)
    assert parse_well(well_name(row, column).lower()) == (row, column)


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_numbers_with_point_or_comma(value: float) -> None:
    text = repr(value)
    assert parse_number(text) == value
    assert parse_number(text.replace(".", ",")) == value
