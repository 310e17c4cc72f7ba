"""Simulated endpoints held against the numbers that were published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from estradyn.evidence import PublishedValue, Use
from estradyn.report.wording import interval_text, unit_text
from estradyn.trial.published import published_for
from estradyn.trial.study import Arm, Study


class Verdict(StrEnum):
    """Where a simulated value lies against one published number."""

    WITHIN = "within"
    OUTSIDE = "outside"
    NO_INTERVAL = "no interval"


@dataclass(frozen=True)
class Comparison:
    """One published number beside one simulated value.

    Attributes
    ----------
    number
        The published number and its interval, as text.
    about
        Whose number it is: drug, dose and what to know when comparing.
    source
        Title, identifier and year.
    calibrated
        Whether the model was fitted to this number, so that agreement proves nothing.
    verdict
        Whether the simulated value lies in the published interval.
    """

    number: str
    about: str
    source: str
    calibrated: bool
    verdict: Verdict


@dataclass(frozen=True)
class Tally:
    """How many simulated values lie within the published interval beside them.

    Attributes
    ----------
    label
        What is counted.
    within, compared
        Values within, of those that have an interval to be held against.
    """

    label: str
    within: int
    compared: int


def comparisons(
    study: Study, arm: Arm, endpoint: str, day: float | None, value: float | None, unit: str
) -> tuple[Comparison, ...]:
    """Compare one simulated value with every published number that speaks to it.

    Parameters
    ----------
    study, arm
        Study and arm simulated; see `estradyn.trial.published` for which have published numbers.
    endpoint
        Name of the endpoint.
    day
        Planned day of the visit; None for an endpoint without one.
    value
        Simulated value; None where there is none.
    unit
        Its unit; numbers in another unit are left out.

    Returns
    -------
    tuple of Comparison
        The closest match first.
    """
    published = published_for(study, arm, endpoint, day)
    return tuple(_comparison(number, value) for number in published if number.unit == unit)


def tallies(shown: Sequence[Comparison]) -> list[Tally]:
    """Count agreement, apart for numbers the model was fitted to and numbers it was not."""
    counts = []
    for label, calibrated in (("calibrated to", True), ("only checked against", False)):
        own = [
            item
            for item in shown
            if item.calibrated is calibrated and item.verdict is not Verdict.NO_INTERVAL
        ]
        counts.append(Tally(label, sum(item.verdict is Verdict.WITHIN for item in own), len(own)))
    return [tally for tally in counts if tally.compared]


def _comparison(published: PublishedValue, value: float | None) -> Comparison:
    row, unit = published.row, unit_text(published.unit)
    number = f"{published.value:g}".replace("-", "−")
    interval = interval_text(published.lower, published.upper, unit)
    dose = f"{row.drug} {row.dose}".strip()
    return Comparison(
        number=f"{number} ({interval})" if interval else number,
        about=", ".join(part for part in (dose, published.note) if part),
        source=", ".join(part for part in (row.source_title, row.source_id, row.year) if part),
        calibrated=published.use is Use.CALIBRATION,
        verdict=_verdict(published, value),
    )


def _verdict(published: PublishedValue, value: float | None) -> Verdict:
    if value is None or published.lower is None or published.upper is None:
        return Verdict.NO_INTERVAL
    inside = published.lower <= value <= published.upper
    return Verdict.WITHIN if inside else Verdict.OUTSIDE
