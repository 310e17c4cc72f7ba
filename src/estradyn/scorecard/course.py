"""What a variable does in one woman after doses, and the numbers that are read from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from estradyn.model.assays import Reading

Array = NDArray[np.float64]

STEADY_SHARE = 0.9
"""Share of its last value that a level before a dose must reach to be called steady."""

LEAST_SHARE = 0.01
"""Share of the peak below which no assay follows a decline."""

HALF_LIFE_FROM_HOUR = 24.0
"""Half-lives are read from here on, when a dose has been absorbed and distributed."""


BODY_WEIGHT = 66.0
"""Kilograms of a woman whose kinetics are printed per kilogram; models here know no weight."""


@dataclass(frozen=True)
class Course:
    """What a variable does in one woman.

    Attributes
    ----------
    dose
        Amount of each dose.
    interval
        Hours between doses, or from the last dose until the next would be due.
    before
        Value before any dose.
    troughs
        Values just before each dose after the first, and an interval after the last.
    hours
        Hours after the last dose.
    values
        Values at these hours.
    cycle_starts
        Values just before each cycle of doses after the first; empty where there are no cycles.
    """

    dose: float
    interval: float
    before: float
    troughs: Array
    hours: Array
    values: Array
    cycle_starts: Array = field(default_factory=lambda: np.empty(0))

    @property
    def once(self) -> bool:
        """Whether one dose was given alone."""
        return self.troughs.size == 1

    @property
    def _until_next_dose(self) -> NDArray[np.bool_]:
        return self.hours <= (np.inf if self.once else self.interval)

    @property
    def peak(self) -> float:
        """Largest value until the next dose; ever, after a single one."""
        return float(self.values[self._until_next_dose].max())

    @property
    def time_of_peak(self) -> float:
        """Hours from the last dose to its peak."""
        return float(self.hours[np.argmax(self.values[self._until_next_dose])])

    def area(self, until: float) -> float:
        """Area under the curve from the last dose, by trapezoids."""
        within = self.hours <= until
        return float(np.trapezoid(self.values[within], self.hours[within]))

    @property
    def average(self) -> float:
        """Mean over the interval after the last dose."""
        return self.area(self.interval) / self.interval

    @property
    def decline(self) -> float:
        """Rate of the terminal decline per hour.

        By regression of the logarithm on time over the later half of the hours between the start of
        the decline and the last at which the level can be followed.
        """
        start = max(HALF_LIFE_FROM_HOUR, float(self.hours[np.argmax(self.values)]))
        followed = (self.hours >= start) & (self.values > LEAST_SHARE * self.values.max())
        if np.count_nonzero(followed) < 4:
            return np.nan
        end = float(self.hours[followed].max())
        late = followed & (self.hours >= (start + end) / 2)
        slope = np.polyfit(self.hours[late], np.log(self.values[late]), 1)[0]
        return -float(slope) if slope < 0 else np.nan

    @property
    def half_life(self) -> float:
        """Half-life of the terminal decline, hours."""
        return float(np.log(2.0)) / self.decline

    @property
    def whole_area(self) -> float:
        """Area under the curve after the last dose, to infinity."""
        return self.area(np.inf) + float(self.values[-1]) / self.decline

    @property
    def clearance(self) -> float:
        """Apparent clearance: dose over area, of a dosing interval where doses are repeated."""
        return self.dose / (self.whole_area if self.once else self.area(self.interval))

    @property
    def volume(self) -> float:
        """Apparent volume by the terminal slope: clearance over its rate."""
        return self.clearance / self.decline

    @property
    def hours_to_steady_state(self) -> float:
        """Hours until the level before a dose has come to a share of its last one."""
        reached = np.flatnonzero(self.troughs >= STEADY_SHARE * self.troughs[-1])
        return float(reached[0] + 1) * self.interval

    @property
    def remaining(self) -> float:
        """Value when the next dose is due, as blood is drawn, in percent of that before any."""
        return 100.0 * float(self.troughs[-1]) / self.before

    @property
    def mean_remaining(self) -> float:
        """Average over the interval after the last dose, in percent of the value before any."""
        return 100.0 * self.average / self.before

    @property
    def time_of_lowest(self) -> float:
        """Hours from the last dose to the lowest value after it."""
        return float(self.hours[np.argmin(self.values)])

    def read_by(self, reading: Reading, *, extrapolated: bool) -> Course:
        """The course as an assay reads it.

        Parameters
        ----------
        reading
            What the assay reads of the variable.
        extrapolated
            Whether a reading below the limit of the assay is kept; else it counts as the limit.
        """
        limit = -np.inf if extrapolated or reading.limit is None else reading.limit

        def read(true: Array) -> Array:
            return np.maximum(reading.of(true), limit)

        return replace(
            self,
            before=float(read(np.array([self.before]))[0]),
            troughs=read(self.troughs),
            values=read(self.values),
            cycle_starts=read(self.cycle_starts),
        )

    @property
    def accumulation(self) -> float:
        """By how many percent more is left before the last cycle than before the second."""
        return 100.0 * (float(self.cycle_starts[-1]) / float(self.cycle_starts[0]) - 1.0)


Courses = list[Course | None]
"""A course for each woman; None for one whose simulation failed."""


def of_each(read: Callable[[Course], float], courses: Courses) -> Array:
    """Read a number from every course, NaN where there is none."""
    return np.array([np.nan if one is None else read(one) for one in courses])


STATISTICS: Mapping[str, tuple[Callable[[Course], float], str]] = {
    "peak": (lambda course: course.peak, "{}"),
    "time of peak": (lambda course: course.time_of_peak, "hour"),
    "trough": (lambda course: float(course.troughs[-1]), "{}"),
    "average": (lambda course: course.average, "{}"),
    "area": (lambda course: course.whole_area, "{} * hour"),
    "area over interval": (lambda course: course.area(course.interval), "{} * hour"),
    "area to 480 hour": (lambda course: course.area(480.0), "{} * hour"),
    "half-life": (lambda course: course.half_life, "hour"),
    "clearance": (lambda course: course.clearance, "L / hour"),
    "volume": (lambda course: course.volume, "L"),
    "clearance per kilogram": (lambda course: course.clearance / BODY_WEIGHT, "L/kg/h"),
    "volume per kilogram": (lambda course: course.volume / BODY_WEIGHT, "L/kg"),
    "peak for a dose per kilogram": (
        lambda course: course.peak * BODY_WEIGHT / course.dose,
        "kg/L",
    ),
    "accumulation": (lambda course: course.accumulation, "percent"),
    "time to steady state": (lambda course: course.hours_to_steady_state, "hour"),
    "remaining": (lambda course: course.remaining, "percent"),
    "fall": (lambda course: 100.0 - course.remaining, "percent"),
    "change": (lambda course: course.remaining - 100.0, "percent"),
    "mean remaining": (lambda course: course.mean_remaining, "percent"),
    "mean fall": (lambda course: 100.0 - course.mean_remaining, "percent"),
    "time of lowest": (lambda course: course.time_of_lowest, "hour"),
}
"""What is read from a course, and its unit, where {} is that of the variable."""
