"""A study plan: size, allocation, calendar, warnings and the ARRIVE table."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from estradyn.errors import InputError
from estradyn.xenograft.arrive import arrive_table
from estradyn.xenograft.calendar import calendar
from estradyn.xenograft.design_warnings import DesignWarning, design_warnings
from estradyn.xenograft.growth import AFTER
from estradyn.xenograft.humane_endpoints import NUDE_MOUSE_ENDPOINTS, HumaneEndpoint
from estradyn.xenograft.plan_file import Plan
from estradyn.xenograft.power import (
    GENERATOR,
    SLOWER,
    chosen_size,
    expected_courses,
    power_curve,
)
from estradyn.xenograft.randomisation import (
    Allocation,
    balance_table,
    blinding_codes,
    block_scheme,
    randomise,
)
from estradyn.xenograft.study_table import read_animals


@dataclass(frozen=True)
class StudyPlan:
    """Everything a plan leads to.

    Attributes
    ----------
    plan
        What was asked for.
    power
        Power at each group size; see `power_curve`.
    courses
        What tumors truly do on the mechanistic mouse; see `expected_courses`.
    animals_per_arm
        Main animals per arm; satellites come on top.
    to_inoculate
        Animals to inoculate, for the take rate.
    calendar
        What is done when.
    scheme
        Allocation by rank of volume within blocks.
    allocation, balance
        Allocation of the animals given and their baseline by arm; None without animals.
    codes
        Blinding code of each arm.
    endpoints
        Humane endpoints.
    warnings
        Usual failures that were found.
    arrive
        ARRIVE 2.0 table.
    """

    plan: Plan
    power: pd.DataFrame
    courses: pd.DataFrame
    animals_per_arm: int
    to_inoculate: int
    calendar: pd.DataFrame
    scheme: pd.DataFrame
    allocation: Allocation | None
    balance: pd.DataFrame | None
    codes: dict[str, str]
    endpoints: tuple[HumaneEndpoint, ...]
    warnings: tuple[DesignWarning, ...]
    arrive: pd.DataFrame


def make_plan(
    plan: Plan,
    *,
    animals: str | Path | pd.DataFrame | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> StudyPlan:
    """Work out a plan.

    Parameters
    ----------
    plan
        What `load_plan` gives.
    animals
        Animals to randomise, as a file or frame with `animal`, `volume_mm3` and, if known,
        `weight_g` and `cage`; without them the allocation is given by rank of volume.
    progress
        Called with the simulated studies done and planned.

    Raises
    ------
    InputError
        When the animals cannot be read or are too few.
    """
    names = [arm.name for arm in plan.arms]
    listed = None if animals is None else read_animals(animals)
    if listed is not None:
        # Told before the simulation, which takes a while.
        _check_number(len(listed), plan.power.animals_per_arm or min(plan.power.group_sizes), plan)
    curve = power_curve(plan, progress=progress)
    chosen = chosen_size(plan, curve)
    size = max(plan.power.group_sizes) if chosen is None else chosen
    allocation = None
    if listed is not None:
        _check_number(len(listed), size, plan)
        allocation = randomise(listed, names, size, plan.seed)
    days = calendar(plan)
    courses = expected_courses(plan)
    warnings = design_warnings(plan, days, chosen, courses)
    satellites = plan.schedule.satellites_per_arm * len(_early_histology(plan))
    needed = (size + satellites) * len(names)
    result = StudyPlan(
        plan=plan,
        power=curve,
        courses=courses,
        animals_per_arm=size,
        to_inoculate=math.ceil(needed / plan.take_rate),
        calendar=days,
        scheme=block_scheme(names, size, plan.seed),
        allocation=allocation,
        balance=None if allocation is None else balance_table(allocation),
        codes=blinding_codes(names, plan.seed),
        endpoints=NUDE_MOUSE_ENDPOINTS,
        warnings=warnings,
        arrive=pd.DataFrame(),
    )
    return StudyPlan(**{**result.__dict__, "arrive": _arrive(result)})


def _check_number(animals: int, size: int, plan: Plan) -> None:
    needed = size * len(plan.arms)
    if animals < needed:
        raise InputError(
            f"found {animals} animals to randomise, allowed {needed} or more for {size} in each of "
            f"{len(plan.arms)} arms (or fix 'power.animals_per_arm')"
        )


def _early_histology(plan: Plan) -> list[int]:
    return [day for day in plan.schedule.histology_day if day < plan.schedule.duration_day]


def _arrive(made: StudyPlan) -> pd.DataFrame:
    plan, schedule = made.plan, made.plan.schedule
    after = made.power[
        (made.power["phase"] == AFTER)
        & (made.power["direction"] == SLOWER)
        & (made.power["animals_per_arm"] == made.animals_per_arm)
    ]
    power = "; ".join(
        f"{row['arm']}: {row['power']:.2f} ({row['power_lower']:.2f} to {row['power_upper']:.2f})"
        for row in after.to_dict("records")
    )
    satellites = ", ".join(str(day) for day in _early_histology(plan))
    limits = "; ".join(f"{one.quantity} {one.take_off:g} {one.unit}" for one in made.endpoints)
    known = {
        1: f"{len(plan.arms)} arms: {'; '.join(f'{a.name} ({a.description})' for a in plan.arms)}. "
        f"Control: {plan.arms[0].name}. The animal is the experimental unit.",
        2: f"{made.animals_per_arm} animals per arm and {schedule.satellites_per_arm} satellites "
        f"per arm for histology on day {satellites or '(none)'}; {made.to_inoculate} animals to "
        f"inoculate at a take rate of {100 * plan.take_rate:g} %. Power of the planned analysis "
        f"after the flare window (95 % Monte-Carlo interval): {power}. {GENERATOR}",
        3: "Animals with a tumor at randomisation; those farthest from the median log volume stay "
        "in reserve. No exclusion after randomisation but for impossible values found by the data "
        "checks.",
        4: f"Blocks of {len(plan.arms)} by rank of log volume, each with every arm once"
        + (", balanced in weight and cage by constrained randomisation" if made.allocation else "")
        + f", seed {plan.seed}.",
        5: "Arms are coded; the key is a file of its own, to be kept by someone who does not "
        "measure or treat.",
        6: "Primary: growth rate of log volume after the flare window. Secondary: growth rate in "
        "the flare window, mRECIST, flare-aware class, calcium, alkaline phosphatase, pain score, "
        "histology.",
        7: "Linear mixed model of log volume, piecewise linear with a knot on day 21, log baseline "
        "as covariate, random intercept and slopes with variances by arm, Satterthwaite degrees "
        f"of freedom, two-sided alpha {plan.power.alpha:g} divided by the number of treated arms.",
        8: f"{plan.strain}, {plan.body_weight_g:g} g expected; {plan.cell_line} tumors "
        f"{'in bone' if plan.in_bone else 'under the skin'}; estradiol pellet "
        f"{plan.estradiol_pellet_mg:g} mg, "
        f"ovaries {'removed' if plan.ovariectomized else 'intact'}.",
        9: f"First dose on day 0; {len(schedule.measure_day)} measurements to day "
        f"{schedule.duration_day}; blood of {schedule.blood_sample_uL:g} µL on "
        f"{len(schedule.blood_day)} days; see the calendar.",
        16: f"Humane endpoints: {limits}.",
    }
    return arrive_table(known)
