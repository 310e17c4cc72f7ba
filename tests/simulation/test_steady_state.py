"""Steady states against regimens that were simply followed for long."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from event_lines import HEADER, observations, record
from hypothesis import given, settings
from hypothesis import strategies as st

from estradyn.model import load_model
from estradyn.simulation import read_event_records, simulate_events

MOVING = ["depot", "plasma", "free_receptor", "bound"]
OFFSETS = np.array([0.0, 0.5, 4.0, 9.0, 11.5, 23.0, 40.0])


def followed(regimen: dict[str, object], intervals: int) -> list[str]:
    """The same regimen given often enough beforehand, observed as if it began at time 0."""
    start = float(regimen["II"]) * intervals
    dose = {**regimen, "ADDL": intervals + int(regimen["ADDL"])}
    return [record(2, 0, 1, **dose), *observations(2, start + OFFSETS)]


@pytest.mark.parametrize(
    "regimen",
    [
        {"AMT": 60, "CMT": 1},
        {"AMT": 40, "CMT": 2, "DUR": 5},
        {"AMT": 40, "CMT": 2, "DUR": 12},
        {"AMT": 40, "CMT": 2, "DUR": 31},
        {"AMT": 40, "CMT": 2, "RATE": 4, "BIOAV": 0.7},
        {"AMT": 60, "CMT": 1, "LAGT": 4},
        {"AMT": 40, "CMT": 2, "DUR": 7, "LAGT": 9},
        {"AMT": 40, "CMT": 2, "DUR": 30, "LAGT": 29},
    ],
)
def test_a_steady_state_is_where_the_regimen_leads(saturable, run, regimen) -> None:
    regimen |= {"II": 12, "ADDL": 6}
    settled = [record(1, 0, 1, SS=1, **regimen), *observations(1, OFFSETS)]
    # A lagged dose of the time itself arrives before the observation in both.
    found = run(saturable, [*settled, *followed(regimen, 80)], MOVING)
    np.testing.assert_allclose(found[1], found[2], rtol=2e-4, atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(
    clearance=st.floats(0.05, 20),
    duration=st.sampled_from([0.0, 3.0, 24.0, 57.0]),
    interval=st.sampled_from([8.0, 24.0]),
)
def test_linear_kinetics(oral_drug, run, clearance, duration, interval) -> None:
    """One dose at steady state holds over an interval what a single dose holds for ever."""
    dose = {"AMT": 100, "CMT": 2, "DUR": duration or ""}
    times = np.array([0.0, interval / 3, interval])
    # A steady state is the sum of single doses given one interval after the other.
    often = int(np.ceil((duration + 30 * 20 / clearance) / interval)) + 1
    grid = (times[:, None] + interval * np.arange(often)).ravel()
    lines = [
        record(1, 0, 1, SS=1, II=interval, ADDL=1, **dose),
        *observations(1, times[:-1]),
        record(2, 0, 1, **dose),
        *observations(2, np.sort(grid)),
    ]
    parameters = {"clearance": np.full(2, clearance)}
    found = run(oral_drug, lines, ["amount"], parameters=parameters)
    single = dict(zip(np.sort(grid), found[2][:, 0], strict=True))
    expected = [sum(single[time + interval * n] for n in range(often)) for time in times[:-1]]
    np.testing.assert_allclose(found[1][:, 0], expected, rtol=2e-5, atol=1e-5)


def test_what_only_adds_up_stays_as_it_was(saturable, run) -> None:
    lines = [record(1, 0, 1, AMT=60, CMT=1, II=12, SS=1), record(1, 0, 0)]
    assert run(saturable, lines, ["excreted"])[1][0, 0] == 0


def test_a_conserved_total_stays_as_it_was(saturable, run) -> None:
    lines = [record(1, 0, 1, AMT=60, CMT=1, II=12, SS=1), record(1, 0, 0)]
    free, bound = run(saturable, lines, ["free_receptor", "bound"])[1][0]
    assert free + bound == pytest.approx(4, rel=1e-6)


def test_a_second_regimen_on_top(oral_drug, run) -> None:
    """In a linear model two regimens at steady state add up."""
    first = {"AMT": 100, "CMT": 2, "II": 24}
    second = {"AMT": 30, "CMT": 2, "II": 24, "DUR": 30}
    lines = [
        record(1, 0, 1, SS=1, ADDL=1, **first),
        record(1, 8, 1, SS=2, ADDL=1, **second),
        record(2, 0, 1, SS=1, ADDL=1, **first),
        record(3, 8, 1, SS=1, ADDL=1, **second),
        *(line for patient in (1, 2, 3) for line in observations(patient, [8, 12, 24, 33])),
    ]
    found = run(oral_drug, lines, ["amount"])
    np.testing.assert_allclose(found[1], found[2] + found[3], rtol=2e-5)


def test_a_new_steady_state_replaces_all_before(oral_drug, run) -> None:
    later = {"AMT": 30, "CMT": 2, "II": 24, "ADDL": 1}
    lines = [
        record(1, 0, 1, AMT=100, CMT=1, II=5, ADDL=20),
        record(1, 9, 1, AMT=100, CMT=2, DUR=50),
        record(1, 20, 1, SS=1, **later),
        record(2, 20, 1, SS=1, **later),
        *(line for patient in (1, 2) for line in observations(patient, [20, 31, 50])),
    ]
    found = run(oral_drug, lines, ["depot", "amount"])
    np.testing.assert_array_equal(found[1], found[2])


def test_rates_that_depend_on_time(run, tmp_path) -> None:
    """A daily rhythm meets daily doses at the right time of day."""
    path = tmp_path / "rhythm.ant"
    path.write_text(
        "model rhythm()\n x = 0; x' = -0.1 * (1 + 0.9 * sin(2 * 3.141592653589793 * time / 24))"
        " * x;\nend\n"
    )
    model = load_model(path)
    dose = {"AMT": 10, "CMT": 1, "II": 24}
    lines = [
        record(1, 7, 1, SS=1, **dose),
        record(1, 20, 0),
        record(2, 7, 1, ADDL=20, **dose),
        record(2, 20 + 480, 0),
    ]
    found = run(model, lines, ["x"])
    np.testing.assert_allclose(found[1], found[2], rtol=2e-5)


def test_no_steady_state_is_told_and_harms_nobody(saturable, tmp_path: Path) -> None:
    """More is given than can be eliminated."""
    path = tmp_path / "events.csv"
    lines = [
        line
        for patient, amount in ((1, 20), (2, 200), (3, 20))
        for line in (record(patient, 0, 1, AMT=amount, CMT=1, II=12, SS=1), record(patient, 1, 0))
    ]
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    records = read_event_records(path, saturable.state_names)
    (group,) = simulate_events(saturable, records, ["plasma"])
    assert list(group.faults) == [2]
    assert "'plasma'" in group.faults[2]
    np.testing.assert_array_equal(np.isnan(group.values[:, 0]), [False, True, False])
    assert group.values[0, 0] == group.values[2, 0]
