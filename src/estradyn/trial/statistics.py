"""Estimates with intervals for proportions, means, medians and times to an event.

All intervals are two-sided with `CONFIDENCE` coverage; values that are NaN are left out and the
number that remains is returned with each estimate.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A value with its interval and the number of patients behind it; NaN where none exists."""

    value: float
    lower: float
    upper: float
    n: int


_HUGE = 1e300

NOTHING = Estimate(np.nan, np.nan, np.nan, 0)


def proportion_percent(flags: Flags) -> Estimate:
    """Percent of patients with the Wilson score interval.

    Wilson 1927, doi 10.1080/01621459.1927.10502953.
    """
    return proportion_percent_of(int(np.count_nonzero(flags)), int(flags.size))


def proportion_percent_of(count: int, n: int) -> Estimate:
    """Percent `count` of `n` with the Wilson score interval."""
    if n == 0:
        return NOTHING
    interval = stats.binomtest(count, n).proportion_ci(CONFIDENCE, method="wilson")
    return Estimate(100.0 * count / n, 100.0 * interval.low, 100.0 * interval.high, n)


def mean(values: Array) -> Estimate:
    """Arithmetic mean with Student's t interval."""
    present = values[np.isfinite(values)]
    if present.size == 0:
        return NOTHING
    centre = float(present.mean())
    if present.size == 1:
        return Estimate(centre, np.nan, np.nan, 1)
    error = float(present.std(ddof=1) / np.sqrt(present.size))
    reach = float(stats.t.ppf(0.5 + CONFIDENCE / 2, present.size - 1)) * error
    return Estimate(centre, centre - reach, centre + reach, int(present.size))


def geometric_mean_change_percent(ratios: Array) -> Estimate:
    """Percent change of the geometric mean, from each patient's ratio to her baseline.

    Ratios of zero or less have no logarithm and are left out.
    """
    positive = ratios[np.isfinite(ratios) & (ratios > 0.0)]
    logs = mean(np.log(positive))
    value, lower, upper = (100.0 * np.expm1([logs.value, logs.lower, logs.upper])).tolist()
    return Estimate(value, lower, upper, logs.n)


def median(values: Array) -> Estimate:
    """Median with the interval between two order statistics.

    The ranks are those of the binomial distribution with probability one half, so coverage is at
    least nominal for any continuous distribution (Conover, Practical Nonparametric Statistics,
    section 3.2). With fewer than six values no such interval exists and its ends are NaN.
    """
    present = np.sort(values[np.isfinite(values)])
    n = int(present.size)
    if n == 0:
        return NOTHING
    below = int(stats.binom.ppf(0.5 - CONFIDENCE / 2, n, 0.5))
    value = float(np.median(present))
    if below < 1:
        return Estimate(value, np.nan, np.nan, n)
    return Estimate(value, float(present[below - 1]), float(present[n - below]), n)


def censored_median(values: Array, limit: float) -> Estimate:
    """Median of values of which some are known only to lie below a limit.

    Order statistics need only the order, and a censored value comes before every number; so the
    interval is that of `median`. An end or a median that falls on a censored value is below the
    limit: there the value and the lower end are NaN and the upper end is at most the limit.

    Parameters
    ----------
    values
        Minus infinity where a value is censored, NaN where there is none.
    limit
        The limit.
    """
    present = values[~np.isnan(values)]
    # The middle of a number and of a censored value is not known either.
    estimate = median(np.where(np.isneginf(present), -_HUGE, present))
    low = estimate.value < 0.0
    return Estimate(
        np.nan if low else estimate.value,
        np.nan if estimate.lower < 0.0 else estimate.lower,
        limit if low and not estimate.upper > limit else estimate.upper,
        estimate.n,
    )


def share_below_percent(values: Array) -> Estimate:
    """Percent of values that are censored (minus infinity), with the Wilson score interval."""
    return proportion_percent(np.isneginf(values[~np.isnan(values)]))


@dataclass(frozen=True)
class SurvivalCurve:
    """Kaplan-Meier estimate of one group.

    Attributes
    ----------
    table
        `time_day`, `survival`, `lower`, `upper`, `at_risk`: day 0 and every day with an event or a
        censoring; `at_risk` counts patients just before that day.
    median_days
        Median time with its interval; infinite where the curve does not fall that far.
    """

    table: pd.DataFrame
    median_days: Estimate


def kaplan_meier(days: Array, event: Flags) -> SurvivalCurve:
    """Estimate survival with log-log intervals (Kalbfleisch and Prentice), by lifelines."""
    from lifelines import KaplanMeierFitter
    from lifelines.utils import median_survival_times

    if days.size == 0:
        raise ValueError("a survival curve needs at least one patient")
    fitter = KaplanMeierFitter(alpha=1.0 - CONFIDENCE)
    with warnings.catch_warnings():
        # Where the last patient has an event the variance at the end is zero over zero.
        warnings.simplefilter("ignore", RuntimeWarning)
        fitter.fit(days, event)
    events, interval = fitter.event_table, fitter.confidence_interval_
    table = pd.DataFrame(
        {
            "time_day": events.index.to_numpy(dtype=float),
            "survival": fitter.survival_function_.iloc[:, 0].to_numpy(),
            "lower": interval.iloc[:, 0].to_numpy(),
            "upper": interval.iloc[:, 1].to_numpy(),
            "at_risk": events["at_risk"].to_numpy(dtype=np.int64),
        }
    )
    middle = median_survival_times(interval)
    lower, upper = (float(middle.iloc[0, column]) for column in (0, 1))
    median_days = Estimate(float(fitter.median_survival_time_), lower, upper, int(days.size))
    return SurvivalCurve(table, median_days)


