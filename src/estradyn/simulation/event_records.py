"""Event tables: who was dosed and observed when, as NONMEM-style records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from estradyn.errors import InputError
from estradyn.simulation.number_table import NOT_GIVEN, NumberTable, read_number_table

REQUIRED_COLUMNS = ("ID", "TIME", "EVID")
DOSE_COLUMNS = ("AMT", "RATE", "DUR", "II", "ADDL", "SS")
OWN_TRAIT_COLUMNS = ("LAGT", "BIOAV")
"""Lag time and bioavailability of one record, in place of the model's."""
IGNORED_COLUMNS = ("DV", "MDV")
"""Columns of data sets made for estimation, which mean nothing to a simulation."""
COLUMNS = (*REQUIRED_COLUMNS, "CMT", *DOSE_COLUMNS, *OWN_TRAIT_COLUMNS, *IGNORED_COLUMNS)
LARGEST_ID = 2**53

MODELLED_RATE = -1.0
MODELLED_DURATION = -2.0
_UNKNOWN = -2
"""Place of a state that does not exist."""


class EventKind(IntEnum):
    """Values of EVID."""

    OBSERVATION = 0
    DOSE = 1
    OTHER = 2
    RESET = 3
    RESET_AND_DOSE = 4


@dataclass(frozen=True)
class EventRecords:
    """Records of all patients, those of a patient together and in the order of the file.

    Attributes
    ----------
    path
        The file.
    ids
        ID of each patient in the order of first appearance, shape (patients,).
    first
        Place of each patient's first record, and the number of records at the end; shape
        (patients + 1,).
    line
        Line in the file. This and all following have shape (records,).
    time
        Time in the model's unit.
    kind
        `EventKind`.
    amount
        Amount in the state's unit.
    state
        Place of the state dosed in the model's states, -1 without one.
    rate
        Rate of an infusion, 0 without one, -1 or -2 where rate or duration are the model's.
    duration
        Duration of an infusion, 0 where it is not given.
    interval
        Time between doses.
    additional
        Doses that follow.
    steady_state
        0, 1 or 2.
    lag_time, bioavailability
        The record's own, NaN where the model's count.
    """

    path: Path
    ids: NDArray[np.int64]
    first: NDArray[np.int64]
    line: NDArray[np.int64]
    time: NDArray[np.float64]
    kind: NDArray[np.int64]
    amount: NDArray[np.float64]
    state: NDArray[np.int64]
    rate: NDArray[np.float64]
    duration: NDArray[np.float64]
    interval: NDArray[np.float64]
    additional: NDArray[np.int64]
    steady_state: NDArray[np.int64]
    lag_time: NDArray[np.float64]
    bioavailability: NDArray[np.float64]

    @property
    def patients(self) -> int:
        """Number of patients."""
        return int(self.ids.size)

    def of(self, patient: int) -> slice:
        """Return where the records of a patient stand."""
        return slice(int(self.first[patient]), int(self.first[patient + 1]))


def read_event_records(path: Path, state_names: Sequence[str]) -> EventRecords:
    """Read an event table.

    Parameters
    ----------
    path
        Comma-separated file with the columns ID, TIME and EVID and any of `COLUMNS`.
    state_names
        States of the model; CMT names one, or gives its number counted from 1.

    Raises
    ------
    InputError
        Naming the line of the first record that may not be used.
    """
    table = read_number_table(path, COLUMNS, REQUIRED_COLUMNS, texts=("CMT",))
    identity = _whole(table, "ID", np.nan, "a whole number", lowest=-LARGEST_ID, highest=LARGEST_ID)
    time = table.column("TIME", np.nan)
    table.refuse(np.isnan(time), "TIME", "empty", "a number")
    table.refuse(time < 0, "TIME", time, "at or after the start of the simulation, 0")
    allowed = "0 (observation), 1 (dose), 2 (other), 3 (reset) or 4 (reset and dose)"
    kind = _whole(table, "EVID", np.nan, allowed, lowest=0, highest=4)
    dosing = (kind == EventKind.DOSE) | (kind == EventKind.RESET_AND_DOSE)
    columns: dict[str, NDArray] = {
        "line": table.lines,
        "time": time,
        "kind": kind,
        "amount": _not_negative(table, "AMT", 0.0),
        "state": _states(table, state_names, dosing),
        "rate": table.column("RATE"),
        "duration": _not_negative(table, "DUR", 0.0),
        "interval": _not_negative(table, "II", 0.0),
        "additional": _whole(
            table, "ADDL", 0.0, "a whole number from 0", lowest=0, highest=LARGEST_ID
        ),
        "steady_state": _whole(table, "SS", 0.0, "0, 1 or 2", lowest=0, highest=2),
        "lag_time": _not_negative(table, "LAGT", np.nan),
        "bioavailability": _not_negative(table, "BIOAV", np.nan),
    }
    _check_doses(table, columns, dosing)
    return _by_patient(table, identity, columns)


