"""The scorecard as a table: one line for every number, and for every row that is not modelled."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import pandas as pd

from estradyn.evidence import MappingRow, Status, miss_reasons
from estradyn.scorecard.scoring import Score
from estradyn.scorecard.targets import chosen_rows

COLUMNS = (
    "context",
    "evidence",
    "number",
    "group",
    "status",
    "use",
    "met",
    "published",
    "predicted",
    "predicted_lower",
    "predicted_upper",
    "unit",
    "allowed_lower",
    "allowed_upper",
    "rule",
    "comparison",
    "fold_error",
    "absolute_error",
    "size_of_miss",
    "drug",
    "dose",
    "population",
    "quantity",
    "scenario",
    "endpoint",
    "time",
    "reason",
    "likely_reason_of_miss",
    "grade",
    "source",
)
"""`published`, `predicted` and `allowed` stand on the scale of the comparison: for `remaining`,
what is left in percent."""


def score_table(
    contexts: Sequence[str], scores: Sequence[Score], only: Collection[str] = ()
) -> pd.DataFrame:
    """Return every row of the mappings of some contexts with how it was scored.

    Parameters
    ----------
    contexts
        Contexts that were scored.
    scores
        Their scores.
    only
        Groups and ids of rows that were scored; all of them where it is empty.

    Returns
    -------
    pandas.DataFrame
        Columns `COLUMNS`, in the order of the mappings.
    """
    by_row: dict[tuple[str, str], list[Score]] = {}
    for score in scores:
        by_row.setdefault((score.context, score.target.item.row.id), []).append(score)
    records: list[dict[str, Any]] = []
    for context in contexts:
        for item in chosen_rows(context, only):
            name = item.row.id
            if item.status is Status.NOT_MODELLED:
                records.append({**_of_the_row(context, item), "number": name})
            records += [_of_a_number(score) for score in by_row.get((context, name), [])]
    return pd.DataFrame(records, columns=list(COLUMNS))


def _of_the_row(context: str, item: MappingRow) -> dict[str, Any]:
    row = item.row
    return {
        "context": context,
        "evidence": row.id,
        "group": item.group,
        "status": str(item.status),
        "use": "" if item.use is None else str(item.use),
        "drug": row.drug,
        "dose": row.dose,
        "population": row.population,
        "quantity": row.quantity,
        "scenario": item.scenario,
        "time": item.time,
        "reason": item.reason,
        "grade": row.grade,
        "source": row.source,
    }


def _of_a_number(score: Score) -> dict[str, Any]:
    target = score.target
    why = "" if score.met else miss_reasons().get((score.context, target.item.row.id), "")
    return {
        **_of_the_row(score.context, target.item),
        "number": target.id,
        "met": score.met,
        "published": score.published,
        "predicted": score.predicted,
        "predicted_lower": score.predicted_lower,
        "predicted_upper": score.predicted_upper,
        "unit": target.unit,
        "allowed_lower": score.allowed_lower,
        "allowed_upper": score.allowed_upper,
        "rule": score.rule,
        "comparison": str(target.comparison),
        "fold_error": score.fold_error,
        "absolute_error": score.absolute_error,
        "size_of_miss": score.size_of_miss,
        "endpoint": target.endpoint,
        "likely_reason_of_miss": why,
    }
