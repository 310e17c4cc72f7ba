"""A study from checked measurements to every number of the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from estradyn.errors import InputError
from estradyn.xenograft.checks import CheckedStudy, checked
from estradyn.xenograft.flare_score import FlareScoreRule, FlareScores, score_flares
from estradyn.xenograft.growth import (
    AFTER,
    BASELINE,
    INTERCEPT,
    WINDOW,
    Curve,
    GrowthModel,
    fit_growth,
)
from estradyn.xenograft.humane_endpoints import (
    NUDE_MOUSE_ENDPOINTS,
    HumaneEndpoint,
    find_alerts,
)
from estradyn.xenograft.mixed_model import Estimate
from estradyn.xenograft.response import FlareRule, flare_aware, mrecist
from estradyn.xenograft.sensitivity import GrowthChoices, sensitivity_analyses
from estradyn.xenograft.study_table import StudyData

CONTROL_NAMES = ("vehicle", "control", "placebo", "untreated")
"""Beginnings of names by which the control arm is found."""

BONE_SITES = ("bone", "tibia", "femur", "femor", "intratibial", "intraosseous")

FLUX = "flux_photons_per_s"

DARK_FLUX = 1e3
"""Photons per second that count as the background of a camera (assumed)."""

ESTIMATE_COLUMNS = (
    "quantity",
    "arm",
    "reference",
    "phase",
    "day",
    "value",
    "lower",
    "upper",
    "unit",
    "standard_error",
    "degrees_of_freedom",
    "p_value",
)


@dataclass(frozen=True)
class AnalysisSettings:
    """Choices fixed before the data are seen.

    Attributes
    ----------
    control
        Name of the control arm; None finds one by its name, else takes the first.
    flare_rule, score_rule
        Limits of the flare window, the early rise and the verdict.
    endpoints
        Humane endpoints.
    smallest_volume
        Smallest volume that can be measured, mm3 (a sphere of 2 mm).
    growth
        Shape of the mean course of log volume: "piecewise" or "spline".
    level
        Coverage of intervals.
    seed
        Seed of the simulated animals that calibrate the flare score.
    """

    control: str | None = None
    flare_rule: FlareRule = field(default_factory=FlareRule)
    score_rule: FlareScoreRule = field(default_factory=FlareScoreRule)
    endpoints: tuple[HumaneEndpoint, ...] = NUDE_MOUSE_ENDPOINTS
    smallest_volume: float = 4.0
    growth: Curve = "piecewise"
    level: float = 0.95
    seed: int = 1


@dataclass(frozen=True)
class Analysis:
    """Everything that came out.

    Attributes
    ----------
    study
        The checked measurements.
    settings
        What was chosen.
    arms
        Arms, the control first.
    growth
        The fitted growth model.
    light
        The same model of log photon flux, a readout of its own; None without bioluminescence, or
        with too little of it.
    estimates
        Growth rates, differences and volume ratios; columns `ESTIMATE_COLUMNS`.
    animals
        One row per animal: sizes, classes, probability and verdict, own growth rates.
    alerts
        Values that passed a limit; see `find_alerts`.
    flare
        Flare scores and how good they are.
    sensitivity
        Treatment effect under other choices.
    in_bone
        Whether the tumors grow in bone.
    """

    study: CheckedStudy
    settings: AnalysisSettings
    arms: tuple[str, ...]
    growth: GrowthModel
    light: GrowthModel | None
    estimates: pd.DataFrame
    animals: pd.DataFrame
    alerts: pd.DataFrame
    flare: FlareScores
    sensitivity: pd.DataFrame
    in_bone: bool


def analyze_study(data: StudyData, settings: AnalysisSettings | None = None) -> Analysis:
    """Check, model and classify a study.

    Parameters
    ----------
    data
        What `read_study` or `study_from_frame` gives.
    settings
        Choices.

    Raises
    ------
    InputError
        When the measurements have an error that changes conclusions, or are too few for the model.
    """
    settings = settings or AnalysisSettings()
    rule = settings.flare_rule
    study = checked(data, window_end=rule.window_end)
    arms = _ordered_arms(data.arms, settings.control, data.source)
    table = study.measurements
    growth = fit_growth(
        table,
        arms,
        knot=rule.window_end,
        smallest_volume=settings.smallest_volume,
        curve=settings.growth,
    )
    light = _light_growth(table, arms, rule.window_end)
    in_bone = _in_bone(table)
    flare = score_flares(
        table,
        smallest_volume=settings.smallest_volume,
        flare_rule=rule,
        score_rule=settings.score_rule,
        in_bone=in_bone,
        seed=settings.seed,
    )
    alerts = find_alerts(table, settings.endpoints)
    choices = GrowthChoices(rule.window_end, settings.smallest_volume, settings.level)
    return Analysis(
        study=study,
        settings=settings,
        arms=arms,
        growth=growth,
        light=light,
        estimates=_estimates(growth, light, settings.level),
        animals=_animals(table, growth, flare, rule, alerts, arms),
        alerts=alerts,
        flare=flare,
        sensitivity=sensitivity_analyses(study, arms, choices),
        in_bone=in_bone,
    )


def _ordered_arms(arms: Sequence[str], control: str | None, source: str) -> tuple[str, ...]:
    if control is not None and control not in arms:
        raise InputError(
            f"found no arm '{control}' for the control, allowed {', '.join(arms)}", source=source
        )
    if control is None:
        named = [arm for arm in arms if arm.lower().startswith(CONTROL_NAMES)]
        control = named[0] if named else arms[0]
    return (control, *(arm for arm in arms if arm != control))


def _light_growth(
    table: pd.DataFrame, arms: Sequence[str], window_end: float
) -> GrowthModel | None:
    """Model bioluminescence as calipers are; None where it was not measured often enough."""
    if table[FLUX].notna().sum() == 0:
        return None
    try:
        return fit_growth(table, arms, knot=window_end, smallest_volume=DARK_FLUX, readout=FLUX)
    except InputError:
        return None


def _in_bone(table: pd.DataFrame) -> bool:
    sites = table["site"].str.lower().unique()
    return any(word in site for site in sites for word in BONE_SITES)


def _estimates(growth: GrowthModel, light: GrowthModel | None, level: float) -> pd.DataFrame:
    rows = _estimate_rows(growth, level, ("", "geometric_mean_volume", "volume_ratio", "mm3"))
    if light is not None:
        names = ("light_", "geometric_mean_flux", "flux_ratio", "photons/s")
        rows += _estimate_rows(light, level, names)
    return pd.DataFrame(rows, columns=list(ESTIMATE_COLUMNS))


def _estimate_rows(
    growth: GrowthModel, level: float, names: tuple[str, str, str, str]
) -> list[dict[str, Any]]:
    """Estimates of one readout; `names` are a prefix, its mean, its ratio and its unit."""
    prefix, mean, ratio, mean_unit = names
    rows: list[dict[str, Any]] = []
    control = growth.arms[0]

    def add(
        quantity: str,
        arm: str,
        estimate: Estimate | None,
        unit: str,
        *,
        reference: str = "",
        phase: str = "",
        day: float = np.nan,
        exponential: bool = False,
    ) -> None:
        if estimate is None:
            return
        values = [estimate.value, estimate.lower, estimate.upper]
        if exponential:
            values = [float(np.exp(min(v, 700.0))) for v in values]
        rows.append(
            {
                "quantity": quantity,
                "arm": arm,
                "reference": reference,
                "phase": phase,
                "day": day,
                "value": values[0],
                "lower": values[1],
                "upper": values[2],
                "unit": unit,
                "standard_error": estimate.standard_error,
                "degrees_of_freedom": estimate.degrees_of_freedom,
                "p_value": estimate.p_value,
            }
        )

    for phase in (WINDOW, AFTER):
        for arm in growth.arms:
            add(
                f"{prefix}growth_rate",
                arm,
                growth.slope(arm, phase, level=level),
                "1/day",
                phase=phase,
            )
        for arm in growth.arms[1:]:
            add(
                f"{prefix}growth_rate_difference",
                arm,
                growth.slope_difference(arm, control, phase, level=level),
                "1/day",
                reference=control,
                phase=phase,
            )
    for day in dict.fromkeys((min(growth.knot, growth.last_day), growth.last_day)):
        for arm in growth.arms:
            add(
                mean,
                arm,
                growth.mean_log_volume(arm, day, level=level),
                mean_unit,
                day=day,
                exponential=True,
            )
        for arm in growth.arms[1:]:
            add(
                f"{ratio}_to_control",
                arm,
                growth.log_ratio(arm, control, day, level=level),
                "1",
                reference=control,
                day=day,
                exponential=True,
            )
    return rows


def _animals(
    table: pd.DataFrame,
    growth: GrowthModel,
    flare: FlareScores,
    rule: FlareRule,
    alerts: pd.DataFrame,
    arms: Sequence[str],
) -> pd.DataFrame:
    own = _own_growth_rates(growth)
    rows = []
    for animal, visits in table.groupby("animal", sort=False):
        measured = visits[visits["volume_mm3"].notna()]
        before = measured[measured["day"] <= 0]
        reason = next((str(r) for r in visits["reason_left"] if r), "")
        row: dict[str, Any] = {
            "animal": str(animal),
            "arm": str(visits["arm"].iloc[0]),
            "visits": len(measured),
            "last_day": float(measured["day"].max()) if len(measured) else np.nan,
            "reason_left": reason,
        }
        if len(before):
            used = measured[measured["day"] >= before["day"].iloc[-1]]
            days, volumes = used["day"].to_numpy(), used["volume_mm3"].to_numpy()
            plain = mrecist(days, volumes)
            aware = flare_aware(days, volumes, rule, left_for_size=_size_is_reason(reason))
            row |= {
                "baseline_mm3": float(volumes[0]),
                "last_mm3": float(volumes[-1]),
                "best_change_percent": plain.best_change,
                "best_change_day": plain.best_change_day,
                "best_average_percent": plain.best_average,
                "mrecist": str(plain.response),
                "early_rise": aware.early_rise,
                "largest_rise_percent": aware.largest_rise,
                "first_rise_day": aware.first_rise_day,
                "rechecked": aware.rechecked,
                "rebased_best_change_percent": aware.rebased.best_change,
                "rebased_mrecist": str(aware.rebased.response),
                "fall_probability": aware.fall_probability,
                "growth_probability": aware.growth_probability,
                "flare_aware": str(aware.response),
                "flare_then_response": aware.flare,
            }
        else:
            row |= {"mrecist": "NE", "flare_aware": "NE", "rebased_mrecist": "NE"}
            row |= {"early_rise": False, "rechecked": False, "flare_then_response": False}
        rows.append(row)
    frame = pd.DataFrame(rows)
    frame = frame.merge(flare.animals, on="animal", how="left").merge(own, on="animal", how="left")
    frame["verdict"] = frame["verdict"].fillna("not evaluable")
    counts = alerts.groupby("animal").size() if len(alerts) else pd.Series(dtype=int)
    frame["alerts"] = frame["animal"].map(counts).fillna(0).astype(int)
    place = {arm: i for i, arm in enumerate(arms)}
    order = frame["arm"].map(place)
    return (
        frame.assign(_order=order)
        .sort_values(["_order", "animal"])
        .drop(columns="_order")
        .reset_index(drop=True)
    )


def _size_is_reason(reason: str) -> bool:
    text = reason.lower()
    return any(word in text for word in ("size", "burden", "volume", "diameter"))


def _own_growth_rates(growth: GrowthModel) -> pd.DataFrame:
    """Growth rates of each animal: those of its arm plus its own predicted deviation."""
    arm_of = growth.rows.table.drop_duplicates("animal").set_index("animal")["arm"]
    mean = {}
    for arm in growth.arms:
        for phase in growth.phases[arm]:
            estimate = growth.slope(arm, phase)
            mean[arm, phase] = estimate.value if estimate else np.nan
    rows = []
    for fit in growth.fits.values():
        for place, animal in enumerate(fit.groups):
            arm = str(arm_of[animal])
            row: dict[str, Any] = {"animal": animal}
            for phase in growth.phases[arm]:
                own = fit.random_effects[place, fit.random_names.index(phase)]
                row[f"growth_rate_{phase}"] = mean[arm, phase] + float(own)
            rows.append(row)
    columns = ["animal", f"growth_rate_{WINDOW}", f"growth_rate_{AFTER}"]
    return pd.DataFrame(rows, columns=columns)


def diagnostics(analysis: Analysis) -> pd.DataFrame:
    """How well the model holds, one row per fit.

    Columns: `arms`, `animals`, `observations`, `residual_sd` (log volume), the standard deviations
    between animals, `log_likelihood`, `singular`, `residual_skewness` and `residual_kurtosis`
    (excess), and `lag_one` (mean correlation of an animal's successive residuals).
    """
    rows = []
    table = analysis.growth.rows.table
    for key, fit in analysis.growth.fits.items():
        members = [key] if key else list(analysis.arms)
        part = table[table["arm"].isin(members)]
        residual = pd.Series(fit.residuals / fit.residual_sd, index=part.index)
        before = residual.groupby(part["animal"]).shift(1)
        both = before.notna()
        spread = np.sqrt(np.diag(fit.random_covariance))
        rows.append(
            {
                "arms": ", ".join(members),
                "animals": len(fit.groups),
                "observations": len(part),
                "residual_sd": fit.residual_sd,
                **{
                    f"sd_{name}": float(value)
                    for name, value in zip(fit.random_names, spread, strict=True)
                },
                "log_likelihood": fit.log_likelihood,
                "singular": fit.singular,
                "baseline_coefficient": float(fit.coefficients[fit.names.index(BASELINE)]),
                "residual_skewness": float(stats.skew(fit.residuals)),
                "residual_kurtosis": float(stats.kurtosis(fit.residuals)),
                "lag_one": float(residual[both].corr(before[both])) if both.sum() > 2 else np.nan,
            }
        )
    columns = [f"sd_{name}" for name in (INTERCEPT, WINDOW, AFTER)]
    frame = pd.DataFrame(rows)
    for name in columns:
        if name not in frame:
            frame[name] = np.nan
    return frame
