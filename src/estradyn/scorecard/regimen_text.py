"""Who takes what, read from the scenario of a mapping row.

A scenario is `<people>: <drug> <course>`, with one of `PEOPLE`, where a course is one of ::

    <dose> mg once
    <dose> mg/day for <n> day
    <dose> mg every <n> day for <n> day
    <dose> mg/day for <n> day in <m> cycles of <k> day

More courses may follow, each ` then <course> from day <d>`, as after a loading dose. ` taken by <n>
percent` may follow these, where not all of the people take what they were given. A scenario may end
in ` with <what> <state>` for what `models/co_medication.tsv` knows: medication beside the drug, a
variant of an enzyme, or a meal; and what that is compared with is the drug alone or, after
` rather than <state>`, another state of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from estradyn.errors import InputError

Array = NDArray[np.float64]

PEOPLE: Mapping[str, str | None] = {
    "women": None,
    "men": "men",
    "elderly men": "elderly_men",
    "hypogonadal men": "hypogonadal_men",
    "men with testosterone replaced": "men_with_testosterone_replaced",
}
"""Population of the people that a scenario names; None for the patient's own text."""

HOURS_PER_DAY = 24.0

_COURSE = (
    r"\d+(?:\.\d+)? mg(?: once|(?:/day| every \d+ day) for \d+ day(?: in \d+ cycles of \d+ day)?)"
)
_SCENARIO = re.compile(
    rf"(?P<people>{'|'.join(PEOPLE)}): (?P<drug>[a-z]+) (?P<first>{_COURSE})"
    rf"(?P<later>(?: then {_COURSE} from day \d+)*)"
    r"(?: taken by (?P<takers>\d+(?:\.\d+)?) percent)?"
    r"(?: with (?P<what>\w+) (?P<state>\w+)(?: rather than (?P<instead>\w+))?)?"
)
_PARTS = re.compile(
    r"(?P<dose>\d+(?:\.\d+)?) mg(?: once|(?:/day| every (?P<every>\d+) day) for (?P<days>\d+) day)"
    r"(?: in (?P<cycles>\d+) cycles of (?P<length>\d+) day)?(?: from day (?P<start>\d+))?"
)
_THEN = " then "


@dataclass(frozen=True)
class Regimen:
    """What is given when.

    Attributes
    ----------
    people
        Who takes it, one of `PEOPLE`.
    drug
        Name of the drug.
    hours
        Time of each dose, ascending, from 0.
    milligrams
        Amount of each dose.
    interval
        Hours between doses of the last course, or a day after a single dose.
    cycles
        Hours at which the cycles of the last course begin; one where there are no cycles.
    co_medication
        State of what is changed beside the drug, as `with_co_medication` takes it.
    usual_co_medication
        The same of what that is compared with; empty for the drug alone.
    takers
        Percent of the people who take the doses; the others take none.
    """

    people: str
    drug: str
    hours: Array
    milligrams: Array
    interval: float
    cycles: Array
    co_medication: dict[str, str]
    usual_co_medication: dict[str, str] = field(default_factory=dict)
    takers: float = 100.0

    @property
    def first_dose(self) -> Regimen:
        """The first dose alone, watched for as long as the interval of the last course."""
        return replace(
            self, hours=self.hours[:1], milligrams=self.milligrams[:1], cycles=self.hours[:1]
        )

    @property
    def usual(self) -> Regimen:
        """The same doses with what the change beside the drug is compared with."""
        return replace(self, co_medication=self.usual_co_medication)


def read_regimen(name: str, scenario: str) -> Regimen:
    """Read a scenario.

    Parameters
    ----------
    name
        Id of the evidence, for the error.
    scenario
        The text.

    Raises
    ------
    InputError
        If the text is no such scenario, a course begins before the one before it has ended, or more
        than all of the people take the doses.
    """
    match = _SCENARIO.fullmatch(scenario)
    if match is None:
        raise InputError(
            f"evidence '{name}': found the scenario '{scenario}', allowed is "
            "'women: <drug> <dose> mg' followed by ' once', '/day for <n> day' or "
            "' every <n> day for <n> day'"
        )
    takers = float(match["takers"] or 100.0)
    if takers > 100.0:
        raise InputError(
            f"evidence '{name}': found {takers:g} percent who take the doses of '{scenario}', "
            "allowed is at most 100"
        )
    courses = [match["first"], *match["later"].split(_THEN)[1:]]
    hours: list[Array] = []
    milligrams: list[Array] = []
    for text in courses:
        given, dose, interval, cycles = _course(text)
        if hours and given[0] <= hours[-1][-1]:
            raise InputError(
                f"evidence '{name}': a course of '{scenario}' begins before the doses of the one "
                "before it have been given"
            )
        hours.append(given)
        milligrams.append(np.full(len(given), dose))
    return Regimen(
        match["people"],
        match["drug"],
        np.concatenate(hours),
        np.concatenate(milligrams),
        interval,
        cycles,
        {match["what"]: match["state"]} if match["what"] else {},
        {match["what"]: match["instead"]} if match["instead"] else {},
        takers,
    )


def _course(text: str) -> tuple[Array, float, float, Array]:
    """Hours and amount of the doses of a course, hours between them and starts of its cycles."""
    match = _PARTS.fullmatch(text)
    assert match is not None
    interval = HOURS_PER_DAY * int(match["every"] or 1)
    count = max(1, round(HOURS_PER_DAY * int(match["days"] or 1) / interval))
    length = HOURS_PER_DAY * int(match["length"] or 0)
    start = HOURS_PER_DAY * int(match["start"] or 0)
    cycles: Array = start + length * np.arange(int(match["cycles"] or 1), dtype=np.float64)
    hours: Array = (cycles[:, None] + interval * np.arange(count)).ravel()
    return hours, float(match["dose"]), interval, cycles
