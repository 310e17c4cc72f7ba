"""Steady state of a regimen: the state that one interval between doses brings back to itself.

The map that takes the state at the start of an interval to the state at its end is solved for its
fixed point by Newton's method. Its matrix comes from finite differences, all of them lanes of one
call of the engine; for linear kinetics one step is exact. Where Newton's method goes astray the
regimen is simply followed for some more intervals.

A quantity that the kinetics conserve (say bound and free receptor together) keeps the value it had
at the start: steps along conserved directions are taken out by the left null space of the map.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from estradyn.engine import DoseSchedule, solve
from estradyn.simulation.accuracy import solver_options
from estradyn.simulation.kernels import Kernels
from estradyn.simulation.timeline import Regimen

Array = NDArray[np.float64]

TOLERANCE = 1e-6
"""A state is steady when Newton's next step is below this share of each state's peak ..."""
REPEAT_TOLERANCE = 1e-9
"""... or when an interval changes no state by more than this share of its peak."""
RELATIVE_TOLERANCE = 1e-9
"""Of the solver: finite differences see its errors enlarged."""
WARM_UP_INTERVALS = 4
NEWTON_STEPS = 12
FOLLOWED_INTERVALS = (20, 200)
"""Intervals followed between attempts at Newton's method."""
CONSERVED = 1e-5
"""Singular values below this share mark directions in which an interval changes nothing."""
DIFFERENCE_SHARE = 1e-3
PEAK_SAMPLES = 8
LANES_AT_ONCE = 4096


@dataclass(frozen=True)
class SteadyStates:
    """Steady states of several patients.

    Attributes
    ----------
    states
        Shape (patients, states), NaN where there is none.
    fault
        For each patient why there is none, empty where there is one.
    """

    states: Array
    fault: tuple[str, ...]


