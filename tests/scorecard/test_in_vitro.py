"""The predictor of cells in culture: scenarios it reads, and rows that must stay met."""

from __future__ import annotations

import pytest

from estradyn.errors import ParameterError
from estradyn.evidence import Status, mapping
from estradyn.scorecard.in_vitro import ENDPOINTS, predict, read_scenario
from estradyn.scorecard.scoring import judge
from estradyn.scorecard.targets import targets_of

GUARDED = (
    *("DT02", "E201", "E202", "SERM01", "SERM02", "TOR01", "TOR03", "TOR05", "TAM03", "TAM06"),
    *("ICI01", "HE01", "HE21", "HE41", "HE51", "DT04", "DT05", "E203", "TAM04"),
)


def test_bench_critical_rows_are_met() -> None:
    targets = [target for target in targets_of("in_vitro") if target.id in GUARDED]
    assert len(targets) == len(GUARDED)
    found = predict(targets, workers=1, progress=None)
    missed = [t.id for t in targets if not judge("in_vitro", t, found[t.id]).met]
    assert missed == []


def test_every_scenario_and_endpoint_is_understood() -> None:
    for item in mapping("in_vitro").values():
        if item.status is Status.MODELLED:
            read_scenario(item.scenario)
            assert set(item.endpoints) <= set(ENDPOINTS)
            float(item.time.removesuffix(" h"))


def test_a_scenario_is_read_word_by_word() -> None:
    text = (
        "T47D, 40 % untreated human serum, phenol red, insulin, 24 h deprived, 55 cm2, 9 thousand"
    )
    found = read_scenario(f"{text} cells: tamoxifen + estradiol 0.1 nM")
    assert found.cell_line == "T47D"
    assert (found.medium.serum_percent, found.medium.deprivation_h) == (40.0, 24.0)
    assert not found.medium.charcoal_stripped and not found.medium.phenol_red_free
    assert found.medium.insulin and not read_scenario("MCF-7: none").medium.insulin
    assert found.parameters["tumor_seeded_cells"] == 9.0
    assert found.varied == ("tamoxifen",)
    assert found.held == {"estradiol": pytest.approx(1e-10)}
    assert read_scenario("MCF-7: a over b").varied == ("a", "b")


def test_a_scenario_that_is_not_understood_is_named() -> None:
    with pytest.raises(ParameterError, match="'on the moon', which is not understood"):
        read_scenario("MCF-7, on the moon: none")
