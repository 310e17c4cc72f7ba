"""Time in the unit a reader thinks in: weeks early on, months over a trial."""

from __future__ import annotations

import math
from dataclasses import dataclass

import altair as alt

DAYS_PER_WEEK = 7.0
DAYS_PER_MONTH = 365.25 / 12.0


@dataclass(frozen=True)
class TimeAxis:
    """A horizontal time axis.

    Attributes
    ----------
    unit
        Name of the unit, as the axis title has it.
    days
        Days per unit.
    last
        End of the axis, in the unit.
    """

    unit: str
    days: float
    last: float

    @property
    def ticks(self) -> list[float]:
        """Tick positions in the unit: whole numbers, at most ten of them."""
        steps = (1, 2, 3, 4, 6, 12, 24, 48) if self.unit == "month" else (1, 2, 4, 8, 13, 26, 52)
        step = next((s for s in steps if self.last / s < 9), steps[-1])
        return [float(i * step) for i in range(math.floor(self.last / step + 1e-6) + 1)]

    def channel(self, field: str = "time", *, title: bool = True) -> alt.X:
        """Channel for a column that is already in the unit."""
        return alt.X(
            f"{field}:Q",
            title=f"Time ({self.unit}s)" if title else None,
            scale=alt.Scale(domain=[0, self.last], nice=False),
            axis=alt.Axis(values=self.ticks, grid=False, format="d"),
        )


def weeks(last_day: float) -> TimeAxis:
    """Axis in weeks that ends at a day."""
    return TimeAxis("week", DAYS_PER_WEEK, _rounded_end(last_day / DAYS_PER_WEEK))


def months(last_day: float) -> TimeAxis:
    """Axis in months that ends at a day."""
    return TimeAxis("month", DAYS_PER_MONTH, _rounded_end(last_day / DAYS_PER_MONTH))


def _rounded_end(last: float) -> float:
    """End on the next whole unit when that is less than 3 percent away, so that it gets a tick."""
    whole = math.ceil(last)
    return float(whole) if whole - last < 0.03 * whole else last
