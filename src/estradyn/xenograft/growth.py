"""Growth of log volume: a mixed model, either a line that bends after the window or a spline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from estradyn.errors import InputError
from estradyn.xenograft.mixed_model import (
    Estimate,
    MixedModel,
    MixedModelError,
    fit_mixed_model,
)

Array = NDArray[np.float64]

Variance = Literal["by_arm", "pooled"]
RandomSlopes = Literal["both_phases", "one_slope"]
Curve = Literal["piecewise", "spline"]

FEWEST_ANIMALS_BY_ARM = 5
"""An arm with fewer animals cannot have variances of its own."""

INTERCEPT, WINDOW, AFTER, BASELINE = "intercept", "flare_window", "after_window", "baseline"

FEWEST_DAYS_FOR_SPLINE = 6
"""Days with measurements that a spline needs in each arm: one more than its coefficients."""


@dataclass(frozen=True)
class GrowthRows:
    """Measurements as the model takes them.

    Attributes
    ----------
    table
        `animal`, `arm`, `day`, `log_volume`, `log_baseline` (centred over all animals), one row
        per measurement after the start of treatment.
    mean_log_baseline
        Mean over animals, at which curves are drawn.
    without_baseline
        Animals without a measurement at or before day 0, left out.
    """

    table: pd.DataFrame
    mean_log_baseline: float
    without_baseline: tuple[str, ...]


@dataclass(frozen=True)
class GrowthModel:
    """The fitted model.

    Attributes
    ----------
    arms
        Arms, the control first.
    knot
        Day at which the slope may change.
    last_day
        Last day on which every arm still has measurements.
    variance
        Whether variances between animals were estimated for each arm or for all together.
    phases
        Phases that the visits of each arm determine.
    fits
        One fit per arm, or one for all arms under the key "".
    rows
        What was fitted.
    knots
        Knots of the spline, boundaries included; none for the piecewise line.
    """

    arms: tuple[str, ...]
    knot: float
    last_day: float
    variance: Variance
    phases: dict[str, tuple[str, ...]]
    fits: dict[str, MixedModel]
    rows: GrowthRows
    knots: tuple[float, ...] = ()

    @property
    def curve(self) -> Curve:
        """Shape of the mean course of an arm."""
        return "spline" if self.knots else "piecewise"

    def combine(
        self, weights: dict[str, dict[str, float]], *, level: float = 0.95
    ) -> Estimate | None:
        """Estimate a combination of coefficients: weight by arm and term.

        None when a term cannot be estimated in one of the arms. Independent fits are combined with
        the Welch-Satterthwaite degrees of freedom.
        """
        for arm, terms in weights.items():
            if any(t in (WINDOW, AFTER) and t not in self.phases[arm] for t in terms):
                return None
        parts: list[Estimate] = []
        for key, fit in self.fits.items():
            contrast = np.zeros(len(fit.names))
            for arm, terms in weights.items():
                if key not in ("", arm):
                    continue
                for term, weight in terms.items():
                    contrast[fit.names.index(f"{arm}:{term}")] += weight
            if contrast.any():
                parts.append(fit.estimate(contrast, level=level))
        return parts[0] if len(parts) == 1 else _sum_of_independent(parts, level)

    def slope(self, arm: str, phase: str, *, level: float = 0.95) -> Estimate | None:
        """Growth rate of an arm per day in a phase; of a spline the mean over the phase."""
        return self.combine({arm: self._slope_terms(phase, 1.0)}, level=level)

    def slope_difference(
        self, arm: str, reference: str, phase: str, *, level: float = 0.95
    ) -> Estimate | None:
        """Growth rate of an arm minus that of another."""
        weights = {arm: self._slope_terms(phase, 1.0), reference: self._slope_terms(phase, -1.0)}
        return self.combine(weights, level=level)

    def _slope_terms(self, phase: str, sign: float) -> dict[str, float]:
        """Weights of the growth rate in a phase."""
        if not self.knots:
            return {phase: sign}
        ends = (self.knots[0], self.knot) if phase == WINDOW else (self.knot, self.last_day)
        first, last = (_spline_values(day, self.knots) for day in ends)
        return {t: sign * (last[t] - first[t]) / (ends[1] - ends[0]) for t in last}

    def terms_at(self, arm: str, day: float) -> dict[str, float]:
        """Weights that give the mean log volume of an arm on a day, at the mean baseline."""
        if self.knots:
            return {INTERCEPT: 1.0, **_spline_values(day, self.knots)}
        values = {INTERCEPT: 1.0, **_phase_values(day, self.knot)}
        return {t: v for t, v in values.items() if t == INTERCEPT or t in self.phases[arm]}

    def mean_log_volume(self, arm: str, day: float, *, level: float = 0.95) -> Estimate | None:
        """Mean log volume of an arm on a day, for an animal of mean log baseline."""
        return self.combine({arm: self.terms_at(arm, day)}, level=level)

    def log_ratio(
        self, arm: str, reference: str, day: float, *, level: float = 0.95
    ) -> Estimate | None:
        """Log of the volume ratio of an arm to another on a day (treated over control)."""
        negative = {term: -weight for term, weight in self.terms_at(reference, day).items()}
        return self.combine({arm: self.terms_at(arm, day), reference: negative}, level=level)


def growth_rows(
    measurements: pd.DataFrame, smallest_volume: float, readout: str = "volume_mm3"
) -> GrowthRows:
    """Prepare measurements for the model.

    Parameters
    ----------
    measurements
        `animal`, `arm`, `day` and the readout; rows without it are left out.
    smallest_volume
        Readouts below this enter as this: a tumor that cannot be felt has no logarithm.
    readout
        Column that grows with the tumor; `log_volume` of the rows is then its logarithm.
    """
    table = measurements.loc[measurements[readout].notna()].sort_values(["animal", "day"])
    table = table[["animal", "arm", "day", readout]].copy()
    table["log_volume"] = np.log(table[readout].clip(lower=smallest_volume))
    baseline = table.loc[table["day"] <= 0].groupby("animal")["log_volume"].last()
    mean = float(baseline.mean()) if len(baseline) else 0.0
    table["log_baseline"] = table["animal"].map(baseline) - mean
    absent = tuple(sorted(set(table["animal"]) - set(baseline.index)))
    table = table[(table["day"] > 0) & table["log_baseline"].notna()]
    return GrowthRows(table.reset_index(drop=True), mean, absent)


def fit_growth(
    measurements: pd.DataFrame,
    arms: Sequence[str],
    *,
    knot: float = 21.0,
    smallest_volume: float = 4.0,
    variance: Variance = "by_arm",
    random_slopes: RandomSlopes = "both_phases",
    adjust_for_baseline: bool = True,
    curve: Curve = "piecewise",
    readout: str = "volume_mm3",
) -> GrowthModel:
    """Fit log volume ~ arm + arm:window + arm:after (+ log baseline), random per animal.

    Time enters as min(day, knot) and max(day - knot, 0), so that each arm has a growth rate in the
    flare window and one after it; or as a natural cubic spline with a knot there and one in the
    middle of either phase, whose growth rates are means over the phases. Animals differ in
    intercept and in slope. All measurements of an animal up to the day it left are used: leaving at
    a measured size is missing at random.

    Parameters
    ----------
    measurements
        `animal`, `arm`, `day`, `volume_mm3`; day 0 is the start of treatment.
    arms
        Arms, the control first.
    knot
        End of the flare window in days.
    smallest_volume
        Smallest volume that can be measured, mm3.
    variance
        "by_arm" gives each arm its own variances, since a treated arm mixes tumors that respond
        with tumors that do not; "pooled" has one set for all. An arm with fewer than
        `FEWEST_ANIMALS_BY_ARM` animals, or too few visits for a fit of its own, makes it pooled.
    random_slopes
        Animals differ in the slopes of "both_phases" or in "one_slope" over all time.
    adjust_for_baseline
        Whether log volume at the start is a covariate.
    curve
        "piecewise" or "spline".
    readout
        Column that grows with the tumor: calipers or light, never both in one model.

    Raises
    ------
    InputError
        When the visits of an arm do not determine its slopes.
    """
    rows = growth_rows(measurements, smallest_volume, readout)
    table = rows.table
    counts = table.groupby("arm")["animal"].nunique()
    for arm in arms:
        if counts.get(arm, 0) < 1:
            raise InputError(
                f"arm '{arm}': found no animal with a volume at or before day 0 and one after it, "
                "allowed arms with both"
            )
    phases = {arm: _phases(table.loc[table["arm"] == arm, "day"], knot) for arm in arms}
    if counts.loc[list(arms)].min() < FEWEST_ANIMALS_BY_ARM:
        variance = "pooled"
    last_day = float(table.groupby("arm")["day"].max().loc[list(arms)].min())
    knots = _knots(table, arms, knot, last_day) if curve == "spline" else ()

    def fits_of(groups: dict[str, list[str]]) -> dict[str, MixedModel]:
        return {
            key: _fit(table, members, phases, knot, knots, random_slopes, adjust_for_baseline, key)
            for key, members in groups.items()
        }

    if variance == "by_arm":
        try:
            fits = fits_of({arm: [arm] for arm in arms})
        except InputError:
            # One arm has too few measurements of its own; together they may be enough.
            variance = "pooled"
    if variance == "pooled":
        fits = fits_of({"": list(arms)})
    return GrowthModel(tuple(arms), knot, last_day, variance, phases, fits, rows, knots)


def _knots(
    table: pd.DataFrame, arms: Sequence[str], knot: float, last_day: float
) -> tuple[float, ...]:
    """First and last day, the end of the window and the middle of either phase."""
    days = table.groupby("arm")["day"].nunique()
    first = float(table.groupby("arm")["day"].min().max())
    few = [arm for arm in arms if days[arm] < FEWEST_DAYS_FOR_SPLINE]
    if few or not first < knot < last_day:
        where = f"arm '{few[0]}': found {days[few[0]]} days" if few else "found no days"
        raise InputError(
            f"{where} with volumes around the end of the flare window on day {knot:g}, allowed "
            f"{FEWEST_DAYS_FOR_SPLINE} or more on both sides of it for a spline"
        )
    return (first, (first + knot) / 2.0, knot, (knot + last_day) / 2.0, last_day)


def _spline_values(day: float, knots: Sequence[float]) -> dict[str, float]:
    """Natural cubic spline without its constant: linear beyond the outer knots.

    The basis is that of Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning",
    2nd ed., equation 5.4, on the unit interval between the outer knots.
    """
    span = knots[-1] - knots[0]
    place = (day - knots[0]) / span
    scaled = [(knot - knots[0]) / span for knot in knots]

    def truncated(k: int) -> float:
        top = max(place - scaled[k], 0.0) ** 3 - max(place - scaled[-1], 0.0) ** 3
        return top / (scaled[-1] - scaled[k])

    last = truncated(len(knots) - 2)
    values = {"spline 1": place}
    for k in range(len(knots) - 2):
        values[f"spline {k + 2}"] = truncated(k) - last
    return values


def _phase_values(day: float, knot: float) -> dict[str, float]:
    return {WINDOW: min(day, knot), AFTER: max(day - knot, 0.0)}


def _phases(days: pd.Series, knot: float) -> tuple[str, ...]:
    """Phases with visits enough for a slope: two days in the window, one after it."""
    early = days[days <= knot].nunique()
    late = days[days > knot].nunique()
    if early >= 2:
        return (WINDOW, AFTER) if late >= 1 else (WINDOW,)
    if late >= 2 and early == 1:
        return (WINDOW, AFTER)
    return (AFTER,) if late >= 2 else (WINDOW,)


def _fit(
    table: pd.DataFrame,
    arms: Sequence[str],
    phases: dict[str, tuple[str, ...]],
    knot: float,
    knots: Sequence[float],
    random_slopes: RandomSlopes,
    adjust_for_baseline: bool,
    key: str,
) -> MixedModel:
    part = table[table["arm"].isin(arms)]
    day = part["day"].to_numpy(dtype=np.float64)
    values = {WINDOW: np.minimum(day, knot), AFTER: np.maximum(day - knot, 0.0)}
    columns: list[Array] = []
    names: list[str] = []
    for arm in arms:
        own: Array = np.where(part["arm"] == arm, 1.0, 0.0)
        columns.append(own)
        names.append(f"{arm}:{INTERCEPT}")
        shapes = {phase: values[phase] for phase in phases[arm]}
        if knots:
            rows = [_spline_values(float(d), knots) for d in day]
            shapes = {term: np.array([row[term] for row in rows]) for term in rows[0]}
        for term, shape in shapes.items():
            columns.append(own * shape)
            names.append(f"{arm}:{term}")
    if adjust_for_baseline:
        columns.append(part["log_baseline"].to_numpy(dtype=np.float64))
        names.append(BASELINE)
    slopes = sorted({phase for arm in arms for phase in phases[arm]}, reverse=True)
    random = [np.ones_like(day)]
    if random_slopes == "both_phases":
        random += [values[phase] for phase in slopes]
        random_names = [INTERCEPT, *slopes]
    else:
        random.append(day)
        random_names = [INTERCEPT, "slope"]
    try:
        return fit_mixed_model(
            part["log_volume"].to_numpy(),
            np.column_stack(columns),
            np.column_stack(random),
            part["animal"].to_list(),
            names=names,
            random_names=random_names,
        )
    except MixedModelError as error:
        where = f"arm '{key}'" if key else "arms " + ", ".join(f"'{arm}'" for arm in arms)
        raise InputError(
            f"{where}: found measurements that do not determine the growth model ({error}), "
            "allowed three or more animals with volumes on several days"
        ) from None


def _sum_of_independent(parts: Sequence[Estimate], level: float) -> Estimate:
    value = sum(part.value for part in parts)
    variances = np.array([part.standard_error**2 for part in parts])
    freedoms = np.array([part.degrees_of_freedom for part in parts])
    total = float(variances.sum())
    freedom = total**2 / float(np.sum(variances**2 / freedoms)) if total > 0 else np.inf
    error = float(np.sqrt(total))
    half = float(stats.t.ppf(0.5 + level / 2.0, freedom)) * error
    p_value = 2.0 * float(stats.t.sf(abs(value) / error, freedom)) if error > 0 else np.nan
    return Estimate(value, error, freedom, value - half, value + half, p_value)
