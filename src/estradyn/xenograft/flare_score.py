"""Flare or progression: a probability for each animal whose tumor rose in the flare window.

Two judgements are made. A rule fixed beforehand looks at whether the rise was given back. A score
compares how likely the measurements are under mice of the mechanistic model that flare and under
mice that progress (`reference_mice`), and is calibrated on simulated animals that are measured on
the visits of the study itself, as many of one kind as of the other. It has never seen a real flare:
its probabilities are right for animals like the simulated ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logsumexp

from estradyn.xenograft.measurement import Measurement, caliper_readings, with_log_error
from estradyn.xenograft.reference_mice import ReferenceMice, reference_mice
from estradyn.xenograft.response import FlareRule

Array = NDArray[np.float64]

FOLDS = 10
RIDGE = 1.0
"""Penalty on the squared weight of the standardised log likelihood ratio."""

EARLIEST_LANDMARK = 10.0
"""Days before which nothing is said."""

DISCREPANCY = 0.08
"""Standard deviation of what the mice of the model miss of a real course, on the log scale, beside
the error of measurement (assumed); it keeps a few simulated mice from deciding."""

HISTOLOGY_SPREAD = 0.45
"""Standard deviation of the logarithm of a stained share between animals with the same course."""


class Verdict(StrEnum):
    """What an early rise was."""

    FLARE = "flare"
    PROGRESSION = "progression"
    INDETERMINATE = "indeterminate"
    NO_RISE = "no early rise"


@dataclass(frozen=True)
class FlareScoreRule:
    """Limits of rule and score.

    Attributes
    ----------
    flare_above, progression_below
        Probabilities outside which the score decides; between them it is indeterminate.
    given_back
        Fall from the highest volume, in percent, that the rule calls a flare.
    calcium_rise, calcium_left
        A calcium rise in the window of at least the first (mmol/L) must fall back to at most the
        second above the first value, or the rule does not call a flare.
    further_growth
        Growth since the end of the window, in percent, that the rule calls progression once
        `FlareRule.recheck_after` days have passed since the first rise.
    """

    flare_above: float = 0.8
    progression_below: float = 0.2
    given_back: float = 30.0
    calcium_rise: float = 0.25
    calcium_left: float = 0.15
    further_growth: float = 35.0


CHANNELS = {
    "log_volume": "tumor volume",
    "log_calcium": "calcium",
    "log_alp": "alkaline phosphatase",
    "log_tunel": "apoptosis (TUNEL)",
    "log_macrophages": "macrophages (F4/80)",
}
"""What the score looks at: name in `Trajectories` and in words. Ki-67 is not used: tamoxifen did
not lower it in MCF-7 xenografts (doi:10.1054/brst.2000.0140)."""

_HISTOLOGY = ("log_tunel", "log_macrophages")


@dataclass(frozen=True)
class Trajectories:
    """Measurements of several animals on one grid of days.

    Attributes
    ----------
    animals
        Animals, in the order of the rows.
    days
        Days, ascending, shape (days,).
    log_volume, log_calcium, log_alp, log_tunel, log_macrophages
        Shape (animals, days); NaN where not measured.
    """

    animals: tuple[str, ...]
    days: Array
    log_volume: Array
    log_calcium: Array
    log_alp: Array
    log_tunel: Array
    log_macrophages: Array

    def until(self, day: float) -> Trajectories:
        """Return what was known on a day."""
        kept = self.days <= day
        values = (getattr(self, name)[:, kept] for name in CHANNELS)
        return Trajectories(self.animals, self.days[kept], *values)

    def rows(self, kept: NDArray[np.bool_]) -> Trajectories:
        """Return some of the animals."""
        animals = tuple(a for a, k in zip(self.animals, kept, strict=True) if k)
        return Trajectories(animals, self.days, *(getattr(self, name)[kept] for name in CHANNELS))

    @property
    def calcium(self) -> Array:
        """Calcium in mmol/L, shape (animals, days)."""
        return np.asarray(np.exp(self.log_calcium))


@dataclass(frozen=True)
class Performance:
    """How the score does on simulated animals it was not trained on, at one landmark.

    Attributes
    ----------
    day
        Last day whose measurements were used.
    area, area_error
        Area under the ROC curve and its standard error (Hanley & McNeil 1982,
        doi:10.1148/radiology.143.1.7063747).
    brier
        Mean squared difference between probability and truth.
    indeterminate
        Share of animals between the limits, percent.
    wrong
        Share of the decided animals that were judged wrongly, percent.
    probability, truth
        For each simulated animal, out of fold; truth 1 for flare.
    """

    day: float
    area: float
    area_error: float
    brier: float
    indeterminate: float
    wrong: float
    probability: Array
    truth: Array


@dataclass(frozen=True)
class FlareScores:
    """Judgement of every animal, and how good the judge is.

    Attributes
    ----------
    animals
        `animal`, `landmark` (day up to which data were used), `probability` of flare, `score`,
        `rule` and `verdict`; probability NaN without an early rise.
    performance
        One entry per landmark day.
    channels
        What the score looked at, in words.
    simulated_animals
        Number of simulated animals before those without a measured rise were left out.
    """

    animals: pd.DataFrame
    performance: tuple[Performance, ...]
    channels: tuple[str, ...]
    simulated_animals: int


def trajectories_of(measurements: pd.DataFrame, smallest_volume: float) -> Trajectories:
    """Arrange measurements on one grid of days (negative days before the baseline are left out)."""
    table = measurements
    baseline = table[(table["day"] <= 0) & table["volume_mm3"].notna()].groupby("animal")["day"]
    first = table["animal"].map(baseline.max())
    table = table[first.notna() & (table["day"] >= first)]
    # The last visit before treatment is everybody's day 0.
    table = table.assign(day=table["day"].clip(lower=0.0))
    animals = tuple(dict.fromkeys(table["animal"]))
    days = np.sort(table["day"].unique()).astype(np.float64)

    def grid(name: str) -> Array:
        wide = table.pivot_table(index="animal", columns="day", values=name, dropna=False)
        result: Array = wide.reindex(index=animals, columns=days).to_numpy(dtype=np.float64)
        return result

    columns = ("calcium_mmol_per_L", "alp_U_per_L", "tunel_percent", "f4_80_percent")
    volume = grid("volume_mm3")
    others = [grid(name) if name in table else np.full(volume.shape, np.nan) for name in columns]
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = [np.log(np.where(values > 0, values, np.nan)) for values in others]
        return Trajectories(animals, days, np.log(np.maximum(volume, smallest_volume)), *logs)


def score_flares(
    measurements: pd.DataFrame,
    *,
    smallest_volume: float = 4.0,
    flare_rule: FlareRule | None = None,
    score_rule: FlareScoreRule | None = None,
    measurement: Measurement | None = None,
    in_bone: bool = False,
    seed: int = 1,
) -> FlareScores:
    """Judge every animal whose tumor rose in the flare window.

    Parameters
    ----------
    measurements
        `StudyData.measurements`.
    smallest_volume
        Volumes below this (mm3) count as this.
    flare_rule, score_rule
        Limits.
    measurement
        Errors of measurement.
    in_bone
        Whether tumors grow in bone, so that calcium and alkaline phosphatase may move with them.
    seed
        Seed of the measurement errors of the simulated animals and of the folds.
    """
    flare_rule, score_rule = flare_rule or FlareRule(), score_rule or FlareScoreRule()
    measurement = measurement or Measurement()
    real = trajectories_of(measurements, smallest_volume)
    rose = _early_rise(real, flare_rule)
    columns = ["animal", "landmark", "probability", "score", "rule", "verdict"]
    table = pd.DataFrame(
        {
            "animal": list(real.animals),
            "landmark": _last_days(real),
            "probability": np.nan,
            "score": str(Verdict.NO_RISE),
            "rule": str(Verdict.NO_RISE),
            "verdict": str(Verdict.NO_RISE),
        },
        columns=columns,
    )
    used = _channels_of(real, in_bone)
    reference = reference_mice(in_bone, flare_rule)
    judge = _Judge(real, reference, used, measurement, flare_rule, smallest_volume, seed)
    window_days = real.days[real.days >= EARLIEST_LANDMARK]
    performance: list[Performance] = []
    models: dict[float, _Logistic] = {}
    if judge.trained and window_days.size:
        wanted = {float(d) for d in _last_days(real)[rose] if d >= EARLIEST_LANDMARK}
        shown = _landmarks(window_days)
        for day in sorted(wanted | set(shown)):
            evidence = judge.training_evidence(day)
            models[day] = _fit_logistic(evidence, judge.truth)
            if day in shown:
                found = _cross_validated(evidence, judge.truth, day, score_rule, seed)
                performance.append(found)
    landmark = _last_days(real)
    probability = np.full(landmark.size, np.nan)
    for day, model in models.items():
        together = rose & (landmark == day)
        if together.any():
            probability[together] = model.probability(
                judge.evidence(real.rows(together).until(day))
            )
    for place in np.flatnonzero(rose):
        one = real.rows(np.arange(landmark.size) == place).until(float(landmark[place]))
        score = _decide(float(probability[place]), score_rule)
        rule = _judge_by_rule(one, flare_rule, score_rule)
        verdicts = [str(score), str(rule), str(_together(score, rule))]
        table.loc[place, ["score", "rule", "verdict"]] = verdicts
    table["probability"] = probability
    words = tuple(CHANNELS[name] for name in used)
    return FlareScores(table, tuple(performance), words, len(reference.is_flare))


def _last_days(data: Trajectories) -> Array:
    measured = np.isfinite(data.log_volume)
    last = np.where(measured, data.days, -np.inf).max(axis=1, initial=-np.inf)
    result: Array = np.where(np.isfinite(last), last, np.nan)
    return result


def _landmarks(days: Array) -> list[float]:
    """Visits nearest to weeks 2, 3, 4, 6 and 8, and the last one."""
    wanted = np.array([14.0, 21.0, 28.0, 42.0, 56.0])
    near = {float(days[np.argmin(np.abs(days - day))]) for day in wanted if day <= days[-1] + 3.0}
    return sorted(near | {float(days[-1])})


def _early_rise(data: Trajectories, rule: FlareRule) -> NDArray[np.bool_]:
    window = (data.days > 0) & (data.days <= rule.window_end)
    if not window.any() or not data.animals:
        return np.zeros(len(data.animals), dtype=bool)
    change = data.log_volume[:, window] - data.log_volume[:, :1]
    highest = np.where(np.isfinite(change), change, -np.inf).max(axis=1)
    result: NDArray[np.bool_] = highest >= np.log1p(rule.early_rise / 100.0)
    return result


def _channels_of(data: Trajectories, in_bone: bool) -> tuple[str, ...]:
    """What was measured often enough to tell; blood speaks of a tumor in bone alone."""
    found = ["log_volume"]
    for name in ("log_calcium", "log_alp"):
        values = getattr(data, name)
        if in_bone and (np.isfinite(values).sum(axis=1) >= 2).any():
            found.append(name)
    found += [name for name in _HISTOLOGY if np.isfinite(getattr(data, name)).any()]
    return tuple(found)


class _Judge:
    """Evidence for flare against progression from the mice of the model.

    The reference mice are measured on the visits of the study; those with a measured early rise
    are the animals on which evidence is calibrated (`truth` 1 for flare). The likelihood of an
    animal is the mean over all reference mice of a kind, itself left out, of the density of its
    measurements around the true course of that mouse.
    """

    def __init__(
        self,
        real: Trajectories,
        reference: ReferenceMice,
        used: Sequence[str],
        measurement: Measurement,
        rule: FlareRule,
        smallest_volume: float,
        seed: int,
    ) -> None:
        self._used = used
        self._measurement = measurement
        self._is_flare = reference.is_flare
        self._days = np.empty(0)
        self.truth = np.empty(0)
        self.trained = False
        measured = np.isfinite(real.log_volume)
        if not measured.size:
            return
        present = np.maximum((_last_days(real)[:, None] >= real.days).sum(axis=0), 1)
        often = measured.sum(axis=0) >= 0.3 * present
        if often.sum() < 2 or not often[0] or real.days[0] != 0.0:
            return
        self._days = real.days
        self._true = self._courses(reference, real)
        drawn = self._measured(real, often, smallest_volume, seed)
        rose = _early_rise(drawn, rule)
        truth = np.where(self._is_flare, 1.0, 0.0)
        if min(truth[rose].sum(), (1.0 - truth[rose]).sum()) < 2 * FOLDS:
            return
        self._animals = drawn.rows(rose)
        self._own = np.flatnonzero(rose)
        self.truth = np.compress(rose, truth)
        self.trained = True

    def training_evidence(self, day: float) -> Array:
        """Evidence of each calibration animal on a day, shape (animals,)."""
        return self._evidence(self._animals.until(day), self._own)

    def evidence(self, animals: Trajectories) -> Array:
        """Evidence of animals of the study, shape (animals,)."""
        return self._evidence(animals, None)

    def _courses(self, reference: ReferenceMice, real: Trajectories) -> dict[str, Array]:
        """True courses of the reference mice on the days of the study, at its median baseline."""
        start = real.log_volume[:, 0]
        middle = float(np.nanmedian(start)) if np.isfinite(start).any() else np.log(150.0)
        found = {name: reference.on_days(name, self._days) for name in CHANNELS}
        found["log_volume"] = found["log_volume"] + middle
        return found

    def _measured(
        self, real: Trajectories, often: NDArray[np.bool_], smallest_volume: float, seed: int
    ) -> Trajectories:
        """Reference mice with errors, on the days on which most of the study was measured."""
        generator = np.random.default_rng([seed, 11])
        volume = caliper_readings(np.exp(self._true["log_volume"]), self._measurement, generator)
        values = {"log_volume": np.log(np.maximum(volume, smallest_volume))}
        errors = {
            "log_calcium": self._measurement.calcium_error,
            "log_alp": self._measurement.phosphatase_error,
            "log_tunel": HISTOLOGY_SPREAD,
            "log_macrophages": HISTOLOGY_SPREAD,
        }
        for name, error in errors.items():
            read = np.log(with_log_error(np.exp(self._true[name]), error, generator))
            seen = np.isfinite(getattr(real, name)).mean(axis=0) >= 0.1
            last = np.isfinite(getattr(real, name)).any(axis=0) & (name in _HISTOLOGY)
            values[name] = np.where(seen | last, read, np.nan)
        values["log_volume"] = np.where(often, values["log_volume"], np.nan)
        names = tuple(str(i) for i in range(len(self._is_flare)))
        return Trajectories(names, self._days, *(values[name] for name in CHANNELS))

    def _evidence(self, animals: Trajectories, own: NDArray[np.int64] | None) -> Array:
        total = np.zeros((len(animals.animals), len(self._is_flare)))
        count = animals.days.size
        for name in self._used:
            values: Array = getattr(animals, name)
            error = self._error(name, values)
            courses = self._true[name][:, :count]
            total += _log_density(values, courses, error, free_level=name not in _HISTOLOGY)
        if own is not None:
            # No animal speaks for itself.
            total[np.arange(own.size), own] = -np.inf
        flare = logsumexp(total[:, self._is_flare], axis=1)
        progression = logsumexp(total[:, ~self._is_flare], axis=1)
        share = np.log(self._is_flare.sum() / (~self._is_flare).sum())
        # Long follow-up gives ratios of hundreds on the log scale, which no logistic needs.
        result: Array = np.arcsinh(flare - progression - share)
        return result

    def _error(self, name: str, values: Array) -> Array:
        if name == "log_volume":
            own = self._measurement.reading_error(np.exp(np.nan_to_num(values)))
            return np.asarray(np.hypot(own, DISCREPANCY))
        fixed = {
            "log_calcium": np.hypot(self._measurement.calcium_error, 0.02),
            "log_alp": np.hypot(self._measurement.phosphatase_error, DISCREPANCY),
        }
        return np.full(values.shape, fixed.get(name, HISTOLOGY_SPREAD))


def _log_density(values: Array, courses: Array, error: Array, *, free_level: bool) -> Array:
    """Log density of measurements around true courses, up to a constant of each animal.

    Parameters
    ----------
    values, error
        Measurements and their standard deviations, shape (animals, days); missing ones are NaN.
    courses
        Shape (mice, days).
    free_level
        Whether the level of each animal is its own (a flat prior is integrated over), so that only
        the change over time tells.

    Returns
    -------
    numpy.ndarray
        Shape (animals, mice).
    """
    weight = np.where(np.isfinite(values), 1.0 / error**2, 0.0)
    known = np.nan_to_num(values)
    linear = weight * known
    squares = (linear * known).sum(axis=1)[:, None] - 2.0 * linear @ courses.T
    squares = squares + weight @ (courses**2).T
    if free_level:
        total = np.maximum(weight.sum(axis=1), 1e-12)[:, None]
        squares = squares - (linear.sum(axis=1)[:, None] - weight @ courses.T) ** 2 / total
    result: Array = -0.5 * squares
    return result


def _highest(values: Array) -> Array:
    found = np.where(np.isfinite(values), values, -np.inf).max(axis=1, initial=-np.inf)
    result: Array = np.where(np.isfinite(found), found, np.nan)
    return result


def _first(values: Array) -> Array:
    return _last(values[:, ::-1])


def _last(values: Array) -> Array:
    if values.shape[1] == 0:
        return np.full(values.shape[0], np.nan)
    place = values.shape[1] - 1 - np.argmax(np.isfinite(values[:, ::-1]), axis=1)
    result: Array = values[np.arange(values.shape[0]), place]
    return result


def _last_two(values: Array) -> Array:
    """Mean of the last two values: half the variance of the last alone."""
    before = values.copy()
    place = values.shape[1] - 1 - np.argmax(np.isfinite(values[:, ::-1]), axis=1)
    before[np.arange(values.shape[0]), place] = np.nan
    second = _last(before)
    result: Array = np.where(np.isfinite(second), (_last(values) + second) / 2.0, _last(values))
    return result


@dataclass(frozen=True)
class _Logistic:
    """Probability of flare as a logistic function of the evidence."""

    centre: float
    scale: float
    intercept: float
    slope: float

    def probability(self, evidence: Array) -> Array:
        linear = self.intercept + self.slope * (evidence - self.centre) / self.scale
        result: Array = 1.0 / (1.0 + np.exp(-np.clip(linear, -30.0, 30.0)))
        return result


def _fit_logistic(evidence: Array, truth: Array) -> _Logistic:
    """Logistic regression with a ridge, by Newton's method; both kinds weigh the same."""
    centre, scale = float(evidence.mean()), max(float(evidence.std()), 1e-9)
    design = np.column_stack([np.ones(truth.size), (evidence - centre) / scale])
    share = truth.mean()
    balance = np.where(truth > 0.5, 0.5 / share, 0.5 / (1.0 - share))
    penalty = np.diag([0.0, RIDGE])
    weights = np.zeros(2)
    for _ in range(50):
        probability = 1.0 / (1.0 + np.exp(-np.clip(design @ weights, -30.0, 30.0)))
        gradient = design.T @ (balance * (truth - probability)) - penalty @ weights
        curvature = (design.T * (balance * probability * (1.0 - probability))) @ design
        step = np.linalg.solve(curvature + penalty + 1e-9 * np.eye(2), gradient)
        weights = weights + step
        if np.abs(step).max() < 1e-8:
            break
    return _Logistic(centre, scale, float(weights[0]), float(weights[1]))


