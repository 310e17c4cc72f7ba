"""Group size by simulating the planned analysis."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from estradyn.errors import InputError
from estradyn.xenograft.growth import AFTER, WINDOW, fit_growth
from estradyn.xenograft.plan_file import Plan
from estradyn.xenograft.statistical_mouse import SimulatedArm, StatisticalMouse, simulate_study

POWER_COLUMNS = (
    "animals_per_arm",
    "arm",
    "phase",
    "power",
    "monte_carlo_error",
    "simulations",
    "failed",
    "left_early_percent",
)

GENERATOR = (
    "Animals come from a statistical generator (log-linear courses, published caliper errors), not "
    "from a mechanistic mouse; the shares of courses are the plan's own expectation."
)


def power_curve(
    plan: Plan, *, progress: Callable[[int, int], None] | None = None, window_end: float = 21.0
) -> pd.DataFrame:
    """Power of the planned mixed model at each group size.

    Studies are drawn with the spread, caliper error and dropout of the statistical generator and
    analysed as planned; a difference in growth rate from the control counts when its two-sided p
    is below alpha divided by the number of treated arms (Bonferroni) and treatment is slower.

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
        Columns `POWER_COLUMNS`; `monte_carlo_error` is the standard error of `power`, and a study
        that could not be analysed counts as not significant.
    """
    sizes = sorted({*plan.power.group_sizes, *_fixed(plan)})
    total, done = len(sizes) * plan.power.simulations, 0
    rows = []
    for size in sizes:
        hits = {(arm.name, phase): 0 for arm in plan.arms[1:] for phase in (WINDOW, AFTER)}
        left, failed = [], 0
        for number in range(plan.power.simulations):
            study = _draw(plan, size, number)
            last = study.groupby("animal")["day"].max()
            left.append(float((last < study["day"].max()).mean()))
            try:
                model = fit_growth(study, [arm.name for arm in plan.arms], knot=window_end)
            except InputError:
                failed += 1
                model = None
            for arm, phase in hits:
                estimate = model.slope_difference(arm, plan.arms[0].name, phase) if model else None
                if estimate is not None:
                    level = plan.power.alpha / (len(plan.arms) - 1)
                    hits[arm, phase] += estimate.p_value < level and estimate.value < 0
            done += 1
            if progress is not None:
                progress(done, total)
        for (arm, phase), count in hits.items():
            power = count / plan.power.simulations
            error = float(np.sqrt(power * (1.0 - power) / plan.power.simulations))
            rows.append(
                (
                    size,
                    arm,
                    phase,
                    power,
                    error,
                    plan.power.simulations,
                    failed,
                    100.0 * float(np.mean(left)),
                )
            )
    return pd.DataFrame(rows, columns=list(POWER_COLUMNS))


def chosen_size(plan: Plan, curve: pd.DataFrame) -> int | None:
    """Animals per arm: as fixed, else the smallest with the power wanted after the flare window.

    Every treated arm must reach it; None when no size does.
    """
    if plan.power.animals_per_arm is not None:
        return plan.power.animals_per_arm
    after = curve[curve["phase"] == AFTER].groupby("animals_per_arm")["power"].min()
    enough = after.index[after >= plan.power.target]
    return int(enough.min()) if len(enough) else None


def _fixed(plan: Plan) -> tuple[int, ...]:
    return () if plan.power.animals_per_arm is None else (plan.power.animals_per_arm,)


def _draw(plan: Plan, size: int, number: int) -> pd.DataFrame:
    mouse = StatisticalMouse(
        baseline_volume=plan.baseline_volume_mm3,
        growth_rate=plan.growth_rate_per_day,
        body_weight=plan.body_weight_g,
        # 10 % of the body weight at 1 mg/mm3.
        size_limit=100.0 * plan.body_weight_g,
    )
    arms = [SimulatedArm(arm.name, size, arm.expected.by_course()) for arm in plan.arms]
    days = [0, *(day for day in plan.schedule.measure_day if day > 0)]
    seed = np.random.SeedSequence([plan.seed, size, number])
    return simulate_study(arms, days, seed, mouse=mouse).measurements
