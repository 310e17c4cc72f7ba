"""Flare or progression: a probability for each animal whose tumor rose in the flare window.

Two judgements are made. A rule fixed beforehand looks at whether the rise was given back. A
logistic score weighs volume, calcium, alkaline phosphatase and apoptosis; it is trained on animals
of the statistical generator, measured on the visits of the study itself, half with a flare that
responds and half with progression. It has never seen a real flare: its probabilities are right for
animals like the simulated ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from estradyn.xenograft.response import FlareRule
from estradyn.xenograft.statistical_mouse import (
    Course,
    SimulatedArm,
    StatisticalMouse,
    simulate_study,
)

Array = NDArray[np.float64]

SIMULATED_ANIMALS = 400
FOLDS = 10
RIDGE = 1.0
"""Penalty on the squared weights of the standardised features."""

EARLIEST_LANDMARK = 10.0
"""Days before which nothing is said."""


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


@dataclass(frozen=True)
class Trajectories:
    """Measurements of several animals on one grid of days.

    Attributes
    ----------
    animals
        Animals, in the order of the rows.
    days
        Days, ascending, shape (days,).
    log_volume, calcium, log_alp, log_tunel
        Shape (animals, days); NaN where not measured.
    """

    animals: tuple[str, ...]
    days: Array
    log_volume: Array
    calcium: Array
    log_alp: Array
    log_tunel: Array

    def until(self, day: float) -> Trajectories:
        """Return what was known on a day."""
        kept = self.days <= day
        return Trajectories(
            self.animals,
            self.days[kept],
            self.log_volume[:, kept],
            self.calcium[:, kept],
            self.log_alp[:, kept],
            self.log_tunel[:, kept],
        )

    def rows(self, kept: NDArray[np.bool_]) -> Trajectories:
        """Return some of the animals."""
        return Trajectories(
            tuple(a for a, k in zip(self.animals, kept, strict=True) if k),
            self.days,
            self.log_volume[kept],
            self.calcium[kept],
            self.log_alp[kept],
            self.log_tunel[kept],
        )


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
    features
        Names of the features used.
    simulated_animals
        Number of simulated animals of either kind before those without a measured rise were left
        out.
    """

    animals: pd.DataFrame
    performance: tuple[Performance, ...]
    features: tuple[str, ...]
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

    if not animals:
        nothing = np.empty((0, days.size))
        return Trajectories(animals, days, nothing, nothing, nothing, nothing)
    tunel = grid("tunel_percent") if "tunel_percent" in table else grid("volume_mm3") * np.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        return Trajectories(
            animals,
            days,
            np.log(np.maximum(grid("volume_mm3"), smallest_volume)),
            grid("calcium_mmol_per_L"),
            np.log(np.where(grid("alp_U_per_L") > 0, grid("alp_U_per_L"), np.nan)),
            np.log(np.where(tunel > 0, tunel, np.nan)),
        )


