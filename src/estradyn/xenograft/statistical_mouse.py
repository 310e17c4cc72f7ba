"""A statistical generator of xenograft studies whose truth is known.

No mechanism stands behind it: each animal follows one of four courses of log volume, straight
between a few days, and is measured with published caliper errors. It serves to calibrate the
flare score, to plan group sizes and to test the analysis. Values without a published source are
marked *assumed*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Course(StrEnum):
    """What a tumor truly does."""

    FLARE_RESPONSE = "flare_response"
    RESPONSE = "response"
    STABLE = "stable"
    PROGRESSION = "progression"


@dataclass(frozen=True)
class StatisticalMouse:
    """Values of the generator; volumes in mm3, times in days, spreads as SD of the logarithm.

    Attributes
    ----------
    baseline_volume, baseline_spread
        Median at the start of treatment (assumed) and spread between animals: a coefficient of
        variation of 31 % was seen in a vehicle group (VAR01, github.com/celldeath/power_analysis).
    growth_rate, growth_spread
        Progression: median rate per day (assumed, doubling in about 15 days) and spread.
    flare_rise
        Smallest and largest rise at the peak of a flare, as a share of baseline: the range of the
        worked example of rising 40 to 100 % (assumed).
    flare_peak_day, flare_peak_spread
        Mean and standard deviation of the day of the peak (assumed; transient growth of the first
        weeks, Osborne 1985, PMID 3967234), kept within 9 to 19 days.
    final_share, final_spread, final_day
        Median share of baseline that a responding tumor reaches at `final_day`, and spread
        (assumed).
    stable_spread
        Standard deviation of the rate of a stable tumor per day (assumed).
    small_error, large_error
        Coefficient of variation of one observer's volume for small and for large tumors: 27 and
        7 % (Euhus 1986, doi:10.1002/jso.2930310402).
    small_volume, large_volume
        Volumes to which these apply, straight in log volume between them (assumed).
    observer_difference
        Mean absolute difference between two observers as a share of the mean; 0.15 in Euhus 1986,
        0 when one observer measures throughout. Each visit has one observer out of
        `observers`.
    size_limit
        Measured volume at which an animal is euthanised (10 % of a body weight of 20 g at
        1 mg/mm3).
    death_rate
        Deaths of other causes per day (assumed).
    body_weight, weight_spread
        Body weight in g (assumed).
    calcium, calcium_spread, calcium_error
        Serum calcium of nude mice in mmol/L: 2.20 (Rosol 1988, doi:10.1002/jbmr.5650030616),
        spread between animals and error of the assay (assumed).
    flare_calcium, progression_calcium
        Rise of calcium (mmol/L) at the peak of a flare, and per week of progression, of a tumor in
        bone (assumed; none for a tumor under the skin).
    alp, alp_spread, alp_error
        Alkaline phosphatase in U/L: 248 and 23 % (females of another strain; assumed for nude
        mice), error of the assay (assumed).
    flare_alp, progression_alp
        Log rise at the peak of a flare and per week of progression, of a tumor in bone (assumed).
    tunel, tunel_spread
        Apoptotic cells in percent without response, and spread (assumed).
    apoptosis_fold, apoptosis_day
        Rise of a responding tumor, reached on that day: about 5-fold at day 28 on an antiestrogen
        (doi:10.1054/brst.2000.0140); that one which does not respond keeps its level is assumed.
    """

    baseline_volume: float = 150.0
    baseline_spread: float = 0.30
    growth_rate: float = 0.045
    growth_spread: float = 0.30
    flare_rise: tuple[float, float] = (0.4, 1.0)
    flare_peak_day: float = 14.0
    flare_peak_spread: float = 1.5
    final_share: float = 0.4
    final_spread: float = 0.2
    final_day: float = 56.0
    stable_spread: float = 0.004
    small_error: float = 0.27
    large_error: float = 0.07
    small_volume: float = 50.0
    large_volume: float = 1000.0
    observer_difference: float = 0.0
    observers: int = 3
    size_limit: float = 2000.0
    death_rate: float = 0.001
    body_weight: float = 22.0
    weight_spread: float = 0.06
    calcium: float = 2.20
    calcium_spread: float = 0.03
    calcium_error: float = 0.03
    flare_calcium: float = 0.45
    progression_calcium: float = 0.08
    alp: float = 248.0
    alp_spread: float = 0.23
    alp_error: float = 0.06
    flare_alp: float = 0.35
    progression_alp: float = 0.08
    tunel: float = 1.0
    tunel_spread: float = 0.35
    apoptosis_fold: float = 5.0
    apoptosis_day: float = 28.0


@dataclass(frozen=True)
class SimulatedArm:
    """Animals of one arm.

    Attributes
    ----------
    name
        Name of the arm.
    animals
        Number of animals.
    shares
        Probability of each course; they sum to 1.
    rate_factor
        Growth rate of progression relative to `StatisticalMouse.growth_rate`.
    """

    name: str
    animals: int
    shares: Mapping[Course, float] = field(default_factory=lambda: {Course.PROGRESSION: 1.0})
    rate_factor: float = 1.0


@dataclass(frozen=True)
class SimulatedStudy:
    """What was measured, and what is true.

    Attributes
    ----------
    measurements
        One row per animal and visit, in the columns of a study file.
    truth
        One row per animal: `animal`, `arm`, `course`.
    days
        Visits, shape (visits,).
    log_change
        True log volume relative to the start, shape (animals, visits), also after an animal left.
    """

    measurements: pd.DataFrame
    truth: pd.DataFrame
    days: Array
    log_change: Array


def simulate_study(
    arms: Sequence[SimulatedArm],
    days: Sequence[float],
    seed: int | np.random.SeedSequence,
    *,
    mouse: StatisticalMouse | None = None,
    blood_days: Sequence[float] = (),
    histology_days: Sequence[float] = (),
    in_bone: bool = False,
) -> SimulatedStudy:
    """Draw a study.

    Parameters
    ----------
    arms
        Arms with their animals.
    days
        Visits at which tumors are measured; the first is the start of treatment, day 0.
    seed
        Seed of the random numbers.
    mouse
        Values of the generator.
    blood_days
        Visits with calcium and alkaline phosphatase; must be among `days`.
    histology_days
        Visits with the share of apoptotic cells; must be among `days`.
    in_bone
        Whether tumors grow in bone, where flare and progression raise calcium.
    """
    mouse = mouse or StatisticalMouse()
    generator = np.random.default_rng(seed)
    visits = np.asarray(days, dtype=np.float64)
    size = sum(arm.animals for arm in arms)
    names = np.repeat([arm.name for arm in arms], [arm.animals for arm in arms])
    courses = np.concatenate([_draw_courses(arm, generator) for arm in arms])
    factors = np.repeat([arm.rate_factor for arm in arms], [arm.animals for arm in arms])
    log_change, flare, rate = _true_courses(courses, factors, visits, mouse, generator)
    baseline = mouse.baseline_volume * np.exp(
        mouse.baseline_spread * generator.standard_normal(size)
    )
    volume = baseline[:, None] * np.exp(log_change)
    measured = volume * _reading_errors(volume, mouse, generator)

    frame: dict[str, object] = {
        "animal": np.repeat([f"M{i + 1:03d}" for i in range(size)], visits.size),
        "arm": np.repeat(names, visits.size),
        "day": np.tile(visits, size),
        "volume_mm3": measured.ravel(),
    }
    weight = mouse.body_weight * np.exp(mouse.weight_spread * generator.standard_normal(size))
    frame["weight_g"] = (
        weight[:, None] * np.exp(0.015 * generator.standard_normal(volume.shape))
    ).ravel()
    if len(blood_days):
        frame |= _blood(visits, blood_days, courses, flare, rate, in_bone, mouse, generator)
    if len(histology_days):
        seen = np.isin(visits, np.asarray(histology_days, dtype=np.float64))
        apoptosis = _apoptosis(visits, courses, mouse, generator)
        frame["tunel_percent"] = np.where(seen, apoptosis, np.nan).ravel()
    table = pd.DataFrame(frame)
    table["reason_left"] = _leave(measured, visits, mouse, generator).ravel()
    kept = table["reason_left"] != "gone"
    truth = pd.DataFrame(
        {"animal": [f"M{i + 1:03d}" for i in range(size)], "arm": names, "course": courses}
    )
    return SimulatedStudy(table[kept].reset_index(drop=True), truth, visits, log_change)


def _draw_courses(arm: SimulatedArm, generator: np.random.Generator) -> NDArray[np.str_]:
    kinds = [str(course) for course in arm.shares]
    return generator.choice(kinds, size=arm.animals, p=list(arm.shares.values()))


def _true_courses(
    courses: NDArray[np.str_],
    factors: Array,
    days: Array,
    mouse: StatisticalMouse,
    generator: np.random.Generator,
) -> tuple[Array, Array, Array]:
    """Log volume relative to the start, shape of the flare (0 to 1) and rate of progression."""
    size = courses.size
    rise = np.log1p(generator.uniform(*mouse.flare_rise, size))
    peak = np.clip(generator.normal(mouse.flare_peak_day, mouse.flare_peak_spread, size), 9, 19)
    final = np.log(mouse.final_share) + mouse.final_spread * generator.standard_normal(size)
    rate = (
        factors * mouse.growth_rate * np.exp(mouse.growth_spread * generator.standard_normal(size))
    )
    drift = mouse.stable_spread * generator.standard_normal(size)

    up = np.clip(days / peak[:, None], 0.0, 1.0)
    down = (days - peak[:, None]).clip(min=0.0) / (mouse.final_day - peak[:, None])
    flare = rise[:, None] * up + (final - rise)[:, None] * down
    shapes = {
        Course.FLARE_RESPONSE: flare,
        Course.RESPONSE: final[:, None] * days / mouse.final_day,
        Course.STABLE: drift[:, None] * days,
        Course.PROGRESSION: rate[:, None] * days,
    }
    change = np.zeros((size, days.size))
    for course, shape in shapes.items():
        change = np.where((courses == str(course))[:, None], shape, change)
    flaring = np.where(
        (courses == str(Course.FLARE_RESPONSE))[:, None], up * np.exp(-down * 6.0), 0.0
    )
    progressing = np.where(courses == str(Course.PROGRESSION), rate / mouse.growth_rate, 0.0)
    return change, flaring, progressing


def reading_error(volume: Array, mouse: StatisticalMouse) -> Array:
    """Coefficient of variation of one observer's reading of a volume (mm3)."""
    share = np.log(volume / mouse.small_volume) / np.log(mouse.large_volume / mouse.small_volume)
    result: Array = mouse.small_error + np.clip(share, 0.0, 1.0) * (
        mouse.large_error - mouse.small_error
    )
    return result


