"""From the trajectories of a group of patients to what the trial records of each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from estradyn.errors import ModelError
from estradyn.trial.assays import as_read, assay_of
from estradyn.trial.events import hypercalcemia, hypercalcemia_grade, symptomatic_flare
from estradyn.trial.measurement import at_days, censored, read_laboratory, read_tumor
from estradyn.trial.outputs import measured_outputs
from estradyn.trial.random_streams import Purpose
from estradyn.trial.response import Response, best_overall_response, clinical_benefit
from estradyn.trial.rules import (
    ScanRecord,
    departures,
    later_responder_taken_off,
    true_response_day,
)
from estradyn.trial.schedule import actual_days, planned_scan_days, visit_series
from estradyn.trial.simulation import SimulatedPatients, Simulation
from estradyn.trial.study import Study

Array = NDArray[np.float64]

RESPONSE_NAMES = np.array(["", *(response.name for response in Response)])
"""Text of each `Response`, by its number."""


TRAITS = ("flare_threshold", "has_bone_metastases")
"""Traits that every trial reads."""


@dataclass(frozen=True)
class VisitReadings:
    """Measurements of one series of visits; patients in the order of the patient table.

    Attributes
    ----------
    planned_days
        Shape (visits,).
    days
        Days the visits took place, shape (patients, visits).
    measured
        Measured values by model output, shape (patients, visits) each; `BELOW_LIMIT` where a
        value that the study censors lay below the quantification limit of its assay.
    """

    planned_days: Array
    days: Array
    measured: Mapping[str, Array]

    @property
    def outputs(self) -> tuple[str, ...]:
        """Model outputs measured, in the order of the study."""
        return tuple(self.measured)


@dataclass(frozen=True)
class Outcomes:
    """What the trial records of a group of patients of one arm.

    Attributes
    ----------
    patients
        One row per patient, columns as in `estradyn.trial.result.TrialResult`.
    assessments
        One row per patient and scan.
    visits
        One entry per series of visits in the study.
    drawn_columns
        Columns of `patients` with the values drawn for each patient that no endpoint reads.
    """

    patients: pd.DataFrame
    assessments: pd.DataFrame
    visits: tuple[VisitReadings, ...]
    drawn_columns: tuple[str, ...]


def record_outcomes(
    study: Study,
    arm_index: int,
    group: SimulatedPatients,
    days: Array,
    simulation: Simulation,
) -> Outcomes:
    """Scan, measure and judge a group of patients.

    Every patient is scanned to the end of the study, as if treatment went on: which scans count
    for her is up to the off-study rule. Traits and outcomes of a patient whose simulation failed
    are missing, never zero or false.

    Parameters
    ----------
    study
        The study.
    arm_index
        Arm the patients are in.
    group
        Their trajectories.
    days
        Days of the trajectories, shape (times,).
    simulation
        Where they come from: its outputs and drugs.
    """
    ids = group.patient_ids
    outputs = [output.name for output in simulation.outputs]
    output = {name: group.trajectories[:, :, place] for place, name in enumerate(outputs)}

    flare = symptomatic_flare(
        days, output["flare_signal"], trait(group, "flare_threshold"), study.flare
    )
    calcium = hypercalcemia(days, output["plasma_calcium"], study.hypercalcemia)
    within = days <= study.hypercalcemia.onset_window
    calcium_peak = output["plasma_calcium"][:, within].max(axis=1)

    planned = planned_scan_days(study)
    scan_days = actual_days(
        planned,
        study.planned_scans.window,
        study.duration,
        seed=study.seed,
        purpose=Purpose.SCAN_DAYS,
        arm=arm_index,
        patient_ids=ids,
    )
    readings = read_tumor(
        at_days(days, output["soft_tissue_tumor_volume"], scan_days),
        at_days(days, output["bone_tumor_volume"], scan_days),
        study.planned_scans,
        study.criteria,
        seed=study.seed,
        arm=arm_index,
        patient_ids=ids,
    )
    record = ScanRecord(planned, scan_days, readings.sum_of_diameters, readings.non_target_volume)
    true_record = ScanRecord(
        planned, scan_days, readings.true_sum_of_diameters, readings.true_non_target_volume
    )
    signs_day = np.fmin(flare.onset_day, calcium.onset_day)
    left = departures(record, study.criteria, study.off_study.flare_window, signs_day)
    followed = left[study.off_study.rule]
    best = best_overall_response(followed.codes, scan_days, study.criteria, followed.last_scan)
    last_day = np.take_along_axis(scan_days, followed.last_scan[:, None], axis=1)[:, 0]
    response_day = true_response_day(true_record, study.criteria, study.off_study.flare_window)

    failed = ~group.succeeded
    sums = record.sum_of_diameters
    counted = np.arange(planned.size) <= followed.last_scan[:, None]
    change = 100.0 * (sums / sums[:, :1] - 1.0)
    after_baseline = counted & (np.arange(planned.size) > 0)
    best_change = np.fmin.reduce(np.where(after_baseline, change, np.nan), axis=1)

    drawn: dict[str, object] = {
        **{str(name): group.traits[name].to_numpy() for name in group.traits if name not in TRAITS},
        **{name: values for name, values in group.parameters.items() if name not in TRAITS},
    }
    columns: dict[str, object] = {
        "patient_id": ids,
        "arm": arm_column(study.arms[arm_index].name, ids.size),
        "status": group.status,
        "flare_threshold": trait(group, "flare_threshold"),
        "has_bone_metastases": trait(group, "has_bone_metastases") > 0.5,
        **drawn,
        "best_response": pd.array(
            np.where(failed, None, RESPONSE_NAMES[best]),  # type: ignore[call-overload]
            dtype="string",
        ),
        "clinical_benefit": flag_column(
            clinical_benefit(best, followed.codes, planned, study.criteria, followed.last_scan),
            failed,
        ),
        "progression_free_days": number_column(
            np.where(followed.progressed, followed.progression_day, last_day), failed
        ),
        "progressed": flag_column(followed.progressed, failed),
        "symptomatic_flare": flag_column(flare.occurred, failed),
        "flare_onset_day": flare.onset_day,
        "flare_end_day": flare.end_day,
        "hypercalcemia": flag_column(calcium.occurred, failed),
        "hypercalcemia_onset_day": calcium.onset_day,
        "hypercalcemia_duration_days": calcium.duration_days,
        "hypercalcemia_grade": pd.array(
            np.where(failed, None, hypercalcemia_grade(calcium.peak)),  # type: ignore[call-overload]
            dtype="Int8",
        ),
        "calcium_peak": calcium_peak,
        **{name: number_column(values, failed) for name, values in group.managed.items()},
        "best_change_percent": best_change,
        "true_response_day": number_column(response_day, failed),
    }
    for rule, departure in left.items():
        columns[f"off_study_day_{rule}"] = number_column(departure.off_day, failed)
        columns[f"later_responder_taken_off_{rule}"] = flag_column(
            later_responder_taken_off(departure, response_day), failed
        )
    assessments = pd.DataFrame(
        {
            **scan_columns(study.arms[arm_index].name, ids, planned, scan_days),
            "sum_of_longest_diameters": sums.ravel(),
            "true_sum_of_longest_diameters": readings.true_sum_of_diameters.ravel(),
            "non_target_volume": readings.non_target_volume.ravel(),
            "response": RESPONSE_NAMES[followed.codes.ravel()],
            "on_study": counted.ravel(),
        }
    )
    visits = visit_readings(study, arm_index, group, days, simulation)
    return Outcomes(pd.DataFrame(columns), assessments, visits, tuple(drawn))


def visit_readings(
    study: Study,
    arm_index: int,
    group: SimulatedPatients,
    days: Array,
    simulation: Simulation,
) -> tuple[VisitReadings, ...]:
    """Measure a group of patients at every visit; parameters as in `record_outcomes`."""
    outputs = [output.name for output in simulation.outputs]
    readings = []
    planned = zip(study.visits, visit_series(study), strict=True)
    for number, (visits, series) in enumerate(planned):
        on = actual_days(
            series.planned_days,
            series.window,
            study.duration,
            seed=study.seed,
            purpose=Purpose.VISIT_DAYS,
            arm=arm_index,
            patient_ids=group.patient_ids,
            series=number,
        )
        errors = {
            name: error
            for measurement, error in series.errors.items()
            for name in measured_outputs(measurement, study.arms[arm_index], simulation.drugs)
        }
        assay = assay_of(visits, simulation.outputs)
        shape = (group.patient_ids.size, series.planned_days.size, len(errors))
        true = np.empty(shape)
        for place, name in enumerate(errors):
            values = at_days(days, group.trajectories[:, :, outputs.index(name)], on)
            read = assay.readings.get(name) if assay else None
            true[:, :, place] = read.of(values) if read else values
        measured = read_laboratory(
            true,
            np.array(list(errors.values())),
            seed=study.seed,
            arm=arm_index,
            patient_ids=group.patient_ids,
            series=number,
        )
        read_as = as_read(visits, simulation.outputs)
        limits = [
            read_as[name].quantification_limit if series.censored else None for name in errors
        ]
        measured = censored(measured, np.array(limits, dtype=np.float64))
        by_output = {name: measured[:, :, place] for place, name in enumerate(errors)}
        readings.append(VisitReadings(series.planned_days, on, by_output))
    return tuple(readings)


def trait(group: SimulatedPatients, name: str) -> Array:
    """Value of a trait, which may itself be a parameter of the model."""
    if name in group.traits:
        return group.traits[name].to_numpy(dtype=np.float64)
    if name in group.parameters:
        return group.parameters[name]
    raise ModelError(f"the patients have no '{name}', which a trial reads; it must be drawn")


def drawn_values(group: SimulatedPatients) -> dict[str, object]:
    """Traits and parameters that were drawn for each patient, by name."""
    traits = {str(name): group.traits[name].to_numpy() for name in group.traits}
    return {**traits, **group.parameters}


def arm_column(name: str, count: int) -> pd.Series[Any]:
    """Column that holds the name of one arm."""
    return pd.Series([name] * count, dtype=pd.CategoricalDtype([name]))


def scan_columns(
    arm: str, patient_ids: NDArray[np.int64], planned_days: Array, days: Array
) -> dict[str, object]:
    """Columns that say whose scan a row is, which one and when.

    Parameters
    ----------
    arm
        Name of the arm.
    patient_ids, planned_days
        Shapes (patients,) and (scans,).
    days
        Days the scans took place, shape (patients, scans).
    """
    patients, scans = days.shape
    return {
        "patient_id": np.repeat(patient_ids, scans),
        "arm": arm_column(arm, patients * scans),
        "scan": np.tile(np.arange(scans, dtype=np.int16), patients),
        "planned_day": np.tile(planned_days, patients),
        "actual_day": days.ravel(),
    }


def flag_column(flags: NDArray[np.bool_], failed: NDArray[np.bool_]) -> pd.arrays.BooleanArray:
    """Column of flags that is missing for a patient whose simulation failed."""
    return pd.arrays.BooleanArray(np.array(flags, dtype=np.bool_), failed.copy())


def number_column(values: Array, failed: NDArray[np.bool_]) -> Array:
    """Column of numbers that is NaN for a patient whose simulation failed."""
    return np.where(failed, np.nan, values)
