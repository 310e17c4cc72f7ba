"""From normalised wells to curves with intervals, at each time and over all times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import f as f_distribution

from estradyn.assay.antagonism import Antagonism, fit_antagonism
from estradyn.assay.curves.bootstrap import (
    PercentileInterval,
    bootstrap_draws,
    curve_band,
    percentile_interval,
)
from estradyn.assay.curves.choice import (
    BIPHASIC,
    MONOTONE,
    Choice,
    choose_curve,
    corrected_akaike,
    enough_doses,
)
from estradyn.assay.curves.families import FAMILIES, CurveFamily, nested_monotone
from estradyn.assay.curves.fit import CurveFit, fit_curve
from estradyn.assay.curves.landmarks import landmarks_of
from estradyn.assay.curves.observations import Observations, joined, observations, stacked
from estradyn.assay.curves.profile import LandmarkInterval, profile_intervals
from estradyn.assay.normalise import normalise
from estradyn.assay.quality import QualityLimits, plate_quality
from estradyn.assay.replicates import SMALLEST_MEAN, Replicates, make_replicates
from estradyn.assay.series import Series, SeriesKey, describe, split_series
from estradyn.errors import InputError

Array = NDArray[np.float64]

_CURVE_POINTS = 121
_BAND_DRAWS = 200


@dataclass(frozen=True)
class AnalysisOptions:
    """How an assay is analysed.

    Attributes
    ----------
    blanks
        `required`, or `none` for signals without background.
    error
        `constant`: equal scatter at all doses; `proportional`: scatter in proportion to the mean.
    biphasic
        Names of the biphasic families among which one is chosen.
    simulations
        Largest number of simulated data sets behind a p value.
    bootstrap
        Draws of bootstrap intervals beside the profile intervals; 0 for none.
    level
        Confidence level of the intervals.
    seed
        Seed of everything that is drawn.
    workers
        Processes to spread the series over.
    quality
        Limits beyond which plates are flagged.
    """

    blanks: str = "required"
    error: str = "constant"
    biphasic: tuple[str, ...] = tuple(family.name for family in BIPHASIC)
    simulations: int = 999
    bootstrap: int = 0
    level: float = 0.95
    seed: int = 1
    workers: int = 1
    quality: QualityLimits = field(default_factory=QualityLimits)


@dataclass(frozen=True)
class CurveResult:
    """One dose series at one time.

    Attributes
    ----------
    series
        Wells and what they are of.
    replicates
        What was fitted.
    choice
        Curve and reasons.
    intervals
        Landmarks with profile-likelihood intervals.
    percentiles
        Bootstrap intervals by name of landmark; empty unless asked for.
    curve
        Columns `dose`, `fit`, `lower`, `upper`.
    """

    series: Series
    replicates: Replicates
    choice: Choice
    intervals: tuple[LandmarkInterval, ...]
    percentiles: dict[str, PercentileInterval]
    curve: pd.DataFrame


@dataclass(frozen=True)
class JointResult:
    """One dose series over all its times, with the parameters of dose and slope shared.

    Attributes
    ----------
    keys
        The series of each time.
    unit
        Unit of the doses.
    fit
        Joint fit; its groups are the times.
    intervals
        Landmarks with intervals, for each time.
    statistic, numerator_df, denominator_df, p_value
        F test of sharing against a curve for each time.
    """

    keys: tuple[SeriesKey, ...]
    unit: str
    fit: CurveFit
    intervals: tuple[LandmarkInterval, ...]
    statistic: float
    numerator_df: int
    denominator_df: int
    p_value: float


@dataclass(frozen=True)
class AssayResult:
    """An analysed assay.

    Attributes
    ----------
    wells
        Every well with its treatment, signal and normalised values.
    quality
        One row per plate; see `estradyn.assay.quality.plate_quality`.
    curves
        Each series at each time.
    joint
        Each series over its times, where there are several.
    antagonism
        Shift of the agonist's curve by each drug, at each time.
    notes
        What a reader should know.
    options
        How it was analysed.
    """

    wells: pd.DataFrame
    quality: pd.DataFrame
    curves: tuple[CurveResult, ...]
    joint: tuple[JointResult, ...]
    antagonism: tuple[Antagonism, ...]
    notes: tuple[str, ...]
    options: AnalysisOptions


def analyze(
    wells: pd.DataFrame,
    options: AnalysisOptions | None = None,
    *,
    notes: Sequence[str] = (),
) -> AssayResult:
    """Analyse an assay.

    Parameters
    ----------
    wells
        Measured wells with their treatments, as `estradyn.assay.wells_from_frame` or `load_assay`
        return them.
    options
        How to analyse.
    notes
        What is known of the wells already, such as the notes of `load_assay`; goes into the result.

    Returns
    -------
    AssayResult

    Raises
    ------
    InputError
        If the wells cannot be analysed; one sentence that says why.
    """
    options = options or AnalysisOptions()
    _check(options)
    table, found = normalise(wells, blanks=options.blanks)
    quality = plate_quality(table, options.quality)
    series, left_out = split_series(table)
    remarks = [*notes, *found, *left_out]
    proportional = options.error == "proportional"
    replicates = [make_replicates(one.wells, proportional=proportional) for one in series]
    alone = [
        describe(s.key, s.unit) for s, r in zip(series, replicates, strict=True) if r.unit == "well"
    ]
    if alone:
        remarks.append(
            f"{len(alone)} of {len(series)} series stand on one plate only (first: {alone[0]}): "
            "their intervals speak of wells on that plate and not of repeating the plate"
        )
    data = _observations(series, replicates, options)
    families = tuple(FAMILIES[name] for name in options.biphasic)
    with _Pool(options.workers) as pool:
        choices = pool.start(_choose, [(d, families, options, i) for i, d in enumerate(data)])()
        batches = _batches(choices)
        joint_jobs = _joint_jobs(series, data, choices, families)
        # Nothing below waits for anything else below: the longest first, collected at the end.
        joint_tasks = pool.start(_joint, [(*job, options) for job in joint_jobs])
        profile_tasks = pool.start(
            _intervals,
            [
                (_stack_fits([choices[i].chosen for i in rows]), _nested(choices, rows), options)
                for rows in batches
            ],
        )
        band_tasks = pool.start(
            _band,
            [
                (c.chosen, _dose_grid(d), options, i)
                for i, (c, d) in enumerate(zip(choices, data, strict=True))
            ],
        )
        joint, profiled, bands = joint_tasks(), profile_tasks(), band_tasks()
    intervals: dict[int, list[LandmarkInterval]] = {}
    for rows, results in zip(batches, profiled, strict=True):
        for place, i in enumerate(rows):
            one = slice(place, place + 1)
            intervals[i] = [
                replace(r, value=r.value[one], lower=r.lower[one], upper=r.upper[one])
                for r in results
            ]
    curves = tuple(
        CurveResult(one, made, choice, tuple(intervals[i]), *bands[i])
        for i, (one, made, choice) in enumerate(zip(series, replicates, choices, strict=True))
    )
    antagonism, more = fit_antagonism(table, level=options.level)
    return AssayResult(
        wells=table,
        quality=quality,
        curves=curves,
        joint=tuple(joint),
        antagonism=tuple(antagonism),
        notes=tuple(remarks + more),
        options=options,
    )


def _check(options: AnalysisOptions) -> None:
    for name, allowed in (
        ("blanks", ("required", "none")),
        ("error", ("constant", "proportional")),
    ):
        if getattr(options, name) not in allowed:
            raise InputError(
                f"{name} is {getattr(options, name)!r}; allowed are {' and '.join(allowed)}"
            )
    able = [family.name for family in FAMILIES.values() if family.biphasic]
    unknown = [name for name in options.biphasic if name not in able]
    if unknown or not options.biphasic:
        raise InputError(
            f"{', '.join(unknown) or 'nothing'} names no biphasic curve; allowed are "
            + ", ".join(able)
        )
    if not 0.5 < options.level < 1.0:
        raise InputError(f"level is {options.level:g}; allowed are values between 0.5 and 1")


class _Pool:
    """Jobs over processes, or in place with a single worker."""

    def __init__(self, workers: int):
        self._executor = ProcessPoolExecutor(workers) if workers > 1 else None

    def __enter__(self) -> _Pool:
        return self

    def __exit__(self, *_: object) -> None:
        if self._executor is not None:
            self._executor.shutdown()

    def start(self, function: Callable[[Any], Any], jobs: Sequence[Any]) -> Callable[[], list[Any]]:
        """Begin jobs; the function returned waits for their results, in the order of the jobs."""
        if self._executor is None:
            return lambda: [function(job) for job in jobs]
        tasks = [self._executor.submit(function, job) for job in jobs]
        return lambda: [task.result() for task in tasks]


def _observations(
    series: list[Series], replicates: list[Replicates], options: AnalysisOptions
) -> list[Observations]:
    """Data of each series; all times of a series share the reference dose."""
    reference: dict[tuple[str, str, str, float], float] = {}
    for one in series:
        key = one.key.over_times()
        doses = np.unique(
            np.concatenate(
                [
                    s.wells.loc[s.wells["dose"] > 0, "dose"]
                    for s in series
                    if s.key.over_times() == key
                ]
            )
        )
        reference[key] = float(np.exp(np.mean(np.log(doses))))
    result = []
    for one, made in zip(series, replicates, strict=True):
        table = made.table
        weight = table["weight"]
        if options.error == "proportional":
            mean = table.groupby("dose")["response"].transform("mean").clip(lower=SMALLEST_MEAN)
            weight = weight * (100.0 / mean) ** 2
        result.append(
            observations(
                table["dose"],
                table["response"],
                weight=weight,
                lost_df=made.lost_df,
                reference_dose=reference[one.key.over_times()],
            )
        )
    return result


def _choose(job: tuple[Observations, tuple[CurveFamily, ...], AnalysisOptions, int]) -> Choice:
    data, families, options, number = job
    return choose_curve(
        data,
        biphasic=families,
        simulations=options.simulations,
        seed=options.seed * 1000 + number,
    )


def _batches(choices: list[Choice]) -> list[list[int]]:
    """Curves of one family and one design, which are profiled side by side."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for i, choice in enumerate(choices):
        data = choice.chosen.data
        key = (choice.chosen.family.name, data.reference_dose, tuple(data.dose))
        groups.setdefault(key, []).append(i)
    return list(groups.values())


