"""Predictions of levels in plasma: one drug given to people, once or every day.

A scenario is `<people>: <drug> <dose> mg`, with one of `PEOPLE`, followed by ` once`, `/day for <n>
day` or ` every <n> day for <n> day`, and perhaps by ` with <enzyme> <state>` for a co-medication of
`models/co_medication.tsv`. An endpoint is `<statistic> of <variable>`, where the variable is any of
the model's and the statistic one of those in `STATISTICS`, `level` (at a time after the last dose),
or `ratio of <variable> to <variable>` (of averages; `molar ratio` of amounts of substance). With
co-medication, `relative <statistic> of <variable>` is percent of the same woman's without it and
`loss of <statistic> of <variable>` what is missing. Each is taken in every woman, and the
prediction is the median over them. Variables are read finely for a day after the last dose and more
and more coarsely for ninety days.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from estradyn.engine import DoseSchedule, compile_model, solve
from estradyn.errors import InputError, UnitError
from estradyn.evidence.times import parse_time
from estradyn.model import PatientModel, load_patient_model, modules_giving
from estradyn.model.co_medication import with_co_medication
from estradyn.model.table_file import read_table
from estradyn.model.units import unit_ratio
from estradyn.population import Population, stream_population
from estradyn.scorecard.prediction import Prediction, Progress
from estradyn.scorecard.targets import Target
from estradyn.trial import statistics
from estradyn.trial.study import Setting

Array = NDArray[np.float64]

PEOPLE: Mapping[str, str | None] = {
    "women": None,
    "men": "men",
    "elderly men": "elderly_men",
    "hypogonadal men": "hypogonadal_men",
    "men with testosterone replaced": "men_with_testosterone_replaced",
}
"""Population of the people that a scenario names; None for the patient's own text."""

PATIENTS = 50
SEED = 20240611

HOURS_PER_DAY = 24.0

_REGIMEN = re.compile(
    rf"(?P<people>{'|'.join(PEOPLE)}): (?P<drug>[a-z]+) (?P<dose>\d+(?:\.\d+)?) "
    r"mg(?: once|(?:/day| every (?P<every>\d+) day) for (?P<days>\d+) day)"
    r"(?: with (?P<enzyme>\w+) (?P<state>\w+))?"
)
_COMPARED = re.compile(r"(?P<how>relative|loss of) (?P<endpoint>.+)")
_RATIO = re.compile(r"(?P<molar>molar )?ratio of (?P<first>\w+) to (?P<second>\w+)")

AFTER_LAST_DOSE = np.unique(
    np.concatenate(
        [
            np.arange(0.0, 24.01, 0.1),
            np.arange(24.0, 96.01, 2.0),
            np.arange(96.0, 480.01, 12.0),
            np.arange(480.0, 2160.01, 24.0),
        ]
    )
)
"""Hours after the last dose at which variables are read."""

STEADY_SHARE = 0.9
"""Share of its last value that a level before a dose must reach to be called steady."""

LEAST_SHARE = 0.01
"""Share of the peak below which no assay follows a decline."""

HALF_LIFE_FROM_HOUR = 24.0
"""Half-lives are read from here on, when a dose has been absorbed and distributed."""


HORMONE_MOLAR_MASSES: Mapping[str, float] = {
    "estradiol_concentration": 272.38,
    "testosterone_concentration": 288.42,
}
"""g/mol, of hormones that are published in mass."""

MASS_UNITS = ("pg/mL", "ng/dL")


