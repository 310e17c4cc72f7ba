"""A plan in the terms of the simulation."""

from __future__ import annotations

import numpy as np

from estradyn.xenograft.measurement import Measurement
from estradyn.xenograft.mice import Host, Treatment
from estradyn.xenograft.plan_file import Plan, PlannedArm
from estradyn.xenograft.simulated_study import SimulatedArm, SimulatedStudy, Visits, simulate_study

OBSERVER_DIFFERENCE = 0.15
"""Mean absolute difference between observers, as a share of the mean (ME01,
doi:10.1002/jso.2930310402)."""


def planned_host(plan: Plan) -> Host:
    """Return what a plan decides about its mice."""
    return Host(
        estradiol_pellet_mg=plan.estradiol_pellet_mg,
        ovariectomized=plan.ovariectomized,
        in_bone=plan.in_bone,
        baseline_volume_mm3=plan.baseline_volume_mm3,
        growth_rate_per_day=plan.growth_rate_per_day,
        body_weight_g=plan.body_weight_g,
    )


def planned_treatments(arm: PlannedArm) -> tuple[Treatment, ...]:
    """Return the drugs of an arm."""
    if arm.drug is None:
        return ()
    last = np.inf if arm.last_day is None else arm.last_day
    dose = Treatment(
        arm.drug, arm.dose_mg_per_kg, arm.route, interval_day=arm.interval_day, last_day=last
    )
    return (dose,)


def planned_measurement(plan: Plan) -> Measurement:
    """Return the errors of measurement that a plan leads to."""
    difference = OBSERVER_DIFFERENCE if plan.observers > 1 else 0.0
    return Measurement(observer_difference=difference, observers=plan.observers)


def planned_visits(plan: Plan) -> Visits:
    """Return all visits of a plan from day 0 on; histology of all at the end."""
    schedule = plan.schedule

    def from_start(days: tuple[int, ...]) -> tuple[float, ...]:
        return tuple(float(day) for day in days if day >= 0)

    end = schedule.duration_day
    return Visits(
        days=tuple(sorted({0.0, float(end), *from_start(schedule.measure_day)})),
        blood_days=from_start(schedule.blood_day),
        light_days=from_start(schedule.light_day),
        histology_days=(float(end),) if end in schedule.histology_day else (),
    )


def planned_satellites(plan: Plan) -> dict[float, int]:
    """Return satellites of each arm by their day of histology."""
    schedule = plan.schedule
    early = [day for day in schedule.histology_day if 0 < day < schedule.duration_day]
    return {float(day): schedule.satellites_per_arm for day in early if schedule.satellites_per_arm}


def simulate_plan(plan: Plan, animals_per_arm: int, seed: int) -> SimulatedStudy:
    """Simulate the study of a plan once, satellites included.

    Parameters
    ----------
    plan
        What `load_plan` gives.
    animals_per_arm
        Main animals of each arm.
    seed
        Seed of mice and measurements.
    """
    satellites = planned_satellites(plan)
    arms = [
        SimulatedArm(arm.name, animals_per_arm, planned_treatments(arm), satellites)
        for arm in plan.arms
    ]
    return simulate_study(
        arms,
        planned_visits(plan),
        seed,
        host=planned_host(plan),
        measurement=planned_measurement(plan),
    )
