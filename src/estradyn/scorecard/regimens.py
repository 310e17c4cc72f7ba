"""Predictions of levels in plasma: one drug given to people.

`estradyn.scorecard.regimen_text` says what a scenario may be. An endpoint is
`<statistic> of <variable>`, where the variable is any of the model's and the statistic one of those
in `STATISTICS`, `level` (at a time after the last dose), or `ratio of <variable> to <variable>` (of
averages; `molar ratio` of amounts of substance). `single <endpoint>` is read after the first dose
alone.

Where the scenario changes something beside the drug, an endpoint is that with it. Before an
endpoint, `usual` is the same without it (or with what it is given rather than), `fold` and
`relative` that with it over that without, as a ratio and in percent, `loss of` what is missing in
percent, `excess of` how many percent more there is without it, and `rise of` the difference.
` by <assay>` after a variable reads it by an assay of `models/assays/`, where a reading below the
limit of the assay counts as the limit, or ` by <assay> extrapolated` as what it would be. Each is
taken in every woman, and the prediction is the median over them; `share below <number> <unit> of
<endpoint>` is the percent of women. Variables are read finely for a day after the last dose and
more and more coarsely for ninety days.

How women differ, treated or not, is in `estradyn.scorecard.distributions`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from estradyn.engine import DoseSchedule, compile_model, solve
from estradyn.errors import InputError, UnitError
from estradyn.evidence.times import parse_time
from estradyn.model import PatientModel, load_patient_model, modules_giving
from estradyn.model.assays import Reading, load_assay
from estradyn.model.co_medication import with_co_medication
from estradyn.model.table_file import read_table
from estradyn.model.units import unit_ratio
from estradyn.population import Population, stream_population
from estradyn.scorecard.course import STATISTICS, Course, Courses, of_each
from estradyn.scorecard.distributions import (
    MOLAR_MASSES,
    UNTREATED,
    WOMEN,
    is_distribution,
    predict_distributions,
    variables_of,
)
from estradyn.scorecard.prediction import Change, Prediction, Progress, unchanged
from estradyn.scorecard.regimen_text import HOURS_PER_DAY, PEOPLE, Regimen, read_regimen
from estradyn.scorecard.targets import Target
from estradyn.trial import statistics
from estradyn.trial.study import Setting

__all__ = ["PEOPLE", "predict_levels"]

Array = NDArray[np.float64]

PATIENTS = 300
"""People of whom a median is taken: known to a twentieth where they differ by a factor of two."""
SEED = 20240611

JUST_BEFORE = 1e-6
"""Hours by which a level before a dose is read early: at its own time the dose has been given."""

MASS_UNITS = ("pg/mL", "ng/dL")

_COMPARED: Mapping[str, tuple[Callable[[Array, Array], Array], str]] = {
    "usual": (lambda changed, usual: usual, "{}"),
    "fold": (lambda changed, usual: changed / usual, "ratio"),
    "relative": (lambda changed, usual: 100.0 * changed / usual, "percent"),
    "loss of": (lambda changed, usual: 100.0 - 100.0 * changed / usual, "percent"),
    "excess of": (lambda changed, usual: 100.0 * usual / changed - 100.0, "percent"),
    "rise of": (lambda changed, usual: changed - usual, "{}"),
}
"""How two runs of the same women are compared, and its unit, where {} is that of the endpoint."""

_COMPARISON = re.compile(rf"(?P<how>{'|'.join(_COMPARED)}) (?P<endpoint>.+)")
_SHARE = re.compile(r"share below (?P<limit>\d+(?:\.\d+)?) (?P<unit>\S+) of (?P<endpoint>.+)")
_SINGLE = "single "
_RATIO = re.compile(r"(?P<molar>molar )?ratio of (?P<first>\w+) to (?P<second>\w+)")
_READ = re.compile(r"(?P<variable>\w+)(?: by (?P<assay>\w+)(?P<beyond> extrapolated)?)?")

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


def predict_levels(
    targets: Iterable[Target],
    *,
    workers: int,
    progress: Progress | None,
    patients: int | None,
    change: Change = unchanged,
) -> Mapping[str, Prediction]:
    """Predict what is asked of drugs given to women, by id of the target."""
    by_drug: dict[tuple[str, str], dict[str, list[Target]]] = {}
    of_women: dict[tuple[str, str], list[Target]] = {}
    for target in targets:
        if is_distribution(target):
            of_women.setdefault(_whom_and_what(target), []).append(target)
            continue
        regimen = read_regimen(target.id, target.scenario)
        of_drug = by_drug.setdefault((regimen.people, regimen.drug), {})
        of_drug.setdefault(target.scenario, []).append(target)
    found: dict[str, Prediction] = {}
    for (people, drug), scenarios in by_drug.items():
        asked_for = {
            name
            for asked in scenarios.values()
            for target in asked
            for name in _variables(target.id, target.endpoint)
        }
        drawn = _Patients(PEOPLE[people], (drug,), asked_for, patients or PATIENTS, workers, change)
        for done, (scenario, asked) in enumerate(scenarios.items(), start=1):
            given = _Given(drawn, read_regimen(asked[0].id, scenario))
            found.update({target.id: given.prediction(target) for target in asked})
            if progress is not None:
                progress(f"levels of {drug}", done, len(scenarios))
    for (people, drug), asked in of_women.items():
        names = {name for target in asked for name in variables_of(target)}
        drugs = (drug,) if drug else ()
        drawn = _Patients(PEOPLE[people], drugs, names, patients or WOMEN, workers, change)
        found.update(_distributions(drawn, people, asked, progress))
    return found


def _whom_and_what(target: Target) -> tuple[str, str]:
    """People and drug of a scenario; no drug where they are untreated."""
    people, _, what = target.scenario.partition(": ")
    if what == UNTREATED and people in PEOPLE:
        return people, ""
    regimen = read_regimen(target.id, target.scenario)
    return regimen.people, regimen.drug


def _distributions(
    drawn: _Patients, people: str, asked: list[Target], progress: Progress | None
) -> Mapping[str, Prediction]:
    simulated: dict[str, Mapping[str, Array]] = {}

    def levels_of(what: str) -> Mapping[str, Array]:
        if what not in simulated:
            simulated[what] = (
                drawn.before_treatment()
                if what == UNTREATED
                else {
                    name: of_each(lambda course: float(course.troughs[-1]), courses)
                    for name, courses in drawn.courses(
                        read_regimen(asked[0].id, f"{people}: {what}")
                    ).items()
                }
            )
        return simulated[what]

    def read(assay: str, variable: str, levels: Array) -> Array:
        return reading_of(drawn.model, assay, variable).of(levels)

    return predict_distributions(asked, levels_of, drawn.model.model.unit_of, read, progress)


def reading_of(model: PatientModel, assay: str, variable: str) -> Reading:
    """What an assay reads of a variable.

    Raises
    ------
    InputError
        If it does not measure it.
    ParameterError
        If there is no such assay.
    """
    readings = load_assay(assay, model.outputs).readings
    if variable not in readings:
        raise InputError(f"the assay '{assay}' does not measure '{variable}'")
    return readings[variable]


class _Patients:
    """People who take one drug or none, drawn once for all its regimens."""

    def __init__(
        self,
        population: str | None,
        drugs: tuple[str, ...],
        variables: set[str],
        patients: int,
        workers: int,
        change: Change,
    ):
        self._workers = workers
        # People without metastases: nothing of a tumor is read.
        self.model: PatientModel = change(
            load_patient_model(
                drugs=drugs,
                modules=modules_giving(variables, population=population),
                setting=str(Setting.ADJUVANT),
                population=population,
            )
        )
        self._variables = sorted(variables)
        for name in self._variables:
            if name not in self.model.model.unit_of:
                raise InputError(
                    f"a mapping asks for '{name}', which the model with "
                    f"{' and '.join(drugs) or 'no drug'} does not have"
                )
        self._compiled = compile_model(self.model.model, self._variables)
        (self._population,) = stream_population(
            self.model,
            patients,
            SEED,
            chunk_size=patients,
            trial_effects="typical",
            workers=workers,
        )

    def before_treatment(self) -> dict[str, Array]:
        """Levels before treatment, one value for each patient."""
        people = self._population
        start = solve(
            self._compiled,
            people.parameters,
            np.array([0.0]),
            initial_states=people.initial_states,
            workers=self._workers,
        )
        return {name: start[name][:, 0] for name in self._variables}

    def courses(self, regimen: Regimen) -> dict[str, Courses]:
        """Give the doses and return what each variable does in each patient."""
        people: Population = self._population
        (record,) = self.model.drugs.values()
        amounts = regimen.milligrams * unit_ratio("mg", record.dose_unit)
        taken = amounts * takes(len(people), regimen.takers)[:, None]
        last = regimen.hours[-1]
        before_doses = regimen.hours[1:] - JUST_BEFORE
        due = last + regimen.interval
        times = np.unique(np.concatenate([before_doses, last + AFTER_LAST_DOSE, [0.0, due]]))
        schedule = DoseSchedule.from_records(
            np.arange(len(people))[:, None], regimen.hours, record.dose_state, taken
        )
        parameters = with_co_medication(
            people.parameters,
            len(people),
            regimen.co_medication,
            self.model.co_medication,
            self.model.model,
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
        at_troughs = np.isin(times, [*before_doses, due])
        at_cycles = np.isin(times, regimen.cycles[1:] - JUST_BEFORE)
        # No variable that is asked for jumps with a dose, so time 0 is the drug-free value.
        return {
            name: [
                Course(
                    float(amounts[-1]),
                    regimen.interval,
                    one[0],
                    one[at_troughs],
                    times[after] - last,
                    one[after],
                    one[at_cycles],
                )
                if succeeded
                else None
                for one, succeeded in zip(solution[name], solution.succeeded, strict=True)
            ]
            for name in self._variables
        }


def takes(people: int, percent: float) -> NDArray[np.bool_]:
    """Who takes the doses: that percent of the people, whoever they are otherwise.

    Parameters
    ----------
    people
        Their number.
    percent
        Percent of them who take the doses.
    """
    order = np.random.default_rng(SEED).permutation(people)
    return order < round(people * percent / 100.0)


class _Given:
    """A regimen given to people, each variant of it simulated once when it is first asked for."""

    def __init__(self, patients: _Patients, regimen: Regimen):
        self._patients = patients
        self._model = patients.model
        self._regimen = regimen
        self._simulated: dict[tuple[bool, bool], Mapping[str, Courses]] = {}

    def _courses(self, *, single: bool, usual: bool) -> Mapping[str, Courses]:
        usual = usual or not self._regimen.co_medication
        if (single, usual) not in self._simulated:
            regimen = self._regimen.first_dose if single else self._regimen
            self._simulated[single, usual] = self._patients.courses(
                regimen.usual if usual else regimen
            )
        return self._simulated[single, usual]

    def prediction(self, target: Target) -> Prediction:
        """Read what is asked."""
        share = _SHARE.fullmatch(target.endpoint)
        if share:
            values, unit = self._values(target, share["endpoint"])
            below = self._factor(target, unit, share["unit"]) * values < float(share["limit"])
            estimate = statistics.proportion_percent(below[np.isfinite(values)])
        else:
            values, unit = self._values(target, target.endpoint)
            estimate = statistics.median(self._factor(target, unit, target.unit) * values)
        return Prediction(estimate.value, estimate.lower, estimate.upper, target.unit)

    def _values(self, target: Target, endpoint: str) -> tuple[Array, str]:
        """Number of each patient and its unit."""
        compared = _COMPARISON.fullmatch(endpoint)
        if compared is None:
            return self._statistic(target, endpoint, usual=False)
        changed, unit = self._statistic(target, compared["endpoint"], usual=False)
        usual, _ = self._statistic(target, compared["endpoint"], usual=True)
        compare, shape = _COMPARED[compared["how"]]
        return compare(changed, usual), shape.format(unit)

    def _statistic(self, target: Target, endpoint: str, *, usual: bool) -> tuple[Array, str]:
        courses = self._courses(single=endpoint.startswith(_SINGLE), usual=usual)
        endpoint = endpoint.removeprefix(_SINGLE)
        ratio = _RATIO.fullmatch(endpoint)
        if ratio:
            first, second = (
                of_each(lambda course: course.average, courses[ratio[place]])
                for place in ("first", "second")
            )
            scale = 1.0
            if ratio["molar"]:
                scale = self._molar_mass(ratio["second"]) / self._molar_mass(ratio["first"])
            return scale * first / second, "ratio"
        statistic, variable, assay, extrapolated = _parts(target.id, endpoint)
        own = courses[variable]
        if assay:
            reading = reading_of(self._model, assay, variable)
            own = [one and one.read_by(reading, extrapolated=extrapolated) for one in own]
        unit = self._model.model.unit_of[variable]
        if statistic == "level":
            hour = parse_time(target.time).end * HOURS_PER_DAY
            return of_each(lambda one: float(np.interp(hour, one.hours, one.values)), own), unit
        read, shape = STATISTICS[statistic]
        scale = 1.0
        if "{}" in shape and target.unit.startswith("nmol") and variable in _mass_parameters():
            scale, unit = 1e6 / self._molar_mass(variable), "nmol/L"
        if "{}" in shape and variable in MOLAR_MASSES and target.unit in MASS_UNITS:
            grams = f"{unit} * g/mol"
            scale, unit = (
                MOLAR_MASSES[variable] * unit_ratio(grams, target.unit),
                target.unit,
            )
        return scale * of_each(read, own), shape.format(unit)

    def _molar_mass(self, variable: str) -> float:
        """Molar mass of what a variable is the concentration of, g/mol."""
        name = _mass_parameters().get(variable)
        if name is None:
            raise InputError(f"molar_masses.tsv has no variable '{variable}'")
        return self._model.parameters.by_name[name].value

    @staticmethod
    def _factor(target: Target, unit: str, wanted: str) -> float:
        """Factor from the unit of a statistic to the one that is wanted."""
        if unit == wanted:
            return 1.0
        try:
            return unit_ratio(unit, wanted)
        except UnitError as error:
            raise InputError(f"evidence '{target.id}': {error}") from None


@lru_cache(maxsize=1)
def _mass_parameters() -> Mapping[str, str]:
    """Parameter that holds the molar mass, by variable in mg/L."""
    lines = read_table(Path(__file__).parent / "molar_masses.tsv", ("variable", "parameter"))
    return {line.text("variable"): line.text("parameter") for line in lines}


def _parts(name: str, endpoint: str) -> tuple[str, str, str, bool]:
    """Statistic, variable, assay (empty for none) and whether it is extrapolated."""
    statistic, _, variable = endpoint.rpartition(" of ")
    match = _READ.fullmatch(variable)
    if match is None or (statistic != "level" and statistic not in STATISTICS):
        raise InputError(
            f"evidence '{name}': found the endpoint '{endpoint}', allowed is one of "
            f"{', '.join(STATISTICS)}, level, followed by 'of', a variable and perhaps 'by' and an "
            "assay"
        )
    return statistic, match["variable"], match["assay"] or "", bool(match["beyond"])


def _variables(name: str, endpoint: str) -> tuple[str, ...]:
    for pattern in (_SHARE, _COMPARISON):
        match = pattern.fullmatch(endpoint)
        endpoint = match["endpoint"] if match else endpoint
    endpoint = endpoint.removeprefix(_SINGLE)
    ratio = _RATIO.fullmatch(endpoint)
    return (ratio["first"], ratio["second"]) if ratio else (_parts(name, endpoint)[1],)