@dataclass(frozen=True)
class Course:
    """What a variable does in one woman.

    Attributes
    ----------
    dose
        Amount of each dose.
    interval
        Hours between doses, or from the last dose until the next would be due.
    before
        Value before any dose.
    troughs
        Values just before each dose after the first, and an interval after the last.
    hours
        Hours after the last dose.
    values
        Values at these hours.
    """

    dose: float
    interval: float
    before: float
    troughs: Array
    hours: Array
    values: Array

    @property
    def once(self) -> bool:
        """Whether one dose was given alone."""
        return self.troughs.size == 1

    @property
    def _until_next_dose(self) -> NDArray[np.bool_]:
        return self.hours <= (np.inf if self.once else self.interval)

    @property
    def peak(self) -> float:
        """Largest value until the next dose; ever, after a single one."""
        return float(self.values[self._until_next_dose].max())

    @property
    def time_of_peak(self) -> float:
        """Hours from the last dose to its peak."""
        return float(self.hours[np.argmax(self.values[self._until_next_dose])])

    def area(self, until: float) -> float:
        """Area under the curve from the last dose, by trapezoids."""
        within = self.hours <= until
        return float(np.trapezoid(self.values[within], self.hours[within]))

    @property
    def average(self) -> float:
        """Mean over the interval after the last dose."""
        return self.area(self.interval) / self.interval

    @property
    def decline(self) -> float:
        """Rate of the terminal decline per hour.

        By regression of the logarithm on time over the later half of the hours between the start of
        the decline and the last at which the level can be followed.
        """
        start = max(HALF_LIFE_FROM_HOUR, float(self.hours[np.argmax(self.values)]))
        followed = (self.hours >= start) & (self.values > LEAST_SHARE * self.values.max())
        if np.count_nonzero(followed) < 4:
            return np.nan
        end = float(self.hours[followed].max())
        late = followed & (self.hours >= (start + end) / 2)
        slope = np.polyfit(self.hours[late], np.log(self.values[late]), 1)[0]
        return -float(slope) if slope < 0 else np.nan

    @property
    def half_life(self) -> float:
        """Half-life of the terminal decline, hours."""
        return float(np.log(2.0)) / self.decline

    @property
    def whole_area(self) -> float:
        """Area under the curve after the last dose, to infinity."""
        return self.area(np.inf) + float(self.values[-1]) / self.decline

    @property
    def clearance(self) -> float:
        """Apparent clearance: dose over area, of a dosing interval where doses are repeated."""
        return self.dose / (self.whole_area if self.once else self.area(self.interval))

    @property
    def volume(self) -> float:
        """Apparent volume by the terminal slope: clearance over its rate."""
        return self.clearance / self.decline

    @property
    def hours_to_steady_state(self) -> float:
        """Hours until the level before a dose has come to a share of its last one."""
        reached = np.flatnonzero(self.troughs >= STEADY_SHARE * self.troughs[-1])
        return float(reached[0] + 1) * self.interval

    @property
    def remaining(self) -> float:
        """Value when the next dose is due, as blood is drawn, in percent of that before any."""
        return 100.0 * float(self.troughs[-1]) / self.before


Courses = list[Course | None]
"""A course for each woman; None for one whose simulation failed."""


def _each(read: Callable[[Course], float], courses: Courses) -> Array:
    """Read a number from every course, NaN where there is none."""
    return np.array([np.nan if one is None else read(one) for one in courses])


STATISTICS: Mapping[str, tuple[Callable[[Course], float], str]] = {
    "peak": (lambda course: course.peak, "{}"),
    "time of peak": (lambda course: course.time_of_peak, "hour"),
    "trough": (lambda course: float(course.troughs[-1]), "{}"),
    "average": (lambda course: course.average, "{}"),
    "area": (lambda course: course.whole_area, "{} * hour"),
    "area over interval": (lambda course: course.area(course.interval), "{} * hour"),
    "area to 480 hour": (lambda course: course.area(480.0), "{} * hour"),
    "half-life": (lambda course: course.half_life, "hour"),
    "clearance": (lambda course: course.clearance, "L / hour"),
    "volume": (lambda course: course.volume, "L"),
    "time to steady state": (lambda course: course.hours_to_steady_state, "hour"),
    "remaining": (lambda course: course.remaining, "percent"),
    "fall": (lambda course: 100.0 - course.remaining, "percent"),
    "change": (lambda course: course.remaining - 100.0, "percent"),
}
"""What is read from a course, and its unit, where {} is that of the variable."""


