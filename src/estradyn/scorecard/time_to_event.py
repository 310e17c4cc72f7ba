"""Events of trials without visible disease, by period: read from one arm, or from two."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from estradyn.evidence.times import When
from estradyn.trial import statistics
from estradyn.trial.setting_endpoints import event_times
from estradyn.trial.statistics import Estimate
from estradyn.trial.study import Setting

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Times = tuple[Array, Flags]


def in_one_arm(name: str, times: Times, when: When) -> tuple[Estimate, str] | None:
    """An endpoint of one arm and its unit; None where it is no endpoint of this kind.

    Parameters
    ----------
    name
        `recurrence_free_survival`, or `breast_cancer_incidence` or `_rate`.
    times
        As of `event_times`.
    when
        The day up to which events count; for a rate, the period.
    """
    if name == "breast_cancer_rate":
        return statistics.event_rate(*times, when.start, when.end), "percent"
    if name not in ("recurrence_free_survival", "breast_cancer_incidence"):
        return None
    free = statistics.survival_percent(statistics.kaplan_meier(*times), when.end)
    if name == "breast_cancer_incidence":
        free = statistics.complement_percent(free)
    return free, "percent"


def _ratio(own: Times, other: Times, when: When) -> tuple[Estimate, str]:
    end = math.inf if when.onwards else when.end
    return statistics.rate_ratio(own, other, when.start, end), "ratio"


def _reduction(own: Times, other: Times, when: When) -> tuple[Estimate, str]:
    ratio, _ = _ratio(own, other, when)
    value, lower, upper = (100.0 * (end - 1.0) for end in (ratio.value, ratio.lower, ratio.upper))
    return Estimate(value, lower, upper, ratio.n), "percent"


OF_TWO_ARMS: Mapping[str, Callable[[Times, Times, When], tuple[Estimate, str]]] = {
    "recurrence_rate_ratio": _ratio,
    "breast_cancer_rate_ratio": _ratio,
    "receptor_positive_breast_cancer_rate_change": _reduction,
}
"""Endpoints of one arm against another within a period, with their unit."""


def in_two_arms(
    name: str, setting: Setting, patients: pd.DataFrame, reference: pd.DataFrame, when: When
) -> tuple[Estimate, str] | None:
    """Compare an arm with another; None where the name is no endpoint of this kind.

    The ratio of the rates of events within a period stands for a published hazard ratio of the same
    period. Where receptor-positive cancers are counted, one of another kind ends the time at risk.

    Parameters
    ----------
    name
        One of `OF_TWO_ARMS`.
    setting
        Setting of both.
    patients, reference
        Patient tables of the two.
    when
        The period.
    """
    if name not in OF_TWO_ARMS:
        return None
    (days, event), (other_days, other_event) = (
        event_times(setting, table) for table in (patients, reference)
    )
    if name.startswith("receptor_positive"):
        event = event & (patients["tumor_er_positive"].to_numpy(dtype=np.float64) > 0.5)
        positive = reference["tumor_er_positive"].to_numpy(dtype=np.float64) > 0.5
        other_event = other_event & positive
    return OF_TWO_ARMS[name]((days, event), (other_days, other_event), when)
