"""The endpoint table, arranged for reading: arms of one endpoint stand under one another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from estradyn.report.comparison import Comparison, comparisons
from estradyn.report.wording import interval_text, label_of, number_text, period_text, unit_text
from estradyn.trial.measurements import EXAMINATIONS
from estradyn.trial.study import Arm, Study

SHOWN_ELSEWHERE = "later_responders_taken_off_"
"""Endpoints that stand in the table of off-study rules."""

_Key = tuple[str, str]
"""Endpoint and time, as the endpoint table writes them."""

_LABELS = {
    "hypercalcemia_incidence_bone_metastases": "Hypercalcemia incidence with bone metastases",
    "hypercalcemia_incidence_grade_3_or_4": "Hypercalcemia incidence, grade 3 or 4",
    **{
        f"{endpoint}_{method}": f"{words} by {method}"
        for method in EXAMINATIONS
        for endpoint, words in (
            ("objective_response_rate", "Objective response rate"),
            ("tumor_volume_change", "Tumor volume change"),
        )
    },
    "recurrence_free_survival": "Recurrence-free survival",
    "recurrence_free_survival_hazard_ratio": "Recurrence-free survival, hazard ratio",
    "recurrence_free_survival_log_rank_p": "Recurrence-free survival, log-rank p",
    "breast_cancer_hazard_ratio": "Breast cancer, hazard ratio",
    "breast_cancer_log_rank_p": "Breast cancer, log-rank p",
    "progression_free_survival_hazard_ratio": "Progression-free survival, hazard ratio",
    "progression_free_survival_log_rank_p": "Progression-free survival, log-rank p",
    "progression_free_survival_median": "Progression-free survival, median",
}

_DAYS = {"day": 1.0, "week": 7.0}


@dataclass(frozen=True)
class EndpointRow:
    """One arm's value of an endpoint, as text, with the published numbers beside it."""

    arm: str
    value: str
    interval: str
    unit: str
    n: int
    published: tuple[Comparison, ...]


@dataclass(frozen=True)
class EndpointGroup:
    """One endpoint at one time with a row per arm.

    Attributes
    ----------
    label
        Name of the endpoint in words.
    time
        Time of the visit; empty where there is none.
    rows
        One per arm.
    main
        Whether it belongs in the short table: it is no visit, it is the first visit that a
        published number speaks to, or, of an endpoint without any, the last visit that at least
        half of the patients reached.
    """

    label: str
    time: str
    rows: tuple[EndpointRow, ...]
    main: bool


def endpoint_groups(endpoints: pd.DataFrame, study: Study) -> list[EndpointGroup]:
    """Group the endpoint table by endpoint and time.

    Parameters
    ----------
    endpoints
        Endpoint table of a trial.
    study
        The study, whose arms give the order of the rows.

    Returns
    -------
    list of EndpointGroup
        In the order of the table; an endpoint that only later arms have follows the one before it
        there.
    """
    table = endpoints[~endpoints["endpoint"].str.startswith(SHOWN_ELSEWHERE)]
    records = table.assign(time=table["time"].fillna("")).to_dict("records")
    by_key: dict[_Key, dict[str, EndpointRow]] = {}
    order: list[_Key] = []
    for arm in study.arms:
        place = 0
        for record in records:
            if record["arm"] != arm.name:
                continue
            key = (str(record["endpoint"]), str(record["time"]))
            if key in by_key:
                place = order.index(key) + 1
            else:
                order.insert(place, key)
                by_key[key] = {}
                place += 1
            by_key[key][arm.name] = _row(record, study, arm)
    main = _main_keys(order, by_key)
    return [
        EndpointGroup(
            label=endpoint_label(key[0]),
            time=period_text(key[1]),
            rows=tuple(by_key[key].values()),
            main=key in main,
        )
        for key in order
    ]


def endpoint_label(endpoint: str) -> str:
    """Name of an endpoint in words."""
    return _LABELS.get(endpoint) or label_of(endpoint)


def day_of(time: str) -> float | None:
    """Day of a time as the endpoint table writes it, say 84 for "12 week"; None for no time."""
    if not time:
        return None
    number, unit = time.split()
    return float(number) * _DAYS[unit]


def _main_keys(
    order: Sequence[_Key], by_key: Mapping[_Key, Mapping[str, EndpointRow]]
) -> set[_Key]:
    main = {key for key in order if not key[1]}
    visits: dict[str, list[_Key]] = {}
    for key in order:
        if key[1]:
            visits.setdefault(key[0], []).append(key)
    for keys in visits.values():
        seen: set[str] = set()
        for key in keys:
            numbers = {
                item.number + item.source for row in by_key[key].values() for item in row.published
            }
            if numbers - seen:
                main.add(key)
            seen |= numbers
        if not seen:
            sizes = [min(row.n for row in by_key[key].values()) for key in keys]
            reached = [key for key, size in zip(keys, sizes, strict=True) if 2 * size >= max(sizes)]
            main.add(reached[-1])
    return main


def _row(record: Mapping[Any, Any], study: Study, arm: Arm) -> EndpointRow:
    unit = unit_text(record["unit"])
    value = float(record["value"])
    known = math.isfinite(value)
    # A median that no curve reaches is a finding, not a missing number.
    reached = known or not str(record["endpoint"]).endswith("survival_median")
    lower, upper = float(record["lower"]), float(record["upper"])
    # A median below the limit of its assay: known is only what it lies below.
    below = reached and not known and math.isfinite(upper) and not math.isfinite(lower)
    text = f"< {number_text(upper, unit)}" if below else number_text(value, unit)
    return EndpointRow(
        arm=arm.name,
        value=text if reached else "not reached",
        interval="" if below else interval_text(lower, upper, unit),
        unit=unit if known or below else "",
        n=int(record["n"]),
        published=comparisons(
            study,
            arm,
            str(record["endpoint"]),
            day_of(str(record["time"])),
            value if known else None,
            str(record["unit"]),
        ),
    )
