"""The treatment effect under other choices than the planned ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from estradyn.errors import InputError
from estradyn.xenograft.checks import CheckedStudy
from estradyn.xenograft.growth import AFTER, WINDOW, GrowthModel, fit_growth
from estradyn.xenograft.mixed_model import Estimate
from estradyn.xenograft.volume import EQUATIONS, VolumeFormula

FEWEST_ANIMALS_IN_PATTERN = 3
"""Animals of an arm that left early, and that stayed, below which they are not separated."""

_STAYED, _LEFT = " [stayed]", " [left early]"

SENSITIVITY_COLUMNS = (
    "analysis",
    "arm",
    "phase",
    "difference",
    "standard_error",
    "degrees_of_freedom",
    "lower",
    "upper",
    "p_value",
    "note",
)


@dataclass(frozen=True)
class GrowthChoices:
    """The planned analysis that the others depart from.

    Attributes
    ----------
    knot
        End of the flare window, days.
    smallest_volume
        Smallest volume that can be measured, mm3.
    level
        Coverage of intervals.
    """

    knot: float = 21.0
    smallest_volume: float = 4.0
    level: float = 0.95


def sensitivity_analyses(
    study: CheckedStudy, arms: Sequence[str], choices: GrowthChoices | None = None
) -> pd.DataFrame:
    """Repeat the comparison of growth rates with the control under other choices.

    Parameters
    ----------
    study
        The checked study.
    arms
        Arms, the control first.
    choices
        The planned analysis.

    Returns
    -------
    pandas.DataFrame
        Columns `SENSITIVITY_COLUMNS`; `difference` is the growth rate of the arm minus that of the
        control per day. An analysis that the data do not allow has NaN and a note.
    """
    choices = choices or GrowthChoices()
    rows: list[dict[str, Any]] = []
    for name, fit in _variants(study, arms, choices):
        try:
            model = fit()
        except InputError as error:
            rows.append({"analysis": name, "note": f"not possible: {error}"})
            continue
        rows += _differences(name, model, arms, choices.level)
    rows += _pattern_mixture(study.measurements, arms, choices)
    return pd.DataFrame(rows, columns=list(SENSITIVITY_COLUMNS))


def _variants(
    study: CheckedStudy, arms: Sequence[str], choices: GrowthChoices
) -> Iterator[tuple[str, Callable[[], GrowthModel]]]:
    used, knot, smallest = study.measurements, choices.knot, choices.smallest_volume

    def variant(table: pd.DataFrame, **changes: Any) -> Callable[[], GrowthModel]:
        options: dict[str, Any] = {"knot": knot, "smallest_volume": smallest} | changes
        return lambda: fit_growth(table, arms, **options)

    yield "planned", variant(used)
    for other in (knot - 7.0, knot + 7.0):
        if other > 0:
            yield f"window ends on day {other:g}", variant(used, knot=other)
    yield "same variances in all arms", variant(used, variance="pooled")
    yield "one random slope", variant(used, random_slopes="one_slope")
    yield "no baseline covariate", variant(used, adjust_for_baseline=False)
    if (study.data.measurements["volume_mm3"].notna() & used["volume_mm3"].isna()).any():
        yield "with excluded values", variant(study.data.measurements)
    if (used["volume_mm3"] < smallest).any():
        above = used.assign(volume_mm3=used["volume_mm3"].where(used["volume_mm3"] >= smallest))
        yield f"without volumes below {smallest:g} mm3", variant(above)
    yield "without the last volume of animals that left", variant(_without_last(used))
    if study.data.volumes_computed:
        for formula in VolumeFormula:
            if formula is not study.data.formula:
                other_data = study.data.with_formula(formula).measurements
                other_data = other_data.assign(
                    volume_mm3=other_data["volume_mm3"].where(used["volume_mm3"].notna())
                )
                yield f"volume {EQUATIONS[formula]}", variant(other_data)


def _without_last(table: pd.DataFrame) -> pd.DataFrame:
    """Drop the value that made an animal leave: selected for being large."""
    left = _left_early(table)
    measured = table[table["volume_mm3"].notna() & table["animal"].isin(left)]
    last = measured.groupby("animal").tail(1).index
    return table.drop(index=last)


def _left_early(table: pd.DataFrame) -> list[str]:
    """Animals last measured before the last visit of the study."""
    last = table[table["volume_mm3"].notna()].groupby("animal")["day"].max()
    return [str(a) for a in last.index[last < last.max()]]


def _differences(
    name: str, model: GrowthModel, arms: Sequence[str], level: float
) -> Iterator[dict[str, Any]]:
    for arm in arms[1:]:
        for phase in (WINDOW, AFTER):
            estimate = model.slope_difference(arm, arms[0], phase, level=level)
            if estimate is not None:
                yield _row(name, arm, phase, estimate, "")


def _row(name: str, arm: str, phase: str, estimate: Estimate, note: str) -> dict[str, Any]:
    return {
        "analysis": name,
        "arm": arm,
        "phase": phase,
        "difference": estimate.value,
        "standard_error": estimate.standard_error,
        "degrees_of_freedom": estimate.degrees_of_freedom,
        "lower": estimate.lower,
        "upper": estimate.upper,
        "p_value": estimate.p_value,
        "note": note,
    }


def _pattern_mixture(
    table: pd.DataFrame, arms: Sequence[str], choices: GrowthChoices
) -> list[dict[str, Any]]:
    """Growth rates of animals that stayed and that left, weighted by their shares (Little 1993,
    doi:10.1080/01621459.1993.10594302).

    Animals that left before the window ended are taken to go on at their rate in the window. The
    shares are held fixed, so the interval is a little too narrow.
    """
    name = "pattern mixture of animals that stayed and that left"
    table = table[table["volume_mm3"].notna()]
    left = set(_left_early(table))
    animals = table.drop_duplicates("animal").set_index("animal")["arm"]
    shares: dict[str, dict[str, float]] = {}
    for arm in arms:
        own = [str(a) for a in animals.index[animals == arm]]
        gone = sum(a in left for a in own)
        apart = min(gone, len(own) - gone) >= FEWEST_ANIMALS_IN_PATTERN
        share = gone / max(len(own), 1)
        shares[arm] = {arm + _STAYED: 1.0 - share, arm + _LEFT: share} if apart else {arm: 1.0}
    if all(len(parts) == 1 for parts in shares.values()):
        return [{"analysis": name, "note": "not possible: fewer than 3 animals left any arm"}]
    split = {arm for arm, parts in shares.items() if len(parts) == 2}
    labels = np.where(table["animal"].isin(left), table["arm"] + _LEFT, table["arm"] + _STAYED)
    labelled = table.assign(arm=np.where(table["arm"].isin(split), labels, table["arm"]))
    patterns = [pattern for parts in shares.values() for pattern in parts]
    try:
        model = fit_growth(
            labelled,
            patterns,
            knot=choices.knot,
            smallest_volume=choices.smallest_volume,
            variance="pooled",
        )
    except InputError as error:
        return [{"analysis": name, "note": f"not possible: {error}"}]
    rows = []
    for arm in arms[1:]:
        for phase in (WINDOW, AFTER):
            weights: dict[str, dict[str, float]] = {}
            for sign, one in ((1.0, arm), (-1.0, arms[0])):
                for pattern, share in shares[one].items():
                    known = phase if phase in model.phases[pattern] else model.phases[pattern][0]
                    weights[pattern] = {known: sign * share}
            estimate = model.combine(weights, level=choices.level)
            if estimate is not None:
                text = "; ".join(
                    f"{one}: {100 * parts[one + _LEFT]:.0f} % left"
                    for one, parts in shares.items()
                    if one in split and one in (arm, arms[0])
                )
                rows.append(_row(name, arm, phase, estimate, text))
    return rows
