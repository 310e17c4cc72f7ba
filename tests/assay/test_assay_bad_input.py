"""Bad input gives one sentence that names file and cell, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from assay_examples import DOSES, GEN5, SOFTMAX, WELLMAP, assay_frame, write_tidy
from typer.testing import CliRunner

from estradyn.assay import AnalysisOptions, analyze, load_assay, wells_from_frame, write_analysis
from estradyn.assay.layout import read_layout
from estradyn.assay.readers import read_measurements, select_read
from estradyn.cli.assay import commands
from estradyn.errors import InputError

QUICK = AnalysisOptions(simulations=0)


def spoiled(change: Callable[[pd.DataFrame], pd.DataFrame]) -> pd.DataFrame:
    return change(assay_frame(plates=1, times=(48.0,)).copy())


def set_cells(frame: pd.DataFrame, rows: pd.Series, **values: object) -> pd.DataFrame:
    for column, value in values.items():
        frame[column] = frame[column].astype(object)
        frame.loc[rows, column] = value
    return frame


CASES: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "missing blanks": (lambda f: f[f["role"] != "blank"], "no blank well.*--blanks none"),
    "missing vehicle": (lambda f: f[f["role"] != "vehicle"], "no vehicle well"),
    "dose 0 on a log axis": (
        lambda f: set_cells(f, f["dose"] == DOSES[0], dose=0.0),
        r"well [A-H]\d+.*dose 0 has no place on a logarithmic axis",
    ),
    "text in numbers": (
        lambda f: set_cells(f, f.index == 20, signal="about 0.5"),
        r"well [A-H]\d+.*'about 0.5' where a number is expected",
    ),
    "text in doses": (
        lambda f: set_cells(f, f.index == 20, dose="high"),
        r"well [A-H]\d+.*dose 'high' is not a number",
    ),
    "negative dose": (
        lambda f: set_cells(f, f.index == 20, dose="-1e-9"),
        r"well [A-H]\d+.*dose '-1e-9' is not a number of 0 or more",
    ),
    "fewer than 4 doses": (
        lambda f: f[f["dose"].isin([0.0, *DOSES[:3]])],
        r"no dose series can be fitted \(drug, MCF-7, MTT, 48 h: 3 doses",
    ),
    "all wells equal": (
        lambda f: set_cells(f, f["dose"] >= 0, signal=0.5),
        "all 60 wells of plate '48h-0' read 0.5",
    ),
    "unknown role": (
        lambda f: set_cells(f, f.index == 20, role="tretment"),
        r"well [A-H]\d+.*role 'tretment' is not one of",
    ),
    "no drug name": (
        lambda f: set_cells(f, f.index == 20, drug=""),
        r"well [A-H]\d+.*a dose without the name of a drug",
    ),
    "vehicle darker than blank": (
        lambda f: set_cells(f, f["role"] == "vehicle", signal=0.01),
        "not brighter than its blanks",
    ),
    "no such well": (lambda f: set_cells(f, f.index == 3, well="Q99"), "'Q99' is not a well"),
    "well twice": (
        lambda f: set_cells(f, f.index == 3, well=f["well"].iloc[4]),
        r"well [A-H]\d+.* is read twice",
    ),
    "two readouts on a plate": (
        lambda f: set_cells(f, f.index > 20, readout="BrdU"),
        "mixes readout MTT and BrdU",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_table_is_refused_by_the_command(case: str, tmp_path: Path) -> None:
    change, words = CASES[case]
    path = write_tidy(spoiled(change), tmp_path / "assay.csv")
    with pytest.raises(InputError, match=words) as caught:
        analyze(load_assay([path])[0], QUICK)
    assert "assay.csv" in str(caught.value)
    outcome = CliRunner().invoke(
        commands, ["analyze", str(path), "--out", str(tmp_path / "out"), "--simulations", "0"]
    )
    assert isinstance(outcome.exception, InputError)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["assay.csv"]


def test_semicolons_and_decimal_commas_are_read(tmp_path: Path) -> None:
    frame = assay_frame(plates=1, times=(48.0,))
    path = tmp_path / "assay.csv"
    frame.to_csv(path, index=False, sep=";", decimal=",", encoding="latin-1")
    wells, _ = load_assay([path])
    pd.testing.assert_series_equal(wells["signal"], frame["signal"], check_exact=False)
    pd.testing.assert_series_equal(wells["dose"], frame["dose"], check_exact=False)


def test_decimal_commas_between_commas_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "assay.csv"
    path.write_text("well,role,signal\nA1,blank,0,05\n")
    with pytest.raises(InputError, match=r"assay.csv:2: .*decimal comma"):
        read_measurements(path)


def test_spaces_between_cells_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "assay.csv"
    path.write_text("well role signal\nA1 blank 0.05\n")
    with pytest.raises(InputError, match="separate the cells with commas, semicolons or tabs"):
        read_measurements(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1"])
@pytest.mark.parametrize("text", [GEN5, SOFTMAX])
def test_encodings_decimal_commas_and_line_ends(encoding: str, text: str, tmp_path: Path) -> None:
    plain, odd = tmp_path / "plain.txt", tmp_path / "odd.txt"
    plain.write_text(text)
    # The header of a plate block keeps its version number: only raw values carry commas.
    lines = [
        line if line.startswith("Plate:") else line.replace("0.", "0,").replace("1.", "1,")
        for line in text.split("\n")
    ]
    odd.write_bytes("\r\n".join(lines).encode(encoding))
    expected, found = read_measurements(plain), read_measurements(odd)
    pd.testing.assert_series_equal(expected["value"], found["value"])
    assert list(expected["flag"]) == list(found["flag"])


def test_plate_that_disagrees_with_its_map(tmp_path: Path) -> None:
    data, layout = tmp_path / "day.txt", tmp_path / "map.toml"
    data.write_text(GEN5)
    layout.write_text(WELLMAP + "\n[well.H12]\nrole='vehicle'\n")
    with pytest.raises(InputError, match=r"day.txt: plate 'Plate 1' has no well H12.*vehicle"):
        load_assay([data], layout=layout)


def test_plates_and_names_on_the_map_must_meet(tmp_path: Path) -> None:
    data, layout = tmp_path / "day.txt", tmp_path / "map.csv"
    data.write_text(GEN5)
    layout.write_text("plate,well,role\nother,A1,blank\n")
    with pytest.raises(InputError, match="plate 'Plate 1' is not on the plate map"):
        load_assay([data], layout=layout)
    layout.write_text("plate,well,role\nPlate 1,A1,blank\nother,A1,blank\n")
    with pytest.raises(InputError, match="describes plate 'other', which no data file holds"):
        load_assay([data], layout=layout)


def test_export_without_a_map_is_refused(tmp_path: Path) -> None:
    data = tmp_path / "day.txt"
    data.write_text(GEN5)
    with pytest.raises(InputError, match=r"day\.txt: .*--layout"):
        load_assay([data])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("0.910\t1.050", "0.910\thello"), "well B4 of plate 'Plate 1' holds 'hello'"),
        (("0.910\t1.050", "1.050"), "row B of plate 'Plate 1' has 5 wells where the header has 6"),
        (("mtt:570", "Blank mtt:570"), "no result table"),
        (("\t", ","), "no result table|plate 'Plate 1'"),
    ],
)
def test_damaged_gen5_export(change: tuple[str, str], words: str, tmp_path: Path) -> None:
    path = tmp_path / "day.txt"
    path.write_text(GEN5.replace(*change))
    with pytest.raises(InputError, match=words):
        read_measurements(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("1.200", "abc"), "well B5 of plate 'Plate1' holds 'abc'"),
        (("~End", ""), "no ~End"),
        (("PlateFormat", "OtherFormat"), "does not declare"),
        (("\t\t0.050\t0.051\t1.100\t0.450\t0.300\t0.100\n", ""), "3 rows where 4 are declared"),
        (("Endpoint", "Spectrum"), "type 'Spectrum'"),
    ],
)
def test_damaged_softmax_export(change: tuple[str, str], words: str, tmp_path: Path) -> None:
    path = tmp_path / "day.txt"
    path.write_text(SOFTMAX.replace(*change))
    with pytest.raises(InputError, match=words):
        read_measurements(path)


def test_several_reads_need_a_choice(tmp_path: Path) -> None:
    text = GEN5.replace("Wavelengths:  570", "Wavelengths:  570, 690")
    lines = []
    for line in text.split("\n"):
        lines.append(line)
        if line.endswith("mtt:570"):
            lines.append("\t" + "\t".join(["0.04"] * 6) + "\tmtt:690")
    path = tmp_path / "day.txt"
    path.write_text("\n".join(lines))
    reads = read_measurements(path)
    with pytest.raises(InputError, match=r"2 reads \(1 = mtt:570; 2 = mtt:690\); name one"):
        select_read(reads)
    assert (select_read(reads, read="690")["signal"] == 0.04).all()
    assert select_read(reads, read="mtt:570")["signal"].max() == 1.25


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[well.A1", "not valid TOML"),
        ("[plates.x]\na=1", "section 'plates'; allowed"),
        ("[well.'A1,...']\nrole='blank'", "is no pattern"),
        ("[block.2.A1]\nrole='blank'", "width and height"),
        ("[block.2x60.A1]\nrole='blank'", "block.2x60"),
        ("[well]\nA1 = 3", "must be a table"),
        ("[well.A1]\nrole='sample'\ndrug='d'\ndose='x'", "well A1: dose 'x'"),
    ],
)
def test_damaged_wellmap(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "map.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        read_layout(path)


def test_failure_while_writing_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = analyze(wells_from_frame(assay_frame(plates=1, times=(48.0,))), QUICK)

    def fail(*_: object) -> None:
        raise RuntimeError("drawing failed")

    monkeypatch.setattr("estradyn.assay.output.report_page", fail)
    with pytest.raises(RuntimeError):
        write_analysis(result, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_full_folder_is_not_replaced_unasked(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    result = analyze(wells_from_frame(assay_frame(plates=1, times=(48.0,))), QUICK)
    with pytest.raises(InputError, match=r"notes\.txt"):
        write_analysis(result, tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"
