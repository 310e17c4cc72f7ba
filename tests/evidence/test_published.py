from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from estradyn.evidence import Use, evidence_rows, published_values
from estradyn.evidence.published import UNITS, _links
from estradyn.evidence.rows import TABLES


def test_rows_have_unique_ids_a_source_and_a_grade() -> None:
    rows = evidence_rows()
    assert len(rows) > 600
    assert {row.grade for row in rows.values()} <= {"A", "B", "C"}
    assert all(row.source_title and row.value for row in rows.values())


def test_every_link_leads_to_a_number_in_a_known_unit() -> None:
    rows = evidence_rows()
    for link in _links():
        row = rows[link.evidence]
        assert row.unit in UNITS, link.evidence
        day = None if link.from_day == 0.0 else link.from_day
        found = published_values(link.endpoint, link.drug, link.dose, day)
        assert link.evidence in [value.row.id for value in found]


def test_dose_and_day_must_match() -> None:
    at_60 = [
        value.row.id for value in published_values("objective_response_rate", "toremifene", 60)
    ]
    assert at_60[0] == "EF02"
    at_200 = published_values("objective_response_rate", "toremifene", 200.0)
    assert [value.row.id for value in at_200] == ["EF03"]
    assert published_values("objective_response_rate", "toremifene") == []
    assert published_values("objective_response_rate", "aspirin", 60) == []
    assert published_values("hdl_change", "toremifene", 60, 14.0) == []
    assert [v.value for v in published_values("hdl_change", "toremifene", 60, 364.0)] == [14.0]


def test_flare_incidences_are_marked_as_quoted_and_the_higher_dose_as_a_check() -> None:
    low = published_values("symptomatic_flare_incidence", "toremifene", 60)[0]
    high = published_values("symptomatic_flare_incidence", "toremifene", 200)[0]
    assert (low.value, low.use, low.row.grade) == (16.0, Use.CALIBRATION, "B")
    assert (high.value, high.use, high.row.grade) == (19.0, Use.CHECK, "B")
    assert "quoted in secondary source" in high.citation


def test_interval_of_a_proportion_comes_from_its_patients() -> None:
    value = published_values("objective_response_rate", "toremifene", 60)[0]
    # 46 of 221, Wilson.
    assert value.interval == "95% from n"
    assert value.lower == pytest.approx(15.98, abs=0.01)
    assert value.upper == pytest.approx(26.64, abs=0.01)


def test_printed_interval_is_kept_and_named() -> None:
    value = published_values("drug_concentration", "toremifene", 60, 84.0)[0]
    assert (value.value, value.lower, value.upper, value.unit) == (0.9, 0.6, 1.3, "mg/L")
    assert value.interval == "range"


def test_value_of_another_drug_says_whose_it_is() -> None:
    value = published_values("hypercalcemia_onset", "toremifene", 60)[0]
    assert value.row.drug == "tamoxifen"
    assert "tamoxifen" in value.citation


def test_package_data_are_the_evidence_tables() -> None:
    shared = Path(os.environ.get("ESTRADYN_SHARED", Path(__file__).parents[3] / "shared"))
    if not (shared / "evidence").is_dir():
        pytest.skip("the shared evidence folder is not here")
    for name in TABLES:
        source = shared / "evidence" / name
        if not source.is_file():
            continue
        rows = evidence_rows()
        with source.open(encoding="utf-8") as stream:
            for record in csv.DictReader(stream):
                assert rows[record["id"]].value == record["value"]
