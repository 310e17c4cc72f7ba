"""How many rows of each group are modelled and met, and how large the errors are."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from estradyn.evidence import MappingRow, Status, Use
from estradyn.scorecard.scoring import Score
from estradyn.scorecard.targets import chosen_rows


@dataclass(frozen=True)
class GroupSummary:
    """Counts and errors of one group of evidence.

    A row that prints several numbers is met when each of them that is modelled is met.

    Attributes
    ----------
    context, group
        Which group.
    rows
        Rows of evidence.
    modelled
        Rows that the model says something about.
    met
        Of these, rows that are met.
    calibration, calibration_met
        Modelled rows the model was fitted to, and how many are met.
    check, check_met
        Modelled rows it is only held against, and how many are met.
    median_fold_error
        Over the numbers compared as ratios; NaN where there are none.
    median_absolute_error
        Over the numbers compared as differences in percent; NaN where there are none.
    """

    context: str
    group: str
    rows: int
    modelled: int
    met: int
    calibration: int
    calibration_met: int
    check: int
    check_met: int
    median_fold_error: float
    median_absolute_error: float


def summarise(
    context: str, scores: Sequence[Score], only: Collection[str] = ()
) -> list[GroupSummary]:
    """Summarise the scores of a context by group, in the order of its mapping.

    Parameters
    ----------
    context
        Whose scores.
    scores
        What was scored.
    only
        Groups and ids of rows that were scored; all of them where it is empty.
    """
    groups: dict[str, list[MappingRow]] = {}
    for item in chosen_rows(context, only):
        groups.setdefault(item.group, []).append(item)
    return [_summary(context, group, items, scores) for group, items in groups.items()]


def rows_met(scores: Iterable[Score]) -> dict[str, bool]:
    """Whether each row of evidence is met: all of its numbers are."""
    met: dict[str, bool] = {}
    for score in scores:
        name = score.target.item.row.id
        met[name] = met.get(name, True) and score.met
    return met


def _summary(
    context: str, group: str, items: Sequence[MappingRow], scores: Sequence[Score]
) -> GroupSummary:
    own = [score for score in scores if score.target.item.group == group]
    met = rows_met(own)
    used = {
        use: [met[item.row.id] for item in items if item.row.id in met and item.use is use]
        for use in Use
    }
    percent = [
        score.absolute_error
        for score in own
        if score.target.unit == "percent" and not score.is_fold
    ]
    return GroupSummary(
        context=context,
        group=group,
        rows=len(items),
        modelled=sum(item.status is Status.MODELLED for item in items),
        met=sum(met.values()),
        calibration=len(used[Use.CALIBRATION]),
        calibration_met=sum(used[Use.CALIBRATION]),
        check=len(used[Use.CHECK]),
        check_met=sum(used[Use.CHECK]),
        median_fold_error=_median(score.fold_error for score in own),
        median_absolute_error=_median(percent),
    )


def _median(values: Iterable[float]) -> float:
    present = [value for value in values if not math.isnan(value)]
    return statistics.median(present) if present else math.nan