def _reading_errors(
    volume: Array, mouse: StatisticalMouse, generator: np.random.Generator
) -> Array:
    own = reading_error(volume, mouse) * generator.standard_normal(volume.shape)
    # Mean |difference| of two normal values is 2 / sqrt(pi) of their standard deviation.
    spread = mouse.observer_difference * np.sqrt(np.pi) / 2.0
    bias = spread * generator.standard_normal(mouse.observers)
    observer = generator.integers(0, mouse.observers, volume.shape[1])
    factor: Array = np.exp(own + bias[observer])
    return factor


def _blood(
    days: Array,
    blood_days: Sequence[float],
    courses: NDArray[np.str_],
    flare: Array,
    progressing: Array,
    in_bone: bool,
    mouse: StatisticalMouse,
    generator: np.random.Generator,
) -> dict[str, object]:
    size = courses.size
    drawn = np.isin(days, np.asarray(blood_days, dtype=np.float64))
    weeks = progressing[:, None] * days / 7.0
    bone = 1.0 if in_bone else 0.0
    level = mouse.calcium * np.exp(mouse.calcium_spread * generator.standard_normal((size, 1)))
    true_calcium = level + bone * (mouse.flare_calcium * flare + mouse.progression_calcium * weeks)
    calcium = true_calcium * np.exp(
        mouse.calcium_error * generator.standard_normal((size, days.size))
    )
    enzyme = np.log(mouse.alp) + mouse.alp_spread * generator.standard_normal((size, 1))
    enzyme = enzyme + bone * (mouse.flare_alp * flare + mouse.progression_alp * weeks)
    alp = np.exp(enzyme + mouse.alp_error * generator.standard_normal((size, days.size)))
    return {
        "calcium_mmol_per_L": np.where(drawn, calcium, np.nan).ravel(),
        "alp_U_per_L": np.where(drawn, alp, np.nan).ravel(),
    }


