"""A primary tumor before surgery: what ultrasound, caliper and palpation say of it, and Ki-67.

Each method reads the two diameters of a sphere, each with its own log-normal error. What it shows
is more than tumor cells: part of the first volume stays as stroma when they are gone, a share that
differs between methods (traits `ultrasound_stroma`, `caliper_stroma`, `palpation_stroma`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from estradyn.trial.measurement import at_days, diameter_of_sphere
from estradyn.trial.measurements import EXAMINATIONS, Measurement
from estradyn.trial.outcomes import (
    Outcomes,
    VisitReadings,
    arm_column,
    drawn_values,
    number_column,
    trait,
    visit_readings,
)
from estradyn.trial.random_streams import Purpose, per_patient
from estradyn.trial.schedule import VisitSeries, visit_series
from estradyn.trial.simulation import SimulatedPatients, Simulation
from estradyn.trial.study import Criteria, Study

Array = NDArray[np.float64]

WHO_RESPONSE = 50.0
"""Fall of the product of two diameters that is a response, percent (WHO; Miller et al. 1981)."""


def diameter_names(method: Measurement) -> tuple[str, str]:
    """Names under which the two diameters of an examination stand among the readings of a visit."""
    return f"{method}_longest_diameter", f"{method}_perpendicular_diameter"


def responded(diameters: Array, criteria: Criteria) -> NDArray[np.bool_]:
    """Whether a tumor responds at each visit, against the first.

    Parameters
    ----------
    diameters
        The two measured diameters, mm, shape (patients, visits, 2).
    criteria
        By WHO the product of both falls by half, otherwise the longest by `partial_response`.
    """
    if criteria.bidimensional:
        size, fall = diameters.prod(axis=2), WHO_RESPONSE
    else:
        size, fall = diameters[:, :, 0], criteria.partial_response
    return np.asarray(size <= size[:, :1] * (1.0 - fall / 100.0))


def measured_volume(diameters: Array) -> Array:
    """Volume in mL of a sphere with the geometric mean of two diameters in mm; last axis 2."""
    return np.pi / 6.0 * diameters.prod(axis=-1) ** 1.5 / 1000.0


def record_neoadjuvant(
    study: Study,
    arm_index: int,
    group: SimulatedPatients,
    days: Array,
    simulation: Simulation,
) -> Outcomes:
    """Examine the primary tumor and measure everything else at the visits.

    Parameters as in `estradyn.trial.outcomes.record_outcomes`. Nobody leaves before the end.
    """
    ids = group.patient_ids
    outputs = [output.name for output in simulation.outputs]
    volume = group.trajectories[:, :, outputs.index("soft_tissue_tumor_volume")]
    visits = tuple(
        _with_examinations(study, arm_index, group, days, volume, number, series, readings)
        for number, (series, readings) in enumerate(
            zip(
                visit_series(study),
                visit_readings(study, arm_index, group, days, simulation),
                strict=True,
            )
        )
    )
    failed = ~group.succeeded
    drawn = drawn_values(group)
    patients = pd.DataFrame(
        {
            "patient_id": ids,
            "arm": arm_column(study.arms[arm_index].name, ids.size),
            "status": group.status,
            **drawn,
            "tumor_volume_at_start": number_column(volume[:, 0], failed),
            "true_volume_change_percent": number_column(
                100.0 * (volume[:, -1] / volume[:, 0] - 1.0), failed
            ),
        }
    )
    assessments = _assessments(study, arm_index, ids, visits)
    return Outcomes(patients, assessments, visits, tuple(drawn))


def _with_examinations(
    study: Study,
    arm_index: int,
    group: SimulatedPatients,
    days: Array,
    volume: Array,
    number: int,
    series: VisitSeries,
    readings: VisitReadings,
) -> VisitReadings:
    """Add the diameters that are measured at one series of visits to its readings."""
    measured = dict(readings.measured)
    for method in EXAMINATIONS:
        if method not in series.errors:
            continue
        share = trait(group, f"{method}_stroma")[:, None]
        cells = at_days(days, volume, readings.days)
        seen = diameter_of_sphere(share * volume[:, :1] + (1.0 - share) * cells)
        normal = per_patient(
            study.seed,
            Purpose.EXAMINATION_ERRORS,
            arm_index,
            group.patient_ids,
            lambda generator: generator.standard_normal((series.planned_days.size, 2)),
            len(EXAMINATIONS) * number + EXAMINATIONS.index(method),
        )
        diameters = seen[:, :, None] * np.exp(series.errors[method] * normal)
        for place, name in enumerate(diameter_names(method)):
            measured[name] = diameters[:, :, place]
    return replace(readings, measured=measured)


def _assessments(
    study: Study, arm_index: int, ids: NDArray[np.int64], visits: tuple[VisitReadings, ...]
) -> pd.DataFrame:
    """One row per patient, examination and method."""
    frames = [
        pd.DataFrame(
            {
                "patient_id": pd.Series(dtype=np.int64),
                "arm": arm_column(study.arms[arm_index].name, 0),
                "method": pd.Series(dtype="string"),
                "planned_day": pd.Series(dtype=np.float64),
                "actual_day": pd.Series(dtype=np.float64),
                "longest_diameter": pd.Series(dtype=np.float64),
                "perpendicular_diameter": pd.Series(dtype=np.float64),
                "responded": pd.Series(dtype=np.bool_),
            }
        )
    ]
    for readings in visits:
        for method in EXAMINATIONS:
            diameters = examined_diameters(readings, method)
            if diameters is None:
                continue
            size = readings.planned_days.size
            frames.append(
                pd.DataFrame(
                    {
                        "patient_id": np.repeat(ids, size),
                        "arm": arm_column(study.arms[arm_index].name, ids.size * size),
                        "method": pd.array([method.value] * ids.size * size, dtype="string"),
                        "planned_day": np.tile(readings.planned_days, ids.size),
                        "actual_day": readings.days.ravel(),
                        "longest_diameter": diameters[:, :, 0].ravel(),
                        "perpendicular_diameter": diameters[:, :, 1].ravel(),
                        "responded": responded(diameters, study.criteria).ravel(),
                    }
                )
            )
    return pd.concat(frames[1:] or frames, ignore_index=True)


def examined_diameters(readings: VisitReadings, method: Measurement) -> Array | None:
    """Diameters that a method measured, shape (patients, visits, 2); None if it was not used."""
    first, second = diameter_names(method)
    if first not in readings.outputs:
        return None
    return np.stack([readings.measured[first], readings.measured[second]], axis=2)