def find_steady_states(
    kernels: Kernels,
    parameters: Mapping[str, Array],
    regimens: Sequence[Regimen],
    initial: Array,
    *,
    dose_exponent: int = 0,
    start: float = 0.0,
    workers: int = 1,
) -> SteadyStates:
    """Find the steady states of patients whose dosing intervals are the same.

    Parameters
    ----------
    kernels
        Compiled model.
    parameters
        Values by name, shape (patients,).
    regimens
        Regimen of each patient.
    initial
        States to search from, shape (patients, states). States that only add up stay as they are.
    dose_exponent
        Order of magnitude of the smallest dose, see `order_of_magnitude`.
    start
        Time at which an interval starts, for models that depend on time.
    workers
        Threads to use.
    """
    count = len(regimens)
    most = max(LANES_AT_ONCE // (initial.shape[1] + 1), 1)
    states, faults = np.empty_like(initial), []
    for low in range(0, count, most):
        part = slice(low, min(low + most, count))
        chosen = {name: values[part] for name, values in parameters.items()}
        search = _Search(
            kernels, chosen, tuple(regimens[part]), initial[part], dose_exponent, start, workers
        )
        search.run()
        states[part] = search.found
        faults += search.fault
    return SteadyStates(states, tuple(faults))


class _Search:
    """Search for some patients at the same time; each goes her own way."""

    def __init__(
        self,
        kernels: Kernels,
        parameters: Mapping[str, Array],
        regimens: tuple[Regimen, ...],
        initial: Array,
        dose_exponent: int,
        start: float,
        workers: int,
    ):
        self.kernels, self.parameters, self.regimens = kernels, parameters, regimens
        self.initial, self.start, self.workers = initial, start, workers
        self.options = solver_options(kernels.own_initial_state, dose_exponent, RELATIVE_TOLERANCE)
        self.found = np.full_like(initial, np.nan)
        self.fault = ["the regimen has no steady state that could be found"] * len(regimens)
        self.peak = np.zeros_like(initial)
        self.matrix = np.full((*initial.shape, initial.shape[1]), np.nan)

    def run(self) -> None:
        patients = np.arange(len(self.regimens))
        state = self.advance(patients, self.initial, WARM_UP_INTERVALS)
        for intervals in (*FOLLOWED_INTERVALS, 0):
            patients, state = self.drop_lost(patients, state)
            patients, state = self.newton(patients, state)
            if not patients.size or not intervals:
                return
            state = self.advance(patients, state, intervals)

    def drop_lost(
        self, patients: NDArray[np.int64], state: Array
    ) -> tuple[NDArray[np.int64], Array]:
        """Give up patients whom the engine could not follow."""
        lost = ~np.isfinite(state).all(axis=1)
        for patient in patients[lost]:
            self.fault[patient] = "could not be followed to the steady state of the regimen"
        return patients[~lost], state[~lost]

    def newton(self, patients: NDArray[np.int64], state: Array) -> tuple[NDArray[np.int64], Array]:
        """Take Newton steps; give those who are not there yet, where they were before."""
        origin, active = state, np.arange(patients.size)
        size = np.full(patients.size, np.inf)
        stale = np.ones(patients.size, dtype=bool)
        done = np.zeros(patients.size, dtype=bool)
        state = state.copy()
        for _ in range(NEWTON_STEPS):
            who = patients[active]
            after = self.advance(who, state[active], 1, note_peak=True)
            finite = np.isfinite(after).all(axis=1)
            active, after = active[finite], after[finite]
            self.note_restless(patients[active], state[active], after)
            renewed = active[stale[active]]
            if renewed.size:
                self.matrix[patients[renewed]] = self.differences(
                    patients[renewed], state[renewed], after[stale[active]]
                )
            remaining = []
            for place, arrival in zip(active, after, strict=True):
                patient = int(patients[place])
                step, steady, stable = self.step(patient, state[place], arrival)
                if steady and stable:
                    moving = self.kernels.feeds_back
                    self.found[patient] = np.where(
                        moving, state[place] + step, self.initial[patient]
                    )
                    self.fault[patient] = ""
                    done[place] = True
                    continue
                relative = float(np.max(np.abs(step) / self.scale(patient)))
                if not np.isfinite(relative) or (steady and not stable):
                    continue
                # The matrix is good for as long as steps shrink fast.
                stale[place] = relative > 0.1 * size[place]
                size[place] = relative
                state[place] += step
                remaining.append(place)
            active = np.array(remaining, dtype=np.int64)
            if not active.size:
                break
        return patients[~done], origin[~done]

    def note_restless(self, patients: NDArray[np.int64], state: Array, after: Array) -> None:
        """Note which state changes most, to be told if there is no steady state."""
        for patient, change in zip(patients, np.abs(after - state), strict=True):
            share = np.where(self.kernels.feeds_back, change / self.scale(patient), 0.0)
            name = self.kernels.model.state_names[int(np.argmax(share))]
            self.fault[patient] = f"found no steady state of the regimen, '{name}' changes most"

    def step(self, patient: int, state: Array, after: Array) -> tuple[Array, bool, bool]:
        """Newton's step of one patient, whether she is steady, and whether she would stay so."""
        moving = self.kernels.feeds_back
        scale = self.scale(patient)[moving]
        residual = (after - state)[moving] / scale
        matrix = self.matrix[patient][np.ix_(moving, moving)] * (scale / scale[:, None])
        step = np.zeros_like(state)
        if not np.isfinite(matrix).all():
            return np.full_like(state, np.nan), False, False
        left, singular, right = np.linalg.svd(np.eye(matrix.shape[0]) - matrix)
        conserved = singular <= CONSERVED * max(float(singular.max(initial=0.0)), 1.0)
        inverse = np.where(conserved, 0.0, 1.0 / np.where(conserved, 1.0, singular))
        move = right.T @ (inverse * (left.T @ residual))
        drift = 0.0
        if conserved.any():
            drift = float(np.abs(left[:, conserved].T @ residual).max())
            overlap = left[:, conserved].T @ right[conserved].T
            shift = np.linalg.lstsq(overlap, -(left[:, conserved].T @ move), rcond=None)[0]
            move = move + right[conserved].T @ shift
        step[moving] = move * scale
        small = bool((np.abs(move) <= TOLERANCE).all()) and drift <= TOLERANCE
        repeats = bool((np.abs(residual) <= REPEAT_TOLERANCE).all())
        radius = float(np.abs(np.linalg.eigvals(matrix)).max(initial=0.0))
        return step, small or repeats, radius <= 1.0 + CONSERVED

    def scale(self, patient: int) -> Array:
        """Size by which each state's errors are judged: its peak, the dose's where it has none."""
        regimen = self.regimens[patient]
        dose = regimen.amount or regimen.rate * regimen.duration
        return np.where(self.peak[patient] > 0, self.peak[patient], dose)

    def differences(self, patients: NDArray[np.int64], state: Array, after: Array) -> Array:
        """Matrix of the interval's map at each state, shape (patients, states, states)."""
        states = state.shape[1]
        shift = DIFFERENCE_SHARE * np.array([self.scale(int(patient)) for patient in patients])
        shifted = state[:, None, :] + shift[:, :, None] * np.eye(states)
        lanes = np.repeat(patients, states)
        ends = self.advance(lanes, shifted.reshape(-1, states), 1).reshape(-1, states, states)
        change = (ends - after[:, None, :]) / shift[:, :, None]
        return change.transpose(0, 2, 1)

    def advance(
        self,
        patients: NDArray[np.int64],
        state: Array,
        intervals: int,
        *,
        note_peak: bool = False,
    ) -> Array:
        """Follow patients through whole intervals; a patient may stand in the list many times."""
        if not patients.size:
            return state.copy()
        length = self.regimens[patients[0]].interval
        end = self.start + intervals * length
        times = np.array([end])
        if note_peak:
            times = np.append(self.start + length * np.arange(PEAK_SAMPLES) / PEAK_SAMPLES, end)
            # The first sample has seen a dose at the start.
            times[0] = np.nextafter(self.start, np.inf) if self.start else np.finfo(float).tiny
        solution = solve(
            self.kernels.for_states,
            {name: values[patients] for name, values in self.parameters.items()},
            times,
            self.doses(patients, intervals),
            start=self.start,
            initial_states=np.ascontiguousarray(state),
            options=self.options,
            workers=self.workers,
        )
        if note_peak:
            largest = np.abs(solution.values).max(axis=1)
            known = self.peak[patients]
            self.peak[patients] = np.where(largest > known, largest, known)
        return solution.final_states

    def doses(self, patients: NDArray[np.int64], intervals: int) -> DoseSchedule:
        """Doses of the regimens over some intervals."""
        own = {
            int(patient): regimen_events(self.regimens[patient]) for patient in np.unique(patients)
        }
        each = [own[int(patient)] for patient in patients]
        sizes = [events.time.size for events in each]
        length = self.regimens[patients[0]].interval
        begin = self.start + length * np.arange(intervals)
        total = sum(sizes)

        def joined(name: str, kind: type) -> NDArray:
            columns = [np.empty(0, kind), *(getattr(events, name) for events in each)]
            return np.tile(np.concatenate(columns).astype(kind), intervals)

        return DoseSchedule(
            patient=np.tile(np.repeat(np.arange(patients.size), sizes), intervals),
            time=np.repeat(begin, total) + joined("time", np.float64),
            state=joined("state", np.int64),
            amount=joined("amount", np.float64),
            to_inflow=joined("to_inflow", np.bool_),
            states=self.kernels.model.state_names,
        )


@dataclass(frozen=True)
class IntervalEvents:
    """What a regimen does in one interval, arrays of shape (events,); times from its start."""

    time: Array
    state: NDArray[np.int64]
    amount: Array
    to_inflow: NDArray[np.bool_]


def regimen_events(regimen: Regimen) -> IntervalEvents:
    """Return the doses and changes of infusion rate in one interval of a steady regimen.

    An infusion that outlasts the interval runs on top of those before it: as many as it lasts whole
    intervals always run, and one more in the rest of it.
    """
    if regimen.rate == 0:
        events = [(regimen.delay, regimen.amount, False)]
    else:
        whole, rest = divmod(regimen.duration, regimen.interval)
        stop = regimen.delay + rest
        running = whole + (stop > regimen.interval)
        off = stop - regimen.interval if stop > regimen.interval else stop
        events = [
            (0.0, running * regimen.rate, True),
            (regimen.delay, regimen.rate, True),
            (off, -regimen.rate, True),
            # The next interval starts with a pump at rest.
            (regimen.interval, -running * regimen.rate, True),
        ]
    time, amount, to_inflow = zip(*events, strict=True)
    return IntervalEvents(
        np.array(time),
        np.full(len(events), regimen.state, dtype=np.int64),
        np.array(amount),
        np.array(to_inflow),
    )