def _cross_validated(
    evidence: Array, truth: Array, day: float, rule: FlareScoreRule, seed: int
) -> Performance:
    """Leave whole animals out, a tenth at a time."""
    fold = np.random.default_rng(seed).permutation(truth.size) % FOLDS
    probability = np.empty_like(truth)
    for part in range(FOLDS):
        model = _fit_logistic(evidence[fold != part], truth[fold != part])
        probability[fold == part] = model.probability(evidence[fold == part])
    area, error = area_under_curve(probability, truth)
    decided = (probability >= rule.flare_above) | (probability <= rule.progression_below)
    wrong = decided & ((probability >= 0.5) != (truth > 0.5))
    return Performance(
        day=day,
        area=area,
        area_error=error,
        brier=float(np.mean((probability - truth) ** 2)),
        indeterminate=100.0 * float(1.0 - decided.mean()),
        wrong=100.0 * float(wrong.sum() / max(decided.sum(), 1)),
        probability=probability,
        truth=truth,
    )


def area_under_curve(probability: Array, truth: Array) -> tuple[float, float]:
    """Area under the ROC curve and its standard error (Hanley & McNeil 1982).

    Parameters
    ----------
    probability
        Score of each animal.
    truth
        1 for the animals the score should rank high, else 0.
    """
    order = pd.Series(probability).rank().to_numpy()
    ones = int(truth.sum())
    zeros = truth.size - ones
    area = float((order[truth > 0.5].sum() - ones * (ones + 1) / 2) / (ones * zeros))
    first, second = area / (2.0 - area), 2.0 * area**2 / (1.0 + area)
    variance = (
        area * (1 - area) + (ones - 1) * (first - area**2) + (zeros - 1) * (second - area**2)
    ) / (ones * zeros)
    return area, float(np.sqrt(max(variance, 0.0)))


