"""When which patient receives how much of what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from estradyn.errors import InputError


@dataclass(frozen=True)
class DoseSchedule:
    """Additions to states or to their inflows, one row per event.

    Attributes
    ----------
    patient
        Position of the patient in the population, from 0.
    time
        Time of the dose in the model's time unit.
    state
        Position in `states` of the state the dose is added to.
    amount
        Amount in the unit of the state; for an inflow, change of its rate per time.
    to_inflow
        Whether the amount changes the rate of an infusion instead of the state itself.
    states
        Names of the states that are dosed.
    """

    patient: NDArray[np.int64]
    time: NDArray[np.float64]
    state: NDArray[np.int64]
    amount: NDArray[np.float64]
    to_inflow: NDArray[np.bool_]
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
            np.zeros(patients.size, dtype=bool),
            (state,),
        )

    @classmethod
    def infusions(
        cls,
        patient: ArrayLike,
        start: ArrayLike,
        duration: ArrayLike,
        state: str,
        amount: ArrayLike,
    ) -> DoseSchedule:
        """Return doses that enter a state at a constant rate over a duration above zero.

        Raises
        ------
        InputError
            If a number is not finite or a duration not above zero.
        """
        durations = np.asarray(duration, dtype=np.float64)
        if not (durations > 0).all():
            raise InputError(f"the duration of an infusion into '{state}' must be above zero")
        rate = np.asarray(amount, dtype=np.float64) / durations
        stop = np.asarray(start, dtype=np.float64) + durations
        begin = cls.from_records(patient, start, state, rate)
        end = cls.from_records(patient, stop, state, -rate)
        both = cls.together([begin, end])
        return replace(both, to_inflow=np.ones(both.patient.size, dtype=bool))

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
            np.concatenate([empty.astype(bool), *(s.to_inflow for s in schedules)]),
            names,
        )

    def only(self, chosen: NDArray[np.bool_]) -> DoseSchedule:
        """Return the doses chosen, one flag for each row of the schedule."""
        return replace(
            self,
            patient=self.patient[chosen],
            time=self.time[chosen],
            state=self.state[chosen],
            amount=self.amount[chosen],
            to_inflow=self.to_inflow[chosen],
        )

    def of_patients(self, chosen: NDArray[np.int64]) -> DoseSchedule:
        """Return the doses of some patients, numbered anew in the order of `chosen`."""
        largest = max(int(self.patient.max(initial=-1)), int(chosen.max(initial=-1)))
        place = np.full(largest + 1, -1, dtype=np.int64)
        place[chosen] = np.arange(chosen.size)
        kept = self.only(place[self.patient] >= 0)
        return replace(kept, patient=place[kept.patient])


NO_DOSES = DoseSchedule.together(())


@dataclass(frozen=True)
class EventTable:
    """Doses as the kernel reads them: sorted, and by place in its working memory."""

    first: NDArray[np.int64]
    time: NDArray[np.float64]
    slot: NDArray[np.int64]
    amount: NDArray[np.float64]


def event_table(
    schedule: DoseSchedule,
    patients: int,
    start: float,
    state_names: Sequence[str],
    inflow_states: Sequence[str],
    first_inflow_slot: int,
) -> EventTable:
    """Sort doses by patient and time and resolve the places they go to.

    Parameters
    ----------
    schedule
        Doses of all patients.
    patients
        Number of patients.
    start
        Start of the simulation.
    state_names
        States of the model, in order.
    inflow_states
        States compiled to receive infusions.
    first_inflow_slot
        Place of the first inflow in the working memory.

    Raises
    ------
    InputError
        If a dose names a state or patient that does not exist or comes before the start.
    """
    places = {False: list(state_names), True: list(inflow_states)}
    for to_inflow, allowed in places.items():
        used = np.unique(schedule.state[schedule.to_inflow == to_inflow])
        for name in (schedule.states[position] for position in used):
            if name not in allowed:
                kind = "an infusion" if to_inflow else "a dose"
                raise InputError(
                    f"{kind} goes into '{name}'; this model takes it in "
                    f"{', '.join(allowed) or 'no state'}"
                )
    if schedule.patient.size:
        if schedule.patient.min() < 0 or schedule.patient.max() >= patients:
            raise InputError(f"a dose is for a patient outside 0 to {patients - 1}")
        if schedule.time.min() < start:
            raise InputError(
                f"a dose at {schedule.time.min():g} comes before the start of the simulation, "
                f"{start:g}"
            )
    slots = np.zeros((2, len(schedule.states)), dtype=np.int64)
    for position, name in enumerate(schedule.states):
        if name in places[False]:
            slots[0, position] = places[False].index(name)
        if name in places[True]:
            slots[1, position] = first_inflow_slot + places[True].index(name)
    order = np.lexsort((schedule.time, schedule.patient))
    first = np.zeros(patients + 1, dtype=np.int64)
    np.cumsum(np.bincount(schedule.patient, minlength=patients), out=first[1:])
    slot = slots[schedule.to_inflow[order].astype(np.int64), schedule.state[order]]
    return EventTable(
        first=first,
        # One entry past the end, so that looking at the next event never reads foreign memory.
        time=np.append(schedule.time[order], np.inf),
        slot=np.append(slot, 0).astype(np.int64),
        amount=np.append(schedule.amount[order], 0.0),
    )