def _stack_fits(fits: list[CurveFit]) -> CurveFit:
    return CurveFit(
        fits[0].family,
        stacked([fit.data for fit in fits]),
        np.concatenate([fit.theta for fit in fits]),
        np.concatenate([fit.sum_of_squares for fit in fits]),
        np.concatenate([fit.converged for fit in fits]),
    )


def _nested(choices: list[Choice], rows: list[int]) -> Array | None:
    family = choices[rows[0]].chosen.family
    if not family.biphasic:
        return None
    name = nested_monotone(family).name
    return np.concatenate([choices[i].fits[name].sum_of_squares for i in rows])


def _intervals(job: tuple[CurveFit, Array | None, AnalysisOptions]) -> list[LandmarkInterval]:
    fit, nested, options = job
    landmarks = landmarks_of(fit.family)
    return profile_intervals(fit, landmarks, level=options.level, no_stimulation=nested)


def _dose_grid(data: Observations) -> Array:
    positive = data.positive
    return np.geomspace(positive.min() / 2.0, positive.max() * 1.5, _CURVE_POINTS)


def _band(
    job: tuple[CurveFit, Array, AnalysisOptions, int],
) -> tuple[dict[str, PercentileInterval], pd.DataFrame]:
    fit, dose, options, number = job
    draws = bootstrap_draws(
        fit, max(options.bootstrap, _BAND_DRAWS), options.seed * 1000 + 500 + number
    )
    lower, upper = curve_band(fit, draws, dose, options.level)
    middle = fit.family.evaluate(fit.theta, np.log(dose / fit.data.reference_dose))
    percentiles = {}
    if options.bootstrap:
        percentiles = {
            mark.name: percentile_interval(fit, draws, mark, options.level)
            for mark in landmarks_of(fit.family)
        }
    curve = pd.DataFrame({"dose": dose, "fit": middle, "lower": lower, "upper": upper})
    return percentiles, curve