def roc_points(probability: Array, truth: Array) -> pd.DataFrame:
    """Points of the ROC curve: `false_positive` and `true_positive` rates, both 0 to 1."""
    order = np.argsort(-probability, kind="stable")
    hits = np.cumsum(truth[order]) / truth.sum()
    misses = np.cumsum(1.0 - truth[order]) / (1.0 - truth).sum()
    last = np.append(np.diff(probability[order]) != 0, True)
    return pd.DataFrame(
        {
            "false_positive": np.concatenate([[0.0], misses[last]]),
            "true_positive": np.concatenate([[0.0], hits[last]]),
        }
    )


def calibration_table(probability: Array, truth: Array, bins: int = 10) -> pd.DataFrame:
    """Mean probability and observed share of flares in classes of probability."""
    index = np.minimum((probability * bins).astype(int), bins - 1)
    frame = pd.DataFrame({"bin": index, "predicted": probability, "observed": truth})
    table = frame.groupby("bin").agg(
        predicted=("predicted", "mean"), observed=("observed", "mean"), n=("observed", "size")
    )
    return table.reset_index(drop=True)


def _decide(probability: float, rule: FlareScoreRule) -> Verdict:
    if probability >= rule.flare_above:
        return Verdict.FLARE
    if probability <= rule.progression_below:
        return Verdict.PROGRESSION
    return Verdict.INDETERMINATE


