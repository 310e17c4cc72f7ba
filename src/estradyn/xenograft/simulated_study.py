"""Studies on mechanistic mice: what is true of each animal, and what is measured of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from estradyn.population.draws import TrialEffects
from estradyn.xenograft.humane_endpoints import (
    NUDE_MOUSE_ENDPOINTS,
    TAKE_OFF,
    HumaneEndpoint,
    find_alerts,
)
from estradyn.xenograft.measurement import (
    Measurement,
    caliper_readings,
    diameters,
    on_days,
    pain_grade,
    stained_share,
    with_log_error,
)
from estradyn.xenograft.mice import Colony, Courses, Host, Mice, Treatment
from estradyn.xenograft.response import (
    FIRST_JUDGED_DAY,
    RESPONDED,
    FlareRule,
    ResponseClass,
    flare_aware,
)
from estradyn.xenograft.volume import tumor_volume

Array = NDArray[np.float64]

SIZE_REASON = "tumor size limit"
_SIZE_QUANTITIES = ("tumor burden", "tumor diameter")

_STAINS = {
    "ki67_percent": "ki67",
    "tunel_percent": "tunel",
    "f4_80_percent": "macrophages",
    "cd3_percent": "t_cells",
}


class Course(StrEnum):
    """What a tumor truly does."""

    FLARE_RESPONSE = "flare_response"
    FLARE_STASIS = "flare_stasis"
    RESPONSE = "response"
    STABLE = "stable"
    PROGRESSION = "progression"


GROWING = 0.35
"""Growth from the end of the flare window to the end of the study above which a tumor progresses,
as the limit of mRECIST; in a shorter follow-up in proportion, on the log scale."""

FULL_FOLLOW_UP, LAST_WEEK = 35.0, 7.0

FLARES = (Course.FLARE_RESPONSE, Course.FLARE_STASIS)
"""Courses that rise early under treatment and do not go on growing."""


@dataclass(frozen=True)
class SimulatedArm:
    """Animals of one arm.

    Attributes
    ----------
    name
        Name of the arm.
    animals
        Number of main animals.
    treatments
        Drugs; none for vehicle.
    satellites
        Animals taken for histology, number by day.
    """

    name: str
    animals: int
    treatments: tuple[Treatment, ...] = ()
    satellites: Mapping[float, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Main animals and satellites."""
        return self.animals + sum(self.satellites.values())


@dataclass(frozen=True)
class Losses:
    """Why animals leave before the end, beside humane endpoints and planned histology.

    Attributes
    ----------
    death_rate
        Deaths of other causes per day (assumed).
    harmless_pellet_mg
        Largest estradiol pellet without bladder symptoms: 0.5 mg (XG14, doi:10.7150/jca.10890).
    bladder_rate
        Animals per day that get a distended bladder, for each mg above it (assumed; 0.72 mg
        caused urosepsis).
    endpoints
        Humane endpoints; an animal leaves on the visit at which it passes one.
    """

    death_rate: float = 0.001
    harmless_pellet_mg: float = 0.5
    bladder_rate: float = 0.05
    endpoints: tuple[HumaneEndpoint, ...] = NUDE_MOUSE_ENDPOINTS


NO_LOSSES = Losses(death_rate=0.0, bladder_rate=0.0, endpoints=())


@dataclass(frozen=True)
class Visits:
    """When what is measured; days since the first dose, the first being day 0.

    Attributes
    ----------
    days
        Calipers, body weight, pain score and bladder.
    blood_days
        Calcium and alkaline phosphatase.
    light_days
        Bioluminescence.
    histology_days
        Histology of every animal there is; the last day of a study, or a day with biopsies.
    """

    days: tuple[float, ...]
    blood_days: tuple[float, ...] = ()
    light_days: tuple[float, ...] = ()
    histology_days: tuple[float, ...] = ()

    @property
    def all_days(self) -> Array:
        """Every day with a visit, ascending."""
        return np.unique([*self.days, *self.blood_days, *self.light_days, *self.histology_days])


@dataclass(frozen=True)
class SimulatedStudy:
    """What was measured, and what is true.

    Attributes
    ----------
    measurements
        One row per animal and visit, in the columns of a study file.
    truth
        One row per animal: `animal`, `arm` and, where asked for, what `true_courses` gives.
    days
        Visits, shape (visits,).
    log_change
        True log volume relative to the start, shape (animals, visits), also after an animal left.
    """

    measurements: pd.DataFrame
    truth: pd.DataFrame
    days: Array
    log_change: Array