_JointJob = tuple[tuple[SeriesKey, ...], str, CurveFamily, list[CurveFit]]


def _joint_jobs(
    series: list[Series],
    data: list[Observations],
    choices: list[Choice],
    families: tuple[CurveFamily, ...],
) -> list[_JointJob]:
    """Series with several times, and the family with the most evidence over all of them."""
    groups: dict[tuple[str, str, str, float], list[int]] = {}
    for i, one in enumerate(series):
        groups.setdefault(one.key.over_times(), []).append(i)
    jobs = []
    for rows in groups.values():
        if len(rows) < 2:
            continue
        wanted = families if any(choices[i].biphasic for i in rows) else MONOTONE[1:]
        able = [f for f in wanted if all(f.name in choices[i].fits for i in rows)]
        if not able or not all(enough_doses(able[0], data[i]) for i in rows):
            continue
        evidence = [
            sum(float(corrected_akaike(choices[i].fits[f.name])[0]) for i in rows) for f in able
        ]
        family = able[int(np.argmin(evidence))]
        keys = tuple(series[i].key for i in rows)
        jobs.append(
            (keys, series[rows[0]].unit, family, [choices[i].fits[family.name] for i in rows])
        )
    return jobs


def _joint(
    job: tuple[tuple[SeriesKey, ...], str, CurveFamily, list[CurveFit], AnalysisOptions],
) -> JointResult:
    keys, unit, family, fits, options = job
    scale = [max(float(fit.variance[0]), 1e-12) for fit in fits]
    fit = fit_curve(family, joined([one.data for one in fits], scale), starts=8)
    separate = float(sum(one.sum_of_squares[0] / s for one, s in zip(fits, scale, strict=True)))
    separate_df = int(sum(one.residual_df[0] for one in fits))
    more = sum(one.parameter_count for one in fits) - fit.parameter_count
    statistic = max(float(fit.sum_of_squares[0]) - separate, 0.0) / more / (separate / separate_df)
    return JointResult(
        keys=keys,
        unit=unit,
        fit=fit,
        intervals=tuple(profile_intervals(fit, landmarks_of(family), level=options.level)),
        statistic=statistic,
        numerator_df=more,
        denominator_df=separate_df,
        p_value=float(f_distribution.sf(statistic, more, separate_df)),
    )
