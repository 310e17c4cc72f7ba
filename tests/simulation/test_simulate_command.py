"""`estradyn simulate` from its arguments to the file it writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from event_lines import HEADER, record
from typer.testing import CliRunner

from estradyn.cli.application import application
from estradyn.model import load_parameters

MODEL = str(Path(__file__).with_name("oral_drug.ant"))
LINES = [
    record(2, 0, 1, AMT=100, CMT="amount"),
    record(2, 5, 0),
    record(1, 0, 1, AMT=100, CMT=2, ADDL=1, II=10),
    record(1, 5, 0),
    record(1, 12, 0),
]


@pytest.fixture
def events(tmp_path, monkeypatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("events.csv").write_text("\n".join([HEADER, *LINES]) + "\n")
    return "events.csv"


def simulate(*arguments: str) -> str:
    result = CliRunner().invoke(application, ["simulate", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def refuses(*arguments: str, word: str) -> None:
    before = sorted(path.name for path in Path().iterdir())
    result = CliRunner().invoke(application, ["simulate", *arguments])
    assert result.exit_code == 2
    assert word in result.stderr
    assert result.stderr.count("\n") == 1
    assert sorted(path.name for path in Path().iterdir()) == before


def test_observations_say_when(events) -> None:
    said = simulate(MODEL, "--doses", events, "--outputs", "concentration,depot", "--out", "o.csv")
    assert said.startswith("Wrote o.csv: 2 patients, 3 rows")
    table = pd.read_csv("o.csv")
    assert list(table.columns) == ["id", "time", "concentration", "depot"]
    assert table["id"].tolist() == [2, 1, 1]
    assert table["time"].tolist() == [5, 5, 12]
    level = 5000 * np.exp(-0.055 * np.array([5, 5, 12]))
    level[2] += 5000 * np.exp(-0.055 * 2)
    np.testing.assert_allclose(table["concentration"], level, rtol=1e-5)


def test_parquet_holds_what_csv_holds(events) -> None:
    for name in ("o.csv", "o.parquet"):
        simulate(MODEL, "--doses", events, "--duration", "20", "--steps", "8", "--out", name)
    columns = pd.read_parquet("o.parquet")
    text = pd.read_csv("o.csv", float_precision="round_trip")
    pd.testing.assert_frame_equal(text, columns, check_dtype=False, check_exact=True)
    assert columns["time"].tolist() == [*np.arange(0, 21, 2.5)] * 2
    assert list(columns.columns[2:]) == [
        *("depot", "amount"),
        *("concentration", "absorption", "elimination"),
    ]


def test_times_and_parameters_from_files(events) -> None:
    Path("times.csv").write_text("TIME\n0\n3\n")
    Path("p.csv").write_text("ID,clearance\n1,2.2\n2,0\n")
    options = ["--times", "times.csv", "--parameters", "p.csv", "--outputs", "amount"]
    simulate(MODEL, "--doses", events, *options, "--out", "o.csv")
    table = pd.read_csv("o.csv").set_index(["id", "time"])["amount"]
    np.testing.assert_allclose(table[1], [100, 100 * np.exp(-0.33)], rtol=1e-5)
    np.testing.assert_allclose(table[2], [100, 100], rtol=1e-12)


def test_shipped_models_have_the_values_of_their_tables(events) -> None:
    Path("nothing.csv").write_text("ID,TIME,EVID\n1,0,2\n")
    grid = ["--duration", "24", "--steps", "2"]
    outputs = ["--outputs", "hdl_turnover_rate,hdl"]
    simulate("lipids", "--doses", "nothing.csv", *grid, *outputs, "--out", "o.csv")
    value = load_parameters("lipids").by_name["hdl_turnover_rate"].value
    table = pd.read_csv("o.csv")
    assert (table["hdl_turnover_rate"] == value).all()
    assert np.isfinite(table).all(axis=None)


def test_failed_patients_are_told_and_written_as_nan(events) -> None:
    Path("p.csv").write_text("ID,central\n1,20\n2,0\n")
    arguments = [MODEL, "--doses", events, "--parameters", "p.csv", "--out", "o.csv"]
    result = CliRunner().invoke(application, ["simulate", *arguments])
    assert result.exit_code == 1
    assert "1 of 2 patients" in result.stderr
    assert "ID 2 (" in result.stderr
    table = pd.read_csv("o.csv").set_index("id")
    assert table.loc[2].drop("time").isna().all()
    assert table.loc[1].notna().all().all()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--out", "o.txt"], "'.txt'"),
        (["--out", "none/o.csv"], "folder that exists"),
        (["--out", "events.csv"], "may not be replaced"),
        (["--out", "o.csv", "--outputs", "depot,liver"], "no output 'liver'"),
        (["--out", "o.csv", "--outputs", "depot,depot"], "twice"),
        (["--out", "o.csv", "--outputs", "time"], "'time'"),
        (["--out", "o.csv", "--duration", "5"], "--steps"),
        (["--out", "o.csv", "--duration", "-5", "--steps", "2"], "-5"),
        (["--out", "o.csv", "--duration", "5", "--steps", "2", "--times", "t.csv"], "not both"),
        (["--out", "o.csv", "--times", "t.csv"], "t.csv"),
        (["--out", "o.csv", "--parameters", "p.csv"], "p.csv"),
    ],
)
def test_bad_options(events, options, word) -> None:
    refuses(MODEL, "--doses", events, *options, word=word)


def test_bad_models_and_tables(events) -> None:
    refuses("no_model", "--doses", events, "--out", "o.csv", word="no_model")
    refuses("none.ant", "--doses", events, "--out", "o.csv", word="none.ant")
    refuses(MODEL, "--doses", "none.csv", "--out", "o.csv", word="none.csv")
    Path("bare.ant").write_text("model bare()\n amount = 0; amount' = -k * amount;\nend\n")
    Path("one.csv").write_text("\n".join([HEADER, record(1, 0, 0)]))
    refuses("bare.ant", "--doses", "one.csv", "--out", "o.csv", word="'k' has no value")
    table = "\n".join([HEADER, record(1, 0, 1, AMT=1, CMT=1)])
    Path("unseen.csv").write_text(table)
    refuses(MODEL, "--doses", "unseen.csv", "--out", "o.csv", word="EVID 0")


def test_a_model_of_its_own_events_takes_plain_doses(events) -> None:
    Path("own.ant").write_text(
        "model own()\n depot = 0; amount = 0; amount' = -0.055 * amount;\n"
        " at time > 3: depot = 1;\nend\n"
    )
    simulate("own.ant", "--doses", events, "--outputs", "depot", "--out", "o.csv")
    assert pd.read_csv("o.csv")["depot"].tolist() == [1, 1, 1]
    Path("reset.csv").write_text("\n".join([HEADER, *LINES, record(1, 13, 3), record(1, 14, 0)]))
    refuses("own.ant", "--doses", "reset.csv", "--out", "p.csv", word="events of its own")
