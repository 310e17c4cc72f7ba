from __future__ import annotations

import numpy as np
import pytest

from estradyn.trial.response import Response
from estradyn.trial.rules import (
    Departure,
    ScanRecord,
    departures,
    later_responder_taken_off,
    rebased_codes,
    true_response_day,
)
from estradyn.trial.study import Criteria, OffStudyRule

WINDOW = 84.0
NAN = float("nan")


def record(
    sums: list[float], *, every: float = 56.0, bone: list[float] | None = None
) -> ScanRecord:
    planned = every * np.arange(len(sums))
    values = np.array([sums], dtype=float)
    volumes = np.zeros_like(values) if bone is None else np.array([bone], dtype=float)
    return ScanRecord(planned, planned[None, :].copy(), values, volumes)


def apply(sums: list[float], signs: float = NAN, **kwargs: float) -> dict[OffStudyRule, Departure]:
    return departures(record(sums, **kwargs), Criteria(), WINDOW, np.array([signs]))


CASES = [
    # sums at 0, 8, 16, 24, 32 weeks; off day by first, confirmed, treat through
    ("flare, then response", [100, 130, 60, 60, 60], 56, NAN, NAN),
    ("true progression", [100, 130, 170, 220, 290], 56, 112, 112),
    ("response, then progression", [100, 60, 60, 80, 110], 168, 224, 168),
    ("one bad reading late", [100, 100, 100, 125, 100], 168, NAN, 168),
    ("progression on the last scan", [100, 100, 100, 100, 125], 224, NAN, 224),
    ("stable throughout", [100, 100, 100, 100, 100], NAN, NAN, NAN),
    ("up in the window and level after it", [100, 130, 130, 130, 130], 56, 112, NAN),
]


@pytest.mark.parametrize(("case", "sums", "first", "confirmed", "through"), CASES)
def test_each_rule_takes_the_patient_off_on_its_day(
    case: str, sums: list[float], first: float, confirmed: float, through: float
) -> None:
    left = apply(sums)
    days = [
        left[rule].off_day[0]
        for rule in (
            OffStudyRule.FIRST_PROGRESSION,
            OffStudyRule.CONFIRMED_PROGRESSION,
            OffStudyRule.TREAT_THROUGH_FLARE,
        )
    ]
    np.testing.assert_array_equal(days, [first, confirmed, through], err_msg=case)


def test_confirmed_progression_is_dated_to_the_scan_that_showed_it_first() -> None:
    left = apply([100, 130, 170, 220])[OffStudyRule.CONFIRMED_PROGRESSION]
    assert left.progression_day[0] == 56.0
    assert left.off_day[0] == 112.0
    assert left.last_scan[0] == 2


def test_rules_read_what_they_do_not_act_on_as_not_evaluable() -> None:
    left = apply([100, 130, 60, 60])
    names = {
        rule: [Response(code).name for code in departure.codes[0]]
        for rule, departure in left.items()
    }
    assert names[OffStudyRule.FIRST_PROGRESSION] == ["SD", "PD", "PR", "PR"]
    assert names[OffStudyRule.CONFIRMED_PROGRESSION] == ["SD", "NE", "PR", "PR"]
    assert names[OffStudyRule.TREAT_THROUGH_FLARE] == ["SD", "NE", "PR", "PR"]


def test_signs_take_a_patient_off_before_any_scan() -> None:
    signs = apply([100, 60, 60], signs=9.5)[OffStudyRule.WORSENING_SIGNS]
    assert signs.off_day[0] == 9.5
    assert signs.last_scan[0] == 0
    scan = apply([100, 130, 60], signs=80.0)[OffStudyRule.WORSENING_SIGNS]
    assert scan.off_day[0] == 56.0
    neither = apply([100, 100, 100])[OffStudyRule.WORSENING_SIGNS]
    assert np.isnan(neither.off_day[0])
    assert neither.last_scan[0] == 2


def test_without_a_scan_in_the_window_the_baseline_is_the_reference() -> None:
    codes = rebased_codes(record([100, 130], every=112.0), Criteria(), WINDOW)
    assert codes[0, 1] == Response.PD


def test_bone_progression_in_the_window_is_not_acted_on() -> None:
    scans = record([100, 100, 100, 100], bone=[10, 20, 18, 18])
    left = departures(scans, Criteria(), WINDOW, np.array([NAN]))
    assert left[OffStudyRule.FIRST_PROGRESSION].off_day[0] == 56.0
    assert np.isnan(left[OffStudyRule.TREAT_THROUGH_FLARE].off_day[0])


@pytest.mark.parametrize(
    ("case", "sums", "day"),
    [
        ("flare, then response against the start", [100, 130, 60, 60, 60], 112),
        ("response re-based at the end of flare", [100, 140, 95, 95, 95], 112),
        ("24 weeks without progression since the end of flare", [100, 130, 130, 130, 130], 224),
        ("progression after the window, whatever follows", [100, 130, 170, 60, 60], NAN),
        ("too short to show benefit", [100, 100, 100, 100], NAN),
    ],
)
def test_true_response_is_judged_on_continued_treatment(
    case: str, sums: list[float], day: float
) -> None:
    found = true_response_day(record(sums), Criteria(), WINDOW)[0]
    np.testing.assert_equal(found, day, err_msg=case)


def test_only_who_responds_after_she_was_taken_off_is_a_later_responder() -> None:
    departure = Departure(
        off_day=np.array([56.0, 56.0, NAN, 200.0]),
        progression_day=np.array([56.0, 56.0, NAN, 200.0]),
        last_scan=np.array([1, 1, 3, 3]),
        codes=np.zeros((4, 4), dtype=np.int8),
    )
    response_day = np.array([112.0, NAN, 112.0, 112.0])
    taken = later_responder_taken_off(departure, response_day)
    assert taken.tolist() == [True, False, False, False]
