"""The usual ways in which a flare study fails, looked for in a plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from estradyn.xenograft.calendar import (
    BLOOD_UL_PER_G,
    MONTH_DAYS,
    MONTH_SHARE,
    SINGLE_SHARE,
)
from estradyn.xenograft.checks import FEWEST_WINDOW_VISITS
from estradyn.xenograft.plan_file import Plan
from estradyn.xenograft.response import FIRST_JUDGED_DAY, FlareRule
from estradyn.xenograft.simulated_study import FLARES, Course

HARMFUL_PELLET_MG = 0.72
"""Estradiol pellets of 0.72 mg caused urosepsis, 0.3 to 0.5 mg did not
(doi:10.7150/jca.10890)."""

TESTED_PELLET_MG = 0.5

FEWEST_GROWING_PERCENT = 50.0
"""Share of simulated control animals with growth below which a plan cannot show inhibition."""

FEWEST_FLARES_PERCENT = 5.0
"""Share of simulated treated animals with a flare below which a flare study is not one."""


@dataclass(frozen=True)
class DesignWarning:
    """Something in a plan that has spoiled studies before.

    Attributes
    ----------
    subject
        What it is about, in a few words.
    message
        What was found and what would be better.
    """

    subject: str
    message: str


def design_warnings(
    plan: Plan,
    calendar: pd.DataFrame,
    size: int | None,
    courses: pd.DataFrame | None = None,
    rule: FlareRule | None = None,
) -> tuple[DesignWarning, ...]:
    """Look for the usual failures.

    Parameters
    ----------
    plan
        The plan.
    calendar
        Its calendar.
    size
        Animals per arm, None when no group size reaches the power wanted.
    courses
        What tumors truly do on the mechanistic mouse (`expected_courses`); None skips what rests
        on it.
    rule
        Flare window and recheck of the analysis.
    """
    found = [*_warnings(plan, calendar, size, rule or FlareRule())]
    if courses is not None:
        found += _biology(plan, courses)
    return tuple(found)


def _biology(plan: Plan, courses: pd.DataFrame) -> Iterator[DesignWarning]:
    """What the mechanistic mouse makes of the design."""
    percent = courses.set_index(["arm", "course"])["percent"]
    control, *treated = (arm.name for arm in plan.arms)
    growing = float(percent[control, str(Course.PROGRESSION)])
    if growing < FEWEST_GROWING_PERCENT:
        yield DesignWarning(
            "control does not grow",
            f"Tumors grow in {growing:.0f} % of simulated animals of '{control}': with so little "
            "estradiol slower growth cannot be shown. A pellet of 0.05 mg or more lets them grow; "
            "without one the study can show a flare but no response.",
        )
    for arm in treated:
        flares = sum(float(percent[arm, str(course)]) for course in FLARES)
        if flares < FEWEST_FLARES_PERCENT:
            yield DesignWarning(
                "no flare expected",
                f"An early rise that ends by itself is seen in {flares:.0f} % of simulated animals "
                f"of '{arm}'. Dose, estradiol or sampling make it unlikely.",
            )


def _warnings(
    plan: Plan, calendar: pd.DataFrame, size: int | None, rule: FlareRule
) -> Iterator[DesignWarning]:
    schedule = plan.schedule
    if not plan.dose_finding_pilot:
        yield DesignWarning(
            "no dose-finding pilot",
            "No pilot has shown a dose that flares in this model; a main study without flare "
            "cannot say whether model, dose or sampling was at fault.",
        )
    window = [day for day in schedule.measure_day if 0 < day <= rule.window_end]
    gaps = [b - a for a, b in zip([0, *window], window, strict=False)]
    if len(window) < FEWEST_WINDOW_VISITS or max(gaps, default=99) > 5:
        yield DesignWarning(
            "sparse sampling in weeks 1 to 3",
            f"{len(window)} measurements to day {rule.window_end:g}; twice a week (at most 5 days "
            "apart) shows the peak of a flare.",
        )
    if not any(day <= 0 for day in schedule.measure_day):
        yield DesignWarning(
            "no baseline", "No measurement on or before day 0; every class and the model need one."
        )
    end = rule.window_end + FIRST_JUDGED_DAY
    if schedule.duration_day < rule.window_end + rule.recheck_after:
        yield DesignWarning(
            "short follow-up",
            f"The study ends on day {schedule.duration_day}; a rise late in the flare window is "
            f"rechecked on day {rule.window_end + rule.recheck_after:g}, and response after the "
            f"window can be judged from day {end:g} at the earliest.",
        )
    early = [day for day in schedule.histology_day if day < schedule.duration_day]
    if early and schedule.satellites_per_arm == 0:
        yield DesignWarning(
            "terminal histology without satellites",
            f"Histology on day {early[0]} ends an animal's follow-up and no satellites are "
            "planned; those animals cannot show flare or response.",
        )
    if plan.estradiol_pellet_mg >= HARMFUL_PELLET_MG:
        yield DesignWarning(
            "estradiol pellet",
            f"Pellets of {HARMFUL_PELLET_MG:g} mg have caused urosepsis and deaths, 0.3 to 0.5 mg "
            f"supported growth without; planned are {plan.estradiol_pellet_mg:g} mg.",
        )
    elif plan.estradiol_pellet_mg > TESTED_PELLET_MG:
        yield DesignWarning(
            "estradiol pellet",
            f"{plan.estradiol_pellet_mg:g} mg lies above the 0.3 to 0.5 mg that were without "
            "bladder symptoms; plan checks for bladder distension.",
        )
    yield from _blood(plan, calendar)
    if size is None:
        yield DesignWarning(
            "power",
            f"No group size up to {max(plan.power.group_sizes)} reaches a power of "
            f"{plan.power.target:g}; the largest is planned.",
        )
    if schedule.blood_day and not any(0 < day <= rule.window_end for day in schedule.blood_day):
        yield DesignWarning(
            "no calcium in weeks 1 to 3",
            "No blood is taken in the flare window, when calcium rises.",
        )
    if plan.take_rate < 0.7:
        yield DesignWarning(
            "take rate",
            f"Only {100 * plan.take_rate:g} % of animals are expected to grow a tumor; standardise "
            "the inoculation before the study.",
        )


def _blood(plan: Plan, calendar: pd.DataFrame) -> Iterator[DesignWarning]:
    volume = BLOOD_UL_PER_G * plan.body_weight_g
    single = plan.schedule.blood_sample_uL
    if plan.schedule.blood_day and single > SINGLE_SHARE * volume:
        yield DesignWarning(
            "blood volume",
            f"A sample of {single:g} µL is more than 10 % of the blood of a "
            f"{plan.body_weight_g:g} g mouse ({SINGLE_SHARE * volume:.0f} µL).",
        )
    taken = calendar["blood_28_day_uL"]
    if (taken > MONTH_SHARE * volume).any():
        worst = calendar.iloc[int(np.nanargmax(taken.to_numpy()))]
        yield DesignWarning(
            "blood volume",
            f"{worst['blood_28_day_uL']:g} µL in the {MONTH_DAYS} days to day {worst['day']:g} is "
            f"more than 15 % of the blood of a {plan.body_weight_g:g} g mouse "
            f"({MONTH_SHARE * volume:.0f} µL).",
        )
