"""Output times that all patients share."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from estradyn.errors import InputError
from estradyn.simulation.number_table import read_number_table

MOST_OUTPUT_TIMES = 1_000_000


def even_times(duration: float, steps: int) -> NDArray[np.float64]:
    """Return times from 0 to `duration` in `steps` even steps, shape (steps + 1,).

    Raises
    ------
    InputError
        If the duration is not a number above zero or there are too few or too many steps.
    """
    if not (math.isfinite(duration) and duration > 0):
        raise InputError(f"the duration is {duration:g}, it must be a number above 0")
    if not 1 <= steps < MOST_OUTPUT_TIMES:
        raise InputError(f"there are {steps} steps, allowed are 1 to {MOST_OUTPUT_TIMES - 1}")
    return np.linspace(0.0, duration, steps + 1)


def read_times(path: Path) -> NDArray[np.float64]:
    """Read output times from a table with the one column TIME.

    Raises
    ------
    InputError
        If a time is missing, negative or not after the one before, or there are too many.
    """
    table = read_number_table(path, ("TIME",), ("TIME",))
    times = table.numbers["TIME"]
    table.refuse(np.isnan(times), "TIME", "empty", "a number")
    table.refuse(times < 0, "TIME", times, "at or after the start of the simulation, 0")
    back = np.append(False, np.diff(times) <= 0)
    table.refuse(back, "TIME", times, "after the time before it")
    if times.size > MOST_OUTPUT_TIMES:
        raise InputError(f"has {times.size} times, allowed are {MOST_OUTPUT_TIMES}", source=path)
    return times
