"""Simulated plates: read back by the analysis, with a truth that it recovers."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from estradyn.assay import AnalysisOptions, analyze, load_assay, wells_from_frame
from estradyn.assay.plan import AssayDesign
from estradyn.assay.simulate import simulate_plates, true_series, write_simulation, zone_power
from estradyn.assay.simulate.cell_lines import find_cell_line
from estradyn.assay.simulate.compounds import find_compound
from estradyn.assay.tables import landmarks_table
from estradyn.cli.assay import commands
from estradyn.errors import InputError

GOOD = {
    "cell_line": "MCF-7",
    "readout": "MTT",
    "drug": {
        "name": "Toremifene",
        "top_dose": "1 uM",
        "dilution_factor": 3.162,
        "doses": 8,
        "stock": "10 mM",
        "expected_peak": "20 nM",
    },
    "agonist": {"name": "17β-estradiol", "positive_control": "1 nM", "stock": "10 uM"},
    "replicates": 3,
    "plates_per_time": 4,
    "times_h": [96],
}


def design(**changes: object) -> AssayDesign:
    return AssayDesign.model_validate({**GOOD, **changes})


def drug(**changes: object) -> dict[str, object]:
    return {**GOOD["drug"], **changes}  # type: ignore[dict-item]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "design.yaml"
    with path.open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(GOOD, file)
    return path


def test_the_same_seed_gives_the_same_plates() -> None:
    first = simulate_plates(design(), seed=5)
    pd.testing.assert_frame_equal(first, simulate_plates(design(), seed=5, workers=2))
    assert not first["signal"].equals(simulate_plates(design(), seed=6)["signal"])


def test_the_analysis_recovers_the_truth() -> None:
    plan = design()
    truth = next(one for one in true_series(plan) if one.agonist_dose == 0)
    kept = {"peak_percent": 0, "limiting_dose": 0}
    zones = 0
    seeds = range(3)
    for seed in seeds:
        result = analyze(
            wells_from_frame(simulate_plates(plan, seed=seed)), AnalysisOptions(simulations=39)
        )
        table = landmarks_table(result).query("analysis == 'single'").set_index("quantity")
        zones += result.curves[0].choice.biphasic
        for name in kept:
            if name in table.index:
                row = table.loc[name]
                kept[name] += bool(row["lower"] <= getattr(truth, name) <= row["upper"])
    assert zones == len(seeds)
    # Of three intervals of 95 %, two or more hold the truth in 99 % of cases.
    assert min(kept.values()) >= 2


def test_the_folder_is_analysed_as_it_is(written: Path, tmp_path: Path) -> None:
    out = tmp_path / "simulated"
    outcome = CliRunner().invoke(
        commands, ["simulate", str(written), "--out", str(out), "--seed", "3"]
    )
    assert outcome.exit_code == 0, outcome.output
    assert "true peak 125 % of vehicle at 15." in outcome.output
    assert json.loads((out / "simulation.json").read_text())["seed"] == 3
    assert (out / "simulated.svg").read_text().startswith("<svg")
    truth = pd.read_csv(out / "truth.csv")
    assert list(truth["time_h"]) == [96]
    wells, notes = load_assay([out / "wells.csv"])
    by_map, _ = load_assay([out / "wells.csv"], layout=out / "layout.toml")
    assert notes == []
    assert set(wells["role"]) == {"blank", "vehicle", "positive_control", "sample"}
    columns = ["plate", "well", "role", "dose", "agonist_dose"]
    pd.testing.assert_frame_equal(
        wells[columns].sort_values(["plate", "well"], ignore_index=True),
        by_map[by_map["role"] != "empty"][columns].sort_values(
            ["plate", "well"], ignore_index=True
        ),
        rtol=1e-5,
    )
    result = CliRunner().invoke(
        commands,
        [
            *("analyze", str(out / "wells.csv"), "--out", str(tmp_path / "analysis")),
            *("--simulations", "99", "--workers", "1"),
        ],
    )
    assert result.exit_code == 0, result.output
    assert "1 with a stimulation zone" in result.output


def test_wells_scatter_as_their_assay_does() -> None:
    few = drug(doses=4, dilution_factor=10)
    found = {}
    for line in ("MCF-7", "T47D"):
        plan = design(cell_line=line, drug=few, vehicle_wells=30, plates_per_time=12)
        plates = simulate_plates(plan, seed=1)
        net = plates["signal"] - plates.loc[plates["role"] == "blank", "signal"].mean()
        vehicle = plates[(plates["role"] == "vehicle") & (plates["time_h"] == 0)]
        groups = net[vehicle.index].groupby(vehicle["plate"])
        found[line] = (groups.std() / groups.mean()).mean(), groups.mean().std() / net.mean()
    assert found["MCF-7"][0] == pytest.approx(0.083, rel=0.3)
    assert found["MCF-7"][1] > 2 * found["T47D"][1]


def test_readouts_differ() -> None:
    heights = {
        readout: next(iter(true_series(design(readout=readout, times_h=[24])))).percent
        for readout in ("MTT", "BrdU")
    }
    assert heights["BrdU"].max() > heights["MTT"].max() + 2.0
    counts = simulate_plates(design(readout="count"), seed=1)
    assert (counts.loc[counts["role"] == "blank", "signal"] == 0).all()
    assert counts["signal"].max() > 1e4


def test_edge_wells_lose_signal() -> None:
    plates = simulate_plates(design(edge_wells=True, vehicle_wells=60, readout="count"), seed=2)
    vehicle = plates[(plates["role"] == "vehicle") & (plates["time_h"] == 96)]
    rim = vehicle["well"].str.match(r"[AH]\d+$|[A-H](1|12)$")
    assert vehicle.loc[rim, "signal"].mean() < 0.95 * vehicle.loc[~rim, "signal"].mean()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"drug": drug(name="aspirin")}, "no well can hold 'aspirin'; allowed are .*Toremifene"),
        ({"cell_line": "HeLa"}, "cell line 'HeLa'; allowed are MCF-7, T47D"),
        ({"readout": "smell"}, "readout 'smell' cannot be simulated; allowed are MTT, BrdU, count"),
    ],
)
def test_what_cannot_be_simulated_is_one_sentence(
    changes: dict[str, object], words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=words):
        write_simulation(design(**changes), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_names_are_found_however_they_are_spelled() -> None:
    assert find_compound("ICI-182,780").name == "fulvestrant"
    assert find_compound("4-OH tamoxifen").name == "hydroxytamoxifen"
    assert find_compound("e2").name == "estradiol"
    assert find_cell_line("mcf7").name == "MCF-7"


def test_power_is_high_where_the_zone_is_wide_and_low_where_there_is_none() -> None:
    found = zone_power(design(times_h=[24, 96]), runs=8)
    assert [one.time_h for one in found] == [24, 96]
    assert found[1].found >= 7 and found[1].has_zone
    assert found[1].lower < found[1].found / 8 <= found[1].upper
    hidden = design(medium={"charcoal_stripped": False, "phenol_red_free": False})
    none = zone_power(hidden, runs=8)[0]
    assert not none.has_zone
    assert none.found <= 2
    assert "though the model has none" in none.sentence
    with pytest.raises(InputError, match="runs is 1"):
        zone_power(design(), runs=1)


def test_the_plan_says_how_often_the_zone_is_found(written: Path, tmp_path: Path) -> None:
    out = tmp_path / "plan"
    outcome = CliRunner().invoke(
        commands, ["plan", str(written), "--out", str(out), "--power-runs", "4"]
    )
    assert outcome.exit_code == 0, outcome.output
    assert "of 4 simulated runs" in outcome.output
    table = pd.read_csv(out / "power.csv")
    assert list(table["runs"]) == [4]
    assert table["found"].between(table["lower"] * 4, table["upper"] * 4).all()
    page = (out / "bench_sheet.html").read_text(encoding="utf-8")
    assert "Will these doses show the zone?" in page
    assert "95 % Monte-Carlo interval" in page


def test_a_plan_of_an_unknown_compound_is_made_without_power(tmp_path: Path) -> None:
    path = tmp_path / "design.yaml"
    with path.open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump({**GOOD, "drug": drug(name="compound 7")}, file)
    outcome = CliRunner().invoke(commands, ["plan", str(path), "--out", str(tmp_path / "out")])
    assert outcome.exit_code == 0, outcome.output
    assert "Power is not known: no well can hold 'compound 7'" in outcome.output
    assert not (tmp_path / "out" / "power.csv").exists()


def test_example_of_the_documentation_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "assay.md").read_text(encoding="utf-8")
    blocks = [block.split("```")[0] for block in page.split("```python\n")[1:]]
    example = next(block for block in blocks if "simulate_plates" in block)
    exec(compile(example, "docs/assay.md", "exec"), {"__name__": "example"})
    printed = capsys.readouterr().out
    assert "peak 125 % at 1.6e-08 M" in printed
    assert "simulated runs" in printed
