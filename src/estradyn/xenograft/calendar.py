"""What is done on which day, and how much blood that takes."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd

from estradyn.xenograft.plan_file import Plan

BLOOD_UL_PER_G = 58.5
"""Blood volume of a mouse (NC3Rs, nc3rs.org.uk/blood-sampling-mouse)."""

SINGLE_SHARE, MONTH_SHARE, MONTH_DAYS = 0.10, 0.15, 28
"""Largest share of the blood volume in one sample, and in 28 days (same source)."""


def calendar(plan: Plan) -> pd.DataFrame:
    """List the days of a study.

    Returns
    -------
    pandas.DataFrame
        `day`, `date` (empty without a start), `task`, `animals`, `blood_uL` (of one animal that
        day), `blood_28_day_uL` (of one animal in the 28 days up to and with it) and
        `blood_28_day_limit_uL`.
    """
    schedule = plan.schedule
    volume = BLOOD_UL_PER_G * plan.body_weight_g
    rows = []
    days = {
        *schedule.measure_day,
        *schedule.blood_day,
        *schedule.light_day,
        *schedule.histology_day,
    }
    for day in sorted({*days, 0, schedule.duration_day}):
        tasks = []
        if day == 0:
            tasks.append(("randomise and give the first dose", "all"))
        if day in schedule.measure_day:
            tasks.append(("calipers, body weight, pain score", "all"))
        if day in schedule.light_day:
            tasks.append(("bioluminescence", "main"))
        if day in schedule.blood_day:
            tasks.append(("blood for calcium and alkaline phosphatase", "main"))
        if day in schedule.histology_day and day < schedule.duration_day:
            who = f"{schedule.satellites_per_arm} satellites per arm"
            tasks.append(("histology: Ki-67, TUNEL, F4/80, CD3", who))
        if day == schedule.duration_day:
            tasks.append(("end: final measurement, terminal histology", "all left"))
        recent = [d for d in schedule.blood_day if day - MONTH_DAYS < d <= day]
        for task, who in tasks:
            bleeding = task.startswith("blood")
            rows.append(
                {
                    "day": day,
                    "date": ""
                    if schedule.start is None
                    else (schedule.start + timedelta(days=day)).isoformat(),
                    "task": task,
                    "animals": who,
                    "blood_uL": schedule.blood_sample_uL if bleeding else 0.0,
                    "blood_28_day_uL": len(recent) * schedule.blood_sample_uL
                    if bleeding
                    else float("nan"),
                    "blood_28_day_limit_uL": MONTH_SHARE * volume if bleeding else float("nan"),
                }
            )
    return pd.DataFrame(rows)
