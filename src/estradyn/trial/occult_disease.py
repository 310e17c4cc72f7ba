"""Disease too small to be seen: where lesions are, when they are found, and what is recorded.

The tumor equations are linear in the number of cells, so one course of growth serves lesions of any
size. After surgery (adjuvant) some women have micrometastases, of the volume that the model starts
with. In a breast without a tumor (prevention) lesions appear at random, at a rate that the model
gives; before the study the process is in balance, so that as many are found as appear. A lesion
that appears during the study takes the mix of cells that treatment has left in the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from estradyn.trial.measurement import MM3_PER_ML, at_days, diameter_of_sphere
from estradyn.trial.outcomes import (
    Outcomes,
    arm_column,
    drawn_values,
    flag_column,
    number_column,
    scan_columns,
    trait,
    visit_readings,
)
from estradyn.trial.random_streams import Purpose, per_patient
from estradyn.trial.schedule import HOURS_PER_DAY, actual_days, log_error, planned_scan_days
from estradyn.trial.simulation import SimulatedPatients, Simulation
from estradyn.trial.study import Setting, Study

Array = NDArray[np.float64]

DAYS_PER_YEAR = 365.25

MOST_LESIONS = 6
"""Lesions drawn per woman; at the rates of interest hardly one has a second."""

EVENT_COLUMNS = {
    Setting.METASTATIC: ("progression_free_days", "progressed"),
    Setting.ADJUVANT: ("recurrence_free_days", "recurred"),
    Setting.PREVENTION: ("breast_cancer_free_days", "breast_cancer"),
}
"""Columns of the patient table with the time to the event of a setting and whether it came."""

_READ_BY_ENDPOINTS = ("tumor_er_positive",)
"""Drawn values that an endpoint tells women apart by."""

_READ_FROM_A_TUMOR = (
    *("ki67", "fdg_uptake", "fes_uptake"),
    *("tumor_estrogen_receptor", "tumor_progesterone_receptor"),
)


def with_occult_lesions(
    study: Study, group: SimulatedPatients, days: Array, outputs: Sequence[str]
) -> SimulatedPatients:
    """Put the lesions that each woman has in the place of the model's tumor.

    Parameters
    ----------
    study
        The study; in a setting with a visible tumor nothing is changed.
    group
        Simulated patients.
    days
        Days of the trajectories, shape (times,).
    outputs
        Names of the model outputs.

    Returns
    -------
    SimulatedPatients
        The same with volumes of her lesions, 0 where there is none; what is read from a tumor is
        then NaN.
    """
    if study.setting not in (Setting.ADJUVANT, Setting.PREVENTION):
        return group
    trajectories = group.trajectories.copy()
    place = {name: at for at, name in enumerate(outputs)}
    volume = trajectories[:, :, place["soft_tissue_tumor_volume"]]
    if study.setting is Setting.ADJUVANT:
        volume = np.where(trait(group, "residual_disease")[:, None] > 0.5, volume, 0.0 * volume)
    else:
        volume = lesion_volume(
            days,
            volume / volume[:, :1],
            trajectories[:, :, place["lesion_appearance_rate"]] / DAYS_PER_YEAR,
            trajectories[:, 0, place["lesion_doubling_time"]] / HOURS_PER_DAY,
            _gaps(study, group.patient_ids),
            new_volume=trait(group, "new_lesion_volume"),
            found_volume=np.pi / 6.0 * study.follow_up.detection_diameter**3 / MM3_PER_ML,
        )
    trajectories[:, :, place["soft_tissue_tumor_volume"]] = volume
    for name in _READ_FROM_A_TUMOR:
        if name in place:
            values = trajectories[:, :, place[name]]
            trajectories[:, :, place[name]] = np.where(volume > 0.0, values, np.nan)
    return replace(group, trajectories=trajectories)


def lesion_volume(
    days: Array,
    relative_volume: Array,
    appearance_rate: Array,
    doubling_time: Array,
    gaps: Array,
    *,
    new_volume: Array,
    found_volume: float,
) -> Array:
    """Volume of each woman's largest lesion, when lesions appear by chance.

    Parameters
    ----------
    days
        Days from the start of the study, shape (times,).
    relative_volume
        Volume of a lesion that is there at the start over its volume then, shape (women, times).
    appearance_rate
        New lesions per day, shape (women, times); before the study it is that on day 0.
    doubling_time
        Of an untreated lesion, days, shape (women,).
    gaps
        Gaps between lesions on the scale of the cumulative rate: draws of a standard exponential,
        shape (women, lesions).
    new_volume
        Volume at which a lesion appears, mL, shape (women,).
    found_volume
        Volume at which a lesion is found, mL. The process is followed from the day on which a
        lesion would have grown to this by the start of the study; older ones have been found.

    Returns
    -------
    numpy.ndarray
        mL, shape (women, times); 0 without a lesion.
    """
    before = doubling_time * np.log2(found_volume / new_volume)
    steps = 0.5 * (appearance_rate[:, 1:] + appearance_rate[:, :-1]) * np.diff(days)
    inside = np.concatenate([np.zeros((len(steps), 1)), np.cumsum(steps, axis=1)], axis=1)
    at_start = before * appearance_rate[:, 0]
    arrivals = np.cumsum(gaps, axis=1) - at_start[:, None]
    growth = np.log(relative_volume)
    largest = np.zeros_like(relative_volume)
    for arrival in arrivals.T:
        earlier = arrival <= 0.0
        day = np.zeros_like(arrival)
        np.divide(arrival, appearance_rate[:, 0], out=day, where=earlier)
        start = np.zeros_like(arrival)
        for woman in np.flatnonzero(~earlier & (arrival <= inside[:, -1])):
            day[woman] = np.interp(arrival[woman], inside[woman], days)
            start[woman] = np.interp(day[woman], days, growth[woman])
        grown = np.where(earlier, -day / doubling_time * np.log(2.0), -start)
        volume = new_volume[:, None] * np.exp(growth + grown[:, None])
        there = (arrival <= inside[:, -1])[:, None] & (days >= day[:, None])
        largest = np.maximum(largest, np.where(there, volume, 0.0 * volume))
    return largest


def record_occult(
    study: Study,
    arm_index: int,
    group: SimulatedPatients,
    days: Array,
    simulation: Simulation,
) -> Outcomes:
    """Look for lesions on every scan; the first that is large enough is the event.

    Parameters as in `estradyn.trial.outcomes.record_outcomes`. A woman is followed to her event or
    to the last scan; her treatment and visits end with the event.
    """
    ids = group.patient_ids
    scans = study.planned_scans
    outputs = [output.name for output in simulation.outputs]
    volume = group.trajectories[:, :, outputs.index("soft_tissue_tumor_volume")]
    planned = planned_scan_days(study)
    scan_days = actual_days(
        planned,
        scans.window,
        study.duration,
        seed=study.seed,
        purpose=Purpose.SCAN_DAYS,
        arm=arm_index,
        patient_ids=ids,
    )
    true = diameter_of_sphere(at_days(days, volume, scan_days))
    error = log_error(scans.diameter_error) * per_patient(
        study.seed,
        Purpose.DIAMETER_ERRORS,
        arm_index,
        ids,
        lambda generator: generator.standard_normal(planned.size),
    )
    measured = true * np.exp(error)
    found = (measured >= study.follow_up.detection_diameter) & (planned > 0.0)
    event = np.asarray(found.any(axis=1))
    last = np.where(event, found.argmax(axis=1), planned.size - 1)
    last_day = np.take_along_axis(scan_days, last[:, None], axis=1)[:, 0]
    failed = ~group.succeeded
    drawn = drawn_values(group)
    days_column, event_column = EVENT_COLUMNS[study.setting]
    patients = pd.DataFrame(
        {
            "patient_id": ids,
            "arm": arm_column(study.arms[arm_index].name, ids.size),
            "status": group.status,
            **drawn,
            "occult_disease_at_start": flag_column(np.asarray(volume[:, 0] > 0.0), failed),
            days_column: number_column(last_day, failed),
            event_column: flag_column(event, failed),
        }
    )
    seen = np.where(found, measured, 0.0)
    assessments = pd.DataFrame(
        {
            **scan_columns(study.arms[arm_index].name, ids, planned, scan_days),
            "lesion_diameter": seen.ravel(),
            "true_lesion_diameter": true.ravel(),
            "on_study": (np.arange(planned.size) <= last[:, None]).ravel(),
        }
    )
    visits = visit_readings(study, arm_index, group, days, simulation)
    unread = tuple(name for name in drawn if name not in _READ_BY_ENDPOINTS)
    return Outcomes(patients, assessments, visits, unread)


def _gaps(study: Study, patient_ids: NDArray[np.int64]) -> Array:
    """Draws that do not depend on the arm: lesions belong to a woman, not to her treatment."""
    return per_patient(
        study.seed,
        Purpose.LESIONS,
        0,
        patient_ids,
        lambda generator: generator.standard_exponential(MOST_LESIONS),
    )
