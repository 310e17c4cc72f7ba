"""Dosing scenarios that NONMEM has solved, from the public nmtests repository."""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from estradyn.model import load_model
from estradyn.simulation import read_event_records, simulate_events

MODEL = Path(__file__).with_name("oral_drug.ant")
SHARED = Path(os.environ.get("ESTRADYN_SHARED", Path(__file__).resolve().parents[3] / "shared"))
NONMEM = SHARED / "conformance" / "nonmem"
SCENARIOS = (*range(1, 5), 6, 7, 9, 10, 11, *range(14, 19), 20, 21, 23, 24, 26, 27)
RELATIVE_ERROR = 1e-4

pytestmark = pytest.mark.skipif(
    not NONMEM.is_dir(), reason="the NONMEM reference output is not on this machine"
)


def reference_rows() -> dict[int, list[dict[str, str]]]:
    rows = defaultdict(list)
    with (NONMEM / "records.csv").open() as file:
        for row in csv.DictReader(file):
            rows[int(row["ID"])].append(row)
    return rows


def write_events(rows: list[dict[str, str]], path: Path) -> None:
    """Write records as this project reads them.

    In the reference model lag time and bioavailability are those of the second compartment.
    """
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["ID", "TIME", "EVID", "AMT", "CMT", "SS", "II", "ADDL", "RATE", "LAGT", "BIOAV"]
        )
        for row in rows:
            names = ("ID", "time", "evid", "amt", "cmt", "ss", "ii", "addl", "rate")
            central = row["cmt"] == "2"
            traits = [row["LAGT"], row["BIOAV"]] if central else ["", ""]
            writer.writerow([*(row[name] for name in names), *traits])


@pytest.fixture(scope="module")
def errors(tmp_path_factory) -> dict[int, float]:
    """Largest relative error of each scenario, all solved together."""
    reference = reference_rows()
    path = tmp_path_factory.mktemp("nonmem") / "events.csv"
    write_events([row for rows in reference.values() for row in rows], path)
    model = load_model(MODEL)
    records = read_event_records(path, model.state_names)
    found = defaultdict(list)
    for group in simulate_events(model, records, ["concentration"]):
        assert not group.faults
        for patient, value in zip(group.ids, group.values[:, 0], strict=True):
            found[int(patient)].append(value)
    largest = {}
    for scenario, rows in reference.items():
        expected = np.array([float(row["CP_nonmem"]) for row in rows if row["evid"] == "0"])
        solved = np.array(found[scenario])
        assert solved.shape == expected.shape
        np.testing.assert_allclose(solved[expected == 0], 0, atol=1e-9)
        some = expected != 0
        largest[scenario] = float(np.max(np.abs(solved[some] / expected[some] - 1)))
    return largest


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_agrees_with_nonmem(errors, scenario: int) -> None:
    assert errors[scenario] < RELATIVE_ERROR


def test_covers_every_scenario(errors) -> None:
    assert tuple(sorted(errors)) == SCENARIOS