def _apoptosis(
    days: Array, courses: NDArray[np.str_], mouse: StatisticalMouse, generator: np.random.Generator
) -> Array:
    responding = np.isin(courses, [str(Course.FLARE_RESPONSE), str(Course.RESPONSE)])
    share = np.clip(days / mouse.apoptosis_day, 0.0, 1.0)
    fold = np.where(responding[:, None], 1.0 + (mouse.apoptosis_fold - 1.0) * share, 1.0)
    noise = mouse.tunel_spread * generator.standard_normal((courses.size, days.size))
    percent: Array = np.minimum(mouse.tunel * fold * np.exp(noise), 100.0)
    return percent


def _leave(
    measured: Array, days: Array, mouse: StatisticalMouse, generator: np.random.Generator
) -> NDArray[np.object_]:
    """Why an animal left, on its last visit; "gone" afterwards and "" before."""
    size, visits = measured.shape
    mean_life = 1.0 / mouse.death_rate if mouse.death_rate > 0 else np.inf
    death = np.asarray(generator.exponential(1.0, size=size)) * mean_life
    reasons = np.full((size, visits), "", dtype=object)
    for animal in range(size):
        over = np.flatnonzero(measured[animal] >= mouse.size_limit)
        last, reason = visits - 1, "study end"
        if over.size and over[0] < last:
            last, reason = int(over[0]), "tumor size limit"
        if death[animal] < days[last]:
            last = max(int(np.searchsorted(days, death[animal], side="right")) - 1, 0)
            reason = "found dead"
        reasons[animal, last] = reason
        reasons[animal, last + 1 :] = "gone"
    return reasons