def survival_percent(curve: SurvivalCurve, day: float) -> Estimate:
    """Percent without the event at a time, with the interval of the curve there.

    Before the first event the curve has no width; the interval is then Wilson's of no event among
    those who are still followed.
    """
    at = int(np.searchsorted(curve.table["time_day"].to_numpy(), day, side="right")) - 1
    row = curve.table.iloc[at]
    if row["survival"] == 1.0:
        followed = int(row["at_risk"])
        return proportion_percent_of(followed, followed)
    return Estimate(
        100.0 * float(row["survival"]),
        100.0 * float(row["lower"]),
        100.0 * float(row["upper"]),
        int(row["at_risk"]),
    )


def complement_percent(estimate: Estimate) -> Estimate:
    """Percent with the event from percent without it, with the interval turned round."""
    value, lower, upper = estimate.value, estimate.lower, estimate.upper
    return Estimate(100.0 - value, 100.0 - upper, 100.0 - lower, estimate.n)


def event_rate(days: Array, event: Flags, start: float, stop: float) -> Estimate:
    """Events in percent of patients a year within a period, with the exact Poisson interval.

    Garwood 1936, doi 10.1093/biomet/28.3-4.437.

    Parameters
    ----------
    days, event
        Time to the event or the end of follow-up, and whether it came; shape (patients,).
    start, stop
        Ends of the period, days; an event on `start` belongs to the period before.
    """
    count, years = _events_and_years(days, event, start, stop)
    if years == 0.0:
        return NOTHING
    half = 0.5 - CONFIDENCE / 2
    lower = 0.0 if count == 0 else float(stats.chi2.ppf(half, 2 * count)) / 2.0
    upper = float(stats.chi2.ppf(1.0 - half, 2 * count + 2)) / 2.0
    at_risk = int(np.count_nonzero(days > start))
    return Estimate(100.0 * count / years, 100.0 * lower / years, 100.0 * upper / years, at_risk)


def rate_ratio(
    group: tuple[Array, Flags], reference: tuple[Array, Flags], start: float, stop: float
) -> Estimate:
    """Ratio of the event rates of two groups within a period, with a log-normal interval.

    The interval takes the logarithm of the ratio as normal with variance 1/a + 1/b for a and b
    events. NaN where a group has no event.

    Parameters
    ----------
    group, reference
        Days to the event and whether it came, as in `event_rate`.
    start, stop
        Ends of the period, days.
    """
    count, years = _events_and_years(*group, start, stop)
    other_count, other_years = _events_and_years(*reference, start, stop)
    n = int(np.count_nonzero(group[0] > start) + np.count_nonzero(reference[0] > start))
    if not (count and other_count):
        return Estimate(np.nan, np.nan, np.nan, n)
    ratio = (count / years) / (other_count / other_years)
    reach = float(stats.norm.ppf(0.5 + CONFIDENCE / 2)) * np.sqrt(1 / count + 1 / other_count)
    return Estimate(ratio, ratio * float(np.exp(-reach)), ratio * float(np.exp(reach)), n)


def _events_and_years(days: Array, event: Flags, start: float, stop: float) -> tuple[int, float]:
    within = event & (days > start) & (days <= stop)
    years = float(np.clip(days - start, 0.0, stop - start).sum()) / 365.25
    return int(np.count_nonzero(within)), years


@dataclass(frozen=True)
class SurvivalComparison:
    """One group against a reference group.

    Attributes
    ----------
    hazard_ratio
        Cox proportional hazards; NaN where a group has no event or the fit does not converge.
    log_rank_p
        P value of the log-rank test; NaN without any event.
    """

    hazard_ratio: Estimate
    log_rank_p: float


def compare_survival(
    days: Array, event: Flags, reference_days: Array, reference_event: Flags
) -> SurvivalComparison:
    """Compare two groups by Cox regression and the log-rank test, by lifelines."""
    from lifelines import CoxPHFitter
    from lifelines.exceptions import ConvergenceError
    from lifelines.statistics import logrank_test

    n = int(days.size + reference_days.size)
    if not (event.any() and reference_event.any()):
        return SurvivalComparison(Estimate(np.nan, np.nan, np.nan, n), np.nan)
    frame = pd.DataFrame(
        {
            "days": np.concatenate([reference_days, days]),
            "event": np.concatenate([reference_event, event]),
            "group": np.repeat([0.0, 1.0], [reference_days.size, days.size]),
        }
    )
    with warnings.catch_warnings():
        # What lifelines warns of here is future pandas, and fits that it then refuses by itself.
        warnings.simplefilter("ignore")
        p_value = float(logrank_test(days, reference_days, event, reference_event).p_value)
        try:
            fitter = CoxPHFitter(alpha=1.0 - CONFIDENCE).fit(frame, "days", "event")
        except ConvergenceError:
            return SurvivalComparison(Estimate(np.nan, np.nan, np.nan, n), p_value)
    logs = [fitter.params_["group"], *fitter.confidence_intervals_.loc["group"]]
    value, lower, upper = np.exp(logs).tolist()
    return SurvivalComparison(Estimate(value, lower, upper, n), p_value)
