"""From plates to report: what an analysis finds, writes and says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from assay_examples import (
    DOSES,
    GEN5,
    PLATER,
    WELLMAP,
    assay_frame,
    biphasic,
    plate_frame,
    write_tidy,
)
from typer.testing import CliRunner

from estradyn.assay import (
    AnalysisOptions,
    AssayResult,
    analyze,
    landmarks_table,
    load_assay,
    numbers_table,
    wells_from_frame,
    write_analysis,
)
from estradyn.assay.antagonism import fit_antagonism, gaddum_response
from estradyn.assay.layout import read_layout
from estradyn.assay.normalise import normalise
from estradyn.cli.assay import commands
from estradyn.errors import InputError

QUICK = AnalysisOptions(simulations=99, bootstrap=100)


@pytest.fixture(scope="module")
def result() -> AssayResult:
    return analyze(wells_from_frame(assay_frame(times=(0.0, 24.0, 48.0))), QUICK)


def test_the_zone_is_found_where_it_is(result: AssayResult) -> None:
    table = landmarks_table(result)
    single = table[(table["analysis"] == "single") & (table["time_h"] == 48)]
    rows = single.set_index("quantity")
    assert all(curve.choice.biphasic for curve in result.curves)
    truth = {"limiting_dose": 1.42e-7, "ed50": 3.38e-7}
    for name, value in truth.items():
        assert rows.loc[name, "lower"] < value < rows.loc[name, "upper"]
    grid = np.geomspace(1e-10, 1e-6, 2000)
    height = biphasic(grid).max()
    assert rows.loc["peak_percent", "lower"] < height < rows.loc["peak_percent", "upper"]
    assert rows.loc["peak_percent", "lower"] > 120


def test_every_number_is_tidy(result: AssayResult) -> None:
    table = numbers_table(result)
    key = ["drug", "agonist_dose", "time_h", "analysis", "curve", "quantity"]
    assert not table.duplicated(key).any()
    for name in ("stimulation_bootstrap_p", "lack_of_fit_p", "aicc", "residual_sd"):
        assert (table["quantity"] == name).any()
    assert (table["quantity"] == "limiting_dose_bootstrap").sum() == 2
    assert (table["analysis"] == "joint").any()


def test_times_that_share_their_doses_are_not_told_apart(result: AssayResult) -> None:
    assert len(result.joint) == 1
    assert result.joint[0].p_value > 0.001
    narrow = {i.landmark.name: i for i in result.joint[0].intervals if i.group == 0}
    wide = {i.landmark.name: i for i in result.curves[0].intervals}
    for name in ("limiting_dose", "ed50"):
        joint = np.log(narrow[name].upper[0] / narrow[name].lower[0])
        assert joint < np.log(wide[name].upper[0] / wide[name].lower[0])


def test_workers_do_not_change_a_number(result: AssayResult) -> None:
    options = AnalysisOptions(simulations=99, bootstrap=100, workers=2)
    again = analyze(wells_from_frame(assay_frame(times=(0.0, 24.0, 48.0))), options)
    pd.testing.assert_frame_equal(numbers_table(result), numbers_table(again))


def test_readouts_are_never_pooled() -> None:
    frames = [plate_frame("m1", 48.0, 1), plate_frame("m2", 48.0, 2)]
    frames += [
        plate_frame("b1", 48.0, 3).assign(readout="BrdU"),
        plate_frame("b2", 48.0, 4).assign(readout="BrdU"),
    ]
    found = analyze(wells_from_frame(pd.concat(frames)), AnalysisOptions(simulations=0))
    assert [curve.series.key.readout for curve in found.curves] == ["BrdU", "MTT"]
    assert all(len(curve.replicates.table) == 2 * 10 for curve in found.curves)


def test_monotone_plates_have_no_zone() -> None:
    frame = pd.concat([plate_frame(f"p{i}", 48.0, i, zone=False) for i in range(3)])
    found = analyze(wells_from_frame(frame), AnalysisOptions(simulations=199))
    assert not found.curves[0].choice.biphasic
    marks = {i.landmark.name: i for i in found.curves[0].intervals}
    assert "peak_dose" not in marks
    assert marks["ed50"].lower[0] < 1e-7 < marks["ed50"].upper[0]


def test_proportional_scatter_is_an_option() -> None:
    wells = wells_from_frame(assay_frame(times=(48.0,)))
    options = AnalysisOptions(simulations=0, error="proportional")
    found = analyze(wells, options).curves[0]
    table = found.replicates.table
    high = table.loc[table["response"].idxmax(), "dose"]
    data = found.choice.chosen.data
    weight = dict(zip(data.dose, data.weight[0], strict=True))
    assert weight[max(DOSES)] > weight[high]


def test_report_stands_alone_and_files_agree(result: AssayResult, tmp_path: Path) -> None:
    report = write_analysis(result, tmp_path / "out", title="Plates <1>")
    html = report.read_text(encoding="utf-8")
    assert "Plates &lt;1&gt;" in html
    assert "For research use only" in html
    assert not re.search(r"(src|href)=\"(?!#)", html)
    assert "<script" not in html and "@import" not in html
    assert html.count("<svg") == html.count("<figure")
    folder = tmp_path / "out"
    for name in (
        "numbers",
        "landmarks",
        "curves",
        "replicates",
        "growth_rates",
        "wells",
        "quality",
    ):
        assert len(pd.read_csv(folder / f"{name}.csv")) > 0
    drawings = {path.stem for path in (folder / "figures").glob("*.svg")}
    assert drawings == {path.stem for path in (folder / "figures").glob("*.png")}
    assert {"plates", "curve-1", "zone-1", "residuals-1", "growth-rate"} <= drawings
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_command_writes_a_report_and_ends_with_one_line(tmp_path: Path) -> None:
    path = write_tidy(assay_frame(plates=2, times=(48.0,)), tmp_path / "assay.csv")
    arguments = ["analyze", str(path), "--out", str(tmp_path / "out"), "--simulations", "99"]
    outcome = CliRunner().invoke(commands, [*arguments, "--workers", "1"])
    assert outcome.exit_code == 0, outcome.output
    assert outcome.output.count("\n") == 1
    assert "1 curves on 2 plates, 1 with a stimulation zone" in outcome.output
    again = CliRunner().invoke(commands, [*arguments, "--workers", "1"])
    assert again.exit_code == 0, "an earlier analysis is replaced"
    (tmp_path / "out" / "notes.txt").write_text("mine")
    refused = CliRunner().invoke(commands, [*arguments, "--workers", "1"])
    assert isinstance(refused.exception, InputError)


def test_gen5_export_with_a_wellmap_layout(tmp_path: Path) -> None:
    (tmp_path / "day2.txt").write_text(GEN5)
    (tmp_path / "map.toml").write_text(WELLMAP)
    wells, notes = load_assay([tmp_path / "day2.txt"], layout=tmp_path / "map.toml")
    rows = wells.set_index("well")
    assert notes == []
    assert rows.loc["A1", "role"] == "blank"
    assert rows.loc["A6", "dose"] == pytest.approx(1e-7)
    assert rows.loc["C5", "dose"] == pytest.approx(3e-6)
    assert rows.loc["D6", "flag"] == "OVRFLW"
    assert np.isnan(rows.loc["D6", "signal"])
    assert (wells["time_h"] == 48).all()


def test_plater_file_is_its_own_map(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(PLATER)
    wells, _ = load_assay([tmp_path / "p.csv"])
    rows = wells.set_index("well")
    assert rows.loc["A3", "dose"] == pytest.approx(1e-8)
    assert rows.loc["B3", "signal"] == 0.4
    assert rows.loc["A2", "role"] == "vehicle"


def test_wellmap_patterns_blocks_and_plates(tmp_path: Path) -> None:
    path = tmp_path / "map.toml"
    path.write_text(
        """
        [expt]
        role = 'sample'
        drug = 'd'
        [block.2x3.'A1,A5']
        dose = '1 nM'
        [well.'H1,H3,...,H7']
        dose = '2 nM'
        [plate.one]
        time_h = 24
        [plate.two]
        time_h = 48
        [plate.two.well.A1]
        dose = '9 nM'
        """
    )
    layout = read_layout(path)
    one, two = (layout[layout["plate"] == name].set_index("well") for name in ("one", "two"))
    blocks = [f"{row}{column}" for row in "ABC" for column in (1, 2, 5, 6)]
    assert set(one.index) == {*blocks, "H1", "H3", "H5", "H7"}
    assert (one["time_h"] == 24).all() and (two["time_h"] == 48).all()
    assert one.loc["A1", "dose"] == pytest.approx(1e-9)
    assert two.loc["A1", "dose"] == pytest.approx(9e-9)
    assert two.loc["H5", "dose"] == pytest.approx(2e-9)


def agonist_plate(kb: float, seed: int) -> pd.DataFrame:
    """Agonist at 7 doses without and with two doses of a competitive drug."""
    generator = np.random.default_rng(seed)
    agonist = [0.0, 1e-13, 1e-12, 3e-12, 1e-11, 3e-11, 1e-10, 1e-9]
    rows = [(a, b) for b in (0.0, 1e-8, 1e-7) for a in agonist if a > 0 or b == 0]
    rows = [row for row in rows for _ in range(3)]
    dose = np.array([b for _, b in rows])
    response = gaddum_response(
        np.array([a for a, _ in rows]),
        dose,
        bottom=100.0,
        top=220.0,
        log_ec50=np.log(5e-12),
        log_slope=0.0,
        log_kb=np.log(kb),
    )
    role = ["vehicle" if a == 0 and b == 0 else "sample" for a, b in rows]
    frame = pd.DataFrame(
        {
            "role": role,
            "agonist_dose": [a for a, _ in rows],
            "dose": dose,
            "drug": np.where(dose > 0, "blocker", ""),
            "signal": 0.05 + response / 100 * (1 + 0.03 * generator.standard_normal(len(rows))),
        }
    )
    blanks = pd.DataFrame({"role": ["blank"] * 4, "signal": [0.05, 0.051, 0.049, 0.05]})
    table = pd.concat([frame, blanks], ignore_index=True)
    table[["dose", "agonist_dose"]] = table[["dose", "agonist_dose"]].fillna(0.0)
    table["well"] = [f"{'ABCDEFGH'[i // 12]}{i % 12 + 1}" for i in range(len(table))]
    return table.assign(plate=f"p{seed}", time_h=48.0)


def test_shift_of_the_agonist_gives_the_affinity() -> None:
    frame = pd.concat([agonist_plate(2e-9, seed) for seed in range(3)])
    wells, _ = normalise(wells_from_frame(frame))
    results, notes = fit_antagonism(wells)
    assert notes == []
    shift = results[0]
    assert shift.kb_lower < 2e-9 < shift.kb_upper
    assert shift.kb_upper / shift.kb_lower < 3
    assert shift.ec50 == pytest.approx(5e-12, rel=0.15)
    assert shift.schild_slope == pytest.approx(1.0, abs=0.25)
    ratio = shift.shifts.set_index("dose")["dose_ratio"]
    assert ratio[1e-8] == pytest.approx(1 + 1e-8 / shift.kb)


def test_shift_is_refused_with_a_reason() -> None:
    frame = agonist_plate(2e-9, 1)
    frame = frame[(frame["dose"] > 0) | frame["agonist_dose"].isin([0.0, 1e-9])]
    wells, _ = normalise(wells_from_frame(frame))
    results, notes = fit_antagonism(wells)
    assert results == []
    assert "found 1" in notes[0]


def test_example_of_the_documentation_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "assay.md").read_text(encoding="utf-8")
    example = page.split("```python\n")[1].split("```")[0]
    exec(compile(example, "docs/assay.md", "exec"), {"__name__": "example"})
    printed = capsys.readouterr().out
    assert "limiting_dose" in printed
    assert "Stimulation is supported" in printed


@pytest.mark.slow
def test_half_a_thousand_wells_at_four_times_in_bounded_time() -> None:
    import time

    frames = []
    for hours in (24.0, 48.0, 72.0, 96.0):
        for quarter in range(4):
            part = plate_frame("x", hours, int(hours) + quarter)
            part["well"] = [
                f"{w[0]}{int(w[1:]) + 12 * (quarter % 2)}"
                if quarter < 2
                else f"{chr(ord(w[0]) + 8)}{int(w[1:]) + 12 * (quarter % 2)}"
                for w in part["well"]
            ]
            frames.append(part.assign(plate=f"{hours:g}"))
    wells = wells_from_frame(pd.concat(frames))
    started = time.process_time()
    analyze(wells, AnalysisOptions(bootstrap=500))
    # One process and its own time: other work on the machine does not count.
    assert time.process_time() - started < 40