def _judge_by_rule(one: Trajectories, flare: FlareRule, rule: FlareScoreRule) -> Verdict:
    volume = one.log_volume
    recent = float(_last_two(volume)[0])
    highest = float(_highest(volume)[0])
    calcium_high = float(_highest(one.calcium)[0] - _first(one.calcium)[0])
    calcium_left = float(_last(one.calcium)[0] - _first(one.calcium)[0])
    calcium_settled = not calcium_high >= rule.calcium_rise or calcium_left <= rule.calcium_left
    if recent <= highest + np.log1p(-rule.given_back / 100.0) and calcium_settled:
        return Verdict.FLARE
    limit = np.log1p(flare.early_rise / 100.0)
    window = (one.days > 0) & (one.days <= flare.window_end)
    risen = window & (volume[0] - volume[0, 0] >= limit)
    first_rise = float(one.days[risen][0])
    at_end = float(_last(volume[:, one.days <= flare.window_end])[0])
    grown = recent >= at_end + np.log1p(rule.further_growth / 100.0)
    if grown and float(one.days[-1]) >= first_rise + flare.recheck_after:
        return Verdict.PROGRESSION
    return Verdict.INDETERMINATE


def _together(score: Verdict, rule: Verdict) -> Verdict:
    """The score decides unless the rule says the opposite."""
    if score is Verdict.INDETERMINATE or rule in (Verdict.INDETERMINATE, score):
        return score
    return Verdict.INDETERMINATE