def score_flares(
    measurements: pd.DataFrame,
    *,
    smallest_volume: float = 4.0,
    flare_rule: FlareRule | None = None,
    score_rule: FlareScoreRule | None = None,
    mouse: StatisticalMouse | None = None,
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
    mouse
        Generator of the animals the score is trained on; by default with the median baseline
        volume of the study.
    in_bone
        Whether tumors grow in bone, so that calcium and alkaline phosphatase may move with them.
    seed
        Seed of the simulated animals and of the folds.
    """
    flare_rule, score_rule = flare_rule or FlareRule(), score_rule or FlareScoreRule()
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
    if mouse is None:
        start = real.log_volume[:, 0] if real.days.size else np.array([])
        middle = float(np.exp(np.nanmedian(start))) if np.isfinite(start).any() else 150.0
        mouse = StatisticalMouse(baseline_volume=max(middle, 2.0 * smallest_volume))
    training, truth = _training_animals(real, mouse, in_bone, seed, flare_rule, smallest_volume)
    window_days = real.days[real.days >= EARLIEST_LANDMARK]
    performance: list[Performance] = []
    models: dict[float, _Logistic] = {}
    names = _feature_names(real)
    if training.animals and window_days.size:
        wanted = {float(d) for d in _last_days(real)[rose] if d >= EARLIEST_LANDMARK}
        shown = _landmarks(window_days)
        for day in sorted(wanted | set(shown)):
            features = _features(training.until(day), names, flare_rule)
            models[day] = _fit_logistic(features, truth)
            if day in shown:
                performance.append(_cross_validated(features, truth, day, score_rule, seed))
    judged: dict[str, tuple[float, str, str, str]] = {}
    for place in np.flatnonzero(rose):
        day = float(table["landmark"].iloc[place])
        one = real.rows(np.arange(len(real.animals)) == place).until(day)
        probability = (
            float(models[day].probability(_features(one, names, flare_rule))[0])
            if day in models
            else np.nan
        )
        score = _decide(probability, score_rule)
        rule = _judge_by_rule(one, flare_rule, score_rule)
        judged[str(table["animal"].iloc[place])] = (
            probability,
            str(score),
            str(rule),
            str(_together(score, rule)),
        )
    for animal, (probability, *verdicts) in judged.items():
        row = table["animal"] == animal
        table.loc[row, "probability"] = probability
        for name, verdict in zip(("score", "rule", "verdict"), verdicts, strict=True):
            table.loc[row, name] = verdict
    return FlareScores(table, tuple(performance), names, 2 * SIMULATED_ANIMALS)


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


def _training_animals(
    real: Trajectories,
    mouse: StatisticalMouse,
    in_bone: bool,
    seed: int,
    rule: FlareRule,
    smallest_volume: float,
) -> tuple[Trajectories, Array]:
    """Simulated animals with an early rise, measured on the visits of the study."""
    measured = np.isfinite(real.log_volume)
    present = np.maximum((_last_days(real)[:, None] >= real.days).sum(axis=0), 1)
    visits = real.days[measured.sum(axis=0) >= 0.3 * present]
    empty = real.rows(np.zeros(len(real.animals), dtype=bool))
    if visits.size < 2 or visits[0] != 0.0:
        return empty, np.empty(0)
    blood = [d for d in visits if np.isfinite(real.calcium[:, real.days == d]).mean() >= 0.1]
    tissue = visits if np.isfinite(real.log_tunel).any() else ()
    # No deaths: the verdict at a landmark is for animals that reached it.
    living = StatisticalMouse(**{**mouse.__dict__, "death_rate": 0.0, "size_limit": np.inf})
    study = simulate_study(
        [
            SimulatedArm("flare", SIMULATED_ANIMALS, {Course.FLARE_RESPONSE: 1.0}),
            SimulatedArm("progression", SIMULATED_ANIMALS, {Course.PROGRESSION: 1.0}),
        ],
        list(visits),
        seed,
        mouse=living,
        blood_days=blood,
        histology_days=list(tissue),
        in_bone=in_bone,
    )
    table = study.measurements
    for name in ("calcium_mmol_per_L", "alp_U_per_L", "tunel_percent"):
        if name not in table:
            table[name] = np.nan
    simulated = trajectories_of(table, smallest_volume)
    truth = (study.truth["course"] == str(Course.FLARE_RESPONSE)).to_numpy(dtype=np.float64)
    rose = _early_rise(simulated, rule)
    if min(truth[rose].sum(), (1.0 - truth[rose]).sum()) < 2 * FOLDS:
        return empty, np.empty(0)
    return simulated.rows(rose), np.compress(rose, truth)


_VOLUME_FEATURES = ("largest rise", "fall from peak", "change from start", "recent growth rate")
_BLOOD_FEATURES = {
    "calcium": ("calcium rise", "calcium fall"),
    "alp": ("alkaline phosphatase rise", "alkaline phosphatase fall"),
}
_RECENT = 14.0


def _feature_names(data: Trajectories) -> tuple[str, ...]:
    names = list(_VOLUME_FEATURES)
    for kind, values in (("calcium", data.calcium), ("alp", data.log_alp)):
        if (np.isfinite(values).sum(axis=1) >= 2).any():
            names += _BLOOD_FEATURES[kind]
    if np.isfinite(data.log_tunel).any():
        names.append("apoptosis")
    return tuple(names)


def _features(data: Trajectories, names: Sequence[str], rule: FlareRule) -> Array:
    """Features of each animal, shape (animals, features); NaN where they cannot be computed."""
    volume = data.log_volume
    window = (data.days > 0) & (data.days <= rule.window_end)
    start = volume[:, :1]
    recent = _last_two(volume)
    columns = {
        "largest rise": _highest(volume[:, window]) - start[:, 0],
        "fall from peak": recent - _highest(volume),
        "change from start": recent - start[:, 0],
        "recent growth rate": _recent_slope(data.days, volume),
        "apoptosis": _last(data.log_tunel),
    }
    for kind, values in (("calcium", data.calcium), ("alp", data.log_alp)):
        rise, fall = _BLOOD_FEATURES[kind]
        columns[rise] = _highest(values) - _first(values)
        columns[fall] = _last(values) - _highest(values)
    return np.column_stack([columns[name] for name in names])


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


def _recent_slope(days: Array, values: Array) -> Array:
    """Least-squares growth rate over the last two weeks of each animal."""
    known = np.isfinite(values)
    last = np.where(known, days, -np.inf).max(axis=1, initial=-np.inf)
    used = known & (days >= last[:, None] - _RECENT)
    count = used.sum(axis=1)
    filled = np.where(used, values, 0.0)
    safe = np.maximum(count, 1)
    mean_day = (used * days).sum(axis=1) / safe
    mean_value = filled.sum(axis=1) / safe
    centred = np.where(used, days - mean_day[:, None], 0.0)
    spread = (centred**2).sum(axis=1)
    product = (centred * (filled - mean_value[:, None])).sum(axis=1)
    result: Array = np.where(count >= 2, product / np.where(spread > 0, spread, 1.0), np.nan)
    return result


@dataclass(frozen=True)
class _Logistic:
    centre: Array
    scale: Array
    weights: Array

    def probability(self, features: Array) -> Array:
        standard = np.nan_to_num((features - self.centre) / self.scale)
        linear = self.weights[0] + standard @ self.weights[1:]
        result: Array = 1.0 / (1.0 + np.exp(-np.clip(linear, -30.0, 30.0)))
        return result


def _fit_logistic(features: Array, truth: Array) -> _Logistic:
    """Logistic regression with a ridge, by Newton's method; both kinds weigh the same."""
    known = np.isfinite(features)
    counts = np.maximum(known.sum(axis=0), 1)
    centre = np.where(known, features, 0.0).sum(axis=0) / counts
    spread = np.sqrt(np.where(known, (features - centre) ** 2, 0.0).sum(axis=0) / counts)
    scale = np.where(spread > 1e-9, spread, 1.0)
    standard = np.column_stack([np.ones(len(truth)), np.nan_to_num((features - centre) / scale)])
    share = truth.mean()
    balance = np.where(truth > 0.5, 0.5 / share, 0.5 / (1.0 - share))
    penalty = np.diag([0.0] + [RIDGE] * features.shape[1])
    weights = np.zeros(standard.shape[1])
    for _ in range(50):
        probability = 1.0 / (1.0 + np.exp(-np.clip(standard @ weights, -30.0, 30.0)))
        gradient = standard.T @ (balance * (truth - probability)) - penalty @ weights
        curvature = (standard.T * (balance * probability * (1.0 - probability))) @ standard
        step = np.linalg.solve(curvature + penalty + 1e-9 * np.eye(weights.size), gradient)
        weights = weights + step
        if np.abs(step).max() < 1e-8:
            break
    return _Logistic(centre, scale, weights)


def _cross_validated(
    features: Array, truth: Array, day: float, rule: FlareScoreRule, seed: int
) -> Performance:
    """Leave whole animals out, a tenth at a time."""
    fold = np.random.default_rng(seed).permutation(truth.size) % FOLDS
    probability = np.empty_like(truth)
    for part in range(FOLDS):
        model = _fit_logistic(features[fold != part], truth[fold != part])
        probability[fold == part] = model.probability(features[fold == part])
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
