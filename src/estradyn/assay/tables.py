"""Every number of an analysed assay as tidy tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from estradyn.assay.analysis import AssayResult, CurveResult, JointResult
from estradyn.assay.curves.fit import CurveFit
from estradyn.assay.curves.landmarks import LANDMARKS, Landmark
from estradyn.assay.curves.profile import LandmarkInterval
from estradyn.assay.series import SeriesKey

NUMBER_COLUMNS = (
    "cell_line",
    "readout",
    "drug",
    "agonist_dose",
    "time_h",
    "analysis",
    "curve",
    "quantity",
    "value",
    "lower",
    "upper",
    "unit",
    "method",
)
"""Columns of `numbers_table`; `analysis` is `single` (one time), `joint` (all times) or `shift`."""


def numbers_table(result: AssayResult) -> pd.DataFrame:
    """Every estimate, limit, test and weight: one row per number, columns `NUMBER_COLUMNS`.

    A dose that lies outside the tested ones says so in `method`; a limit the data do not set is 0
    or infinite.
    """
    rows: list[dict[str, Any]] = []
    for curve in result.curves:
        rows += _curve_rows(curve)
    for joint in result.joint:
        rows += _joint_rows(joint)
    rows += _shift_rows(result)
    return pd.DataFrame(rows, columns=list(NUMBER_COLUMNS))


def landmarks_table(result: AssayResult) -> pd.DataFrame:
    """Landmarks only: the rows of `numbers_table` a reader looks for first."""
    table = numbers_table(result)
    wanted = table["quantity"].isin([landmark.name for landmark in LANDMARKS])
    return table[wanted].reset_index(drop=True)


def curves_table(result: AssayResult) -> pd.DataFrame:
    """Fitted curves with their bands: one row per series, time and dose."""
    parts = []
    for curve in result.curves:
        part = curve.curve.copy()
        for name, value in reversed(list(_key_columns(curve.series.key).items())):
            part.insert(0, name, value)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def replicates_table(result: AssayResult) -> pd.DataFrame:
    """What was fitted: one row per series, time, plate and dose, with residual."""
    parts = []
    for curve in result.curves:
        part = residual_table(curve)
        for name, value in reversed(list(_key_columns(curve.series.key).items())):
            part.insert(0, name, value)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def residual_table(curve: CurveResult) -> pd.DataFrame:
    """Replicates of one series with fitted value and residual in units of their scatter."""
    fit = curve.choice.chosen
    part = curve.replicates.table.copy()
    with np.errstate(divide="ignore"):
        log_dose = np.log(part["dose"].to_numpy() / fit.data.reference_dose)
    part["fitted"] = fit.family.evaluate(fit.theta, log_dose)
    spread = np.sqrt(float(fit.variance[0]))
    residual = (part["response"] - part["fitted"]) * np.sqrt(part["weight"])
    part["standardised_residual"] = residual / spread if spread > 0 else np.nan
    return part


def growth_rate_table(result: AssayResult) -> pd.DataFrame:
    """Mean growth rate (GR) of each series, time and dose, with the spread of plates."""
    parts = []
    for curve in result.curves:
        wells = curve.series.wells.dropna(subset=["growth_rate"])
        if wells.empty:
            continue
        plates = wells.groupby(["dose", "plate"])["growth_rate"].mean().reset_index()
        part = plates.groupby("dose")["growth_rate"].agg(["mean", "std", "count"]).reset_index()
        part.columns = ["dose", "growth_rate", "sd_between_plates", "plates"]
        for name, value in reversed(list(_key_columns(curve.series.key).items())):
            part.insert(0, name, value)
        parts.append(part)
    columns = [*_KEYS, "dose", "growth_rate", "sd_between_plates", "plates"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


_KEYS = ("cell_line", "readout", "drug", "agonist_dose", "time_h")


def _key_columns(key: SeriesKey) -> dict[str, Any]:
    return {name: getattr(key, name) for name in _KEYS}


def is_extrapolated(landmark: Landmark, value: float, fit: CurveFit) -> bool:
    """Whether a dose lies outside the tested ones."""
    doses = fit.data.positive
    return landmark.is_dose and np.isfinite(value) and not doses.min() <= value <= doses.max()


def _landmark_row(
    base: dict[str, Any], interval: LandmarkInterval, fit: CurveFit, unit: str
) -> dict[str, Any]:
    landmark = interval.landmark
    value = float(interval.value[0])
    method = "profile likelihood"
    if np.isnan(value):
        method = "absent from the curve"
    elif is_extrapolated(landmark, value, fit):
        method += "; outside the tested doses"
    return {
        **base,
        "quantity": landmark.name,
        "value": value,
        "lower": float(interval.lower[0]),
        "upper": float(interval.upper[0]),
        "unit": unit if landmark.is_dose else "percent",
        "method": method,
    }


def _parameters(fit: CurveFit, unit: str, group: int = 0) -> Iterator[tuple[str, float, str]]:
    reference = fit.data.reference_dose
    for name, value in zip(fit.family.parameters, fit.local(group)[0], strict=True):
        if name in ("log_slope", "log_rise_slope"):
            yield name.removeprefix("log_"), float(np.exp(value)), "dimensionless"
        elif name in ("log_dose", "log_rise_dose"):
            label = "dose_parameter" if name == "log_dose" else "rise_dose_parameter"
            yield label, float(np.exp(value) * reference), unit
        elif name == "stimulation" and fit.family.rise == "linear":
            yield name, float(value / reference), f"percent / {unit}"
        else:
            yield name, float(value), "percent"


def _curve_rows(result: CurveResult) -> Iterator[dict[str, Any]]:
    choice, fit, unit = result.choice, result.choice.chosen, result.series.unit
    base = {
        **_key_columns(result.series.key),
        "analysis": "single",
        "curve": fit.family.name,
        "lower": np.nan,
        "upper": np.nan,
    }
    for interval in result.intervals:
        yield _landmark_row(base, interval, fit, unit)
    for name, limits in result.percentiles.items():
        yield {
            **base,
            "quantity": f"{name}_bootstrap",
            "value": limits.share,
            "lower": limits.lower,
            "upper": limits.upper,
            "unit": "share of draws that have it; limits as the landmark",
            "method": "parametric bootstrap, percentiles",
        }
    for name, value, parameter_unit in _parameters(fit, unit):
        yield {**base, "quantity": name, "value": value, "unit": parameter_unit, "method": "fit"}
    lack = choice.lack_of_fit
    numbers: list[tuple[str, float, str]] = [
        ("residual_sd", float(np.sqrt(fit.variance[0])), "percent"),
        ("residual_df", float(fit.residual_df[0]), "dimensionless"),
        ("stimulation_bootstrap_p", choice.bootstrap_p, "dimensionless"),
        ("stimulation_simulations", float(choice.simulated), "dimensionless"),
        ("lack_of_fit_f", lack.statistic, "dimensionless"),
        ("lack_of_fit_p", lack.p_value, "dimensionless"),
    ]
    if choice.extra is not None:
        numbers += [
            ("extra_sum_of_squares_f", choice.extra.statistic, "dimensionless"),
            ("extra_sum_of_squares_p", choice.extra.p_value, "dimensionless"),
        ]
    for name, value, number_unit in numbers:
        yield {**base, "quantity": name, "value": value, "unit": number_unit, "method": "fit"}
    for name in choice.fits:
        for quantity, value in (("aicc", choice.aicc[name]), ("weight", choice.weights[name])):
            yield {
                **base,
                "curve": name,
                "quantity": quantity,
                "value": value,
                "unit": "dimensionless",
                "method": "Akaike",
            }


def _joint_rows(result: JointResult) -> Iterator[dict[str, Any]]:
    fit = result.fit
    for interval in result.intervals:
        base = {
            **_key_columns(result.keys[interval.group]),
            "analysis": "joint",
            "curve": fit.family.name,
        }
        yield _landmark_row(base, interval, fit, result.unit)
    for group, key in enumerate(result.keys):
        for name, value, unit in _parameters(fit, result.unit, group):
            yield {
                **_key_columns(key),
                "analysis": "joint",
                "curve": fit.family.name,
                "quantity": name,
                "value": value,
                "lower": np.nan,
                "upper": np.nan,
                "unit": unit,
                "method": "fit",
            }
    yield {
        **_key_columns(result.keys[0]),
        "time_h": np.nan,
        "analysis": "joint",
        "curve": fit.family.name,
        "quantity": "shared_dose_parameters_p",
        "value": result.p_value,
        "lower": np.nan,
        "upper": np.nan,
        "unit": "dimensionless",
        "method": f"F({result.numerator_df}, {result.denominator_df}) = {result.statistic:.4g}",
    }


def _shift_rows(result: AssayResult) -> Iterator[dict[str, Any]]:
    for shift in result.antagonism:
        base = {
            "cell_line": shift.cell_line,
            "readout": shift.readout,
            "drug": shift.drug,
            "agonist_dose": np.nan,
            "time_h": shift.time_h,
            "analysis": "shift",
            "curve": "Gaddum",
            "lower": np.nan,
            "upper": np.nan,
            "method": "profile likelihood",
        }
        limits = {"lower": shift.kb_lower, "upper": shift.kb_upper}
        yield {**base, "quantity": "kb", "value": shift.kb, "unit": shift.unit, **limits}
        limits = {"lower": shift.ec50_lower, "upper": shift.ec50_upper}
        yield {
            **base,
            "quantity": "agonist_ec50",
            "value": shift.ec50,
            "unit": shift.unit,
            **limits,
        }
        for name, value in (
            ("agonist_slope", shift.slope),
            ("schild_slope", shift.schild_slope),
            ("schild_slope_is_1_p", shift.schild_p),
            ("lack_of_fit_p", shift.lack_of_fit_p),
        ):
            yield {
                **base,
                "quantity": name,
                "value": value,
                "unit": "dimensionless",
                "method": "fit",
            }
        for row in shift.shifts.itertuples():
            yield {
                **base,
                "quantity": f"dose_ratio_at_{row.dose:.4g}",
                "value": row.dose_ratio,
                "lower": row.lower,
                "upper": row.upper,
                "unit": "dimensionless",
            }
