"""When things happen: planned days, the days they really fall on, doses and output times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from estradyn.engine.doses import DoseSchedule
from estradyn.model import DrugRecord
from estradyn.trial.dose_days import dose_days
from estradyn.trial.drugs import Drugs
from estradyn.trial.measurements import Measurement
from estradyn.trial.quantities import convert_unit
from estradyn.trial.random_streams import Purpose, per_patient
from estradyn.trial.study import Arm, BelowQuantification, Regimen, Study, Visits

HOURS_PER_DAY = 24.0
DAILY_UNTIL = 56.0
"""Trajectories are kept daily up to this day, weekly after it."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class VisitSeries:
    """One series of visits as it will be held.

    Attributes
    ----------
    planned_days
        Ascending; always begins with day 0, the baseline.
    window
        Days a visit may be early or late.
    errors
        Standard deviation of the logarithm of the measurement error, by measurement.
    censored
        Whether values below the quantification limit of their assay are not numbers.
    """

    planned_days: Array
    window: float
    errors: dict[Measurement, float]
    censored: bool


def planned_scan_days(study: Study) -> Array:
    """Days of the scans from the baseline scan on day 0 to the last within the study, if any."""
    if study.scans is None:
        return np.zeros(0)
    return _regular(0.0, study.scans.every, study.duration)


def visit_series(study: Study) -> tuple[VisitSeries, ...]:
    """Return every series of visits, each with a baseline on day 0."""
    return tuple(
        VisitSeries(
            _visit_days(visits, study.duration),
            visits.window,
            {name: log_error(error) for name, error in visits.measure.items()},
            visits.below_quantification is BelowQuantification.CENSORED,
        )
        for visits in study.visits
    )


def log_error(coefficient_of_variation: float) -> float:
    """Standard deviation of the logarithm that gives a coefficient of variation in percent."""
    return float(np.sqrt(np.log1p((coefficient_of_variation / 100.0) ** 2)))


def actual_days(
    planned: Array,
    window: float,
    duration: float,
    *,
    seed: int,
    purpose: Purpose,
    arm: int,
    patient_ids: NDArray[np.int64],
    series: int = 0,
) -> Array:
    """Draw the days on which appointments really fall.

    Each is a whole number of days early or late, uniform over the window, never before day 0 or
    after the end of the study. The baseline on day 0 is never moved: it is taken before the first
    dose.

    Returns
    -------
    numpy.ndarray
        Shape (patients, appointments).
    """
    reach = int(np.floor(window))
    shifts = per_patient(
        seed,
        purpose,
        arm,
        patient_ids,
        lambda generator: generator.integers(-reach, reach + 1, size=planned.size).astype(float),
        series,
    )
    shifts[:, planned == 0.0] = 0.0
    return np.clip(planned + shifts, 0.0, duration)


def trajectory_days(study: Study) -> Array:
    """Days kept in the trajectory table: daily for eight weeks, weekly after, and all plans."""
    plans = [series.planned_days for series in visit_series(study)]
    daily = np.arange(0.0, min(DAILY_UNTIL, study.duration) + 1e-9)
    weekly = _regular(0.0, 7.0, study.duration)
    days = np.concatenate([daily, weekly, [study.duration], planned_scan_days(study), *plans])
    return np.unique(days)


def output_days(study: Study) -> Array:
    """Days at which the model is solved: the trajectory days and every possible appointment."""
    possible = [trajectory_days(study)]
    appointments = []
    if study.scans is not None:
        appointments.append((planned_scan_days(study), study.scans.window))
    appointments += [(series.planned_days, series.window) for series in visit_series(study)]
    for planned, window in appointments:
        reach = int(np.floor(window))
        shifts = np.arange(-reach, reach + 1, dtype=float)
        possible.append(np.clip(planned[:, None] + shifts, 0.0, study.duration).ravel())
    return np.unique(np.concatenate(possible))


def dose_schedule(
    study: Study,
    arm: Arm,
    arm_index: int,
    patient_ids: NDArray[np.int64],
    drugs: Drugs,
) -> DoseSchedule:
    """Return the doses that each patient of an arm takes, in hours and the units of the model.

    Which doses are missed depends on the seed and the patient alone.
    """
    schedules = []
    chances = _chances(study, arm, arm_index, patient_ids, drugs)
    for regimen, chance in zip(arm.regimens, chances, strict=True):
        days = dose_days(regimen, study.duration)
        record = drugs[regimen.drug]
        missed = _chance_of_missing(study, regimen, patient_ids, record)
        patient, dose = np.nonzero(chance >= missed[:, None])
        schedules.append(
            DoseSchedule.from_records(
                patient,
                days[dose] * HOURS_PER_DAY,
                record.dose_state,
                convert_unit(regimen.dose, "mg", record.dose_unit),
            )
        )
    return DoseSchedule.together(schedules)


def _chances(
    study: Study, arm: Arm, arm_index: int, patient_ids: NDArray[np.int64], drugs: Drugs
) -> list[Array]:
    """Uniform numbers, one per patient and dose of each regimen."""
    counts = [dose_days(regimen, study.duration).size for regimen in arm.regimens]
    if not any(
        regimen.missed_doses or _is_up_to_the_patient(study, drugs[regimen.drug])
        for regimen in arm.regimens
    ):
        return [np.ones((patient_ids.size, count)) for count in counts]
    drawn = per_patient(
        study.seed,
        Purpose.MISSED_DOSES,
        arm_index,
        patient_ids,
        lambda generator: generator.random(sum(counts)),
    )
    return np.split(drawn, np.cumsum(counts)[:-1], axis=1)


def _is_up_to_the_patient(study: Study, record: DrugRecord) -> bool:
    """Whether patients may forget doses of a drug; one given in the clinic they cannot."""
    return study.population.adherence < 100.0 and not record.fields.get("given_in_clinic", False)


def _chance_of_missing(
    study: Study, regimen: Regimen, patient_ids: NDArray[np.int64], record: DrugRecord
) -> Array:
    """Chance of each patient to miss a dose; what is planned missed comes on top of adherence."""
    planned = regimen.missed_doses / 100.0
    if not _is_up_to_the_patient(study, record):
        return np.full(patient_ids.size, planned)
    return 1.0 - (1.0 - planned) * adherence(study, patient_ids)


def adherence(study: Study, patient_ids: NDArray[np.int64]) -> Array:
    """Share of doses that each patient takes by her own habit, the same in whatever arm she is."""
    plan = study.population
    middle = plan.adherence / 100.0
    if plan.adherence_spread == 0.0:
        return np.full(patient_ids.size, middle)
    normal = per_patient(
        study.seed, Purpose.ADHERENCE, 0, patient_ids, lambda generator: generator.standard_normal()
    )
    odds = middle / (1.0 - middle) * np.exp(plan.adherence_spread * normal)
    return odds / (1.0 + odds)


def _visit_days(visits: Visits, duration: float) -> Array:
    if visits.at is not None:
        days: Sequence[float] | Array = visits.at
    else:
        assert visits.every is not None
        until = duration if visits.until is None else visits.until
        days = _regular(visits.start, visits.every, until)
    return np.unique(np.concatenate([[0.0], days]))


def _regular(start: float, every: float, until: float) -> Array:
    count = int(np.floor((until - start) / every + 1e-9)) + 1
    return start + every * np.arange(count, dtype=np.float64)