def predict_levels(
    targets: Iterable[Target], *, workers: int, progress: Progress | None, patients: int | None
) -> Mapping[str, Prediction]:
    """Predict what is asked of drugs given to women, by id of the target."""
    by_drug: dict[tuple[str, str], dict[str, list[Target]]] = {}
    for target in targets:
        match = _REGIMEN.fullmatch(target.scenario)
        if match is None:
            raise InputError(
                f"evidence '{target.id}': found the scenario '{target.scenario}', allowed is "
                "'women: <drug> <dose> mg' followed by ' once', '/day for <n> day' or "
                "' every <n> day for <n> day'"
            )
        of_drug = by_drug.setdefault((match["people"], match["drug"]), {})
        of_drug.setdefault(target.scenario, []).append(target)
    found: dict[str, Prediction] = {}
    for (people, drug), regimens in by_drug.items():
        asked_for = {
            name for asked in regimens.values() for target in asked for name in _variables(target)
        }
        women = _Patients(PEOPLE[people], drug, asked_for, patients or PATIENTS, workers)
        for done, (regimen, asked) in enumerate(regimens.items(), start=1):
            found.update(women.predictions(regimen, asked))
            if progress is not None:
                progress(f"levels of {drug}", done, len(regimens))
    return found


class _Patients:
    """People who take one drug, drawn once for all its regimens."""

    def __init__(
        self, population: str | None, drug: str, variables: set[str], patients: int, workers: int
    ):
        self._workers = workers
        # People without metastases: nothing of a tumor is read.
        self._model: PatientModel = load_patient_model(
            drugs=(drug,),
            modules=modules_giving(variables, population=population),
            setting=str(Setting.ADJUVANT),
            population=population,
        )
        self._record = self._model.drugs[drug]
        self._variables = sorted(variables)
        for name in self._variables:
            if name not in self._model.model.unit_of:
                raise InputError(
                    f"a mapping asks for '{name}', which the model with {drug} does not have"
                )
        self._compiled = compile_model(self._model.model, self._variables)
        (self._population,) = stream_population(
            self._model,
            patients,
            SEED,
            chunk_size=patients,
            trial_effects="typical",
            workers=workers,
        )

    def predictions(self, regimen: str, targets: list[Target]) -> dict[str, Prediction]:
        """Give the regimen and read what is asked."""
        match = _REGIMEN.fullmatch(regimen)
        assert match is not None
        interval = HOURS_PER_DAY * int(match["every"] or 1)
        doses = max(1, round(HOURS_PER_DAY * int(match["days"] or 1) / interval))
        amount = float(match["dose"]) * unit_ratio("mg", self._record.dose_unit)
        usual = self._courses(amount, interval, doses, {})
        if not match["enzyme"]:
            return {target.id: self._predict(target, usual, usual) for target in targets}
        co_medication = {match["enzyme"]: match["state"]}
        changed = self._courses(amount, interval, doses, co_medication)
        return {target.id: self._predict(target, changed, usual) for target in targets}

    def _courses(
        self, amount: float, interval: float, doses: int, co_medication: Mapping[str, str]
    ) -> dict[str, Courses]:
        people: Population = self._population
        before = np.arange(doses) * interval
        last = before[-1]
        # Just before a dose is an instant before it: at its own time the dose has been given.
        times = np.unique(np.concatenate([before[1:] - 1e-6, last + AFTER_LAST_DOSE, [0.0]]))
        schedule = DoseSchedule.repeated(
            len(people), self._record.dose_state, amount, interval=interval, count=doses
        )
        parameters = with_co_medication(
            people.parameters,
            len(people),
            co_medication,
            self._model.co_medication,
            self._model.model,
        )
        solution = solve(
            self._compiled,
            parameters,
            times,
            schedule,
            initial_states=people.initial_states,
            workers=self._workers,
        )
        after = times >= last
        at_troughs = np.isin(times, [*(before[1:] - 1e-6), last + interval])
        # No variable that is asked for jumps with a dose, so time 0 is the drug-free value.
        return {
            name: [
                Course(amount, interval, one[0], one[at_troughs], times[after] - last, one[after])
                if succeeded
                else None
                for one, succeeded in zip(solution[name], solution.succeeded, strict=True)
            ]
            for name in self._variables
        }

    def _predict(
        self,
        target: Target,
        courses: Mapping[str, Courses],
        usual: Mapping[str, Courses],
    ) -> Prediction:
        compared = _COMPARED.fullmatch(target.endpoint)
        if compared:
            changed, _ = self._statistic(target, compared["endpoint"], courses)
            relative = 100.0 * changed / self._statistic(target, compared["endpoint"], usual)[0]
            values = relative if compared["how"] == "relative" else 100.0 - relative
            unit = "percent"
        else:
            values, unit = self._statistic(target, target.endpoint, courses)
        estimate = statistics.median(self._factor(unit, target) * values)
        return Prediction(estimate.value, estimate.lower, estimate.upper, target.unit)

    def _statistic(
        self, target: Target, endpoint: str, courses: Mapping[str, Courses]
    ) -> tuple[Array, str]:
        ratio = _RATIO.fullmatch(endpoint)
        if ratio:
            first, second = (
                _each(lambda course: course.average, courses[ratio[place]])
                for place in ("first", "second")
            )
            scale = 1.0
            if ratio["molar"]:
                scale = self._molar_mass(ratio["second"]) / self._molar_mass(ratio["first"])
            return scale * first / second, "ratio"
        statistic, variable = _parts(target.id, endpoint)
        own = courses[variable]
        unit = self._model.model.unit_of[variable]
        if statistic == "level":
            hour = parse_time(target.time).end * HOURS_PER_DAY
            return _each(lambda one: float(np.interp(hour, one.hours, one.values)), own), unit
        read, shape = STATISTICS[statistic]
        scale = 1.0
        if "{}" in shape and target.unit.startswith("nmol") and variable in _mass_parameters():
            scale, unit = 1e6 / self._molar_mass(variable), "nmol/L"
        if "{}" in shape and variable in HORMONE_MOLAR_MASSES and target.unit in MASS_UNITS:
            grams = f"{unit} * g/mol"
            scale, unit = (
                HORMONE_MOLAR_MASSES[variable] * unit_ratio(grams, target.unit),
                target.unit,
            )
        return scale * _each(read, own), shape.format(unit)

    def _molar_mass(self, variable: str) -> float:
        """Molar mass of what a variable is the concentration of, g/mol."""
        name = _mass_parameters().get(variable)
        if name is None:
            raise InputError(f"molar_masses.tsv has no variable '{variable}'")
        return self._model.parameters.by_name[name].value

    def _factor(self, unit: str, target: Target) -> float:
        """Factor from the unit of a statistic to that of the target."""
        if unit == target.unit:
            return 1.0
        try:
            return unit_ratio(unit, target.unit)
        except UnitError as error:
            raise InputError(f"evidence '{target.id}': {error}") from None


@lru_cache(maxsize=1)
def _mass_parameters() -> Mapping[str, str]:
    """Parameter that holds the molar mass, by variable in mg/L."""
    lines = read_table(Path(__file__).parent / "molar_masses.tsv", ("variable", "parameter"))
    return {line.text("variable"): line.text("parameter") for line in lines}


def _parts(name: str, endpoint: str) -> tuple[str, str]:
    statistic, _, variable = endpoint.rpartition(" of ")
    if statistic != "level" and statistic not in STATISTICS:
        raise InputError(
            f"evidence '{name}': found the endpoint '{endpoint}', allowed is one of "
            f"{', '.join(STATISTICS)}, level, followed by 'of' and a variable"
        )
    return statistic, variable


def _variables(target: Target) -> tuple[str, ...]:
    compared = _COMPARED.fullmatch(target.endpoint)
    endpoint = compared["endpoint"] if compared else target.endpoint
    ratio = _RATIO.fullmatch(endpoint)
    return (ratio["first"], ratio["second"]) if ratio else (_parts(target.id, endpoint)[1],)
