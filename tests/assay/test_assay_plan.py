"""Plans: maps that the analysis reads back, volumes that add up, warnings that matter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from estradyn.assay.layout import read_layout
from estradyn.assay.plan import AssayDesign, design_warnings, load_design, write_plan
from estradyn.assay.plan.dilution import dilution_table, pipetting_table, vehicle_percent
from estradyn.assay.plan.maps import plate_maps
from estradyn.cli.assay import commands
from estradyn.errors import InputError

GOOD: dict[str, object] = {
    "title": "A plan <1>",
    "cell_line": "MCF-7",
    "readout": "MTT",
    "drug": {
        "name": 'drug "x"',
        "top_dose": "1 uM",
        "dilution_factor": 3.162,
        "doses": 8,
        "stock": "10 mM",
        "expected_peak": "10 nM",
    },
    "agonist": {
        "name": "hormone",
        "positive_control": "1 nM",
        "with_drug": "0.1 nM",
        "stock": "10 uM",
    },
    "replicates": 2,
}


def design(**changes: object) -> AssayDesign:
    return AssayDesign.model_validate({**GOOD, **changes})


def drug(**changes: object) -> dict[str, object]:
    return {**GOOD["drug"], **changes}  # type: ignore[dict-item]


def test_a_good_design_has_no_warning() -> None:
    assert design_warnings(design()) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"drug": drug(expected_peak="1 uM")}, "0 doses lie above the expected peak of 1 µM"),
        ({"drug": drug(expected_peak="1 nM")}, "1 doses lie below"),
        ({"drug": drug(expected_peak=None)}, "No expected_peak"),
        ({"drug": drug(dilution_factor=10, doses=4)}, "half a log"),
        ({"medium": {"charcoal_stripped": False}}, "charcoal-stripped"),
        ({"medium": {"phenol_red_free": False}}, "phenol red"),
        ({"medium": {"insulin": True}}, "Insulin in the medium"),
        ({"medium": {"deprivation_h": 12}}, "12 h is outside 24 to 48 h"),
        ({"medium": {"deprivation_h": 72}}, "72 h is outside"),
        ({"time_zero": False}, "time 0"),
        ({"plates_per_time": 1}, "the plate is the replicate"),
        ({"agonist": None}, "no positive control"),
        ({"drug": drug(stock="0.5 mM")}, "above the limit of 0.1 %"),
        ({"edge_wells": True}, "Edge wells"),
        ({"arrangement": "blocked"}, "side by side"),
    ],
)
def test_design_warnings(changes: dict[str, object], words: str) -> None:
    assert any(words in warning for warning in design_warnings(design(**changes)))


def test_every_treatment_stands_on_every_plate_inside_the_edge() -> None:
    plan = design()
    maps = plate_maps(plan)
    assert maps["plate"].nunique() == 3 * 5
    treated = maps[maps["time_h"] > 0]
    counts = treated.groupby(["plate", "role", "dose", "agonist_dose"]).size()
    assert (counts.xs("sample", level="role") == 2).all()
    assert len(counts.xs("sample", level="role")) == 3 * 4 * 16
    assert maps["row"].between(1, 6).all() and maps["column"].between(1, 10).all()
    assert not maps.duplicated(["plate", "well"]).any()
    assert set(maps.loc[maps["time_h"] == 0, "role"]) == {"vehicle", "blank"}


def test_plates_are_randomised_apart_and_the_same_seed_gives_the_same_maps() -> None:
    maps = plate_maps(design())
    first, second = (
        maps[maps["plate"] == name].set_index("well")["dose"] for name in ("24h_1", "24h_2")
    )
    assert not first.equals(second)
    pd.testing.assert_frame_equal(maps, plate_maps(design()))
    assert not maps.equals(plate_maps(design(seed=2)))


def test_dilutions_reach_the_doses_and_tubes_hold_enough() -> None:
    plan = design()
    table = dilution_table(plan)
    at = {"stock": 0.0, **dict(zip(table["tube"], table["concentration_M"], strict=True))}
    held = dict(zip(table["tube"], table["transfer_uL"] + table["add_uL"], strict=True))
    for row in table.itertuples():
        source = at.get(row._4, 0.0)
        if row.tube.startswith("medium +"):
            percent = 100 * row.transfer_uL / (row.transfer_uL + row.add_uL)
            assert f"{percent:.1g} %" in row.tube
            continue
        if row._4 == "stock":
            source = 1e-2 if row.substance.startswith("drug") else 1e-5
        mixed = source * row.transfer_uL / (row.transfer_uL + row.add_uL)
        assert mixed == pytest.approx(row.concentration_M, rel=0.03)
    drawn = table.groupby("from")["transfer_uL"].sum()
    for tube, volume in drawn.drop(["stock", "DMSO"]).items():
        assert volume <= held[tube] + 0.2
    wells = pipetting_table(plan)
    plates = plan.plates_per_time * len(plan.times_h)
    for place in ("drug", "agonist"):
        volumes = wells[f"{place}_uL"] * wells["wells_per_plate"] * plates
        used = volumes.groupby(wells[f"{place}_solution"]).sum()
        for tube, volume in used.items():
            if tube in held:
                assert held[tube] >= volume


def test_all_wells_hold_the_same_vehicle_and_volume() -> None:
    wells = pipetting_table(design())
    assert (wells["vehicle_percent"] == wells["vehicle_percent"][0]).all()
    total = wells["cells_in_medium_uL"] + wells["drug_uL"] + wells["agonist_uL"]
    np.testing.assert_allclose(total, 100.0)
    assert vehicle_percent(design()) == pytest.approx(0.1)


def test_maps_read_back_as_they_were_planned(tmp_path: Path) -> None:
    plan = design()
    sheet = write_plan(plan, tmp_path / "plan")
    maps = plate_maps(plan)
    layout = read_layout(tmp_path / "plan" / "layout.toml")
    columns = ["role", "drug", "dose", "agonist_dose"]
    for plate in ("0h_1", "48h_2"):
        planned = maps[maps["plate"] == plate].set_index("well")[columns].sort_index()
        found = layout[layout["plate"] == plate].set_index("well")[columns].sort_index()
        pd.testing.assert_frame_equal(planned, found, rtol=1e-5)
        plater = read_layout(tmp_path / "plan" / "maps" / f"{plate}.csv")
        used = plater[plater["role"] != "empty"].set_index("well")[columns].sort_index()
        pd.testing.assert_frame_equal(planned, used, rtol=1e-5)
    assert (layout.loc[layout["plate"] == "48h_2", "time_h"] == 48).all()
    html = sheet.read_text(encoding="utf-8")
    assert "A plan &lt;1&gt;" in html and "For research use only" in html
    assert html.count('class="map"') == 15
    assert "<script" not in html


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"drug": drug(top_dose="1 bar")}, r"drug.top_dose: found '1 bar'.*'10 uM'"),
        ({"drug": drug(top_dose="-1 uM")}, "drug.top_dose: found '-1 uM'"),
        ({"drug": drug(doses=3)}, "drug.doses: .*greater than or equal to 4"),
        ({"drug": drug(stock="1 uM")}, "cannot give 1e-06 M"),
        ({"replicates": 4}, "inside its edge; take fewer doses"),
        ({"plate": 100}, "plate: found 100, allowed 6, 12"),
        ({"cell_lines": "MCF-7"}, "cell_lines: .*not permitted"),
        ({"times_h": [24, 24]}, "times_h: allowed are different"),
        ({"arrangement": "random"}, "arrangement: .*'randomised' or 'blocked'"),
    ],
)
def test_bad_design_is_one_sentence(changes: dict[str, object], words: str, tmp_path: Path) -> None:
    path = tmp_path / "design.yaml"
    with path.open("w") as file:
        YAML(typ="safe").dump({**GOOD, **changes}, file)
    with pytest.raises(InputError, match=words) as caught:
        load_design(path)
    assert "design.yaml" in str(caught.value)
    outcome = CliRunner().invoke(commands, ["plan", str(path), "--out", str(tmp_path / "out")])
    assert isinstance(outcome.exception, InputError)
    assert [p.name for p in tmp_path.iterdir()] == ["design.yaml"]


@pytest.mark.parametrize(
    "text", ["a: [", "- 1", "", "!!python/object/apply:os.system ['true']", "cell_line: x"]
)
def test_text_that_is_no_design(text: str, tmp_path: Path) -> None:
    path = tmp_path / "design.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"design\.yaml"):
        load_design(path)


def test_command_says_what_it_wrote(tmp_path: Path) -> None:
    path = tmp_path / "design.yaml"
    with path.open("w") as file:
        YAML(typ="safe").dump(GOOD, file)
    outcome = CliRunner().invoke(commands, ["plan", str(path), "--out", str(tmp_path / "out")])
    assert outcome.exit_code == 0, outcome.output
    assert "15 plates, 0 warnings" in outcome.output
    assert (tmp_path / "out" / "bench_sheet.html").is_file()
