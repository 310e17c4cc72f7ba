"""What each off-study rule would have done to the same patients."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from estradyn.report.wording import time_text
from estradyn.trial.study import OffStudyRule, Study

_LOST = "later_responder_taken_off_"


@dataclass(frozen=True)
class RuleCount:
    """Patients of one arm whom one rule takes off although their tumor responds later.

    Attributes
    ----------
    taken_off
        Later responders taken off.
    patients
        Patients for whom it is known.
    with_flare
        Those of `taken_off` who had symptomatic flare.
    """

    taken_off: int
    patients: int
    with_flare: int

    @property
    def percent(self) -> float:
        """Share of the patients, in percent."""
        return 100.0 * self.taken_off / self.patients if self.patients else float("nan")


@dataclass(frozen=True)
class RuleRow:
    """One rule with its count in each arm; `followed` marks the rule the study follows."""

    label: str
    detail: str
    followed: bool
    counts: dict[str, RuleCount]


def rule_rows(patients: pd.DataFrame, study: Study) -> list[RuleRow]:
    """Count, for every rule, the later responders it takes off study in each arm.

    Parameters
    ----------
    patients
        Needs `arm`, `symptomatic_flare` and one `later_responder_taken_off_<rule>` per rule.
    study
        The study, for its arms and the rule it follows.
    """
    arm_of = patients["arm"].astype(str)
    rows = []
    for rule in OffStudyRule:
        counts = {}
        for arm in (arm.name for arm in study.arms):
            own = patients[(arm_of == arm) & patients[_LOST + rule].notna()]
            taken = own[own[_LOST + rule].astype(bool)]
            flared = taken["symptomatic_flare"].fillna(value=False).astype(bool)
            counts[arm] = RuleCount(len(taken), len(own), int(flared.sum()))
        rows.append(
            RuleRow(rule_text(rule), _detail(rule, study), rule is study.off_study.rule, counts)
        )
    return rows


def rule_text(rule: OffStudyRule) -> str:
    """Name of a rule in words."""
    return {
        OffStudyRule.FIRST_PROGRESSION: "stop at first progression",
        OffStudyRule.CONFIRMED_PROGRESSION: "stop at confirmed progression",
        OffStudyRule.TREAT_THROUGH_FLARE: "treat through flare",
        OffStudyRule.WORSENING_SIGNS: "stop at worsening signs",
    }[rule]


def _detail(rule: OffStudyRule, study: Study) -> str:
    interval = time_text(study.criteria.confirmation_interval)
    window = time_text(study.off_study.flare_window)
    return {
        OffStudyRule.FIRST_PROGRESSION: "leave at the first scan that shows progression",
        OffStudyRule.CONFIRMED_PROGRESSION: f"progression must be seen again {interval} or more "
        "later",
        OffStudyRule.TREAT_THROUGH_FLARE: f"no progression counts in the first {window}; after "
        "that it counts from the last scan of that time",
        OffStudyRule.WORSENING_SIGNS: "leave at the first progression, symptomatic flare or "
        "hypercalcemia",
    }[rule]
