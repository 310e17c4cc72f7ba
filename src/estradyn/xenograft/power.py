"""Group size by simulating the planned analysis."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from estradyn.errors import InputError
from estradyn.xenograft.growth import AFTER, WINDOW, GrowthModel, fit_growth
from estradyn.xenograft.plan_file import Plan
from estradyn.xenograft.planned_study import (
    planned_host,
    planned_measurement,
    planned_treatments,
    planned_visits,
)
from estradyn.xenograft.simulated_study import Course, SimulatedArm, Visits, simulate_study

SLOWER, FASTER = "slower", "faster"

TESTS = ((WINDOW, FASTER), (WINDOW, SLOWER), (AFTER, SLOWER))
"""Phase and direction of growth against the control: a flare is faster growth in the window."""

POWER_COLUMNS = (
    "animals_per_arm",
    "arm",
    "phase",
    "direction",
    "power",
    "power_lower",
    "power_upper",
    "simulations",
    "failed",
    "left_early_percent",
)

COURSE_COLUMNS = ("arm", "course", "percent", "animals")

STUDIES_AT_ONCE = 25
"""Studies whose mice are simulated together; bounds the memory."""

COURSE_ANIMALS = 200
"""Animals of each arm whose true courses are counted."""

GENERATOR = (
    "Animals come from the mechanistic mouse (spread between animals, published caliper errors, "
    "humane endpoints and deaths); its values are from other laboratories, several are assumed."
)


def expected_courses(plan: Plan) -> pd.DataFrame:
    """Count what the tumors of each arm truly do on the mechanistic mouse.

    Returns
    -------
    pandas.DataFrame
        Columns `COURSE_COLUMNS`: percent of animals with each true course, by arm.
    """
    visits = Visits((0.0, float(plan.schedule.duration_day)))
    rows = []
    for arm in plan.arms:
        one = SimulatedArm(arm.name, COURSE_ANIMALS, planned_treatments(arm))
        truth = simulate_study([one], visits, plan.seed, host=planned_host(plan)).truth
        counts = truth["course"].value_counts()
        for course in Course:
            percent = 100.0 * float(counts.get(str(course), 0)) / COURSE_ANIMALS
            rows.append((arm.name, str(course), percent, COURSE_ANIMALS))
    return pd.DataFrame(rows, columns=list(COURSE_COLUMNS))


def power_curve(
    plan: Plan, *, progress: Callable[[int, int], None] | None = None, window_end: float = 21.0
) -> pd.DataFrame:
    """Power of the planned mixed model at each group size.

    Studies are drawn on the mechanistic mouse with the spread, caliper error and dropout of the
    plan and analysed as planned; a difference in growth rate from the control counts when its
    two-sided p is below alpha divided by the number of treated arms (Bonferroni) and it has the
    direction asked for. Smaller groups are the first animals of larger ones, so that sizes differ
    by their number and not by chance.

    Parameters
    ----------
    plan
        The plan.
    progress
        Called with the studies done and planned.
    window_end
        End of the flare window, days.

    Returns
    -------
    pandas.DataFrame
        Columns `POWER_COLUMNS`; `power_lower` and `power_upper` are the 95 % Monte-Carlo interval
        of `power` (Wilson), and a study that could not be analysed counts as not significant.
    """
    sizes = sorted({*plan.power.group_sizes, *_fixed(plan)})
    studies, arms = plan.power.simulations, [arm.name for arm in plan.arms]
    level = plan.power.alpha / (len(arms) - 1)
    hits = {(size, arm, *test): 0 for size in sizes for arm in arms[1:] for test in TESTS}
    left: dict[int, list[float]] = {size: [] for size in sizes}
    failed = dict.fromkeys(sizes, 0)
    done = 0
    for first in range(0, studies, STUDIES_AT_ONCE):
        for study in _draw(plan, max(sizes), first, min(STUDIES_AT_ONCE, studies - first)):
            for size in sizes:
                table = study[study["_rank"] < size]
                last = table.groupby("animal")["day"].max()
                left[size].append(float((last < table["day"].max()).mean()))
                try:
                    model: GrowthModel | None = fit_growth(table, arms, knot=window_end)
                except InputError:
                    failed[size] += 1
                    model = None
                for arm in arms[1:]:
                    for phase, direction in TESTS:
                        found = model and _significant(model, arm, phase, direction, level)
                        hits[size, arm, phase, direction] += bool(found)
                done += 1
                if progress is not None:
                    progress(done, len(sizes) * studies)
    rows = []
    for (size, arm, phase, direction), count in hits.items():
        interval = binomtest(count, studies).proportion_ci(0.95, method="wilson")
        share = (count / studies, interval.low, interval.high)
        early = 100.0 * float(np.mean(left[size]))
        rows.append((size, arm, phase, direction, *share, studies, failed[size], early))
    return pd.DataFrame(rows, columns=list(POWER_COLUMNS))


def _significant(model: GrowthModel, arm: str, phase: str, direction: str, level: float) -> bool:
    estimate = model.slope_difference(arm, model.arms[0], phase)
    if estimate is None or not estimate.p_value < level:
        return False
    return estimate.value < 0 if direction == SLOWER else estimate.value > 0


def chosen_size(plan: Plan, curve: pd.DataFrame) -> int | None:
    """Animals per arm: as fixed, else the smallest with the power wanted after the flare window.

    Every treated arm must reach it; None when no size does.
    """
    if plan.power.animals_per_arm is not None:
        return plan.power.animals_per_arm
    primary = (curve["phase"] == AFTER) & (curve["direction"] == SLOWER)
    after = curve[primary].groupby("animals_per_arm")["power"].min()
    enough = after.index[after >= plan.power.target]
    return int(enough.min()) if len(enough) else None


def _fixed(plan: Plan) -> tuple[int, ...]:
    return () if plan.power.animals_per_arm is None else (plan.power.animals_per_arm,)


def _draw(plan: Plan, size: int, first: int, count: int) -> Iterator[pd.DataFrame]:
    """Yield measurements of `count` studies; `_rank` numbers the animals of an arm from 0."""
    arms = [SimulatedArm(arm.name, size * count, planned_treatments(arm)) for arm in plan.arms]
    calipers = Visits(planned_visits(plan).days)
    drawn = simulate_study(
        arms,
        calipers,
        plan.seed,
        host=planned_host(plan),
        measurement=planned_measurement(plan),
        first_animal=first * size * len(arms),
        with_truth=False,
    ).measurements
    place = drawn["animal"].str[1:].astype(int).to_numpy() - 1
    within = place % (size * count)
    drawn = drawn.assign(_rank=within % size)
    for _, study in drawn.groupby(within // size):
        yield study
