"""What records do: doses, additional doses, infusions, resets, and their order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from event_lines import HEADER, observations, record
from hypothesis import given, settings
from hypothesis import strategies as st

from estradyn.errors import InputError
from estradyn.model import load_model
from estradyn.simulation import read_event_records, simulate_events

CLEARANCE, VOLUME, ABSORPTION = 1.1, 20.0, 1.5
OUTPUT = ["concentration"]


def after_bolus(time: np.ndarray, amount: float = 100.0) -> np.ndarray:
    """Concentration after a bolus at time zero into the second state."""
    time = np.asarray(time, dtype=float)
    return np.where(time >= 0, 1000 * amount / VOLUME * np.exp(-CLEARANCE / VOLUME * time), 0.0)


def during_infusion(time: np.ndarray, rate: float, duration: float) -> np.ndarray:
    """Concentration from an infusion at time zero into the second state."""
    time = np.asarray(time, dtype=float)
    stopped = np.clip(time - duration, 0, None)
    run = np.clip(time, 0, duration)
    elimination = CLEARANCE / VOLUME
    level = 1000 * rate / CLEARANCE * (1 - np.exp(-elimination * run))
    return level * np.exp(-elimination * stopped)


def agrees(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(
        found[:, 0], expected, rtol=2e-5, atol=1e-6 * max(np.max(np.abs(expected)), 1e-9)
    )


def test_bolus(oral_drug, run) -> None:
    times = np.array([0.0, 1.0, 7.5, 48.0])
    lines = [record(1, 0, 1, AMT=100, CMT="amount"), *observations(1, times)]
    agrees(run(oral_drug, lines, OUTPUT)[1], after_bolus(times))


@pytest.mark.parametrize(
    ("columns", "rate", "duration"),
    [
        ({"RATE": 10}, 10, 10),
        ({"DUR": 4}, 25, 4),
        ({"RATE": -1}, 10, 10),
        ({"RATE": -2}, 100 / 9, 9),
        ({"RATE": 10, "BIOAV": 0.5}, 10, 5),
        ({"DUR": 4, "BIOAV": 0.5}, 12.5, 4),
        ({"RATE": -1, "BIOAV": 0.5}, 10, 5),
        ({"RATE": -2, "BIOAV": 0.5}, 50 / 9, 9),
    ],
)
def test_infusion(oral_drug, run, columns, rate, duration) -> None:
    times = np.array([0.0, 3.0, 9.0, 12.0, 30.0])
    lines = [record(1, 2, 1, AMT=100, CMT=2, **columns), *observations(1, times[1:])]
    found = run(oral_drug, lines, OUTPUT)[1]
    agrees(found, during_infusion(times[1:] - 2, rate, duration))


def test_lag_and_bioavailability_of_the_model(oral_drug, run, tmp_path) -> None:
    """They come from constants named after the state, derived ones too, and differ by patient."""
    text = (
        "model lagged()\n amount = 0; amount' = -elimination * amount; elimination = 0.055;\n"
        " amount_lag_time = 3; logit = 0;\n"
        " amount_bioavailability = 1 / (1 + exp(-logit));\n"
        " concentration := 50 * amount;\nend\n"
    )
    path = tmp_path / "lagged.ant"
    path.write_text(text)
    model = load_model(path)
    times = np.array([1.0, 3.0, 5.0, 20.0])
    lines = []
    for patient in (1, 2):
        lines += [record(patient, 0, 1, AMT=100, CMT=1), *observations(patient, times)]
    parameters = {"logit": np.array([0.0, 1.0]), "amount_lag_time": np.array([3.0, 4.0])}
    found = run(model, lines, OUTPUT, parameters=parameters)
    agrees(found[1], 0.5 * after_bolus(times - 3))
    agrees(found[2], after_bolus(times - 4) / (1 + np.exp(-1)))
    own = [record(1, 0, 1, AMT=100, CMT=1, LAGT=1, BIOAV=2), *observations(1, times)]
    agrees(run(model, own, OUTPUT)[1], 2 * after_bolus(times - 1))


@pytest.mark.parametrize("amount", [1e6, 1.0, 1e-4, 1e-12])
def test_any_unit_of_amount(oral_drug, run, amount: float) -> None:
    """A dose in mol is solved as well as one in ng, down to a millionth of the peak."""
    times = np.array([1.0, 24.0, 120.0, 260.0])
    lines = [record(1, 0, 1, AMT=amount, CMT=1), *observations(1, times)]
    found = run(oral_drug, lines, OUTPUT)[1][:, 0]
    elimination = CLEARANCE / VOLUME
    share = 1000 / VOLUME * ABSORPTION / (ABSORPTION - elimination)
    expected = amount * share * (np.exp(-elimination * times) - np.exp(-ABSORPTION * times))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_order_of_records_at_one_time(oral_drug, run) -> None:
    dose = record(1, 4, 1, AMT=100, CMT=2)
    seen = record(1, 4, 0)
    found = run(oral_drug, [seen, dose, seen, dose, seen, record(1, 4, 3), seen], ["amount"])[1]
    np.testing.assert_allclose(found[:, 0], [0, 100, 200, 0], rtol=1e-12, atol=1e-12)
    at_start = [line.replace(",4.0,", ",0.0,") for line in [seen, dose, seen, dose, seen]]
    found = run(oral_drug, [*at_start, record(1, 9, 0)], ["amount"])[1]
    expected = [0, 100, 200, 200 * np.exp(-0.055 * 9)]
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-5)


def test_additional_and_lagged_doses_come_before_records_of_their_time(oral_drug, run) -> None:
    lines = [
        record(1, 0, 1, AMT=100, CMT=2, II=24, ADDL=1, LAGT=2),
        *observations(1, [2.0, 26.0]),
    ]
    agrees(run(oral_drug, lines, OUTPUT)[1], [5000, 5000 + after_bolus(24)])
    lines = [record(1, 0, 1, AMT=100, CMT=2), record(1, 30, 0)]
    on_grid = run(oral_drug, lines, OUTPUT, times=np.array([0.0, 30.0]))[1]
    agrees(on_grid, after_bolus(np.array([0.0, 30.0])))


@pytest.mark.parametrize("kind", [3, 4])
def test_a_reset_ends_all_that_was_set_off_before(oral_drug, run, kind: int) -> None:
    columns = {"AMT": 40, "CMT": 2} if kind == 4 else {}
    lines = [
        record(1, 0, 1, AMT=100, CMT=1, II=10, ADDL=9),
        record(1, 0, 1, AMT=100, CMT=2, LAGT=30),
        record(1, 15, 1, AMT=100, CMT=2, DUR=20),
        record(1, 20, kind, **columns),
        *observations(1, [20, 25, 35, 60]),
    ]
    expected = after_bolus(np.array([0, 5, 15, 40]), 40) if kind == 4 else np.zeros(4)
    agrees(run(oral_drug, lines, OUTPUT)[1], expected)


def test_other_events_do_nothing(oral_drug, run) -> None:
    lines = [record(1, 0, 1, AMT=100, CMT=2), record(1, 3, 2), *observations(1, [5])]
    agrees(run(oral_drug, lines, OUTPUT)[1], after_bolus(np.array([5.0])))


doses = st.fixed_dictionaries(
    {
        "time": st.floats(0, 60).map(lambda value: round(value, 2)),
        "AMT": st.floats(1, 200).map(lambda value: round(value, 2)),
        "CMT": st.integers(1, 2),
        "DUR": st.sampled_from([0, 0.5, 7, 40]),
        "II": st.sampled_from([3, 12.5]),
        "ADDL": st.integers(0, 5),
        "LAGT": st.sampled_from([0, 0.25, 13]),
        "BIOAV": st.sampled_from([0.5, 1]),
    }
)
GRID = np.linspace(0, 80, 41)


def dose_line(patient: int, dose: dict[str, float]) -> str:
    columns = {name: value for name, value in dose.items() if name != "time"}
    return record(patient, dose["time"], 1, **columns)


@settings(max_examples=20, deadline=None)
@given(regimen=st.lists(doses, min_size=2, max_size=5))
def test_doses_add_up(oral_drug, run, regimen) -> None:
    """In a linear model the whole is the sum of what each record does alone."""
    regimen = sorted(regimen, key=lambda dose: dose["time"])
    alone = [dose_line(patient, dose) for patient, dose in enumerate(regimen)]
    together = [dose_line(99, dose) for dose in regimen]
    found = run(oral_drug, [*alone, *together], OUTPUT, times=GRID)
    total = sum(found[patient] for patient in range(len(regimen)))
    np.testing.assert_allclose(found[99], total, rtol=5e-5, atol=1e-4 * total.max())


@settings(max_examples=20, deadline=None)
@given(dose=doses)
def test_additional_doses_equal_their_own_records(saturable, run, dose) -> None:
    single = {name: value for name, value in dose.items() if name not in ("II", "ADDL")}
    each = [
        dose_line(2, {**single, "time": dose["time"] + dose["II"] * number})
        for number in range(int(dose["ADDL"]) + 1)
    ]
    found = run(saturable, [dose_line(1, dose), *each], ["depot", "plasma"], times=GRID)
    np.testing.assert_allclose(found[1], found[2], rtol=1e-6, atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(data=st.data(), regimens=st.lists(st.lists(doses, max_size=3), min_size=2, max_size=5))
def test_nobody_depends_on_the_others(saturable, run, data, regimens) -> None:
    """Patients may stand in any order, and others may be there or not."""
    outputs = ["plasma", "excreted"]
    tables = {
        patient: [
            *(dose_line(patient, dose) for dose in sorted(regimen, key=lambda item: item["time"])),
            record(patient, 60, 0),
            record(patient, 60, 4, AMT=patient, CMT=1, II=12, ADDL=3, SS=1 + patient % 2),
            *observations(patient, [60, 61 + patient, 80]),
        ]
        for patient, regimen in enumerate(regimens, start=1)
    }
    order = data.draw(st.permutations(list(tables)))
    together = [line for patient in order for line in tables[patient]]
    found = run(saturable, together, outputs, workers=2)
    for patient, lines in tables.items():
        np.testing.assert_array_equal(run(saturable, lines, outputs)[patient], found[patient])


def test_output_times_change_nothing(saturable, run) -> None:
    dose = record(1, 0, 1, AMT=100, CMT=1, II=12, ADDL=5)
    grid = run(saturable, [dose], ["plasma"], times=np.array([3.0, 12.0, 50.0]))[1]
    many = run(saturable, [dose], ["plasma"], times=np.linspace(0, 50, 51))[1]
    observed = run(saturable, [dose, *observations(1, [3, 12, 50])], ["plasma"])[1]
    np.testing.assert_array_equal(grid, many[[3, 12, 50]])
    np.testing.assert_array_equal(grid, observed)


def test_a_patient_who_fails_harms_nobody(tmp_path) -> None:
    path = tmp_path / "failing.ant"
    path.write_text("model failing()\n x = 1; exponent = 1; x' = -(x^exponent);\nend\n")
    events = tmp_path / "events.csv"
    lines = [
        line
        for patient in (7, 8, 9)
        for line in (record(patient, 1, 1, AMT=1, CMT=1), *observations(patient, [1, 2]))
    ]
    events.write_text("\n".join([HEADER, *lines]) + "\n")
    model = load_model(path)
    records = read_event_records(events, model.state_names)
    parameters = {"exponent": np.array([1.0, np.nan, 1.0])}
    (group,) = simulate_events(model, records, ["x"], parameters=parameters)
    assert list(group.faults) == [8]
    assert "not finite" in group.faults[8]
    assert np.isnan(group.values[group.ids == 8]).all()
    np.testing.assert_array_equal(group.values[group.ids == 7], group.values[group.ids == 9])


def test_numbers_at_the_edge_of_arithmetic(oral_drug, run) -> None:
    lines = [
        record(1, 0, 1, AMT=1e10, CMT=2, RATE=1e-300),
        record(2, 0, 1, AMT=1e-320, CMT=2, II=24, ADDL=3),
        record(3, 0, 1, AMT=1e300, CMT=2, RATE=1e-5, II=3, ADDL=3),
        *(record(patient, 9, 0) for patient in (1, 2, 3)),
    ]
    found = run(oral_drug, lines, ["amount"])
    level = (1 - np.exp(-0.055 * 9)) / 0.055
    np.testing.assert_allclose(found[1], [[1e-300 * level]], rtol=1e-4)
    np.testing.assert_allclose(found[2], [[1e-320 * np.exp(-0.055 * 9)]], rtol=1e-2)
    waited = np.array([9, 6, 3, 0])
    expected = 1e-5 * ((1 - np.exp(-0.055 * waited)) / 0.055).sum()
    np.testing.assert_allclose(found[3], [[expected]], rtol=1e-4)
    with pytest.raises(InputError, match="no finite rate"):
        run(oral_drug, [record(1, 0, 1, AMT=1e10, CMT=2, DUR=1e-300), lines[3]], ["amount"])


def test_no_more_doses_than_can_be_held(oral_drug, run) -> None:
    lines = [record(1, 0, 1, AMT=1, CMT=1, II=1e-9, ADDL=10**12), record(1, 9, 0)]
    with pytest.raises(InputError, match=r"events\.csv:2: .*100000"):
        run(oral_drug, lines, OUTPUT)


def test_a_dose_may_not_be_delayed_by_a_negative_time(oral_drug, run) -> None:
    extra = replace(oral_drug.parameters[0], name="amount_lag_time", value=-1.0)
    model = replace(oral_drug, parameters=(*oral_drug.parameters, extra))
    lines = [record(4, 0, 1, AMT=1, CMT=2), record(4, 9, 0)]
    with pytest.raises(InputError, match=r":2: .*'amount_lag_time' is -1 for ID 4"):
        run(model, lines, OUTPUT)


def test_a_modelled_rate_must_be_in_the_model(oral_drug, run) -> None:
    lines = [record(4, 0, 1, AMT=1, CMT="depot", RATE=-1), record(4, 9, 0)]
    with pytest.raises(InputError, match=r":2: .*needs a constant 'depot_infusion_rate'"):
        run(oral_drug, lines, OUTPUT)
