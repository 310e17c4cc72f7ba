"""The state a woman who cycles is in before any drug: on her own cycle, on a stated day of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from estradyn.engine import CompiledModel, PatientStatus, Solution, compile_model, solve
from estradyn.model.patient_model import PatientModel
from estradyn.model.people import Cycle
from estradyn.model.units import unit_ratio
from estradyn.population.baseline import Baselines, states_behind

Array = NDArray[np.float64]

NO_CYCLE = "no regular drug-free cycle"

SETTLING_DAYS = 224.0
"""Days, eight cycles, in which a woman comes to her own cycle from that of the model's values."""

WATCHED_DAYS = 84.0
"""Days in which her peaks are looked for and her means are taken; three cycles."""

USUAL_LENGTH_DAYS = 28.0
"""Length that stands for the cycle of a woman who need not have one."""

LUTEAL_DAYS = 14.0
"""Days from the peak to the first day of the next cycle."""

LATEST_ENTRY_DAY = 45.0
"""Latest day of the cycle on which she may enter."""

HOURS_PER_DAY = 24.0

STEP_HOURS = 6.0
"""Time between the states that are looked at; a peak of LH lasts a day or two."""

WOMEN_AT_ONCE = 128
"""Women whose courses are held in memory at one time."""


@dataclass(frozen=True)
class CyclingBaseline:
    """Brings each woman to her own cycle and to the day on which she enters.

    A woman who cycles has no steady state. She is followed from the model's initial state until her
    cycle repeats itself; the values that stand for drug-free (means over her cycle, see
    `estradyn.model.people.Cycle`) are then known. Where the cycle does not depend on a state, say
    of bone, that state starts anew at the model's own initial value, the steady state of a woman at
    these means, and takes part in at least one further cycle before she enters.

    The overrides of `baseline.tsv` hold throughout; what a plausibility rule reads is evaluated on
    the day of entry with her own parameters.

    Attributes
    ----------
    patient_model
        A model of people with a cycle.
    workers
        Threads of the solver; the results do not depend on it.
    """

    patient_model: PatientModel
    workers: int = 1

    def __call__(self, parameters: Mapping[str, Array], count: int) -> Baselines:
        """Find the baselines of `count` candidates with the given parameters and traits."""
        parts = []
        for start in range(0, count, WOMEN_AT_ONCE):
            end = min(start + WOMEN_AT_ONCE, count)
            some = {name: array[start:end] for name, array in parameters.items()}
            parts.append(self._some(some, end - start))
        return Baselines(
            np.concatenate([part.states for part in parts]),
            {
                name: np.concatenate([part.outputs[name] for part in parts])
                for name in self._rule_outputs
            },
            [reason for part in parts for reason in part.failures],
            np.concatenate([part.followed for part in parts]),
            {
                name: np.concatenate([part.parameters[name] for part in parts])
                for name in self._cycle.means
            },
        )

    @property
    def _cycle(self) -> Cycle:
        cycle = self.patient_model.cycle
        if cycle is None:
            raise ValueError("the model describes no people with a cycle")
        return cycle

    @cached_property
    def _rule_outputs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(rule.output for rule in self.patient_model.plausibility))

    @cached_property
    def _compiled(self) -> CompiledModel:
        model, cycle = self.patient_model.model, self._cycle
        names = (*model.state_names, *self._rule_outputs, cycle.marker, *cycle.means.values())
        return compile_model(model, list(dict.fromkeys(names)))

    @cached_property
    def _cycling(self) -> NDArray[np.bool_]:
        """States that the cycle depends on."""
        model = self.patient_model.model
        behind = states_behind(model, [self._cycle.marker])
        return np.array([name in behind for name in model.state_names])

    @cached_property
    def _hour(self) -> float:
        return unit_ratio("hour", self.patient_model.model.time_unit)

    def _some(self, given: Mapping[str, Array], count: int) -> Baselines:
        """Find the baselines of some candidates side by side."""
        cycle, model = self._cycle, self.patient_model.model
        own = {name: array for name, array in given.items() if name in model.parameter_names}
        held = {item.name: np.full(count, item.value) for item in self.patient_model.baseline}
        settled = self._follow({**own, **held}, None, [0.0, SETTLING_DAYS], count)
        days = np.arange(0.0, WATCHED_DAYS + 1e-9, STEP_HOURS / HOURS_PER_DAY)
        watched = self._follow({**own, **held}, self._states(settled)[:, -1], days, count)
        seen = [last_cycle(course, cycle.least_peak) for course in watched[cycle.marker]]
        first, last = np.array([one or (0, days.size - 1) for one in seen]).T
        means = {
            name: np.array(
                [course[i:j].mean() for course, i, j in zip(watched[of], first, last, strict=True)]
            )
            for name, of in cycle.means.items()
        }
        own = {**own, **means}
        start = self._states(self._follow({**own, **held}, None, [0.0], count))[:, 0]
        at_peak = self._states(watched)[np.arange(count), last]
        start[:, self._cycling] = at_peak[:, self._cycling]
        regular = np.array([one is not None for one in seen])
        length = np.where(regular, (last - first) * STEP_HOURS / HOURS_PER_DAY, USUAL_LENGTH_DAYS)
        entry_day = np.clip(given.get(cycle.entry_day, np.ones(count)), 1.0, LATEST_ENTRY_DAY)
        entry = length + LUTEAL_DAYS + entry_day - 1.0
        place = np.rint(entry * HOURS_PER_DAY / STEP_HOURS).astype(np.int64)
        days = np.arange(place.max() + 1) * STEP_HOURS / HOURS_PER_DAY
        entered = self._follow({**own, **held}, start, days, count)
        states = self._states(entered)[np.arange(count), place]
        failures = [""] * count
        for index in range(count):
            lost = [run.status[index] for run in (settled, watched, entered)]
            worst = PatientStatus(max(lost))
            if not worst.succeeded:
                failures[index] = f"{NO_CYCLE}: {worst.text}"
            elif cycle.regular and not regular[index]:
                failures[index] = NO_CYCLE
        lives = np.array([not reason for reason in failures])
        states[~lives] = np.nan
        outputs = self._evaluate(own, states, lives)
        return Baselines(states, outputs, failures, np.ones(count, dtype=bool), means)

    def _follow(
        self,
        parameters: Mapping[str, Array],
        states: Array | None,
        days: ArrayLike,
        count: int,
    ) -> Solution:
        return solve(
            self._compiled,
            parameters,
            np.asarray(days) * HOURS_PER_DAY * self._hour,
            patients=count,
            initial_states=states,
            workers=self.workers,
        )

    def _states(self, run: Solution) -> Array:
        """States of a run, shape (patients, times, states); they are the first outputs."""
        return run.values[:, :, : len(self.patient_model.model.state_names)].copy()

    def _evaluate(
        self, parameters: Mapping[str, Array], states: Array, lives: NDArray[np.bool_]
    ) -> dict[str, Array]:
        """Outputs of the plausibility rules on the day of entry, NaN where there is none."""
        values = {name: np.full(len(states), np.nan) for name in self._rule_outputs}
        if not values or not lives.any():
            return values
        of_living = {name: array[lives] for name, array in parameters.items()}
        at_entry = self._follow(of_living, states[lives], [0.0], int(lives.sum()))
        for name, array in values.items():
            array[lives] = at_entry[name][:, 0]
        return values


def last_cycle(course: Array, least_peak: float) -> tuple[int, int] | None:
    """Places of the last two peaks of a course; None where it has fewer.

    Parameters
    ----------
    course
        Values at even steps.
    least_peak
        Least value of a peak.
    """
    middle = course[1:-1]
    is_peak = (middle > course[:-2]) & (middle >= course[2:]) & (middle >= least_peak)
    peaks = np.flatnonzero(is_peak) + 1
    return (int(peaks[-2]), int(peaks[-1])) if peaks.size > 1 else None
