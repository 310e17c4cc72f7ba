"""When a published number was measured, as a day or a span of days."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from estradyn.errors import ParameterError

DAYS_OF: dict[str, float] = {
    "day": 1.0,
    "week": 7.0,
    "month": 365.25 / 12.0,
    "year": 365.25,
}
"""Days in each unit of time that a mapping may use."""

_TIME = r"(\d+(?:\.\d+)?) (day|week|month|year)"
_SHAPES = re.compile(rf"{_TIME}|(from) {_TIME}(?: to {_TIME})?")

NEAR_SHARE = 0.125
NEAR_DAYS = 4.0
"""A visit stands for a published time when it is this near: a share of it, or some days."""


@dataclass(frozen=True)
class When:
    """A time of measurement.

    Attributes
    ----------
    start
        Day from which change is counted; 0 unless the text says so.
    end
        Day of measurement.
    onwards
        Whether any day from `start` on will do, as for a level that is steady.
    """

    start: float
    end: float
    onwards: bool = False

    def includes(self, day: float) -> bool:
        """Whether a visit on a day, counted from the start of treatment, stands for this time."""
        if self.onwards:
            return day >= self.start
        return self.start == 0.0 and abs(day - self.end) <= max(NEAR_DAYS, NEAR_SHARE * self.end)


def parse_time(text: str) -> When:
    """Read `12 week`, `from 6 week` (any day from then on) or `from 30 month to 36 month`.

    Raises
    ------
    ParameterError
        If the text has none of these shapes.
    """
    match = _SHAPES.fullmatch(text)
    if match is None:
        raise ParameterError(
            f"found the time '{text}', allowed is a time such as '12 week', 'from 6 week' or "
            "'from 30 month to 36 month'"
        )
    if match[1]:
        return When(0.0, _days(match[1], match[2]))
    start = _days(match[4], match[5])
    if match[6] is None:
        return When(start, math.inf, onwards=True)
    return When(start, _days(match[6], match[7]))


def _days(number: str, unit: str) -> float:
    return float(number) * DAYS_OF[unit]
