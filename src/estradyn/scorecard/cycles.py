"""Predictions about women whose ovary is at work: phases of the cycle, treatment, ovulation.

A scenario is `cycling women: <treatment>` or `oligo-ovulatory women: <treatment>`. A treatment is
`untreated`, or regimens joined by ` with `, each `<drug> <dose> mg` followed by ` once`,
`/day for <n> day` or ` every <n> day for <n> day`, and for all perhaps
`, <n> courses every <n> day` and ` from day <n>`, the day of the cycle of the first dose. Without
it every woman begins on a day of her own. Two treatments of the same women may be joined by
` against `.

Endpoints read a variable of the model in every woman; the prediction is the median over them, or
the percent of them:

- `mean of <variable> from day <n> to day <n>`, days of a cycle counted from its peak of LH;
- `level of <variable>`, `change of <variable>` (percent of that before the first dose) and
  `percent above <number> of <variable>` (in the unit of the model), at a time after the first dose;
- `ratio of <variable>` and `difference of <variable>` at a time, of two treatments;
- `hour of least <variable>` and `largest fall of <variable>` in the first day;
- `ovulation`, percent of women with progesterone above 3 ug/L within 45 days of the first dose of
  the only or last course, and `any ovulation`, in all courses; `difference of ovulation` and
  `difference of any ovulation`, in points, of two treatments.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from estradyn.engine import DoseSchedule, Solution, compile_model, solve
from estradyn.errors import InputError, UnitError
from estradyn.evidence.times import parse_time
from estradyn.model import PatientModel, load_patient_model, modules_giving
from estradyn.model.patient_model import with_fixed_values
from estradyn.model.units import unit_ratio
from estradyn.population import Population, stream_population
from estradyn.population.cycle import last_cycle
from estradyn.scorecard.prediction import Change, Prediction, Progress, unchanged
from estradyn.scorecard.targets import Target
from estradyn.trial import statistics
from estradyn.trial.statistics import Estimate
from estradyn.trial.study import Setting

Array = NDArray[np.float64]

PEOPLE: Mapping[str, str] = {
    "cycling women": "premenopausal_women",
    "oligo-ovulatory women": "oligo_ovulatory_women",
}
"""Record of the people that a scenario names."""

AGAINST = " against "
UNTREATED = "untreated"
PATIENTS = 60
SEED = 20240611

HOURS_PER_DAY = 24.0
STEP_HOURS = 6.0
STEP_HOURS_OF_FIRST_DAY = 0.5

OVULATION_PROGESTERONE = 3.0
"""ug/L; a level above shows that a woman has ovulated (as in PPCOS II, PMID 25006718)."""

OVULATION_DAYS = 45.0
"""Days from a first dose in which ovulation is put down to it."""

CYCLE_DAYS = 84.0
"""Days in which a cycle is looked for."""

MOLAR_MASSES: Mapping[str, float] = {
    "estradiol_concentration": 272.38,
    "estrone_concentration": 270.37,
    "estrone_sulfate_concentration": 350.43,
}
"""g/mol, of estrogens that are published in mass."""

_TREATMENT = re.compile(
    r"(?P<regimens>.+?)(?:, (?P<courses>\d+) courses every (?P<gap>\d+) day)?"
    r"(?: from day (?P<entry>\d+))?"
)
_REGIMEN = re.compile(
    r"(?P<drug>[a-z]+) (?P<dose>\d+(?:\.\d+)?) "
    r"mg(?: once|(?:/day| every (?P<every>\d+) day) for (?P<days>\d+) day)"
)
_PHASE = re.compile(r"mean of (?P<variable>\w+) from day (?P<first>-?\d+) to day (?P<last>-?\d+)")
_AT_A_TIME = re.compile(r"(?P<what>level|change|ratio|difference) of (?P<variable>\w+)")
_ABOVE = re.compile(r"percent above (?P<limit>\d+(?:\.\d+)?) of (?P<variable>\w+)")
_FIRST_DAY = re.compile(r"(?P<what>hour of least|largest fall of) (?P<variable>\w+)")
_OVULATION = re.compile(r"(?P<difference>difference of )?(?P<any>any )?ovulation")

_PROGESTERONE = "progesterone_concentration"
_LH = "lh_concentration"


@dataclass(frozen=True)
class Treatment:
    """What women are given.

    Attributes
    ----------
    doses
        Drug, dose in mg, days between doses and number of doses, of each regimen.
    courses
        How often all is repeated.
    gap
        Days from course to course.
    entry_day
        Day of the cycle of the first dose; None where each woman begins on her own.
    """

    doses: tuple[tuple[str, float, float, int], ...]
    courses: int = 1
    gap: float = 0.0
    entry_day: float | None = None

    @property
    def drugs(self) -> tuple[str, ...]:
        """Names of the drugs given."""
        return tuple(dict.fromkeys(drug for drug, *_ in self.doses))

    @property
    def last_course(self) -> float:
        """Day of the first dose of the last course."""
        return (self.courses - 1) * self.gap

    def schedule(self, model: PatientModel, women: int) -> DoseSchedule:
        """Doses of as many women."""
        parts = []
        for drug, dose, interval, count in self.doses:
            record = model.drugs[drug]
            amount = dose * unit_ratio("mg", record.dose_unit)
            for course in range(self.courses):
                parts.append(
                    DoseSchedule.repeated(
                        women,
                        record.dose_state,
                        amount,
                        start=course * self.gap * HOURS_PER_DAY,
                        interval=interval * HOURS_PER_DAY,
                        count=count,
                    )
                )
        return DoseSchedule.together(parts)


def read_treatment(text: str) -> Treatment:
    """Read a treatment; see the module.

    Raises
    ------
    InputError
        If it is none.
    """
    whole = _TREATMENT.fullmatch(text)
    assert whole is not None
    doses = []
    if whole["regimens"] != UNTREATED:
        for part in whole["regimens"].split(" with "):
            match = _REGIMEN.fullmatch(part)
            if match is None:
                raise InputError(
                    f"found the regimen '{part}', allowed is '<drug> <dose> mg' followed by "
                    "' once', '/day for <n> day' or ' every <n> day for <n> day'"
                )
            interval = float(match["every"] or 1)
            count = max(1, round(float(match["days"] or 1) / interval))
            doses.append((match["drug"], float(match["dose"]), interval, count))
    return Treatment(
        tuple(doses),
        int(whole["courses"] or 1),
        float(whole["gap"] or 0),
        float(whole["entry"]) if whole["entry"] else None,
    )


def predict_cycles(
    targets: Iterable[Target],
    *,
    workers: int,
    progress: Progress | None,
    patients: int | None,
    change: Change = unchanged,
) -> Mapping[str, Prediction]:
    """Predict what is asked of women whose ovary is at work, by id of the target."""
    by_scenario: dict[str, list[Target]] = {}
    for target in targets:
        by_scenario.setdefault(target.scenario, []).append(target)
    found: dict[str, Prediction] = {}
    for done, (scenario, asked) in enumerate(by_scenario.items(), start=1):
        people, _, text = scenario.partition(": ")
        arms = [
            _Women(
                PEOPLE[people], read_treatment(part), asked, patients or PATIENTS, workers, change
            )
            for part in text.split(AGAINST)
        ]
        found.update({target.id: _predict(target, arms) for target in asked})
        if progress is not None:
            progress("women with a cycle", done, len(by_scenario))
    return found


class _Women:
    """Women on one treatment."""

    def __init__(
        self,
        people: str,
        treatment: Treatment,
        targets: list[Target],
        patients: int,
        workers: int,
        change: Change,
    ):
        self.treatment = treatment
        self._workers = workers
        names = {_LH, _PROGESTERONE} | {_variable(target) for target in targets}
        times = [parse_time(target.time).end for target in targets if target.time]
        self._days = max([CYCLE_DAYS, treatment.last_course + OVULATION_DAYS, *times])
        # Women without metastases: nothing of a tumor is read.
        model = change(
            load_patient_model(
                drugs=treatment.drugs,
                modules=modules_giving(names, population=people),
                setting=str(Setting.ADJUVANT),
                population=people,
            )
        )
        for name in names:
            if name not in model.model.unit_of:
                raise InputError(f"a mapping asks for '{name}', which the model does not have")
        if treatment.entry_day is not None and model.cycle is not None:
            model = with_fixed_values(model, {model.cycle.entry_day: treatment.entry_day})
        self.model = model
        self._variables = sorted(names)
        (self._population,) = stream_population(
            model,
            patients,
            SEED,
            chunk_size=patients,
            trial_effects="typical",
            workers=workers,
        )

    @cached_property
    def hours(self) -> Array:
        """Hours after the first dose at which variables are read."""
        first = np.arange(0.0, HOURS_PER_DAY, STEP_HOURS_OF_FIRST_DAY)
        later = np.arange(HOURS_PER_DAY, self._days * HOURS_PER_DAY + 1e-9, STEP_HOURS)
        return np.concatenate([first, later])

    @cached_property
    def _solution(self) -> Solution:
        people: Population = self._population
        doses = self.treatment.schedule(self.model, len(people)) if self.treatment.doses else None
        return solve(
            compile_model(self.model.model, self._variables),
            people.parameters,
            self.hours,
            *(() if doses is None else (doses,)),
            initial_states=people.initial_states,
            workers=self._workers,
        )

    def course(self, variable: str) -> Array:
        """Values of a variable, shape (women, hours); NaN for one who failed."""
        return self._solution[variable]

    def at(self, variable: str, day: float) -> Array:
        """Values of a variable on a day after the first dose, one for each woman."""
        place = int(np.argmin(np.abs(self.hours - day * HOURS_PER_DAY)))
        return self.course(variable)[:, place]

    def in_phase(self, variable: str, first: float, last: float) -> Array:
        """Mean of a variable over days from the peak of LH, one for each woman."""
        even = self.hours % STEP_HOURS == 0.0
        days = self.hours[even] / HOURS_PER_DAY
        least_peak = self.model.cycle.least_peak if self.model.cycle is not None else 0.0
        found = []
        for values, lh in zip(
            self.course(variable)[:, even], self.course(_LH)[:, even], strict=True
        ):
            peaks = last_cycle(lh, least_peak)
            if peaks is None:
                found.append(np.nan)
                continue
            # Days before a peak are those of the cycle that it ends, days after it follow it.
            peak = days[peaks[1] if first < 0 else peaks[0]]
            found.append(values[(days >= peak + first) & (days <= peak + last)].mean())
        return np.array(found)

    def ovulated(self, first: float, last: float) -> NDArray[np.bool_]:
        """Whether each woman ovulated between two days after the first dose."""
        days = self.hours / HOURS_PER_DAY
        within = (days >= first) & (days <= last)
        progesterone = self.course(_PROGESTERONE)[:, within]
        # What is left of an earlier ovulation falls; a new one raises it past the limit.
        above = progesterone > OVULATION_PROGESTERONE
        return np.asarray((above[:, 1:] & ~above[:, :-1]).any(axis=1))


def _predict(target: Target, arms: list[_Women]) -> Prediction:
    women, endpoint = arms[0], target.endpoint
    match = _OVULATION.fullmatch(endpoint)
    if match:
        start = 0.0 if match["any"] else women.treatment.last_course
        rates = [
            statistics.proportion_percent(
                arm.ovulated(start, arm.treatment.last_course + OVULATION_DAYS)
            )
            for arm in arms
        ]
        if not match["difference"]:
            return _prediction(rates[0], "percent", target)
        return Prediction(rates[0].value - rates[1].value, unit=target.unit)
    match = _PHASE.fullmatch(endpoint)
    if match:
        values = women.in_phase(match["variable"], float(match["first"]), float(match["last"]))
        unit = women.model.model.unit_of[match["variable"]]
        return _middle(values, unit, match["variable"], target)
    match = _FIRST_DAY.fullmatch(endpoint)
    if match:
        first = women.hours <= HOURS_PER_DAY
        course = women.course(match["variable"])[:, first]
        if match["what"] == "hour of least":
            values = women.hours[first][np.argmin(course, axis=1)]
            return _middle(values, "hour", match["variable"], target)
        values = 100.0 * (1.0 - course.min(axis=1) / course[:, 0])
        return _middle(values, "percent", match["variable"], target)
    day = parse_time(target.time).end
    match = _ABOVE.fullmatch(endpoint)
    if match:
        above = women.at(match["variable"], day) > float(match["limit"])
        return _prediction(statistics.proportion_percent(above), "percent", target)
    match = _AT_A_TIME.fullmatch(endpoint)
    if match is None:
        raise InputError(
            f"evidence '{target.id}': women with a cycle have no endpoint '{endpoint}'"
        )
    variable = match["variable"]
    values, unit = women.at(variable, day), women.model.model.unit_of[variable]
    if match["what"] == "change":
        values, unit = 100.0 * (values / women.at(variable, 0.0) - 1.0), "percent"
    elif match["what"] == "ratio":
        values, unit = values / arms[1].at(variable, day), "ratio"
    elif match["what"] == "difference":
        values = values - arms[1].at(variable, day)
    return _middle(values, unit, variable, target)


def _middle(values: Array, unit: str, variable: str, target: Target) -> Prediction:
    """Median over women, in the unit of the target."""
    return _prediction(statistics.median(_factor(unit, variable, target) * values), unit, target)


def _prediction(estimate: Estimate, unit: str, target: Target) -> Prediction:
    return Prediction(estimate.value, estimate.lower, estimate.upper, target.unit or unit)


def _factor(unit: str, variable: str, target: Target) -> float:
    """Factor from a unit to that of the target, 1 for a direction in words."""
    if not target.unit or unit == target.unit:
        return 1.0
    if target.unit == "pg/mL" and variable in MOLAR_MASSES:
        return MOLAR_MASSES[variable] / 1000.0 * unit_ratio(unit, "pmol/L")
    try:
        return unit_ratio(unit, target.unit)
    except UnitError as error:
        raise InputError(f"evidence '{target.id}': {error}") from None


def _variable(target: Target) -> str:
    if _OVULATION.fullmatch(target.endpoint):
        return _PROGESTERONE
    for shape in (_PHASE, _FIRST_DAY, _ABOVE, _AT_A_TIME):
        match = shape.fullmatch(target.endpoint)
        if match:
            return match["variable"]
    return _PROGESTERONE
