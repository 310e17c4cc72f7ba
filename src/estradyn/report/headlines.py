"""The main findings as sentences, every number read from the results."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from estradyn.report.off_study import RuleRow
from estradyn.report.wording import interval_text, number_text, period_text, unit_text

_SENTENCES = (
    ("symptomatic_flare_incidence", "Symptomatic flare occurred in {values}."),
    ("hypercalcemia_incidence", "Hypercalcemia occurred in {values}."),
    ("objective_response_rate", "The tumor responded in {values}."),
    ("progression_free_survival_median", "Median progression-free survival was {values}."),
    (
        "objective_response_rate_ultrasound",
        "By ultrasound the tumor responded at {time} in {values}.",
    ),
    (
        "objective_response_rate_palpation",
        "By palpation at {time} the tumor responded in {values}.",
    ),
    ("ki67_decrease_rate", "Ki-67 was lower than before at {time} in {values}."),
    ("recurrence_free_survival", "Free of recurrence at {time} were {values}."),
    (
        "recurrence_free_survival_hazard_ratio",
        "The hazard ratio of recurrence against {reference} was {values}.",
    ),
    ("breast_cancer_incidence", "Breast cancer was found by {time} in {values}."),
    (
        "breast_cancer_hazard_ratio",
        "The hazard ratio of breast cancer against {reference} was {values}.",
    ),
    (
        "progression_free_survival_hazard_ratio",
        "The hazard ratio of progression against {reference} was {values}.",
    ),
)


def headline_sentences(
    endpoints: pd.DataFrame, rules: Sequence[RuleRow], arms: Sequence[str]
) -> list[str]:
    """State the primary endpoints of every arm with their intervals and published values.

    Parameters
    ----------
    endpoints
        Endpoint table of a trial.
    rules
        What each off-study rule would have done.
    arms
        Arms in the order of the study; the first is the reference of hazard ratios.

    Returns
    -------
    list of str
        One sentence per endpoint that the table holds, and one on the rule the study follows.
    """
    sentences = []
    for endpoint, sentence in _SENTENCES:
        rows = endpoints[endpoints["endpoint"] == endpoint]
        by_arm = {str(row["arm"]): row for _, row in rows.iterrows()}
        parts = [_part(by_arm[arm], arm) for arm in arms if arm in by_arm]
        if parts:
            sentences.append(
                sentence.format(
                    values=_joined(parts),
                    reference=arms[0],
                    time=period_text(str(rows["time"].iloc[-1])),
                )
            )
    sentences.extend(_rule_sentence(rule, arms) for rule in rules if rule.followed)
    return sentences


def _part(row: pd.Series, arm: str) -> str:
    unit = unit_text(row["unit"])
    if not math.isfinite(row["value"]):
        # A median that no curve reaches is known to be late; a ratio without events is not known.
        known = str(row["endpoint"]).endswith("_median")
        return f"{'not reached' if known else 'not to be told'} on {arm}"
    value = f"{number_text(row['value'], unit)} {unit}".rstrip()
    interval = interval_text(row["lower"], row["upper"], unit)
    beside = [f"95 % interval {interval}"] if interval else []
    if pd.notna(row["published"]):
        beside.append(f"published {row['published']:g} {unit}".rstrip())
    return f"{value} on {arm}" + (f" ({'; '.join(beside)})" if beside else "")


def _rule_sentence(rule: RuleRow, arms: Sequence[str]) -> str:
    parts = [
        f"{count.taken_off} of {count.patients} patients on {arm}"
        for arm in arms
        for count in [rule.counts[arm]]
    ]
    return (
        f"The off-study rule of this study ({rule.label}) took off {_joined(parts)} whose tumor "
        "would have responded later."
    )


def _joined(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
