"""Reading study files: what is understood, and what is said of the rest."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from estradyn.errors import InputError
from estradyn.xenograft import (
    AnalysisSettings,
    VolumeFormula,
    analyze_study,
    check_study,
    read_study,
)
from estradyn.xenograft.study_table import study_from_frame
from estradyn.xenograft.volume import tumor_volume

GOOD = "animal,arm,day,volume_mm3,weight_g\nm1,vehicle,0,100,22\nm1,vehicle,7,150,21.5\n"


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "study.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_reads_volumes(tmp_path: Path) -> None:
    data = read_study(written(tmp_path, GOOD))
    assert data.measurements["volume_mm3"].tolist() == [100.0, 150.0]
    assert data.measurements["line"].tolist() == [2, 3]
    assert data.arms == ("vehicle",)


def test_units_are_in_the_column_names(tmp_path: Path) -> None:
    text = "mouse_id,group,time_d,volume_cm3,calcium_mg_per_dL\nm1,a,0,0.1,8.8\n"
    row = read_study(written(tmp_path, text)).measurements.iloc[0]
    assert row["volume_mm3"] == pytest.approx(100.0)
    assert row["calcium_mmol_per_L"] == pytest.approx(2.196, abs=0.001)


def test_dates_count_from_the_first_or_from_the_start_given(tmp_path: Path) -> None:
    text = "animal,arm,date,volume_mm3\nm1,a,2025-03-31,100\nm1,a,2025-04-07,120\n"
    path = written(tmp_path, text)
    assert read_study(path).measurements["day"].tolist() == [0.0, 7.0]
    later = read_study(path, start=date(2025, 4, 1))
    assert later.measurements["day"].tolist() == [-1.0, 6.0]


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (VolumeFormula.ELLIPSOID_MEAN, np.pi / 6 * 10 * 8 * 9),
        (VolumeFormula.HALF_LENGTH, 10 * 64 / 2),
        (VolumeFormula.ELLIPSOID, np.pi / 6 * 10 * 64),
    ],
)
def test_volume_formulas(formula: VolumeFormula, expected: float, tmp_path: Path) -> None:
    assert float(tumor_volume(10.0, 8.0, formula)) == pytest.approx(expected)
    assert float(tumor_volume(8.0, 10.0, formula)) == pytest.approx(expected)
    text = "animal,arm,day,length_mm,width_mm\nm1,a,0,10,8\n"
    data = read_study(written(tmp_path, text), formula=formula)
    assert data.measurements["volume_mm3"].iloc[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (GOOD.replace("150", "15O"), 3, ["volume_mm3", "'15O'", "number"]),
        (GOOD.replace("150", '"150,5"'), 3, ["volume_mm3", "decimal point"]),
        (GOOD.replace("150", "-5"), 3, ["volume_mm3", "-5", "0 to"]),
        (GOOD.replace("150", "1e999"), 3, ["volume_mm3"]),
        (GOOD.replace("150", "1_50"), 3, ["volume_mm3"]),
        (GOOD.replace("m1,vehicle,7", ",vehicle,7"), 3, ["animal", "empty"]),
        (GOOD.replace("7,150,21.5", "7,150"), 3, ["cells"]),
        (GOOD.replace("volume_mm3", "volume_mm"), 1, ["volume_mm", "volume_mm3"]),
        (GOOD.replace("volume_mm3", "volume"), 1, ["volume_mm3"]),
        (GOOD.replace("arm", "stratum"), 1, ["'arm'"]),
        (GOOD.replace("weight_g", "day"), 1, ["same quantity"]),
        (GOOD.replace(",", ";"), 1, ["commas"]),
        ("animal,arm,date,volume_mm3\nm1,a,31.03.2025,1\n", 2, ["date", "2025-03-31"]),
        (GOOD.encode() + b"m1,vehicle,14,\xff,20\n", 4, ["UTF-8"]),
        (GOOD + 'm1,vehicle,14,"1,20\n', 4, ["CSV"]),
    ],
)
def test_faults_name_line_and_cell(
    text: str | bytes, line: int, words: list[str], tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        read_study(written(tmp_path, text))
    assert caught.value.line == line
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("text", ["", "\n\n", "animal,arm,day,volume_mm3\n"])
def test_files_without_measurements_are_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        read_study(written(tmp_path, text))


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    for place in (tmp_path / "nothing.csv", tmp_path):
        with pytest.raises(InputError):
            read_study(place)


def test_a_frame_and_its_file_are_the_same_study(frame: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "study.csv"
    frame.to_csv(path, index=False)
    pd.testing.assert_frame_equal(
        read_study(path).measurements, study_from_frame(frame).measurements
    )


def mutated(text: bytes, places: list[tuple[float, int]], insert: bytes) -> bytes:
    result = bytearray(text)
    for share, byte in places:
        place = int(share * len(result))
        if byte < 256:
            result[place : place + 1] = bytes([byte])
        elif byte < 300:
            del result[place : place + byte - 250]
        else:
            result[place:place] = insert
    return bytes(result)


@pytest.fixture(scope="session")
def small_file(study: object) -> bytes:
    table = study.measurements  # type: ignore[attr-defined]
    some = table[table["animal"].isin(["M001", "M002", "M003", "M011", "M012", "M013"])]
    return some[some["day"] <= 35].round(3).to_csv(index=False).encode()


@settings(
    max_examples=250,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    places=st.lists(
        st.tuples(
            st.floats(0, 1), st.one_of(st.sampled_from(list(b'0,.\n"-e;9 \t')), st.integers(0, 310))
        ),
        max_size=8,
    ),
    insert=st.sampled_from([b"0", b",", b"\n", b"1e308", b"nan", b"vehicle", b"-1", b'"', b"\x00"]),
)
@example(places=[(0.5, 305)], insert=b"\x00")
def test_damaged_files_give_a_study_or_an_input_error(
    small_file: bytes, places: list[tuple[float, int]], insert: bytes, tmp_path: Path
) -> None:
    path = written(tmp_path, mutated(small_file, places, insert))
    understood_or_refused(path)


def understood_or_refused(path: Path) -> None:
    try:
        data = read_study(path)
        check_study(data)
    except InputError as error:
        assert "\n" not in str(error)
        return
    assert np.isfinite(data.measurements["day"]).all()


@pytest.mark.slow
def test_thousands_of_damaged_files(small_file: bytes, tmp_path: Path) -> None:
    generator = np.random.default_rng(11)
    alphabet = list(b'0123456789,.\n"-e;NaM \t\x00\xff')
    for _ in range(5000):
        places = [
            (float(generator.random()), int(generator.choice(alphabet)))
            if generator.random() < 0.7
            else (float(generator.random()), int(generator.integers(256, 311)))
            for _ in range(int(generator.integers(1, 12)))
        ]
        insert = bytes(generator.integers(0, 256, 3, dtype=np.uint8))
        understood_or_refused(written(tmp_path, mutated(small_file, places, insert)))


@pytest.mark.slow
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    rows=st.lists(
        st.tuples(
            st.floats(0, 1), st.sampled_from(["0", "", "1e-9", "99999", "1", "7", "SERM", "x"])
        ),
        min_size=1,
        max_size=40,
    )
)
def test_odd_cells_give_an_analysis_or_an_input_error(
    small_file: bytes, rows: list[tuple[float, str]], tmp_path: Path
) -> None:
    cells = [line.split(",") for line in small_file.decode().splitlines()]
    width = len(cells[0])
    for share, value in rows:
        place = int(share * (len(cells) - 1) * width)
        cells[1 + min(place // width, len(cells) - 2)][place % width] = value
    path = written(tmp_path, "\n".join(",".join(row) for row in cells) + "\n")
    try:
        analysis = analyze_study(read_study(path), AnalysisSettings())
    except InputError as error:
        assert "\n" not in str(error)
        return
    assert len(analysis.animals) >= 3
