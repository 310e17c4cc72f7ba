from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from estradyn.trial.response import (
    Response,
    assess,
    best_overall_response,
    clinical_benefit,
    progression_confirmed,
)
from estradyn.trial.study import Criteria


def read(sums: list[float], bone: list[float] | None = None, **criteria: object) -> str:
    """Response letters of one patient, scan by scan after the baseline."""
    volumes = np.zeros((1, len(sums))) if bone is None else np.array([bone])
    codes = assess(np.array([sums]), volumes, Criteria().model_copy(update=criteria))
    return " ".join(Response(code).name for code in codes[0, 1:])


NAN = float("nan")

CASES = [
    ("exactly 30 percent down is a response", [100, 70], None, "PR"),
    ("just short of 30 percent is stable", [100, 70.1], None, "SD"),
    ("all lesions gone", [100, 0], None, "CR"),
    ("gone in soft tissue, bone disease still there", [100, 0], [5, 5], "PR"),
    ("gone everywhere", [100, 0], [5, 0], "CR"),
    ("exactly 20 percent up is progression", [100, 120], None, "PD"),
    ("just short of 20 percent is stable", [100, 119.9], None, "SD"),
    ("20 percent up but less than 5 mm is stable", [20, 24.5], None, "SD"),
    ("20 percent and 5 mm up is progression", [20, 25], None, "PD"),
    ("progression is judged from the nadir", [100, 50, 60], None, "PR PD"),
    ("5 mm above the nadir but less than 20 percent", [100, 50, 56], None, "PR PR"),
    ("a lesion that comes back after complete response", [100, 0, 5], None, "CR PD"),
    ("the nadir may be the baseline", [100, 110, 125], None, "SD PD"),
    ("response after progression is still read", [100, 130, 60], None, "PD PR"),
    ("bone disease up by 73 percent is progression", [100, 60], [10, 17.3], "PD"),
    ("bone disease up by less", [100, 60], [10, 17.2], "PR"),
    ("bone disease is judged from its own nadir", [100, 100, 100], [10, 5, 8.7], "SD PD"),
    ("no measurable disease, bone stable", [NAN, NAN], [10, 11], "SD"),
    ("no measurable disease, bone gone", [NAN, NAN], [10, 0], "CR"),
    ("no measurable disease, bone progresses", [NAN, NAN], [10, 20], "PD"),
    ("a scan without a number", [100, NAN, 60], None, "NE PR"),
]


@pytest.mark.parametrize(("case", "sums", "bone", "expected"), CASES)
def test_scan_is_judged_by_recist(
    case: str, sums: list[float], bone: list[float] | None, expected: str
) -> None:
    assert read(sums, bone) == expected, case


def test_nothing_is_progression_up_to_the_reference_scan() -> None:
    sums = np.array([[100.0, 150.0, 140.0, 169.0]])
    codes = assess(sums, np.zeros_like(sums), Criteria(), reference=1)
    assert [Response(code).name for code in codes[0]] == ["SD", "SD", "SD", "PD"]


def best(codes: str, days: list[float], last_scan: int | None = None, **criteria: object) -> str:
    numbers = np.array([[Response[name] for name in codes.split()]], dtype=np.int8)
    last = np.array([len(days) - 1 if last_scan is None else last_scan])
    changed = Criteria().model_copy(update=criteria)
    return Response(best_overall_response(numbers, np.array([days]), changed, last)[0]).name


BEST = [
    ("confirmed partial response", "SD PR PR", [0, 56, 112], "PR"),
    ("confirmed complete response", "SD CR CR", [0, 56, 112], "CR"),
    ("complete response confirms a partial one", "SD PR CR", [0, 56, 112], "PR"),
    ("unconfirmed response is stable disease", "SD PR SD", [0, 56, 112], "SD"),
    ("response followed by progression", "SD PR PD", [0, 56, 112], "SD"),
    ("confirmation too early is passed over for the next", "SD PR SD PR", [0, 56, 76, 112], "PR"),
    ("progression at the first scan", "SD PD PR PR", [0, 56, 112, 168], "PD"),
    ("response on the last scan cannot be confirmed", "SD SD PR", [0, 56, 112], "SD"),
    ("stable disease seen too early", "SD SD", [0, 35], "NE"),
    ("stable disease seen early, then progression", "SD SD PD", [0, 35, 70], "PD"),
    ("no scan after baseline", "SD", [0], "NE"),
]


@pytest.mark.parametrize(("case", "codes", "days", "expected"), BEST)
def test_best_response_follows_table_3(
    case: str, codes: str, days: list[float], expected: str
) -> None:
    assert best(codes, days) == expected, case


def test_response_counts_at_once_where_confirmation_is_not_asked_for() -> None:
    assert best("SD PR PD", [0, 56, 112], confirm_response=False) == "PR"


def test_scans_after_the_patient_left_do_not_count() -> None:
    assert best("SD SD PR PR", [0, 56, 112, 168], last_scan=1) == "SD"


def benefit(codes: str, planned: list[float], last_scan: int | None = None) -> bool:
    numbers = np.array([[Response[name] for name in codes.split()]], dtype=np.int8)
    last = np.array([len(planned) - 1 if last_scan is None else last_scan])
    days = np.array([planned])
    found = best_overall_response(numbers, days, Criteria(), last)
    return bool(clinical_benefit(found, numbers, np.array(planned), Criteria(), last)[0])


@pytest.mark.parametrize(
    ("codes", "planned", "last_scan", "expected"),
    [
        ("SD SD SD SD", [0, 56, 112, 168], None, True),
        ("SD SD SD PD", [0, 56, 112, 168], None, False),
        ("SD SD SD SD", [0, 56, 112, 168], 2, False),
        ("SD PR PR PD", [0, 56, 112, 168], None, True),
        ("SD SD SD", [0, 63, 126], None, False),
        ("SD SD SD SD", [0, 63, 126, 189], None, True),
        ("SD PD SD SD", [0, 56, 112, 168], None, False),
    ],
)
def test_clinical_benefit_needs_24_weeks_or_a_response(
    codes: str, planned: list[float], last_scan: int | None, expected: bool
) -> None:
    assert benefit(codes, planned, last_scan) is expected


def test_progression_is_confirmed_by_the_next_scan_late_enough() -> None:
    codes = np.array(
        [
            [Response.SD, Response.PD, Response.PD, Response.SD],
            [Response.SD, Response.PD, Response.SD, Response.PD],
        ],
        dtype=np.int8,
    )
    days = np.array([[0.0, 56.0, 112.0, 168.0]] * 2)
    confirmed = progression_confirmed(codes, days, Criteria())
    assert confirmed.tolist() == [[False, True, False, False], [False] * 4]
    close = np.array([[0.0, 56.0, 70.0, 168.0]] * 2)
    assert progression_confirmed(codes, close, Criteria())[0].tolist() == [False] * 4


@given(arrays(float, (5, 6), elements=st.integers(0, 200).map(float)))
def test_size_of_the_patient_does_not_change_a_response_but_for_the_5_mm(sums: np.ndarray) -> None:
    relative = Criteria().model_copy(update={"progression_absolute": 0.0})
    none = np.zeros_like(sums)
    doubled = assess(2.0 * sums, none, relative)
    np.testing.assert_array_equal(doubled, assess(sums, none, relative))
