"""Endpoints of the settings without visible metastases."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from estradyn.trial import statistics
from estradyn.trial.endpoint_row import ArmTables, EndpointRow
from estradyn.trial.measurements import EXAMINATIONS
from estradyn.trial.neoadjuvant import examined_diameters, measured_volume, responded
from estradyn.trial.occult_disease import EVENT_COLUMNS
from estradyn.trial.study import Setting, Study

Flags = NDArray[np.bool_]
Array = NDArray[np.float64]

_NAMES = {
    Setting.ADJUVANT: ("recurrence_free_survival", "recurrence"),
    Setting.PREVENTION: ("breast_cancer_incidence", "breast_cancer"),
}


def neoadjuvant_rows(study: Study, tables: ArmTables) -> list[EndpointRow]:
    """Response and volume by method and visit, and how often Ki-67 fell at all."""
    rows = []
    for readings in tables.visits:
        for method in EXAMINATIONS:
            diameters = examined_diameters(readings, method)
            if diameters is None:
                continue
            response = responded(diameters, study.criteria)
            volume = measured_volume(diameters)
            change = 100.0 * (volume / volume[:, :1] - 1.0)
            for visit, day in enumerate(readings.planned_days):
                if day == 0.0:
                    continue
                rate = statistics.proportion_percent(response[:, visit])
                middle = statistics.median(change[:, visit])
                rows += [
                    EndpointRow(
                        tables.arm, f"objective_response_rate_{method}", rate, "percent", float(day)
                    ),
                    EndpointRow(
                        tables.arm, f"tumor_volume_change_{method}", middle, "percent", float(day)
                    ),
                ]
        if "ki67" in readings.outputs:
            ki67 = readings.measured["ki67"]
            for visit, day in enumerate(readings.planned_days):
                if day > 0.0:
                    fell = statistics.proportion_percent(ki67[:, visit] < ki67[:, 0])
                    rows.append(
                        EndpointRow(tables.arm, "ki67_decrease_rate", fell, "percent", float(day))
                    )
    return rows


def occult_rows(study: Study, tables: ArmTables, reference: ArmTables) -> list[EndpointRow]:
    """Events by period: free or affected share at its end, rate, and ratio to the first arm.

    The time of a rate is the end of its period, which begins where the one before ends.
    """
    survival_name, event_name = _NAMES[study.setting]
    arm, rows = tables.arm, []
    days, event = event_times(study.setting, tables.patients)
    own_positive = tables.patients["tumor_er_positive"].to_numpy(dtype=np.float64) > 0.5
    curve = statistics.kaplan_meier(days, event)
    start = 0.0
    for end in study.follow_up.periods:
        if end > study.duration:
            break
        free = statistics.survival_percent(curve, end)
        if study.setting is Setting.PREVENTION:
            free = statistics.complement_percent(free)
        rows.append(EndpointRow(arm, survival_name, free, "percent", end))
        rate = statistics.event_rate(days, event, start, end)
        rows.append(EndpointRow(arm, f"{event_name}_rate", rate, "percent/year", end))
        if tables is not reference:
            others = event_times(study.setting, reference.patients)
            ratio = statistics.rate_ratio((days, event), others, start, end)
            rows.append(EndpointRow(arm, f"{event_name}_rate_ratio", ratio, "ratio", end))
        start = end
    if tables is not reference:
        other_days, other_event = event_times(study.setting, reference.patients)
        comparison = statistics.compare_survival(days, event, other_days, other_event)
        ratio = comparison.hazard_ratio
        p_value = statistics.Estimate(comparison.log_rank_p, np.nan, np.nan, ratio.n)
        prefix = survival_name if study.setting is Setting.ADJUVANT else event_name
        rows += [
            EndpointRow(arm, f"{prefix}_hazard_ratio", ratio, "ratio"),
            EndpointRow(arm, f"{prefix}_log_rank_p", p_value, "probability"),
        ]
        if study.setting is Setting.PREVENTION:
            positive = reference.patients["tumor_er_positive"].to_numpy(dtype=np.float64) > 0.5
            for words, own, other in (
                ("positive", own_positive, positive),
                ("negative", ~own_positive, ~positive),
            ):
                # A cancer of the other kind ends the time at risk.
                ratio = statistics.rate_ratio(
                    (days, event & own), (other_days, other_event & other), 0.0, study.duration
                )
                rows.append(
                    EndpointRow(arm, f"receptor_{words}_breast_cancer_rate_ratio", ratio, "ratio")
                )
    return rows


def event_times(setting: Setting, patients: pd.DataFrame) -> tuple[Array, Flags]:
    """Days to the event of the setting or the end of follow-up, and whether it came."""
    days, event = EVENT_COLUMNS[setting]
    return patients[days].to_numpy(dtype=np.float64), patients[event].to_numpy(dtype=np.bool_)