def _whole(
    table: NumberTable, column: str, missing: float, allowed: str, *, lowest: int, highest: int
) -> NDArray[np.int64]:
    values = table.column(column, missing)
    table.refuse(np.isnan(values), column, "empty", allowed)
    wrong = (values != np.round(values)) | (values < lowest) | (values > highest)
    table.refuse(wrong, column, values, allowed)
    return values.astype(np.int64)


def _not_negative(table: NumberTable, column: str, missing: float) -> NDArray[np.float64]:
    values = table.column(column, missing)
    table.refuse(values < 0, column, values, "0 or above")
    return values


def _states(
    table: NumberTable, state_names: Sequence[str], dosing: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Place of the state that each CMT cell means, -1 for none."""
    cells = table.texts.get("CMT", [""] * table.lines.size)
    place = {name: position for position, name in enumerate(state_names)}
    place |= {str(position + 1): position for position in range(len(state_names))}
    place |= dict.fromkeys((*NOT_GIVEN, "0"), -1)
    allowed = f"a number from 1 to {len(state_names)} or a state ({', '.join(state_names[:20])}"
    allowed += " ...)" if len(state_names) > 20 else ")"
    for cell in set(cells) - place.keys():
        place[cell] = _numbered_state(cell, len(state_names))
    states = np.array([place[cell] for cell in cells], dtype=np.int64)
    for wrong in (states == _UNKNOWN, dosing & (states < 0)):
        if wrong.any():
            row = int(np.argmax(wrong))
            raise table.error(row, f"CMT is '{cells[row][:80]}', it must be {allowed}")
    return states


def _numbered_state(cell: str, count: int) -> int:
    """Place of a state whose number is not written plainly, say 2.0; `_UNKNOWN` for other text."""
    try:
        number = float(cell)
    except ValueError:
        return _UNKNOWN
    return int(number) - 1 if number in range(count + 1) else _UNKNOWN


def _check_doses(
    table: NumberTable, columns: dict[str, NDArray], dosing: NDArray[np.bool_]
) -> None:
    for name in DOSE_COLUMNS:
        values = table.column(name)
        allowed = "0 or empty on a record with EVID 0, 2 or 3, which gives no dose"
        table.refuse(~dosing & (values != 0), name, values, allowed)
    rate, duration, interval = columns["rate"], columns["duration"], columns["interval"]
    modelled = (rate == MODELLED_RATE) | (rate == MODELLED_DURATION)
    allowed = "0 (no infusion), above 0, -1 (the model's rate) or -2 (the model's duration)"
    table.refuse((rate < 0) & ~modelled, "RATE", rate, allowed)
    both = (duration > 0) & (rate != 0)
    table.refuse(both, "DUR", duration, "0 or empty where RATE is given")
    repeated, steady = columns["additional"] > 0, columns["steady_state"] > 0
    table.refuse(repeated & (interval == 0), "II", "0", "above 0 where ADDL is given")
    table.refuse(steady & (interval == 0), "II", "0", "above 0 where SS is given")
    table.refuse(steady & (columns["amount"] == 0), "AMT", "0", "above 0 where SS is given")


def _by_patient(
    table: NumberTable, identity: NDArray[np.int64], columns: dict[str, NDArray]
) -> EventRecords:
    """Tell patients apart; check that an ID does not come back and that her times ascend."""
    first = np.flatnonzero(np.diff(identity, prepend=identity[0] - 1))
    ids = identity[first]
    _, once = np.unique(ids, return_index=True)
    if once.size < ids.size:
        block = int(np.argmin(np.isin(np.arange(ids.size), once)))
        earlier = int(np.argmax(ids == ids[block]))
        last = table.lines[first[earlier + 1] - 1]
        # NONMEM takes a second person and others the same one, so neither may be guessed.
        raise table.error(
            int(first[block]),
            f"ID {ids[block]} comes back after other IDs, its earlier records end in line {last}; "
            "the records of one ID must stand together, and each person needs an ID of her own",
        )
    time, same = columns["time"], np.diff(identity) == 0
    back = np.flatnonzero(same & (np.diff(time) < 0))
    if back.size:
        before, row = int(back[0]), int(back[0]) + 1
        raise table.error(
            row,
            f"TIME is {time[row]:g} after {time[before]:g} in line {table.lines[before]}; "
            "the times of one ID must ascend",
        )
    return EventRecords(path=table.path, ids=ids, first=np.append(first, identity.size), **columns)


def require_observations(records: EventRecords) -> None:
    """Check that every patient has a record with EVID 0, which says when she is observed.

    Raises
    ------
    InputError
        Naming the first patient without one.
    """
    observed = np.add.reduceat(records.kind == EventKind.OBSERVATION, records.first[:-1])
    missing = np.flatnonzero(observed == 0)
    if missing.size:
        raise InputError(
            f"ID {records.ids[missing[0]]} has no record with EVID 0 to say when she is observed; "
            "add some, or give the output times of all patients",
            source=records.path,
        )
