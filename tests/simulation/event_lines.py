"""Lines of event tables."""

from __future__ import annotations

from collections.abc import Sequence

HEADER = "ID,TIME,EVID,AMT,CMT,RATE,DUR,II,ADDL,SS,LAGT,BIOAV"


def record(patient: int, time: float, kind: int, **columns: object) -> str:
    """Return a line of an event table; columns that are not given are left empty."""
    given = {"ID": patient, "TIME": repr(float(time)), "EVID": kind, **columns}
    return ",".join(str(given.get(name, "")) for name in HEADER.split(","))


def table(lines: Sequence[str]) -> str:
    """Return the text of an event table, the lines of one ID put together in their order."""
    by_patient: dict[str, list[str]] = {}
    for line in lines:
        by_patient.setdefault(line.partition(",")[0], []).append(line)
    return "\n".join([HEADER, *(line for own in by_patient.values() for line in own)]) + "\n"


def observations(patient: int, times: Sequence[float]) -> list[str]:
    return [record(patient, time, 0) for time in times]