@lru_cache(maxsize=8)
def colony_of(drugs: tuple[str, ...]) -> Colony:
    """Return the colony in which some drugs are known; each is prepared once."""
    return Colony(drugs)


def simulate_study(
    arms: Sequence[SimulatedArm],
    visits: Visits | Sequence[float],
    seed: int,
    *,
    host: Host | None = None,
    measurement: Measurement | None = None,
    losses: Losses | None = None,
    trial_effects: TrialEffects = "typical",
    first_animal: int = 0,
    rule: FlareRule | None = None,
    with_truth: bool = True,
    values: Mapping[str, float] | None = None,
) -> SimulatedStudy:
    """Draw mice, treat them and measure them.

    Parameters
    ----------
    arms
        Arms with their animals.
    visits
        What is measured when; plain days mean calipers only.
    seed
        Seed of mice and measurements.
    host
        What the study decides about its mice.
    measurement, losses
        Errors and dropout.
    trial_effects
        Whether what differs between laboratories is drawn or held at its middle.
    first_animal
        Number of the first mouse in the colony; studies with one seed and different numbers have
        different mice.
    rule
        Limits by which the true course is named.
    with_truth
        Whether true courses are worked out, which takes a second run of every treated mouse.
    values
        Parameters of the model, fixed for all mice of this laboratory.

    Raises
    ------
    InputError
        If a drug or route is not known in mice.
    SimulationError
        If a mouse cannot be solved.
    """
    host, measurement, losses = host or Host(), measurement or Measurement(), losses or Losses()
    plan = visits if isinstance(visits, Visits) else Visits(tuple(float(d) for d in visits))
    days = plan.all_days
    drugs = {one.drug for arm in arms for one in arm.treatments}
    colony = colony_of(tuple(sorted(drugs)))
    size = sum(arm.size for arm in arms)
    mice = colony.draw(
        size, seed, host, trial_effects=trial_effects, values=values, first=first_animal
    )
    grid = np.union1d(np.arange(0.0, days[-1] + 1.0), days) if with_truth else days
    parts, truths, start = [], [], 0
    for arm in arms:
        own = mice.take(slice(start, start + arm.size))
        start += arm.size
        courses = colony.follow(own, arm.treatments, grid)
        parts.append(courses)
        if not with_truth:
            continue
        twin = colony.follow(own, (), grid) if arm.treatments else courses
        truths.append(true_courses(courses, twin, bool(arm.treatments), rule or FlareRule()))
    names = _animal_names(arms)
    arm_names = np.repeat([arm.name for arm in arms], [arm.size for arm in arms])
    truth = pd.DataFrame({"animal": names, "arm": arm_names})
    if truths:
        truth = pd.concat([truth, pd.concat(truths, ignore_index=True)], axis=1)
    seen = np.isin(grid, days)
    outputs = {
        name: np.concatenate([part[name] for part in parts])[:, seen] for name in parts[0].outputs
    }
    courses = Courses(days, outputs)
    generator = np.random.default_rng([seed, first_animal, 7])
    table = _measured(courses, mice, plan, measurement, host, generator)
    table.insert(0, "animal", np.repeat(names, days.size))
    table.insert(1, "arm", np.repeat(arm_names, days.size))
    table = _with_doses(table, arms, days)
    leaving = _Leaving(arms, days, losses, host)
    kept = leaving.apply(table, generator)
    volume = courses.volume_mm3
    return SimulatedStudy(kept, truth, days, np.log(volume / volume[:, :1]))


def true_courses(
    courses: Courses, untreated: Courses, treated: bool, rule: FlareRule
) -> pd.DataFrame:
    """Name what each tumor truly does, from volumes without error on every day.

    The course of an animal that leaves is followed to the end of the study, as if it had stayed:
    whether it responded while it was there, `response_day` tells.

    Parameters
    ----------
    courses, untreated
        The mice as treated, and the same mice without drugs.
    treated
        Whether the arm gets a drug: without one there is no flare.
    rule
        Limits of the early rise and its recheck.

    Returns
    -------
    pandas.DataFrame
        `course`; `early_rise` and `response` by the flare-aware class without error;
        `response_day`, the first day on which a tumor that responds is below half of its volume
        at the start or at the end of the window (NaN for the others);
        `rise_percent`, the largest change in the flare window; `over_untreated_percent`, by how
        much the tumor exceeds in the window what it would be without drug;
        `rebased_change_percent`, the lowest from the end of the window; `final_change_percent`.
    """
    volume, plain = courses.volume_mm3, untreated.volume_mm3
    window = (courses.days > 0) & (courses.days <= rule.window_end)
    rows = []
    for own, other in zip(volume, plain, strict=True):
        judged = flare_aware(courses.days, own, rule, without_error=True)
        over = float((own[window] / other[window]).max()) if window.any() else 1.0
        course = _course(
            judged.response, judged.early_rise, treated, own, courses.days, rule.window_end
        )
        rows.append(
            {
                "course": str(course),
                "early_rise": judged.early_rise,
                "response": str(judged.response),
                "response_day": _response_day(courses.days, own, rule)
                if judged.response in RESPONDED
                else np.nan,
                "rise_percent": judged.largest_rise,
                "rebased_change_percent": judged.rebased.best_change,
                "over_untreated_percent": 100.0 * (over - 1.0),
                "final_change_percent": 100.0 * (own[-1] / own[0] - 1.0),
            }
        )
    return pd.DataFrame(rows)


