from __future__ import annotations

import pytest

from estradyn.errors import ParameterError
from estradyn.evidence import Use, evidence_rows, published_values
from estradyn.evidence.times import parse_time


def test_rows_have_unique_ids_a_source_and_a_grade() -> None:
    rows = evidence_rows()
    assert len(rows) > 600
    assert {row.grade for row in rows.values()} <= {"A", "B", "C"}
    assert all(row.source_title and row.value for row in rows.values())


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


def test_number_without_a_dose_speaks_to_every_dose_and_was_fitted_at_one() -> None:
    def use_at(dose: float) -> Use:
        values = published_values("hypercalcemia_incidence", "toremifene", dose)
        return next(value.use for value in values if value.row.id == "QU03")

    assert (use_at(60.0), use_at(200.0)) == (Use.CALIBRATION, Use.CHECK)


def test_stand_in_is_a_check_and_comes_after_the_own_numbers() -> None:
    values = published_values("ldl_change", "toremifene", 60.0, 182.0)
    assert {value.row.id for value in values} == {"LI07", "LI10"}
    assert {value.use for value in values} == {Use.CHECK}
    assert all("40 mg/day" in value.citation for value in values)


def test_number_of_a_later_span_does_not_stand_beside_a_visit() -> None:
    # BO21 is the change from month 30 to month 42.
    found = published_values("lumbar_spine_bmd_change", "tamoxifen", 20.0, 364.0)
    assert "BO21" not in {value.row.id for value in found}


@pytest.mark.parametrize(
    ("text", "day", "included"),
    [
        ("14 day", 10.0, True),
        ("14 day", 20.0, False),
        ("12 month", 364.0, True),
        ("12 month", 300.0, False),
        ("from 6 week", 700.0, True),
        ("from 6 week", 28.0, False),
        ("from 30 month to 36 month", 180.0, False),
    ],
)
def test_a_visit_near_a_published_time_stands_for_it(text: str, day: float, included: bool) -> None:
    assert parse_time(text).includes(day) is included


def test_an_unreadable_time_says_what_is_allowed() -> None:
    with pytest.raises(ParameterError, match="'soon', allowed is a time such as '12 week'"):
        parse_time("soon")
