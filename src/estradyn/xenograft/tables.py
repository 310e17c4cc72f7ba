"""The tables that an analysis leaves: every number in one tidy table, and the ARRIVE table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pandas as pd

from estradyn.xenograft.analysis import Analysis, diagnostics
from estradyn.xenograft.arrive import arrive_table
from estradyn.xenograft.checks import Finding, Severity
from estradyn.xenograft.growth import AFTER, WINDOW
from estradyn.xenograft.humane_endpoints import TAKE_OFF
from estradyn.xenograft.study_table import HISTOLOGY
from estradyn.xenograft.volume import EQUATIONS

TIDY_COLUMNS = (
    "section",
    "arm",
    "animal",
    "day",
    "quantity",
    "value",
    "lower",
    "upper",
    "unit",
    "text",
)

_ANIMAL_UNITS = {
    "visits": "count",
    "last_day": "day",
    "baseline_mm3": "mm3",
    "last_mm3": "mm3",
    "best_change_percent": "percent",
    "best_change_day": "day",
    "best_average_percent": "percent",
    "largest_rise_percent": "percent",
    "first_rise_day": "day",
    "rebased_best_change_percent": "percent",
    "fall_probability": "probability",
    "growth_probability": "probability",
    "landmark": "day",
    "probability": "probability",
    f"growth_rate_{WINDOW}": "1/day",
    f"growth_rate_{AFTER}": "1/day",
    "alerts": "count",
}
_ANIMAL_TEXTS = (
    "mrecist",
    "early_rise",
    "rechecked",
    "rebased_mrecist",
    "flare_aware",
    "flare_then_response",
    "score",
    "rule",
    "verdict",
    "reason_left",
)

_MARKERS = {
    "volume_mm3": "mm3",
    "flux_photons_per_s": "photons/s",
    "weight_g": "g",
    "calcium_mmol_per_L": "mmol/L",
    "alp_U_per_L": "U/L",
    "pain_score": "score",
    **dict.fromkeys(HISTOLOGY, "percent"),
}


def tidy_numbers(analysis: Analysis) -> pd.DataFrame:
    """Every number of the report in one long table, columns `TIDY_COLUMNS`."""
    rows = [
        *_estimate_rows(analysis),
        *_animal_rows(analysis),
        *_group_rows(analysis),
        *_alert_rows(analysis),
        *_performance_rows(analysis),
        *_sensitivity_rows(analysis),
        *_diagnostic_rows(analysis),
    ]
    return pd.DataFrame(rows, columns=list(TIDY_COLUMNS))


def _estimate_rows(analysis: Analysis) -> Iterator[dict[str, Any]]:
    for row in analysis.estimates.to_dict("records"):
        name = "_".join(part for part in (row["quantity"], row["phase"]) if part)
        base = {"section": "growth model", "arm": row["arm"], "day": row["day"], "quantity": name}
        against = f"against {row['reference']}" if row["reference"] else ""
        yield base | {
            "value": row["value"],
            "lower": row["lower"],
            "upper": row["upper"],
            "unit": row["unit"],
            "text": against,
        }
        for extra in ("standard_error", "degrees_of_freedom", "p_value"):
            yield base | {"quantity": f"{name}_{extra}", "value": row[extra], "text": against}


def _animal_rows(analysis: Analysis) -> Iterator[dict[str, Any]]:
    for row in analysis.animals.to_dict("records"):
        base = {"section": "animals", "arm": row["arm"], "animal": row["animal"]}
        for name, unit in _ANIMAL_UNITS.items():
            if name in row and not pd.isna(row[name]):
                yield base | {"quantity": name, "value": float(row[name]), "unit": unit}
        for name in _ANIMAL_TEXTS:
            if name in row:
                yield base | {"quantity": name, "text": str(row[name])}


def _group_rows(analysis: Analysis) -> Iterator[dict[str, Any]]:
    table = analysis.study.measurements
    for name, unit in _MARKERS.items():
        known = table[table[name].notna()]
        for key, values in known.groupby(["arm", "day"], sort=True)[name]:
            arm, day = cast("tuple[str, float]", key)
            base = {"section": "group means", "arm": arm, "day": day, "unit": unit}
            error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.nan
            yield base | {"quantity": f"{name}_mean", "value": float(values.mean())}
            yield base | {"quantity": f"{name}_standard_error", "value": error}
            yield base | {"quantity": f"{name}_n", "value": float(len(values)), "unit": "count"}
    for column in ("mrecist", "flare_aware", "verdict"):
        counts = analysis.animals.groupby(["arm", column]).size()
        for pair, count in counts.items():
            arm, kind = cast("tuple[str, str]", pair)
            yield {
                "section": "classes",
                "arm": arm,
                "quantity": column,
                "value": float(count),
                "unit": "animals",
                "text": str(kind),
            }


def _alert_rows(analysis: Analysis) -> Iterator[dict[str, Any]]:
    for row in analysis.alerts.to_dict("records"):
        yield {
            "section": "alerts",
            "arm": row["arm"],
            "animal": row["animal"],
            "day": row["day"],
            "quantity": row["quantity"],
            "value": row["value"],
            "lower": row["limit"],
            "unit": row["unit"],
            "text": row["action"],
        }


def _performance_rows(analysis: Analysis) -> Iterator[dict[str, Any]]:
    for one in analysis.flare.performance:
        base = {
            "section": "flare score on simulated animals",
            "day": one.day,
            "text": "whole-animal cross-validation",
        }
        spread = 1.96 * one.area_error
        yield base | {
            "quantity": "area_under_roc_curve",
            "value": one.area,
            "lower": max(one.area - spread, 0.0),
            "upper": min(one.area + spread, 1.0),
        }
        yield base | {"quantity": "brier_score", "value": one.brier}
        yield base | {"quantity": "indeterminate", "value": one.indeterminate, "unit": "percent"}
        yield base | {"quantity": "wrong_of_decided", "value": one.wrong, "unit": "percent"}


def _sensitivity_rows(analysis: Analysis) -> Iterator[dict[str, Any]]:
    for row in analysis.sensitivity.to_dict("records"):
        note = row["note"] if isinstance(row["note"], str) else ""
        phase = row["phase"] if isinstance(row["phase"], str) else ""
        yield {
            "section": "sensitivity",
            "arm": row["arm"] if isinstance(row["arm"], str) else "",
            "quantity": f"growth_rate_difference_{phase}" if phase else "growth_rate_difference",
            "value": row["difference"],
            "lower": row["lower"],
            "upper": row["upper"],
            "unit": "1/day",
            "text": f"{row['analysis']}; {note}" if note else row["analysis"],
        }


def _diagnostic_rows(analysis: Analysis) -> Iterator[dict[str, Any]]:
    for row in diagnostics(analysis).to_dict("records"):
        for name, value in row.items():
            if name == "arms" or (isinstance(value, float) and np.isnan(value)):
                continue
            yield {
                "section": "model diagnostics",
                "arm": row["arms"],
                "quantity": name,
                "value": float(value),
            }


def findings_table(findings: tuple[Finding, ...]) -> pd.DataFrame:
    """Results of the data checks as a table."""
    columns = ["severity", "check", "animal", "day", "line", "message"]
    rows = [{name: getattr(item, name) for name in columns} for item in findings]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.assign(severity=frame["severity"].astype(str))


def analysis_arrive(analysis: Analysis) -> pd.DataFrame:
    """ARRIVE 2.0 table with what the data show; the rest is for the authors."""
    animals, table = analysis.animals, analysis.study.measurements
    counts = animals.groupby("arm").size()
    sizes = "; ".join(f"{arm}: {counts[arm]} animals" for arm in analysis.arms)
    left = animals[animals["reason_left"] != ""].groupby(["arm", "reason_left"]).size()
    reasons = "; ".join(
        f"{', '.join(cast('tuple[str, str]', key))}: {count}" for key, count in left.items()
    )
    excluded = [f for f in analysis.study.findings if f.severity is Severity.EXCLUDED]
    unused = int((animals["flare_aware"] == "NE").sum())
    rule = analysis.settings.flare_rule
    data = analysis.study.data
    volume = (
        f"tumor volume from length and width as {EQUATIONS[data.formula]}"
        if data.volumes_computed
        else "tumor volume as given"
    )
    others = [
        name.split("_")[0]
        for name in _MARKERS
        if name != "volume_mm3" and table[name].notna().any()
    ]
    visits = table.loc[(table["day"] > 0) & table["volume_mm3"].notna()]
    window = visits[visits["day"] <= rule.window_end].groupby("animal")["day"].nunique()
    taken_off = int((analysis.alerts["action"] == TAKE_OFF).sum())
    variances = "by arm" if analysis.growth.variance == "by_arm" else "common to all arms"
    known = {
        1: f"{len(analysis.arms)} arms, control '{analysis.arms[0]}'. {sizes}. The animal is the "
        "experimental unit.",
        3: f"{len(excluded)} volumes were left out as impossible (see the data checks); {unused} "
        "animals could not be classified for lack of a baseline or of follow-up."
        + (f" Animals left for these reasons: {reasons}." if reasons else ""),
        6: f"Primary: growth rate of {volume}, in the flare window (to day {rule.window_end:g}) "
        f"and after it. Also: {', '.join(others) or 'nothing else'}; response by mRECIST and by "
        "the flare-aware class.",
        7: "Linear mixed model of log volume, restricted maximum likelihood, piecewise linear with "
        f"a knot on day {rule.window_end:g}, log baseline as covariate, random intercept and "
        f"slopes per animal with variances {variances}, Satterthwaite degrees of freedom; "
        "sensitivity analyses are reported. No correction for multiple comparisons.",
        9: f"A median of {window.median() if len(window) else 0:g} measurements per animal in the "
        f"flare window; last visit on day {table['day'].max():g}.",
        10: "Estimates with intervals for every arm and each animal's class are in the tables.",
        16: f"{taken_off} measurements reached a humane endpoint (see the alerts).",
        20: f"Measurements: {data.source}; every number of this report: numbers.csv.",
    }
    return arrive_table(known)
