"""How each patient's simulation ended."""

from __future__ import annotations

from enum import IntEnum


class PatientStatus(IntEnum):
    """Outcome of one patient's integration; anything but OK leaves NaN in her outputs."""

    OK = 0
    RETRIED = 1
    STEP_LIMIT = 2
    STEP_TOO_SMALL = 3
    NOT_FINITE = 4

    @property
    def succeeded(self) -> bool:
        """Whether the patient's numbers may be used."""
        return self <= PatientStatus.RETRIED

    @property
    def text(self) -> str:
        """One phrase for a person to read."""
        return _TEXT[self]


_TEXT = {
    PatientStatus.OK: "solved",
    PatientStatus.RETRIED: "solved after a retry with tighter step control or the reference solver",
    PatientStatus.STEP_LIMIT: "needed more steps than allowed",
    PatientStatus.STEP_TOO_SMALL: "needed steps too small for the arithmetic",
    PatientStatus.NOT_FINITE: "a value was not finite (division by zero, logarithm or power of a "
    "negative number, or a parameter that is not a number)",
}