def _course(
    response: ResponseClass, rose: bool, treated: bool, volume: Array, days: Array, end: float
) -> Course:
    """Name a course from volumes without error on every day."""
    if response in RESPONDED:
        return Course.FLARE_RESPONSE if rose and treated else Course.RESPONSE
    # A window that has just ended tells nothing yet: the last week of the study does then.
    start = min(end, float(days[-1]) - LAST_WEEK)
    share = (days[-1] - start) / FULL_FOLLOW_UP
    before = float(np.interp(start, days, np.log(volume)))
    if np.log(volume[-1]) - before >= min(share, 1.0) * np.log1p(GROWING):
        return Course.PROGRESSION
    return Course.FLARE_STASIS if rose and treated else Course.STABLE


def _response_day(days: Array, volume: Array, rule: FlareRule) -> float:
    """First day below half of the volume at the start or at the end of the window."""
    end = float(np.exp(np.interp(rule.window_end, days, np.log(volume))))
    halved = (volume < 0.5 * volume[0]) & (days >= days[0] + FIRST_JUDGED_DAY)
    halved |= (volume < 0.5 * end) & (days >= rule.window_end + FIRST_JUDGED_DAY)
    return float(days[halved][0]) if halved.any() else float(days[-1])


def _animal_names(arms: Sequence[SimulatedArm]) -> list[str]:
    names, main, satellite = [], 0, 0
    for arm in arms:
        names += [f"M{main + i + 1:03d}" for i in range(arm.animals)]
        main += arm.animals
        extra = arm.size - arm.animals
        names += [f"S{satellite + i + 1:03d}" for i in range(extra)]
        satellite += extra
    return names


def _measured(
    courses: Courses,
    mice: Mice,
    plan: Visits,
    measurement: Measurement,
    host: Host,
    generator: np.random.Generator,
) -> pd.DataFrame:
    """One row per animal and visit, animals outermost."""
    days = courses.days
    read = caliper_readings(courses.volume_mm3, measurement, generator)
    length, width = (np.round(x, 2) for x in diameters(read, measurement, generator))
    weight = with_log_error(courses["body_weight"], measurement.weight_error, generator)
    pain = pain_grade(courses["pain_score"], generator)
    calcium = with_log_error(courses["plasma_calcium"], measurement.calcium_error, generator)
    enzyme = with_log_error(
        courses["alkaline_phosphatase"], measurement.phosphatase_error, generator
    )
    flux = measurement.flux_per_mm3 * courses.volume_mm3
    flux = with_log_error(flux, measurement.flux_error, generator)
    plain = on_days(np.ones_like(read), days, plan.days)
    columns = {
        "day": np.broadcast_to(days, read.shape),
        "length_mm": length * plain,
        "width_mm": width * plain,
        "volume_mm3": tumor_volume(length, width) * plain,
        "weight_g": np.round(weight, 2) * plain,
        "pain_score": pain * plain,
        "bladder_distension": 0.0 * plain,
    }
    if plan.light_days:
        columns["flux_photons_per_s"] = on_days(flux, days, plan.light_days)
    if plan.blood_days:
        columns["calcium_mmol_per_L"] = np.round(on_days(calcium, days, plan.blood_days), 3)
        columns["alp_U_per_L"] = np.round(on_days(enzyme, days, plan.blood_days), 1)
    for column, output in _STAINS.items():
        # Drawn always, so that a biopsy more or less changes no other number.
        stained = np.round(stained_share(courses[output], measurement, generator), 2)
        columns[column] = on_days(stained, days, plan.histology_days)
        columns["_" + column] = stained
    table = pd.DataFrame({name: values.ravel() for name, values in columns.items()})
    table["site"] = "tibia" if host.in_bone else "flank"
    return table


