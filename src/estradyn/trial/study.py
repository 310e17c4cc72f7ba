"""The study file: what is given to whom, what is measured when, and how it is judged."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import pint
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from estradyn.errors import StudyError
from estradyn.model.assays import assay_names
from estradyn.model.context import PATIENT
from estradyn.model.people import POSTMENOPAUSAL_WOMEN
from estradyn.trial.co_medication import known_co_medication
from estradyn.trial.dose_days import first_overlap
from estradyn.trial.drugs import Drugs, known_drugs, largest_dose, other_name_of
from estradyn.trial.measurements import EXAMINATIONS, MEASURED_OUTPUTS, Measurement
from estradyn.trial.people import known_people, reported_outputs
from estradyn.trial.quantities import (
    Days,
    IntervalDays,
    Milligrams,
    Millimetres,
    MillimolesPerLitre,
    Percent,
    PositiveDays,
    convert_unit,
    describe,
    fault,
)
from estradyn.trial.study_faults import first_fault, nearest
from estradyn.trial.study_text import FieldPath, StudyText, read_study_text

LARGEST_ARM = 1_000_000
"""Patients in one arm; also the spacing of patient numbers between arms."""

PATIENT_MODELS = (PATIENT,)
"""Models that describe a whole patient."""

MOST_APPOINTMENTS = 2_000
MOST_DOSES = 100_000

_Text = Annotated[str, Field(min_length=1, max_length=2_000, strict=True)]
_Count = Annotated[int, Field(strict=True)]


class OffStudyRule(StrEnum):
    """When a patient leaves the study; `estradyn.trial.rules` defines each."""

    FIRST_PROGRESSION = "first_progression"
    CONFIRMED_PROGRESSION = "confirmed_progression"
    TREAT_THROUGH_FLARE = "treat_through_flare"
    WORSENING_SIGNS = "worsening_signs"


class Setting(StrEnum):
    """What kind of disease is treated, and so what a trial looks for."""

    METASTATIC = "metastatic"
    NEOADJUVANT = "neoadjuvant"
    ADJUVANT = "adjuvant"
    PREVENTION = "prevention"


class TrialEffects(StrEnum):
    """How values that differ between trials are set."""

    TYPICAL = "typical"
    DRAWN = "drawn"


class BelowQuantification(StrEnum):
    """What a laboratory reports of a value below the quantification limit of its assay."""

    CENSORED = "censored"
    REPORTED = "reported"


class Storage(StrEnum):
    """What a run leaves behind."""

    ALL = "all"
    ENDPOINTS = "endpoints"


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        populate_by_name=False,
        allow_inf_nan=False,
        use_enum_values=False,
    )


def _co_medication_is_known(co_medication: dict[str, str]) -> dict[str, str]:
    known = known_co_medication()
    for enzyme, state in co_medication.items():
        if enzyme not in known:
            allowed = ", ".join(sorted(known))
            raise fault(
                f"the unknown name {describe(enzyme)}{nearest(enzyme, known)}", allowed, (enzyme,)
            )
        if state not in known[enzyme]:
            allowed = ", ".join(known[enzyme])
            raise fault(f"{describe(state)}{nearest(state, known[enzyme])}", allowed, (enzyme,))
    return co_medication


_CoMedication = Annotated[dict[_Text, _Text], AfterValidator(_co_medication_is_known)]
_CO_MEDICATION = "a mapping of enzymes to what is done to them, as in 'cyp3a4: inducer'"


class PopulationPlan(_Section):
    """Who is treated.

    Attributes
    ----------
    people
        Kind of people whose physiology the patients have.
    adherence
        Percent of the doses taken at home that the middle patient takes.
    adherence_spread
        Standard deviation of adherence between patients, on the logit scale.
    co_medication
        State of enzymes that other medication of every patient changes.
    """

    model: _Text = Field(description="the name of a patient model, as in patient")
    people: _Text = Field(
        default=POSTMENOPAUSAL_WOMEN, description="the name of a kind of people with a record"
    )
    setting: _Text = Field(description="text that says who the patients are")

    @field_validator("people")
    @classmethod
    def _people_are_known(cls, people: str) -> str:
        known = known_people()
        if people not in known:
            raise fault(f"{describe(people)}{nearest(people, known)}", ", ".join(known))
        return people

    @field_validator("model")
    @classmethod
    def _model_is_known(cls, model: str) -> str:
        if model not in PATIENT_MODELS:
            raise fault(
                f"{describe(model)}{nearest(model, PATIENT_MODELS)}", ", ".join(PATIENT_MODELS)
            )
        return model

    same_patients_in_every_arm: bool = Field(
        default=False, strict=True, description="true or false"
    )
    trial_effects: TrialEffects = Field(
        default=TrialEffects.TYPICAL, description="typical or drawn"
    )
    adherence: Percent = Field(default=100.0, description="a proportion such as '85 percent'")
    adherence_spread: Annotated[float, Field(ge=0.0, le=5.0, strict=True)] = Field(
        default=0.0, description="a number from 0 to 5, such as 1.0"
    )
    co_medication: _CoMedication = Field(default_factory=dict, description=_CO_MEDICATION)

    @model_validator(mode="after")
    def _adherence_can_vary(self) -> PopulationPlan:
        if self.adherence_spread > 0.0 and not 0.0 < self.adherence < 100.0:
            raise fault(
                f"{self.adherence_spread:g} with an adherence of {self.adherence:g} percent",
                "0 unless adherence lies between 0 and 100 percent",
                ("adherence_spread",),
            )
        return self


class Regimen(_Section):
    """One drug given by one pattern of doses of one size.

    Attributes
    ----------
    dose
        Amount of each dose, mg.
    interval
        Time between doses, days; or `at`.
    at
        Days of the doses counted from `start`, in place of `interval`.
    start, stop
        First day, from which `at` counts, and the time from which no more is given, days; `stop`
        None means the end of the study.
    cycle
        Time after which the pattern begins again, days.
    course
        Time in each cycle during which doses are given every `interval`, days.
    missed_doses
        Percent of doses that are missed, each independently of the others.
    """

    drug: _Text = Field(description="the name of a drug with a record")
    dose: Milligrams = Field(description="a mass such as '60 mg'")
    interval: PositiveDays | None = Field(default=None, description="a time such as '1 day'")
    at: tuple[Days, ...] | None = Field(
        default=None, min_length=1, max_length=MOST_APPOINTMENTS, description="a list of times"
    )
    start: Days = Field(default=0.0, description="a time such as '0 day'")
    stop: PositiveDays | None = Field(default=None, description="a time such as '52 week'")
    cycle: PositiveDays | None = Field(default=None, description="a time such as '28 day'")
    course: PositiveDays | None = Field(default=None, description="a time such as '5 day'")
    missed_doses: Percent = Field(default=0.0, description="a proportion such as '5 percent'")

    @property
    def daily_dose(self) -> float | None:
        """Dose per day, mg; None where the pattern is not one dose after even intervals."""
        if self.interval is None or self.cycle is not None:
            return None
        return self.dose / self.interval

    @field_validator("drug")
    @classmethod
    def _drug_is_known(cls, drug: str, info: ValidationInfo) -> str:
        drugs = _drugs(info)
        if drug not in drugs:
            hint = other_name_of(drug, drugs) or nearest(drug, drugs)
            raise fault(f"{describe(drug)}{hint}", ", ".join(sorted(drugs)))
        return drug

    @field_validator("interval")
    @classmethod
    def _interval_is_practical(cls, interval: float | None) -> float | None:
        if interval is not None and interval < 1.0 / 24.0:
            raise fault(f"{interval * 24:g} hour", "an interval of at least 1 hour")
        return interval

    @field_validator("at")
    @classmethod
    def _days_increase(cls, at: tuple[float, ...] | None) -> tuple[float, ...] | None:
        return _increasing(at)

    @model_validator(mode="after")
    def _one_pattern(self) -> Regimen:
        if (self.interval is None) == (self.at is None):
            found = "neither 'interval' nor 'at'" if self.at is None else "'interval' and 'at'"
            raise fault(found, "one of the two")
        if self.at is not None and self.course is not None:
            raise fault("'course' beside 'at'", "'course' with 'interval' alone", ("course",))
        if self.at is None and (self.cycle is None) != (self.course is None):
            found = "'course' without 'cycle'" if self.cycle is None else "'cycle' without 'course'"
            raise fault(found, "both, or 'cycle' with 'at'")
        if self.cycle is None:
            return self
        if self.course is not None and self.course > self.cycle:
            raise fault(
                f"{self.course:g} day", f"at most the cycle of {self.cycle:g} day", ("course",)
            )
        if self.at is not None and self.at[-1] >= self.cycle:
            place = len(self.at) - 1
            raise fault(
                f"{self.at[-1]:g} day", f"less than the cycle of {self.cycle:g} day", ("at", place)
            )
        return self

    @model_validator(mode="after")
    def _fits_the_record(self, info: ValidationInfo) -> Regimen:
        if self.stop is not None and self.stop <= self.start:
            raise fault(
                f"a stop at {self.stop:g} day",
                f"a time after the start at {self.start:g} day",
                ("stop",),
            )
        record = _drugs(info)[self.drug]
        try:
            dose = convert_unit(self.dose, "mg", record.dose_unit)
        except pint.PintError:
            raise fault(
                f"{self.dose:g} mg with unit 'mg'",
                f"a dose in or like '{record.dose_unit}'",
                ("dose",),
            ) from None
        largest = largest_dose(record)
        if largest is not None and dose > largest:
            raise fault(
                f"{self.dose:g} mg",
                f"at most {largest:g} {record.dose_unit}, the largest dose of "
                f"{self.drug} that was studied",
                ("dose",),
            )
        return self


class Arm(_Section):
    """A group of patients treated alike; an arm without regimens is untreated."""

    name: Annotated[_Text, Field(max_length=80)] = Field(description="a short name of the arm")
    regimens: tuple[Regimen, ...] = Field(
        max_length=20, description="a list of regimens, each with drug, dose and interval"
    )
    co_medication: _CoMedication = Field(default_factory=dict, description=_CO_MEDICATION)


class Visits(_Section):
    """A series of visits and what is measured at each.

    Attributes
    ----------
    at
        Planned days, in place of `every`.
    every, start, until
        Regular visits from `start` to `until`, days; `until` None means the end of the study.
    window
        A visit takes place up to this many days before or after its planned day.
    measure
        Coefficient of variation of the measurement error by measurement, percent.
    below_quantification
        Whether values below the limit of their assay are censored, or reported as by an assay
        without limit.
    assay
        Assay that hormones are read by, one of `estradyn.model.assays.assay_names`; None reads what
        the model holds, as mass spectrometry does.
    """

    name: _Text = Field(description="a short name of the visits")
    at: tuple[Days, ...] | None = Field(
        default=None, min_length=1, max_length=MOST_APPOINTMENTS, description="a list of times"
    )
    every: IntervalDays | None = Field(default=None, description="a time such as '1 week'")
    start: Days = Field(default=0.0, description="a time such as '0 week'")
    until: Days | None = Field(default=None, description="a time such as '8 week'")
    window: Days = Field(default=0.0, description="a time such as '1 day'")
    measure: dict[Measurement, Percent] = Field(
        min_length=1,
        description="measurements with their error, as in 'calcium: 2 percent'; known are "
        + ", ".join(Measurement),
    )
    below_quantification: BelowQuantification = Field(
        default=BelowQuantification.CENSORED, description="censored or reported"
    )
    assay: str | None = Field(default=None, description="name of an assay for hormones")

    @field_validator("assay")
    @classmethod
    def _assay_is_known(cls, assay: str | None) -> str | None:
        if assay is not None and assay not in assay_names():
            raise fault(f"the assay '{assay}'", f"one of {', '.join(assay_names())}")
        return assay

    @model_validator(mode="after")
    def _one_kind_of_schedule(self) -> Visits:
        if (self.at is None) == (self.every is None):
            found = "neither 'at' nor 'every'" if self.at is None else "both 'at' and 'every'"
            raise fault(found, "one of the two")
        return self

    @field_validator("at")
    @classmethod
    def _times_increase(cls, at: tuple[float, ...] | None) -> tuple[float, ...] | None:
        return _increasing(at)


class Scans(_Section):
    """Tumor imaging.

    Attributes
    ----------
    every
        Time between scans, days; the first is on day 0.
    window
        A scan takes place up to this many days before or after its planned day.
    diameter_error
        Coefficient of variation of one measured diameter, percent.
    target_lesions
        Largest number of lesions measured per patient.
    """

    every: IntervalDays = Field(description="a time such as '8 week'")
    window: Days = Field(default=0.0, description="a time such as '1 week'")
    diameter_error: Percent = Field(description="a proportion such as '6 percent'")
    target_lesions: Annotated[_Count, Field(ge=1, le=5)] = Field(
        default=3, description="a whole number from 1 to 5 (RECIST 1.1)"
    )


class Criteria(_Section):
    """Thresholds of RECIST 1.1, doi 10.1016/j.ejca.2008.10.026, unless the study says otherwise.

    Attributes
    ----------
    partial_response
        Fall of the sum of diameters below baseline, percent.
    progression
        Rise of the sum above its nadir, percent.
    progression_absolute
        Least rise above the nadir, mm.
    non_target_volume_progression
        Rise of non-target (bone) disease volume above its nadir that is unequivocal progression,
        percent.
    confirm_response
        Whether a response counts only when seen again.
    confirmation_interval
        Least time to the scan that confirms a response or a progression, days.
    smallest_stable_disease
        Least time from baseline to a scan that shows stable disease, days.
    clinical_benefit
        Time without progression that counts as clinical benefit, days.
    smallest_measurable
        Least diameter of a target lesion at baseline, mm.
    smallest_measured
        A lesion still seen but smaller is recorded as this, mm.
    smallest_visible
        A lesion smaller than this is recorded as gone, mm.
    bidimensional
        Whether a primary tumor responds by WHO (the product of two diameters falls by half; Miller
        et al. 1981, Cancer 47:207-214) and not by its longest diameter. Neoadjuvant trials only.
    """

    partial_response: Percent = Field(default=30.0, description="a proportion such as '30 percent'")
    progression: Percent = Field(default=20.0, description="a proportion such as '20 percent'")
    progression_absolute: Millimetres = Field(default=5.0, description="a length such as '5 mm'")
    non_target_volume_progression: Percent = Field(
        default=73.0, description="a proportion such as '73 percent'"
    )
    confirm_response: bool = Field(default=True, strict=True, description="true or false")
    confirmation_interval: Days = Field(default=28.0, description="a time such as '4 week'")
    smallest_stable_disease: Days = Field(default=42.0, description="a time such as '6 week'")
    clinical_benefit: PositiveDays = Field(default=168.0, description="a time such as '24 week'")
    smallest_measurable: Millimetres = Field(default=10.0, description="a length such as '10 mm'")
    smallest_measured: Millimetres = Field(default=5.0, description="a length such as '5 mm'")
    smallest_visible: Millimetres = Field(default=2.0, description="a length such as '2 mm'")
    bidimensional: bool = Field(default=False, strict=True, description="true or false")


class FollowUp(_Section):
    """How disease that can't be seen yet is followed, in adjuvant and prevention trials.

    Attributes
    ----------
    detection_diameter
        A lesion is found by the first scan on which its measured diameter is at least this, mm.
    periods
        Ends of the periods for which rates are given, days; the first begins on day 0.
    """

    detection_diameter: Annotated[
        Millimetres, Field(gt=0.0, description="a length such as '10 mm'")
    ] = 10.0
    periods: tuple[PositiveDays, ...] = Field(
        default=(5 * 365.25, 10 * 365.25),
        min_length=1,
        max_length=20,
        description="a list of times that increase, such as [5 year, 10 year]",
    )

    @field_validator("periods")
    @classmethod
    def _periods_increase(cls, periods: tuple[float, ...]) -> tuple[float, ...]:
        if any(later <= earlier for earlier, later in itertools.pairwise(periods)):
            raise fault("times out of order or twice", "times that increase")
        return periods


class FlareDefinition(_Section):
    """What counts as a symptomatic flare.

    Attributes
    ----------
    onset_window
        The signal must pass the patient's threshold by then, days.
    resolution_window
        It must have fallen below again by then, on treatment, days.
    """

    onset_window: PositiveDays = Field(default=42.0, description="a time such as '6 week'")
    resolution_window: PositiveDays = Field(default=84.0, description="a time such as '12 week'")


class HypercalcemiaDefinition(_Section):
    """What counts as hypercalcemia of flare.

    Attributes
    ----------
    threshold
        Plasma calcium above this, mmol/L.
    onset_window
        It must begin by then, days; later hypercalcemia is a sign of progression.
    """

    threshold: MillimolesPerLitre = Field(default=2.75, description="such as '2.75 mmol/L'")
    onset_window: PositiveDays = Field(default=42.0, description="a time such as '6 week'")


class HypercalcemiaManagement(_Section):
    """What is done when a visit measures too much calcium; see `estradyn.trial.management`.

    Attributes
    ----------
    treat_above
        Measured calcium from which hypercalcemia is treated, once, mmol/L.
    give
        Regimens of that treatment; their days count from the visit.
    stop_above
        Measured calcium from which the drugs of the arm are ended for good, mmol/L; None never.
    """

    treat_above: MillimolesPerLitre = Field(default=2.75, description="such as '2.75 mmol/L'")
    give: tuple[Regimen, ...] = Field(
        min_length=1, max_length=20, description="a list of regimens, each with drug, dose and at"
    )
    stop_above: MillimolesPerLitre | None = Field(default=None, description="such as '3.4 mmol/L'")

    @model_validator(mode="after")
    def _stop_is_not_below(self) -> HypercalcemiaManagement:
        if self.stop_above is not None and self.stop_above < self.treat_above:
            raise fault(
                f"{self.stop_above:g} mmol/L",
                f"at least the {self.treat_above:g} mmol/L of treat_above",
                ("stop_above",),
            )
        return self


class Management(_Section):
    """What is done about a flare while the trial runs; nothing that is not stated."""

    hypercalcemia: HypercalcemiaManagement | None = Field(
        default=None, description="a mapping with give, treat_above and stop_above"
    )


class OffStudy(_Section):
    """When a patient leaves the study.

    Attributes
    ----------
    rule
        Rule the study follows; the others are computed beside it.
    flare_window
        Time during which `treat_through_flare` acts on no progression, days.
    """

    rule: OffStudyRule = Field(
        default=OffStudyRule.FIRST_PROGRESSION, description="one of " + ", ".join(OffStudyRule)
    )
    flare_window: PositiveDays = Field(default=84.0, description="a time such as '12 week'")


class Study(_Section):
    """A study ready to run; times are in days, doses in mg, proportions in percent.

    Build one with `load_study` or `study_from_content`, which turn every fault into one sentence.
    """

    title: _Text = Field(description="text")
    question: _Text = Field(description="text")
    setting: Setting = Field(default=Setting.METASTATIC, description="one of " + ", ".join(Setting))
    population: PopulationPlan = Field(description="a mapping with model and setting")
    arms: tuple[Arm, ...] = Field(min_length=1, max_length=20, description="a list of 1 to 20 arms")
    duration: PositiveDays = Field(description="a time such as '2 year'")
    patients_per_arm: Annotated[_Count, Field(ge=1, le=LARGEST_ARM)] = Field(
        description=f"a whole number from 1 to {LARGEST_ARM}"
    )
    seed: Annotated[_Count, Field(ge=0, le=2**63 - 1)] = Field(
        description="a whole number from 0 to 9223372036854775807"
    )
    visits: tuple[Visits, ...] = Field(default=(), max_length=50, description="a list of visits")
    scans: Scans | None = Field(default=None, description="a mapping with every and diameter_error")
    criteria: Criteria = Field(default=Criteria(), description="a mapping of RECIST thresholds")
    flare: FlareDefinition = Field(
        default=FlareDefinition(), description="a mapping with onset_window, resolution_window"
    )
    hypercalcemia: HypercalcemiaDefinition = Field(
        default=HypercalcemiaDefinition(), description="a mapping with threshold, onset_window"
    )
    management: Management = Field(default=Management(), description="a mapping with hypercalcemia")
    off_study: OffStudy = Field(
        default=OffStudy(), description="a mapping with rule and flare_window"
    )
    follow_up: FollowUp = Field(
        default=FollowUp(), description="a mapping with detection_diameter and periods"
    )
    store: Storage = Field(default=Storage.ALL, description="all or endpoints")

    @field_validator("arms")
    @classmethod
    def _arm_names_differ(cls, arms: tuple[Arm, ...]) -> tuple[Arm, ...]:
        seen: set[str] = set()
        for place, arm in enumerate(arms):
            if arm.name in seen:
                raise fault(
                    f"the name {describe(arm.name)} twice", "each name once", (place, "name")
                )
            seen.add(arm.name)
        return arms

    @model_validator(mode="after")
    def _times_fit(self) -> Study:
        limit = f"at most the duration of the study, {self.duration:g} day"
        self._check_scans(limit)
        self._check_sections()
        self._check_people()
        for place, arm in enumerate(self.arms):
            for number, regimen in enumerate(arm.regimens):
                at: FieldPath = ("arms", place, "regimens", number)
                if regimen.start >= self.duration:
                    raise fault(
                        f"{regimen.start:g} day",
                        f"a time before the end of the study at {self.duration:g} day",
                        (*at, "start"),
                    )
                if _most_doses(regimen, self.duration) > MOST_DOSES:
                    raise fault(f"more than {MOST_DOSES} doses", f"at most {MOST_DOSES} doses", at)
            self._check_overlap(arm.regimens, ("arms", place, "regimens"))
        for place, visits in enumerate(self.visits):
            self._check_visits(visits, ("visits", place), limit)
        self._check_management()
        return self

    @property
    def planned_scans(self) -> Scans:
        """Tumor imaging of a trial that has some, as every trial but a neoadjuvant one must."""
        assert self.scans is not None
        return self.scans

    def _check_sections(self) -> None:
        """Refuse what has no meaning in the setting; a default changes nothing."""
        for section, settings in _SECTIONS_OF_SETTINGS.items():
            stated = getattr(self, section)
            if stated != type(stated)() and self.setting not in settings:
                allowed = " or ".join(f"'{setting}'" for setting in settings)
                raise fault(
                    f"{section} in the setting '{self.setting}'",
                    f"it in the setting {allowed} only",
                    (section,),
                )

    def _check_people(self) -> None:
        people = self.population.people
        settings = known_people()[people].settings
        if settings is not None and self.setting not in settings:
            raise fault(
                f"'{people}' in the setting '{self.setting}', which their record does not describe",
                f"them in the setting {' or '.join(settings)}",
                ("population", "people"),
            )

    def _check_management(self) -> None:
        if self.management.hypercalcemia is None:
            return
        at: FieldPath = ("management", "hypercalcemia")
        self._check_overlap(self.management.hypercalcemia.give, (*at, "give"))
        if self.setting is not Setting.METASTATIC:
            raise fault(
                f"treatment of hypercalcemia in the setting '{self.setting}'",
                "it in the setting 'metastatic' only",
                at,
            )
        if not any(Measurement.CALCIUM in visits.measure for visits in self.visits):
            raise fault(
                "treatment of hypercalcemia that no visit looks for",
                "it beside visits that measure calcium",
                at,
            )

    def _check_overlap(self, regimens: tuple[Regimen, ...], at: FieldPath) -> None:
        overlap = first_overlap(regimens, self.duration)
        if overlap is None:
            return
        first, second, day = overlap
        drug = regimens[second].drug
        raise fault(
            f"{drug} on day {day:g}, when regimen {first + 1} gives {drug} too",
            "regimens of one drug one after the other, say by a 'stop', or at different times",
            (*at, second),
        )

    def _check_scans(self, limit: str) -> None:
        if self.scans is None:
            if self.setting is not Setting.NEOADJUVANT:
                raise fault("nothing", "a mapping with every and diameter_error", ("scans",))
            if not self.visits:
                raise fault(
                    "nothing that is measured",
                    f"visits that measure {', '.join(EXAMINATIONS)} or ki67, say",
                    ("visits",),
                )
            return
        if self.setting is Setting.NEOADJUVANT:
            raise fault(
                "scans in a neoadjuvant trial",
                f"visits that measure {', '.join(EXAMINATIONS)}",
                ("scans",),
            )
        if self.scans.every > self.duration:
            raise fault(f"{self.scans.every:g} day between scans", limit, ("scans", "every"))
        _check_number(self.duration, self.scans.every, ("scans", "every"))
        _check_window(self.scans.window, self.scans.every, ("scans", "window"))

    def _check_visits(self, visits: Visits, at: FieldPath, limit: str) -> None:
        examined = [name for name in visits.measure if name in EXAMINATIONS]
        if examined and self.setting is not Setting.NEOADJUVANT:
            raise fault(
                f"the measurement '{examined[0]}' in the setting '{self.setting}'",
                f"{', '.join(EXAMINATIONS)} in the setting 'neoadjuvant' only",
                (*at, "measure"),
            )
        reported = reported_outputs(self.population.people)
        for measurement in visits.measure:
            if not reported.issuperset(MEASURED_OUTPUTS.get(measurement, ())):
                possible = [
                    other
                    for other in Measurement
                    if reported.issuperset(MEASURED_OUTPUTS.get(other, ()))
                    and (other not in EXAMINATIONS or self.setting is Setting.NEOADJUVANT)
                ]
                raise fault(
                    f"the measurement '{measurement}', which the model does not have of "
                    f"'{self.population.people}'",
                    ", ".join(possible),
                    (*at, "measure", measurement),
                )
        if visits.at is not None:
            if visits.at[-1] > self.duration:
                raise fault(f"{visits.at[-1]:g} day", limit, (*at, "at", len(visits.at) - 1))
            gaps = [
                later - earlier for earlier, later in zip(visits.at, visits.at[1:], strict=False)
            ]
            _check_window(visits.window, min(gaps, default=self.duration), (*at, "window"))
            return
        assert visits.every is not None
        until = self.duration if visits.until is None else visits.until
        for name, value in (("every", visits.every), ("until", until)):
            if value > self.duration:
                raise fault(f"{value:g} day", limit, (*at, name))
        if visits.start > until:
            raise fault(
                f"a start at {visits.start:g} day", f"a time up to {until:g} day", (*at, "start")
            )
        _check_number(until - visits.start, visits.every, (*at, "every"))
        _check_window(visits.window, visits.every, (*at, "window"))

    def content(self) -> dict[str, Any]:
        """Return the study as plain values with units, every default filled in."""
        return self.model_dump(mode="json")


def load_study(path: str | Path, *, drugs: Drugs | None = None) -> Study:
    """Read and check a study file.

    Parameters
    ----------
    path
        YAML file; every time, dose and proportion carries its unit.
    drugs
        Drugs the study may name; the shipped records by default.

    Raises
    ------
    StudyError
        One sentence with file, line, field, what was found and what is allowed.
    """
    return _validate(read_study_text(path), drugs)


def study_from_content(
    content: Mapping[str, Any],
    source: str | Path,
    *,
    drugs: Drugs | None = None,
) -> Study:
    """Check a study given as plain values, as `Study.content` returns it.

    Parameters
    ----------
    content
        Plain values with units.
    source
        Name that errors give to where it came from.
    drugs
        Drugs the study may name; the shipped records by default.

    Raises
    ------
    StudyError
        As `load_study`.
    """
    return _validate(StudyText(str(source), dict(content), {}), drugs)


def with_overrides(
    study: Study,
    *,
    patients: int | None = None,
    seed: int | None = None,
    store: Storage | None = None,
) -> Study:
    """Replace the size of the arms, the seed or what is stored.

    Raises
    ------
    StudyError
        If a value is outside what the study file allows.
    """
    changes = {"patients_per_arm": patients, "seed": seed}
    changed = {name: value for name, value in changes.items() if value is not None}
    for name, value in changed.items():
        lowest, highest = (1, LARGEST_ARM) if name == "patients_per_arm" else (0, 2**63 - 1)
        if not lowest <= value <= highest:
            allowed = Study.model_fields[name].description
            raise StudyError(f"field {name}: found {value}, allowed {allowed}")
    return study.model_copy(update=changed if store is None else changed | {"store": store})


def given_drugs(study: Study) -> tuple[str, ...]:
    """Return the drugs that a study names, each once, in alphabetical order.

    They are those of its arms and those that its management of flare may give.
    """
    planned = {regimen.drug for arm in study.arms for regimen in arm.regimens}
    rules = study.management.hypercalcemia
    rescue = set() if rules is None else {regimen.drug for regimen in rules.give}
    return tuple(sorted(planned | rescue))


_SECTIONS_OF_SETTINGS = {
    "flare": (Setting.METASTATIC,),
    "hypercalcemia": (Setting.METASTATIC,),
    "off_study": (Setting.METASTATIC,),
    "follow_up": (Setting.ADJUVANT, Setting.PREVENTION),
}


def _validate(text: StudyText, drugs: Drugs | None) -> Study:
    context = {"drugs": known_drugs() if drugs is None else drugs}
    try:
        return Study.model_validate(text.content, context=context)
    except ValidationError as error:
        raise first_fault(error, text, Study) from None


def _increasing(times: tuple[float, ...] | None) -> tuple[float, ...] | None:
    pairs = zip(times or (), (times or ())[1:], strict=False)
    if any(later <= earlier for earlier, later in pairs):
        raise fault("times out of order or twice", "times that increase")
    return times


def _most_doses(regimen: Regimen, duration: float) -> float:
    """An upper bound of the number of doses."""
    end = duration if regimen.stop is None else min(regimen.stop, duration)
    span = end - regimen.start
    cycles = 1.0 if regimen.cycle is None else span / regimen.cycle + 1.0
    if regimen.interval is None:
        assert regimen.at is not None
        return cycles * len(regimen.at)
    return cycles * (min(span, regimen.course or span) / regimen.interval + 1.0)


def co_medication_of(study: Study, arm: Arm) -> dict[str, str]:
    """Return what medication does to enzymes in an arm: that of all patients, then the arm's."""
    return {**study.population.co_medication, **arm.co_medication}


def _drugs(info: ValidationInfo) -> Drugs:
    assert info.context is not None
    drugs: Drugs = info.context["drugs"]
    return drugs


def _check_number(span: float, every: float, path: FieldPath) -> None:
    if span / every > MOST_APPOINTMENTS:
        raise fault(f"{every:g} day", f"a time that gives at most {MOST_APPOINTMENTS}", path)


def _check_window(window: float, spacing: float, path: FieldPath) -> None:
    if window >= spacing / 2 and window > 0:
        raise fault(
            f"{window:g} day", f"less than half the time between two, {spacing:g} day", path
        )
