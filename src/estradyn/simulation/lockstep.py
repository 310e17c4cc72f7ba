"""Answers the requests of many patients together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from estradyn.engine import DoseSchedule, PatientStatus, Solution, SolverOptions, solve
from estradyn.simulation.accuracy import solver_options
from estradyn.simulation.course import Answer, Course, Observe, Request, Settle, Travel, follow
from estradyn.simulation.kernels import Kernels
from estradyn.simulation.steady_state import find_steady_states
from estradyn.simulation.timeline import Timeline

Array = NDArray[np.float64]

LARGEST_RESULT = 4_000_000
"""Numbers that one call of the engine may give back; patients are split to stay below it."""


@dataclass(frozen=True)
class Followed:
    """What became of patients.

    Attributes
    ----------
    values
        Outputs of each patient, shape (her rows, outputs); NaN for one who failed.
    faults
        Why a patient failed, by her place.
    """

    values: tuple[Array, ...]
    faults: Mapping[int, str]


def follow_together(
    kernels: Kernels,
    parameters: Mapping[str, Array],
    timelines: Sequence[Timeline],
    *,
    options: SolverOptions | None = None,
    workers: int = 1,
) -> Followed:
    """Simulate patients through their timelines.

    In each round every patient's next request is answered; requests that the engine can solve in
    one call are solved in one call. Which patients share a call changes nobody's numbers.

    Parameters
    ----------
    kernels
        Compiled model.
    parameters
        Values by name, shape (patients,).
    timelines
        Timeline of each patient.
    options
        Accuracy and limits of the solver; by default what `accuracy` says.
    workers
        Threads to use.
    """
    exponents = [timeline.dose_exponent for timeline in timelines]
    crew = _Crew(kernels, parameters, exponents, options, workers)
    count, outputs = len(timelines), len(kernels.outputs)
    values = [np.full((timeline.output_time.size, outputs), np.nan) for timeline in timelines]
    initial = crew.initial_states(count)
    courses: dict[int, Course] = {}
    waiting: dict[int, Request] = {}

    def resume(patient: int, answer: Answer | None) -> None:
        try:
            course = courses[patient]
            waiting[patient] = next(course) if answer is None else course.send(answer)
        except StopIteration as end:
            values[patient] = end.value

    for patient, timeline in enumerate(timelines):
        courses[patient] = follow(timeline, initial[patient], outputs)
        resume(patient, None)
    while waiting:
        asked, waiting = waiting, {}
        for patient, answer in crew.answer(asked).items():
            resume(patient, answer)
    return Followed(tuple(values), crew.faults)


class _Crew:
    """Sorts requests into calls of the engine; a patient who fails gets no answer."""

    def __init__(
        self,
        kernels: Kernels,
        parameters: Mapping[str, Array],
        dose_exponents: Sequence[int],
        options: SolverOptions | None,
        workers: int,
    ):
        self.kernels, self.parameters = kernels, parameters
        self.dose_exponents = dose_exponents
        self.options, self.workers = options, workers
        self.faults: dict[int, str] = {}

    def initial_states(self, count: int) -> Array:
        start = solve(self.kernels.for_outputs, self.parameters, [0.0], patients=count)
        # Outputs that are not finite at time 0 say nothing about the states.
        return start.final_states

    def answer(self, asked: Mapping[int, Request]) -> dict[int, Answer]:
        groups: dict[tuple[object, ...], list[int]] = {}
        for patient, request in asked.items():
            group = (*self.group(request), self.dose_exponents[patient])
            groups.setdefault(group, []).append(patient)
        answers: dict[int, Answer] = {}
        for patients in groups.values():
            kind = asked[patients[0]]
            if isinstance(kind, Travel):
                self.travel({p: r for p in patients if isinstance(r := asked[p], Travel)}, answers)
            elif isinstance(kind, Observe):
                self.observe(
                    {p: r for p in patients if isinstance(r := asked[p], Observe)}, answers
                )
            else:
                self.settle({p: r for p in patients if isinstance(r := asked[p], Settle)}, answers)
        return answers

    def group(self, request: Request) -> tuple[object, ...]:
        """What requests of one call have in common."""
        if isinstance(request, Travel):
            return Travel, request.leg.start, request.leg.end
        if isinstance(request, Observe):
            return Observe, request.time
        return Settle, self.settling_start(request), request.regimen.interval

    def options_for(self, patient: int) -> SolverOptions:
        if self.options is not None:
            return self.options
        initial = self.kernels.own_initial_state
        return solver_options(initial, self.dose_exponents[patient])

    def settling_start(self, request: Settle) -> float:
        return request.time if self.kernels.depends_on_time else 0.0

    def observe(self, asked: Mapping[int, Observe], answers: dict[int, Answer]) -> None:
        patients = np.array(list(asked), dtype=np.int64)
        time = next(iter(asked.values())).time
        states = np.array([request.state for request in asked.values()])
        solution = solve(
            self.kernels.for_outputs,
            self.of(patients),
            [time],
            start=time,
            initial_states=states,
        )
        self.hand_out(patients, solution, [np.zeros(1, dtype=np.int64)] * patients.size, answers)

    def travel(self, asked: Mapping[int, Travel], answers: dict[int, Answer]) -> None:
        legs = [request.leg for request in asked.values()]
        end = legs[0].end
        same = all(np.array_equal(leg.output_time, legs[0].output_time) for leg in legs)
        listed = legs[:1] if same else legs
        times = np.unique(np.concatenate([[end], *(leg.output_time for leg in listed)]))
        size = times.size * len(legs) * len(self.kernels.outputs)
        if size > LARGEST_RESULT and len(legs) > 1:
            pairs = list(asked.items())
            half = len(pairs) // 2
            self.travel(dict(pairs[:half]), answers)
            self.travel(dict(pairs[half:]), answers)
            return
        patients = np.array(list(asked), dtype=np.int64)
        solution = solve(
            self.kernels.for_outputs,
            self.of(patients),
            times,
            self.schedule(asked),
            start=legs[0].start,
            initial_states=np.array([request.state for request in asked.values()]),
            options=self.options_for(patients[0]),
            workers=self.workers,
        )
        rows = [np.searchsorted(times, leg.output_time) for leg in legs]
        self.hand_out(patients, solution, rows, answers)

    def schedule(self, asked: Mapping[int, Travel]) -> DoseSchedule:
        """Doses and changes of infusion rate of all patients of a call."""
        patient, time, state, amount, to_inflow = [], [], [], [], []
        for place, request in enumerate(asked.values()):
            leg, run = request.leg, request.leg.infusions
            sizes = (leg.dose_time.size, 2 * run.rate.size)
            patient.append(np.full(sum(sizes), place, dtype=np.int64))
            time += [leg.dose_time, run.start, run.stop]
            state += [leg.dose_state, run.state, run.state]
            amount += [leg.dose_amount, run.rate, -run.rate]
            to_inflow.append(np.repeat([False, True], sizes))
        return DoseSchedule(
            np.concatenate(patient),
            np.concatenate(time),
            np.concatenate(state),
            np.concatenate(amount),
            np.concatenate(to_inflow),
            self.kernels.model.state_names,
        )

    def settle(self, asked: Mapping[int, Settle], answers: dict[int, Answer]) -> None:
        patients = np.array(list(asked), dtype=np.int64)
        requests = list(asked.values())
        found = find_steady_states(
            self.kernels,
            self.of(patients),
            [request.regimen for request in requests],
            np.array([request.state for request in requests]),
            dose_exponent=self.dose_exponents[patients[0]],
            start=self.settling_start(requests[0]),
            workers=self.workers,
        )
        nothing = np.empty((0, len(self.kernels.outputs)))
        for patient, state, fault in zip(patients, found.states, found.fault, strict=True):
            if fault:
                self.faults[int(patient)] = fault
            else:
                answers[int(patient)] = Answer(state, nothing)

    def of(self, patients: NDArray[np.int64]) -> dict[str, Array]:
        """Parameters of some patients."""
        return {name: values[patients] for name, values in self.parameters.items()}

    def hand_out(
        self,
        patients: NDArray[np.int64],
        solution: Solution,
        rows: Sequence[NDArray[np.int64]],
        answers: dict[int, Answer],
    ) -> None:
        for place, patient in enumerate(patients):
            if solution.succeeded[place]:
                outputs = solution.values[place, rows[place]]
                answers[int(patient)] = Answer(solution.final_states[place], outputs)
            else:
                self.faults[int(patient)] = PatientStatus(solution.status[place]).text
