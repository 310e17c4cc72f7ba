"""What is done about a flare while a trial runs: hypercalcemia treated, the drug stopped when it
is severe.

A visit that measures calcium above a limit starts the treatment of hypercalcemia, once; above a
higher limit it ends the drugs of the arm for good. The rules read what the visit measures, error
and all, so a patient between two visits is not treated. Who is treated is known from the course
without treatment up to that visit; from there on she is simulated again with what she is given.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from estradyn.engine import DoseSchedule
from estradyn.trial.dose_days import dose_days
from estradyn.trial.drugs import Drugs
from estradyn.trial.outcomes import visit_readings
from estradyn.trial.quantities import convert_unit
from estradyn.trial.schedule import HOURS_PER_DAY
from estradyn.trial.simulation import SimulatedPatients, Simulation
from estradyn.trial.study import HypercalcemiaManagement, Study

Array = NDArray[np.float64]

CALCIUM = "plasma_calcium"


@dataclass(frozen=True)
class Managed:
    """When the rules act on each patient of an arm; arrays of shape (patients,), NaN where they
    don't.

    Attributes
    ----------
    treated_day
        Day of the visit that starts the treatment of hypercalcemia.
    stopped_day
        Day of the visit that ends the drugs of the arm.
    """

    treated_day: Array
    stopped_day: Array

    @property
    def acted(self) -> NDArray[np.bool_]:
        """Whether anything is done for a patient."""
        return np.isfinite(self.treated_day) | np.isfinite(self.stopped_day)


def managed(
    study: Study,
    rules: HypercalcemiaManagement,
    arm_index: int,
    group: SimulatedPatients,
    days: Array,
    simulation: Simulation,
) -> Managed:
    """Apply the rules to the calcium that the visits of a group of patients measure.

    Parameters
    ----------
    study, arm_index, group, days, simulation
        As in `estradyn.trial.outcomes.record_outcomes`.
    rules
        Those of the study.
    """
    patients = group.patient_ids.size
    treated, stopped = np.full(patients, np.inf), np.full(patients, np.inf)
    for readings in visit_readings(study, arm_index, group, days, simulation):
        if CALCIUM not in readings.measured:
            continue
        calcium = readings.measured[CALCIUM]
        for limit, first in ((rules.treat_above, treated), (rules.stop_above, stopped)):
            if limit is None:
                continue
            # The visit on day 0 comes before the first dose: what it shows is no flare.
            with np.errstate(invalid="ignore"):
                found = (calcium > limit) & (readings.days > 0.0)
            on = np.where(found, readings.days, np.inf).min(axis=1)
            np.minimum(first, on, out=first)
    return Managed(*(np.where(np.isfinite(day), day, np.nan) for day in (treated, stopped)))


def managed_doses(
    study: Study,
    rules: HypercalcemiaManagement,
    planned: DoseSchedule,
    found: Managed,
    drugs: Drugs,
) -> DoseSchedule:
    """Return the doses of a group of patients with what the rules add and take away.

    Parameters
    ----------
    planned
        Doses of the arm as planned, as `estradyn.trial.schedule.dose_schedule` gives them.
    found
        When the rules act, patients in the same order.
    """
    ends = np.where(np.isnan(found.stopped_day), np.inf, found.stopped_day) * HOURS_PER_DAY
    schedules = [planned.only(planned.time < ends[planned.patient])]
    begins = np.flatnonzero(np.isfinite(found.treated_day))
    for regimen in rules.give:
        record = drugs[regimen.drug]
        # Regimens count from the visit; what would fall beyond the end is not given.
        days = found.treated_day[begins][:, None] + dose_days(regimen, study.duration)[None, :]
        patient, dose = np.nonzero(days < study.duration)
        schedules.append(
            DoseSchedule.from_records(
                begins[patient],
                days[patient, dose] * HOURS_PER_DAY,
                record.dose_state,
                convert_unit(regimen.dose, "mg", record.dose_unit),
            )
        )
    return DoseSchedule.together(schedules)
