"""When which patient receives how much of what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from estradyn.errors import InputError


@dataclass(frozen=True)
class DoseSchedule:
    """Instant additions to states, one row per dose.

    Attributes
    ----------
    patient
        Position of the patient in the population, from 0.
    time
        Time of the dose in the model's time unit.
    state
        Position in `states` of the state the dose is added to.
    amount
        Amount in the unit of the state.
    states
        Names of the states that are dosed.
    """

    patient: NDArray[np.int64]
    time: NDArray[np.float64]
    state: NDArray[np.int64]
    amount: NDArray[np.float64]
    states: tuple[str, ...]

    @classmethod
    def from_records(
        cls, patient: ArrayLike, time: ArrayLike, state: str, amount: ArrayLike
    ) -> DoseSchedule:
        """Return doses into one state, given by arrays that broadcast against each other.

        Raises
        ------
        InputError
            If a time or amount is not a finite number.
        """
        patients, times, amounts = np.broadcast_arrays(
            np.asarray(patient, dtype=np.int64),
            np.asarray(time, dtype=np.float64),
            np.asarray(amount, dtype=np.float64),
        )
        for what, values in (("time", times), ("amount", amounts)):
            if not np.isfinite(values).all():
                raise InputError(f"the {what} of a dose into '{state}' must be a finite number")
        return cls(
            patients.ravel().copy(),
            times.ravel().copy(),
            np.zeros(patients.size, dtype=np.int64),
            amounts.ravel().copy(),
            (state,),
        )

    @classmethod
    def repeated(
        cls,
        patients: int,
        state: str,
        amount: ArrayLike,
        *,
        start: float = 0.0,
        interval: float,
        count: int,
    ) -> DoseSchedule:
        """Return the same doses at even intervals for each of the first `patients` patients.

        Parameters
        ----------
        patients
            Number of patients.
        state
            State the doses are added to.
        amount
            Amount of a dose, one number or one for each patient.
        start
            Time of the first dose.
        interval
            Time between doses.
        count
            Number of doses.
        """
        times = start + interval * np.arange(count)
        each = np.broadcast_to(np.asarray(amount, dtype=np.float64), (patients,))
        return cls.from_records(np.arange(patients)[:, None], times[None, :], state, each[:, None])

    @classmethod
    def together(cls, schedules: Iterable[DoseSchedule]) -> DoseSchedule:
        """Return all doses of several schedules; those at the same time keep their order."""
        schedules = list(schedules)
        names = tuple(dict.fromkeys(name for schedule in schedules for name in schedule.states))
        states = [
            np.array([names.index(name) for name in schedule.states], dtype=np.int64)[
                schedule.state
            ]
            for schedule in schedules
        ]
        empty = np.empty(0)
        return cls(
            np.concatenate([empty.astype(np.int64), *(s.patient for s in schedules)]),
            np.concatenate([empty, *(s.time for s in schedules)]),
            np.concatenate([empty.astype(np.int64), *states]),
            np.concatenate([empty, *(s.amount for s in schedules)]),
            names,
        )

    def for_patients(self, patients: NDArray[np.int64]) -> DoseSchedule:
        """Return the doses of some patients, renumbered by their place in `patients`."""
        place = np.full(max(self.patient.max(initial=-1), patients.max(initial=-1)) + 1, -1)
        place[patients] = np.arange(len(patients))
        new = place[self.patient]
        chosen = new >= 0
        return DoseSchedule(
            new[chosen], self.time[chosen], self.state[chosen], self.amount[chosen], self.states
        )


NO_DOSES = DoseSchedule.together(())


@dataclass(frozen=True)
class EventTable:
    """Doses as the kernel reads them: sorted, and by place in its working memory."""

    first: NDArray[np.int64]
    time: NDArray[np.float64]
    slot: NDArray[np.int64]
    factor: NDArray[np.float64]
    amount: NDArray[np.float64]


def event_table(
    schedule: DoseSchedule, patients: int, start: float, state_names: Sequence[str]
) -> EventTable:
    """Sort doses by patient and time and resolve the states they go to.

    Raises
    ------
    InputError
        If a dose names a state or patient that does not exist or comes before the start.
    """
    unknown = [name for name in schedule.states if name not in state_names]
    if unknown:
        raise InputError(
            f"a dose goes into '{unknown[0]}', which is not a state of the model; "
            f"its states are {', '.join(state_names)}"
        )
    if schedule.patient.size:
        if schedule.patient.min() < 0 or schedule.patient.max() >= patients:
            raise InputError(f"a dose is for a patient outside 0 to {patients - 1}")
        if schedule.time.min() < start:
            raise InputError(
                f"a dose at {schedule.time.min():g} comes before the start of the simulation, "
                f"{start:g}"
            )
    order = np.lexsort((schedule.time, schedule.patient))
    slots = np.array([list(state_names).index(name) for name in schedule.states], dtype=np.int64)
    first = np.zeros(patients + 1, dtype=np.int64)
    np.cumsum(np.bincount(schedule.patient, minlength=patients), out=first[1:])
    return EventTable(
        first=first,
        # One entry past the end, so that looking at the next event never reads foreign memory.
        time=np.append(schedule.time[order], np.inf),
        slot=np.append(slots[schedule.state[order]] if order.size else [], 0).astype(np.int64),
        factor=np.ones(order.size + 1),
        amount=np.append(schedule.amount[order], 0.0),
    )