def _with_doses(table: pd.DataFrame, arms: Sequence[SimulatedArm], days: Array) -> pd.DataFrame:
    """Add drug and dose of each visit's day."""
    drug = {arm.name: " + ".join(one.drug for one in arm.treatments) for arm in arms}
    dose: dict[tuple[str, float], float] = {}
    for arm in arms:
        for one in arm.treatments[:1]:
            given = one.dose_days(float(days[-1]))
            dose |= {(arm.name, d): one.dose_mg_per_kg for d in days[np.isin(days, given)]}
    keys = zip(table["arm"], table["day"], strict=True)
    return table.assign(
        drug=table["arm"].map(drug), dose_mg_per_kg=[dose.get(key, np.nan) for key in keys]
    )


@dataclass(frozen=True)
class _Leaving:
    """Who leaves when and why."""

    arms: Sequence[SimulatedArm]
    days: Array
    losses: Losses
    host: Host

    def apply(self, table: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
        """Give the reason on an animal's last row and drop the rows after it."""
        visits = self.days.size
        size = len(table) // visits
        last = np.full(size, visits - 1)
        reason = np.full(size, "study end", dtype=object)

        def earlier(place: NDArray[np.int64], why: NDArray[np.object_]) -> None:
            sooner = place < last
            last[sooner], reason[sooner] = place[sooner], why[sooner]

        terminal = self._terminal(size)
        histology = np.searchsorted(self.days, terminal)
        earlier(histology, np.full(size, "planned histology", dtype=object))
        distended = self._first_visit(self._bladder(generator, size))
        rows = np.arange(size)
        ill = distended < visits
        table.loc[rows[ill] * visits + distended[ill], "bladder_distension"] = 1.0
        earlier(*self._humane(table, size))
        death = self._waiting(generator, size, self.losses.death_rate)
        seen = np.searchsorted(self.days, death, side="right") - 1
        seen = np.where(death <= self.days[-1], seen, visits)
        earlier(seen, np.full(size, "found dead", dtype=object))
        place = np.tile(np.arange(visits), size)
        table["reason_left"] = ""
        table.loc[rows * visits + last, "reason_left"] = reason
        taken = (place == np.repeat(last, visits)) & np.repeat(
            reason == "planned histology", visits
        )
        for name in _STAINS:
            table[name] = np.where(taken, table["_" + name], table[name])
        table = table[place <= np.repeat(last, visits)].drop(columns=["_" + n for n in _STAINS])
        return table.reset_index(drop=True)

    def _terminal(self, size: int) -> Array:
        """Day of planned histology of each animal."""
        found: list[float] = []
        for arm in self.arms:
            found += [np.inf] * arm.animals
            for day, count in arm.satellites.items():
                found += [float(day)] * count
        assert len(found) == size
        return np.array(found)

    def _bladder(self, generator: np.random.Generator, size: int) -> Array:
        excess = max(self.host.estradiol_pellet_mg - self.losses.harmless_pellet_mg, 0.0)
        return self._waiting(generator, size, self.losses.bladder_rate * excess)

    def _first_visit(self, day: Array) -> NDArray[np.int64]:
        return np.asarray(np.searchsorted(self.days, day))

    @staticmethod
    def _waiting(generator: np.random.Generator, size: int, rate: float) -> Array:
        wait = generator.exponential(1.0, size=size)
        return np.asarray(wait / rate if rate > 0 else np.full(size, np.inf))

    def _humane(
        self, table: pd.DataFrame, size: int
    ) -> tuple[NDArray[np.int64], NDArray[np.object_]]:
        """First visit of each animal past a humane endpoint, and which one."""
        place = np.full(size, self.days.size)
        why = np.full(size, "", dtype=object)
        for name in ("calcium_mmol_per_L",):
            if name not in table:
                table[name] = np.nan
        alerts = find_alerts(table, self.losses.endpoints)
        alerts = alerts[alerts["action"] == TAKE_OFF]
        first = alerts.sort_values("day", kind="stable").drop_duplicates("animal")
        number = {animal: i for i, animal in enumerate(dict.fromkeys(table["animal"]))}
        for row in first.to_dict("records"):
            animal = number[row["animal"]]
            place[animal] = int(np.searchsorted(self.days, row["day"]))
            size_limit = row["quantity"] in _SIZE_QUANTITIES
            why[animal] = SIZE_REASON if size_limit else row["quantity"]
        return place, why
