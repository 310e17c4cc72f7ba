"""On which days a regimen plans its doses, and whether two regimens of one drug agree."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from estradyn.trial.study import Regimen

Array = NDArray[np.float64]

ONE_MINUTE = 1.0 / (24.0 * 60.0)
"""Doses that are planned closer than this, in days, are planned at the same time."""


def dose_days(regimen: Regimen, duration: float) -> Array:
    """Return the days on which a regimen plans a dose; ascending, before its end.

    A dose at the very end would have no effect on anything that is seen.
    """
    end = duration if regimen.stop is None else min(regimen.stop, duration)
    span = end - regimen.start
    if regimen.at is not None:
        pattern = np.array(regimen.at)
    else:
        assert regimen.interval is not None
        pattern = _evenly(regimen.interval, span if regimen.course is None else regimen.course)
    cycles = np.zeros(1) if regimen.cycle is None else _evenly(regimen.cycle, span)
    days = regimen.start + (cycles[:, None] + pattern).ravel()
    return days[days < end - 1e-9 * max(1.0, end)]


def first_overlap(regimens: Sequence[Regimen], duration: float) -> tuple[int, int, float] | None:
    """Find two regimens that give one drug at once, which is mostly a `stop` that was forgotten.

    They do where both plan a dose at the same time, or where one with even intervals begins while
    another goes on. Two that begin within one interval of the other are not at fault: they are
    two doses a day, say.

    Parameters
    ----------
    regimens
        Those of one arm.
    duration
        Length of the study, days.

    Returns
    -------
    tuple or None
        Places of the two in `regimens`, in the order of the file, and the first day of both.
    """
    for (first, one), (second, other) in combinations(enumerate(regimens), 2):
        if one.drug == other.drug:
            day = _both_given_on(one, other, duration)
            if day is not None:
                return first, second, day
    return None


def _both_given_on(one: Regimen, other: Regimen, duration: float) -> float | None:
    """First day on which two regimens of one drug get in each other's way; None if none is."""
    earlier, later = sorted((one, other), key=lambda regimen: regimen.start)
    even = [regimen.interval for regimen in (earlier, later) if regimen.cycle is None]
    if None not in even and len(even) == 2:
        assert earlier.interval is not None
        goes_on = earlier.stop is None or later.start < earlier.stop
        if goes_on and later.start >= earlier.start + earlier.interval:
            return later.start
    days, others = dose_days(earlier, duration), dose_days(later, duration)
    if not days.size or not others.size:
        return None
    after = np.minimum(np.searchsorted(days, others), days.size - 1)
    before = np.maximum(after - 1, 0)
    apart = np.minimum(np.abs(days[after] - others), np.abs(days[before] - others))
    together = others[apart < ONE_MINUTE]
    return float(together[0]) if together.size else None


def _evenly(interval: float, span: float) -> Array:
    """Multiples of an interval from 0 to before the end of a span."""
    return interval * np.arange(int(np.ceil(span / interval - 1e-9)), dtype=np.float64)
