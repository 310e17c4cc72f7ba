"""Predictions of how hormones differ between women: shares beyond a limit, means, percentiles.

A scenario is a regimen of `estradyn.scorecard.regimens`, or `women: untreated`. An endpoint is

- `share with <conditions>`: percent of women. A condition is `<variable> < <number> <unit>` or the
  same with `>=`; several are joined by ` and ` or by ` or `. With ` among <conditions> on
  <regimen>` only women are counted of whom those hold on another regimen.
- `mean of <variable>` or `percentile <number> of <variable>`, over the women, and perhaps
  ` by <assay>` of `models/assays/`.

Levels are those before treatment, or when the next dose is due. A number in mass per volume is held
against an amount of substance by the molar mass of the hormone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from estradyn.errors import InputError, UnitError
from estradyn.model.units import unit_ratio
from estradyn.scorecard.prediction import Prediction, Progress
from estradyn.scorecard.targets import Target
from estradyn.trial import statistics

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

UNTREATED = "untreated"

WOMEN = 600
"""Women of whom a share is taken: its own error is then at most two percentage points."""

MOLAR_MASSES: Mapping[str, float] = {
    "estradiol_concentration": 272.38,
    "estrone_concentration": 270.37,
    "estrone_sulfate_concentration": 350.43,
    "testosterone_concentration": 288.42,
}
"""g/mol, of C18H24O2, C18H22O2, C18H22O5S and C19H28O2, hormones that are published in mass."""

_NUMBER = r"\d+(?:\.\d+)?"
_CONDITION = re.compile(rf"(?P<variable>\w+) (?P<sign><|>=) (?P<number>{_NUMBER}) (?P<unit>\S+)")
_SHARE = re.compile(r"share with (?P<held>.+?)(?: among (?P<among>.+) on (?P<regimen>.+))?")
_AVERAGE = re.compile(
    rf"(?:(?P<mean>mean)|percentile (?P<rank>{_NUMBER})) of (?P<variable>\w+)"
    r"(?: by (?P<assay>\w+))?"
)

LevelsOf = Callable[[str], Mapping[str, Array]]
"""Levels of each variable, one value per woman, on a regimen or `untreated`."""


def is_distribution(target: Target) -> bool:
    """Whether an endpoint speaks of how women differ."""
    return bool(_SHARE.fullmatch(target.endpoint) or _AVERAGE.fullmatch(target.endpoint))


@dataclass(frozen=True)
class Condition:
    """A variable below a limit, or not below it.

    Attributes
    ----------
    variable
        Variable of the model.
    below
        Whether it must be below the limit.
    limit
        The number, in `unit`.
    unit
        Unit as printed.
    """

    variable: str
    below: bool
    limit: float
    unit: str

    def holds(self, levels: Array, unit: str) -> Flags:
        """Of whom it holds, given the levels in a unit; NaN fails it.

        Raises
        ------
        InputError
            If the two units cannot be compared.
        """
        limit = self.limit * factor(self.variable, self.unit, unit)
        return levels < limit if self.below else levels >= limit


@dataclass(frozen=True)
class Conditions:
    """Conditions of which all must hold, or any."""

    each: tuple[Condition, ...]
    all_of_them: bool

    def hold(self, levels: Mapping[str, Array], unit_of: Mapping[str, str]) -> Flags:
        """Of whom they hold."""
        held = [one.holds(levels[one.variable], unit_of[one.variable]) for one in self.each]
        return np.all(held, axis=0) if self.all_of_them else np.any(held, axis=0)


def parse_conditions(text: str) -> Conditions:
    """Read conditions joined by ` and ` or by ` or `.

    Raises
    ------
    InputError
        If a part is no condition, or both words are used.
    """
    both = " and " in text and " or " in text
    parts = re.split(r" and | or ", text)
    matches = [_CONDITION.fullmatch(part) for part in parts]
    if both or not all(matches):
        raise InputError(
            f"found the conditions '{text}', allowed are such as 'estradiol_concentration < "
            "0.627 pg/mL', joined by 'and' or by 'or'"
        )
    each = tuple(
        Condition(match["variable"], match["sign"] == "<", float(match["number"]), match["unit"])
        for match in matches
        if match is not None
    )
    return Conditions(each, " or " not in text)


def factor(variable: str, unit: str, target: str) -> float:
    """Factor from one unit of a hormone to another, by its molar mass where one is of mass.

    Raises
    ------
    InputError
        If the units cannot be compared.
    """
    for first, second, step in (
        (target, target, 1.0),
        ("pg/mL", "pmol/L", 1e3 / MOLAR_MASSES.get(variable, math.nan)),
        ("pmol/L", "pg/mL", MOLAR_MASSES.get(variable, math.nan) / 1e3),
    ):
        try:
            found = unit_ratio(unit, first) * step * unit_ratio(second, target)
        except UnitError:
            continue
        if math.isfinite(found):
            return found
    raise InputError(f"'{variable}' in '{target}' cannot be compared with '{unit}'")


def variables_of(target: Target) -> tuple[str, ...]:
    """Variables of the model that an endpoint reads."""
    average = _AVERAGE.fullmatch(target.endpoint)
    if average:
        return (average["variable"],)
    share = _SHARE.fullmatch(target.endpoint)
    assert share is not None
    texts = [share["held"], *([share["among"]] if share["among"] else [])]
    return tuple(one.variable for text in texts for one in parse_conditions(text).each)


def predict_distributions(
    targets: Sequence[Target],
    levels_of: LevelsOf,
    unit_of: Mapping[str, str],
    read: Callable[[str, str, Array], Array],
    progress: Progress | None,
) -> Mapping[str, Prediction]:
    """Predict what is asked, by id of the target.

    Parameters
    ----------
    targets
        Those of one drug.
    levels_of
        Gives the levels on a regimen.
    unit_of
        Unit of each variable.
    read
        Reading of levels of a variable by an assay; arguments are assay, variable, levels.
    progress
        Told as the simulation goes on.
    """
    found: dict[str, Prediction] = {}
    for done, target in enumerate(targets, start=1):
        levels = levels_of(target.scenario.partition(": ")[2])
        average = _AVERAGE.fullmatch(target.endpoint)
        if average:
            found[target.id] = _average(target, average, levels, unit_of, read)
        else:
            found[target.id] = _share(target, levels, levels_of, unit_of)
        if progress is not None:
            progress("shares of women", done, len(targets))
    return found


def _average(
    target: Target,
    match: re.Match[str],
    levels: Mapping[str, Array],
    unit_of: Mapping[str, str],
    read: Callable[[str, str, Array], Array],
) -> Prediction:
    variable = match["variable"]
    values = levels[variable]
    if match["assay"]:
        values = read(match["assay"], variable, values)
    values = values * factor(variable, unit_of[variable], target.unit)
    if match["mean"]:
        estimate = statistics.mean(values)
        return Prediction(estimate.value, estimate.lower, estimate.upper, target.unit)
    known = values[np.isfinite(values)]
    return Prediction(float(np.percentile(known, float(match["rank"]))), unit=target.unit)


def _share(
    target: Target,
    levels: Mapping[str, Array],
    levels_of: LevelsOf,
    unit_of: Mapping[str, str],
) -> Prediction:
    match = _SHARE.fullmatch(target.endpoint)
    assert match is not None
    held = parse_conditions(match["held"])
    known = _known(levels, held)
    holds = held.hold(levels, unit_of)
    if match["among"]:
        among, before = parse_conditions(match["among"]), levels_of(match["regimen"])
        known &= _known(before, among) & among.hold(before, unit_of)
    estimate = statistics.proportion_percent(holds[known])
    return Prediction(estimate.value, estimate.lower, estimate.upper, "percent")


def _known(levels: Mapping[str, Array], conditions: Conditions) -> Flags:
    return np.all([np.isfinite(levels[one.variable]) for one in conditions.each], axis=0)
