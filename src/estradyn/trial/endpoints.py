"""The endpoint table: one number with its interval per arm, endpoint and time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from estradyn.evidence import PublishedValue
from estradyn.model import Output
from estradyn.trial import statistics
from estradyn.trial.assays import as_read
from estradyn.trial.endpoint_row import ArmTables, EndpointRow
from estradyn.trial.occult_disease import EVENT_COLUMNS
from estradyn.trial.published import published_for
from estradyn.trial.setting_endpoints import event_times, neoadjuvant_rows, occult_rows
from estradyn.trial.statistics import Estimate, SurvivalCurve
from estradyn.trial.study import Arm, BelowQuantification, OffStudyRule, Setting, Study

COLUMNS = (
    "arm",
    "endpoint",
    "time",
    "value",
    "lower",
    "upper",
    "unit",
    "n",
    "published",
    "source",
)

DAYS_PER_MONTH = 365.25 / 12.0

GEOMETRIC_MEAN_ENDPOINTS = frozenset({"ki67_change"})
"""Percent changes reported as that of the geometric mean, as trials report Ki-67."""

MEDIAN_ENDPOINTS = frozenset({"tumor_volume_change", "bone_tumor_volume_change"})
"""Percent changes whose distribution is too skewed for a mean."""

_RESPONSE = ("CR", "PR")
_CONTROL = ("CR", "PR", "SD")


def endpoint_table(
    study: Study, arms: Sequence[ArmTables], outputs: Sequence[Output]
) -> pd.DataFrame:
    """Estimate every endpoint of the study.

    Proportions are of the evaluable patients, in percent with Wilson intervals; onset, duration
    and peak are medians over the patients who had the event; progression-free survival is
    Kaplan-Meier in months, its hazard ratio is against the first arm. A quantity measured at
    visits is the mean over patients still on study under the study's own off-study rule (for
    Ki-67 the change of the geometric mean, for tumor volume the median change), and its change is
    from the measured baseline. One whose assay has a quantification limit is the median, beside the
    share of patients below the limit; a median below it has no value, and at most the limit as
    upper end. Other settings than the
    metastatic one have endpoints of their own in the place of flare, response and progression;
    see `estradyn.trial.setting_endpoints`.

    Parameters
    ----------
    study
        The study.
    arms
        Evaluable patients, arm by arm in the order of the study.
    outputs
        Description of the model outputs.

    Returns
    -------
    pandas.DataFrame
        Columns `COLUMNS`. `published` holds the first published value that matches drug, dose and
        time, `source` where it and others come from.
    """
    output_of = {output.name: output for output in outputs}
    rows: list[EndpointRow] = []
    for tables in arms:
        if study.setting is Setting.METASTATIC:
            rows += _flare_rows(tables)
            rows += _hypercalcemia_rows(tables)
            rows += _response_rows(tables)
            rows += _survival_rows(tables, arms[0])
            rows += _rule_rows(tables)
        elif study.setting is Setting.NEOADJUVANT:
            rows += neoadjuvant_rows(study, tables)
        else:
            rows += occult_rows(study, tables, arms[0])
        rows += _visit_rows(study, tables, output_of)
    return pd.DataFrame([_record(study, row) for row in rows], columns=list(COLUMNS))


def survival_table(study: Study, arms: Sequence[ArmTables]) -> pd.DataFrame:
    """Kaplan-Meier curves of all arms, as `TrialResult.progression_free_survival` holds them."""
    if study.setting not in EVENT_COLUMNS:
        return pd.DataFrame(columns=["arm", "time_day", "survival", "lower", "upper", "at_risk"])
    frames = []
    for tables in arms:
        frame = statistics.kaplan_meier(*event_times(study.setting, tables.patients)).table
        frame.insert(0, "arm", tables.arm.name)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def time_text(day: float) -> str:
    """Name a planned day in weeks where it is a whole number of them, else in days."""
    weeks = day / 7.0
    return f"{weeks:g} week" if weeks == round(weeks) else f"{day:g} day"


def _flags(tables: ArmTables, column: str) -> NDArray[np.bool_]:
    return tables.patients[column].to_numpy(dtype=np.bool_)


def _numbers(tables: ArmTables, column: str) -> NDArray[np.float64]:
    return tables.patients[column].to_numpy(dtype=np.float64)


def _flare_rows(tables: ArmTables) -> list[EndpointRow]:
    flare = _flags(tables, "symptomatic_flare")
    onset, end = _numbers(tables, "flare_onset_day"), _numbers(tables, "flare_end_day")
    arm = tables.arm
    return [
        EndpointRow(
            arm, "symptomatic_flare_incidence", statistics.proportion_percent(flare), "percent"
        ),
        EndpointRow(arm, "symptomatic_flare_onset", statistics.median(onset), "day"),
        EndpointRow(arm, "symptomatic_flare_duration", statistics.median(end - onset), "day"),
    ]


def _hypercalcemia_rows(tables: ArmTables) -> list[EndpointRow]:
    occurred = _flags(tables, "hypercalcemia")
    bone = _flags(tables, "has_bone_metastases")
    peak = _numbers(tables, "calcium_peak")
    severe = tables.patients["hypercalcemia_grade"].to_numpy(dtype=np.int64) >= 3
    percent, arm = statistics.proportion_percent, tables.arm
    return [
        EndpointRow(arm, "hypercalcemia_incidence", percent(occurred), "percent"),
        EndpointRow(
            arm, "hypercalcemia_incidence_bone_metastases", percent(occurred[bone]), "percent"
        ),
        EndpointRow(arm, "hypercalcemia_incidence_grade_3_or_4", percent(severe), "percent"),
        EndpointRow(
            arm,
            "hypercalcemia_onset",
            statistics.median(_numbers(tables, "hypercalcemia_onset_day")),
            "day",
        ),
        EndpointRow(
            arm,
            "hypercalcemia_duration",
            statistics.median(_numbers(tables, "hypercalcemia_duration_days")),
            "day",
        ),
        EndpointRow(arm, "peak_calcium", statistics.median(peak), "mmol/L"),
        EndpointRow(
            arm, "peak_calcium_in_hypercalcemia", statistics.median(peak[occurred]), "mmol/L"
        ),
    ]


def _response_rows(tables: ArmTables) -> list[EndpointRow]:
    best = tables.patients["best_response"]
    responded = best.isin(_RESPONSE).to_numpy(dtype=np.bool_)
    controlled = best.isin(_CONTROL).to_numpy(dtype=np.bool_)
    flare = _flags(tables, "symptomatic_flare")
    benefit = _flags(tables, "clinical_benefit")
    percent, arm = statistics.proportion_percent, tables.arm
    return [
        EndpointRow(arm, "objective_response_rate", percent(responded), "percent"),
        EndpointRow(arm, "disease_control_rate", percent(controlled), "percent"),
        EndpointRow(arm, "clinical_benefit_rate", percent(benefit), "percent"),
        EndpointRow(
            arm, "objective_response_rate_with_flare", percent(responded[flare]), "percent"
        ),
        EndpointRow(
            arm, "objective_response_rate_without_flare", percent(responded[~flare]), "percent"
        ),
    ]


def _survival(tables: ArmTables) -> SurvivalCurve:
    return statistics.kaplan_meier(
        _numbers(tables, "progression_free_days"), _flags(tables, "progressed")
    )


def _survival_rows(tables: ArmTables, reference: ArmTables) -> list[EndpointRow]:
    median = _survival(tables).median_days
    months = Estimate(
        median.value / DAYS_PER_MONTH,
        median.lower / DAYS_PER_MONTH,
        median.upper / DAYS_PER_MONTH,
        median.n,
    )
    rows = [EndpointRow(tables.arm, "progression_free_survival_median", months, "month")]
    if tables is not reference:
        comparison = statistics.compare_survival(
            _numbers(tables, "progression_free_days"),
            _flags(tables, "progressed"),
            _numbers(reference, "progression_free_days"),
            _flags(reference, "progressed"),
        )
        ratio = comparison.hazard_ratio
        p_value = Estimate(comparison.log_rank_p, np.nan, np.nan, ratio.n)
        rows += [
            EndpointRow(tables.arm, "progression_free_survival_hazard_ratio", ratio, "ratio"),
            EndpointRow(tables.arm, "progression_free_survival_log_rank_p", p_value, "probability"),
        ]
    return rows


def _rule_rows(tables: ArmTables) -> list[EndpointRow]:
    arm, rows = tables.arm, []
    flare = _flags(tables, "symptomatic_flare")
    for rule in OffStudyRule:
        taken = _flags(tables, f"later_responder_taken_off_{rule}")
        name = f"later_responders_taken_off_{rule}"
        count = Estimate(float(taken.sum()), np.nan, np.nan, taken.size)
        rows += [
            EndpointRow(arm, name, statistics.proportion_percent(taken), "percent"),
            EndpointRow(arm, f"{name}_count", count, "patient"),
            EndpointRow(
                arm, f"{name}_with_flare", statistics.proportion_percent(taken[flare]), "percent"
            ),
        ]
    return rows


def _visit_rows(
    study: Study, tables: ArmTables, outputs: Mapping[str, Output]
) -> list[EndpointRow]:
    leaves = _last_days(study, tables)
    rows = []
    for visits, readings in zip(study.visits, tables.visits, strict=True):
        censors = visits.below_quantification is BelowQuantification.CENSORED
        read_as = as_read(visits, tuple(outputs.values()))
        on_study = readings.days <= leaves[:, None]
        # Levels of several drugs of one arm are told apart by the names of the outputs.
        known = [name for name in readings.outputs if name in outputs]
        times_named = Counter(outputs[name].endpoint for name in known)
        for name in known:
            output = read_as[name]
            endpoint = output.endpoint if times_named[output.endpoint] == 1 else name
            values = np.where(on_study, readings.measured[name], np.nan)
            limit = output.quantification_limit if censors else None
            for visit, day in enumerate(readings.planned_days):
                if limit is not None:
                    rows += _censored_rows(
                        tables.arm, endpoint, values[:, visit], limit, output, day
                    )
                    continue
                changes = output.change == "percent"
                if changes and day == 0.0:
                    continue
                estimate = _visit_estimate(values[:, visit], values[:, 0], output)
                unit = "percent" if changes else output.unit
                rows.append(EndpointRow(tables.arm, endpoint, estimate, unit, float(day)))
    return rows


def _last_days(study: Study, tables: ArmTables) -> NDArray[np.float64]:
    """Day on which each patient leaves; infinite for one who stays to the end."""
    if study.setting is Setting.METASTATIC:
        off_day = _numbers(tables, f"off_study_day_{study.off_study.rule}")
        return np.where(np.isnan(off_day), np.inf, off_day)
    if study.setting is Setting.NEOADJUVANT:
        return np.full(len(tables.patients), np.inf)
    days, event = event_times(study.setting, tables.patients)
    return np.where(event, days, np.inf)


def _censored_rows(
    arm: Arm,
    endpoint: str,
    values: NDArray[np.float64],
    limit: float,
    output: Output,
    day: float,
) -> list[EndpointRow]:
    """Median, which needs no number for what is below the limit, and how many are."""
    below = f"{endpoint}_below_quantification_limit"
    return [
        EndpointRow(
            arm, endpoint, statistics.censored_median(values, limit), output.unit, float(day)
        ),
        EndpointRow(arm, below, statistics.share_below_percent(values), "percent", float(day)),
    ]


def _visit_estimate(
    values: NDArray[np.float64], baseline: NDArray[np.float64], output: Output
) -> Estimate:
    if output.change == "absolute":
        return statistics.mean(values)
    # A patient whose baseline is zero has no relative change.
    ratio = values / np.where(baseline == 0.0, np.nan, baseline)
    if output.endpoint in GEOMETRIC_MEAN_ENDPOINTS:
        return statistics.geometric_mean_change_percent(ratio)
    percent = 100.0 * (ratio - 1.0)
    if output.endpoint in MEDIAN_ENDPOINTS:
        return statistics.median(percent)
    return statistics.mean(percent)


def _record(study: Study, row: EndpointRow) -> dict[str, object]:
    published = _published(study, row)
    estimate = row.estimate
    return {
        "arm": row.arm.name,
        "endpoint": row.endpoint,
        "time": "" if row.day is None else time_text(row.day),
        "value": _finite(estimate.value),
        "lower": _finite(estimate.lower),
        "upper": _finite(estimate.upper),
        "unit": row.unit,
        "n": estimate.n,
        "published": published[0].value if published else np.nan,
        "source": "; also ".join(value.citation for value in published),
    }


def _finite(value: float) -> float:
    """A time that is never reached has no number."""
    return value if np.isfinite(value) else np.nan


def _published(study: Study, row: EndpointRow) -> list[PublishedValue]:
    values = published_for(study, row.arm, row.endpoint, row.day)
    return [value for value in values if value.unit == row.unit]
