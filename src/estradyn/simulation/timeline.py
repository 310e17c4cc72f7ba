"""What happens to one patient in which order, cut into what the engine can solve in one go.

Order at one time: first the doses that were set off earlier (additional and lagged ones), then the
records in the order of the file, then outputs on a common grid. This is what NONMEM does.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from estradyn.errors import InputError
from estradyn.simulation.accuracy import order_of_magnitude
from estradyn.simulation.administration import Administrations
from estradyn.simulation.event_records import EventKind, EventRecords

Array = NDArray[np.float64]

MOST_DOSES = 100_000
"""Doses that one patient may receive, additional ones included."""


@dataclass(frozen=True)
class Regimen:
    """A dose that repeats for ever.

    Attributes
    ----------
    state
        Place of the dosed state.
    interval
        Time between doses.
    delay
        Time from the start of an interval to the dose in it, below `interval`.
    amount
        Amount added at once, 0 for an infusion.
    rate, duration
        Rate and duration of an infusion, which may outlast the interval; 0 without one.
    """

    state: int
    interval: float
    delay: float
    amount: float
    rate: float
    duration: float


class Action(IntEnum):
    """What an item of a timeline does to the state."""

    OUTPUT = 0
    RESET = 1
    SETTLE = 2
    SETTLE_ON_TOP = 3
    DOSE = 4


@dataclass(frozen=True)
class Item:
    """Something that happens at once.

    Attributes
    ----------
    action
        What it is.
    place
        Output row, state dosed, or place in `Timeline.regimens`, as the action needs.
    amount
        Amount of a dose.
    """

    action: Action
    place: int
    amount: float


@dataclass(frozen=True)
class Infusions:
    """Infusions of one patient, arrays of shape (infusions,)."""

    state: NDArray[np.int64]
    rate: Array
    start: Array
    stop: Array

    def during(self, start: float, stop: float) -> Infusions:
        """Return the parts that fall into a stretch of time."""
        begin, end = np.maximum(self.start, start), np.minimum(self.stop, stop)
        run = begin < end
        return Infusions(self.state[run], self.rate[run], begin[run], end[run])


@dataclass(frozen=True)
class Leg:
    """A stretch of time that the engine solves in one go.

    Attributes
    ----------
    start, end
        Where it begins and ends.
    dose_time, dose_state, dose_amount
        Doses inside it, shape (doses,).
    infusions
        Infusions, cut to the leg.
    output_time, output_row
        Outputs inside it, the end included; shape (outputs,).
    """

    start: float
    end: float
    dose_time: Array
    dose_state: NDArray[np.int64]
    dose_amount: Array
    infusions: Infusions
    output_time: Array
    output_row: NDArray[np.int64]


@dataclass(frozen=True)
class Stop:
    """A time at which things happen one after the other.

    Attributes
    ----------
    leg
        The leg that ends here, None at the start.
    time
        When.
    items
        What happens.
    """

    leg: Leg | None
    time: float
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Timeline:
    """All that happens to one patient up to her last output.

    Attributes
    ----------
    stops
        In order of time; the first is at 0.
    regimens
        Regimens whose steady states are asked for.
    output_time
        Time of each output row, shape (rows,).
    dose_exponent
        Order of magnitude of the smallest dose, see `order_of_magnitude`.
    """

    stops: tuple[Stop, ...]
    regimens: tuple[Regimen, ...]
    output_time: Array
    dose_exponent: int

    @property
    def legs(self) -> int:
        """Number of legs."""
        return sum(stop.leg is not None for stop in self.stops)


_ARRIVAL, _RECORD, _GRID = range(3)
_TINY = float(np.finfo(np.float64).tiny)


@dataclass
class _Items:
    """Columns of items in the making, one array per group of items."""

    columns: list[tuple[Array, ...]]

    def add(
        self,
        time: Array | list[float],
        rank: int | NDArray[np.int64],
        record: int | NDArray[np.int64],
        part: int,
        action: Action,
        place: int | NDArray[np.int64],
        amount: float | Array = 0.0,
    ) -> None:
        column = np.asarray(time, dtype=np.float64)
        rest = (rank, record, part, int(action), place, amount)
        self.columns.append((column, *(np.full(column.shape, item, np.float64) for item in rest)))

    def in_order(self) -> tuple[Array, NDArray[np.int64], NDArray[np.int64], Array]:
        """Time, action, place and amount of all items, sorted."""
        time, rank, record, part, action, place, amount = map(
            np.concatenate, zip(*self.columns, strict=True)
        )
        order = np.lexsort((part, record, rank, time))
        return (
            time[order],
            action[order].astype(np.int64),
            place[order].astype(np.int64),
            amount[order],
        )


def build_timeline(
    records: EventRecords,
    given: Administrations,
    patient: int,
    grid: Array | None = None,
) -> Timeline:
    """Work out what happens to one patient.

    Parameters
    ----------
    records
        Records of all patients.
    given
        How the doses of the records are given.
    patient
        Place of the patient among `records.ids`.
    grid
        Output times; without them, the times of her observations.

    Raises
    ------
    InputError
        If she would receive more than `MOST_DOSES`.
    """
    own = records.of(patient)
    time, kind = records.time[own], records.kind[own]
    index = np.arange(time.size)
    items = _Items([])
    if grid is None:
        observed = np.flatnonzero(kind == EventKind.OBSERVATION)
        output_time = time[observed]
        items.add(output_time, _RECORD, observed, 0, Action.OUTPUT, np.arange(observed.size))
    else:
        output_time = grid
        items.add(grid, _GRID, 0, 0, Action.OUTPUT, np.arange(grid.size))
    end = float(output_time[-1])

    resets = np.flatnonzero((kind == EventKind.RESET) | (kind == EventKind.RESET_AND_DOSE))
    items.add(time[resets], _RECORD, resets, 0, Action.RESET, 0)
    # Nothing that an earlier record set off outlives a reset or a new steady state.
    fresh = np.union1d(resets, np.flatnonzero(records.steady_state[own] == 1))
    until = np.append(time[fresh], np.inf)[np.searchsorted(fresh, index, side="right")]

    dosed = np.flatnonzero((given.amount[own] + given.rate[own] > 0) & (time <= end))
    record, start = _repeated_doses(records, given, own, dosed, end)
    regimens: list[Regimen] = []
    steady = dosed[records.steady_state[own][dosed] > 0]
    for place in steady:
        regimen, implied = _steady_doses(records, given, own.start + int(place))
        on_top = records.steady_state[own][place] == 2
        action = Action.SETTLE_ON_TOP if on_top else Action.SETTLE
        items.add([time[place]], _RECORD, int(place), 1, action, len(regimens))
        regimens.append(regimen)
        record = np.append(record, np.full(implied.size, place))
        start = np.append(start, implied)

    at_once = start <= time[record]
    kept = (start <= end) & ((start < until[record]) | at_once)
    record, start, at_once = record[kept], start[kept], at_once[kept]
    state, amount = records.state[own][record], given.amount[own][record]
    rate, duration = given.rate[own][record], given.duration[own][record]
    bolus, infused = amount > 0, rate > 0
    rank = np.where(at_once, _RECORD, _ARRIVAL)
    items.add(start[bolus], rank[bolus], record[bolus], 2, Action.DOSE, state[bolus], amount[bolus])
    infusions = Infusions(
        state=state[infused],
        rate=rate[infused],
        start=np.maximum(start, time[record])[infused],
        stop=np.minimum(start + duration, until[record])[infused],
    )
    stops = _cut(*items.in_order(), infusions, end)
    exponent = order_of_magnitude(given.amount[own] + given.rate[own] * given.duration[own])
    return Timeline(stops, tuple(regimens), output_time, exponent)


def _repeated_doses(
    records: EventRecords,
    given: Administrations,
    own: slice,
    dosed: NDArray[np.int64],
    end: float,
) -> tuple[NDArray[np.int64], Array]:
    """Record and start of each dose up to the end, additional ones included."""
    first = (records.time[own] + given.delay[own])[dosed]
    interval, additional = records.interval[own][dosed], records.additional[own][dosed]
    repeats = np.zeros(dosed.size)
    with np.errstate(over="ignore"):
        np.divide(np.maximum(end - first, 0.0), interval, out=repeats, where=additional > 0)
    count = np.minimum(np.floor(repeats) + 1, additional) + 1
    total = np.cumsum(count)
    if total.size and total[-1] > MOST_DOSES:
        largest = int(np.argmax(total > MOST_DOSES))
        _limit(records, own.start + int(dosed[largest]), float(total[largest]))
    count = count.astype(np.int64)
    step = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    start = np.repeat(first, count) + step * np.repeat(interval, count)
    return np.repeat(dosed, count), start


def _steady_doses(records: EventRecords, given: Administrations, row: int) -> tuple[Regimen, Array]:
    """Regimen of a steady-state record, and starts of the doses it implies before its own.

    A lag time delays all doses of the regimen: at the time of the record the last dose is an
    interval less the lag time ago. Implied are earlier infusions that still run, and doses that
    the lag time brings between the record and its own dose.
    """
    interval, lag, duration = records.interval[row], given.delay[row], given.duration[row]
    with np.errstate(over="ignore"):
        whole, overlapping = np.floor(lag / interval), np.ceil(duration / interval) + 1
    _limit(records, row, float(whole + overlapping))
    delay = min(max(lag - whole * interval, 0.0), np.nextafter(interval, 0.0))
    regimen = Regimen(
        state=int(records.state[row]),
        interval=float(interval),
        delay=float(delay),
        amount=float(given.amount[row]),
        rate=float(given.rate[row]),
        duration=float(duration),
    )
    start = records.time[row] + delay + interval * np.arange(-overlapping, whole)
    return regimen, start[(start >= records.time[row]) | (start + duration > records.time[row])]


def _limit(records: EventRecords, row: int, doses: float) -> None:
    if doses > MOST_DOSES:
        raise InputError(
            f"the record gives {doses:.4g} doses, a patient may receive {MOST_DOSES}",
            source=records.path,
            line=int(records.line[row]),
        )


def _cut(
    time: Array,
    action: NDArray[np.int64],
    place: NDArray[np.int64],
    amount: Array,
    infusions: Infusions,
    end: float,
) -> tuple[Stop, ...]:
    """Cut items in order into stops and the legs between them.

    A leg takes in doses and outputs as long as all outputs of one time come either before its
    doses or after them; anything else is a stop.
    """
    inside = time <= end
    time, action = time[inside], action[inside]
    place, amount = place[inside], amount[inside]
    times, first = np.unique(time, return_index=True)
    last = np.append(first[1:], time.size)
    instant = np.repeat(np.arange(times.size), last - first)
    output, dose = action == Action.OUTPUT, action == Action.DOSE
    done = np.cumsum(dose) - dose
    done -= done[first][instant]
    after = output & (done > 0)
    in_all = np.add.reduceat(dose, first)
    stopping = ~(output | dose) | (after & (done < in_all[instant]))
    is_stop = np.logical_or.reduceat(stopping, first)
    is_stop[-1] = True

    stops = []
    if times[0] > 0 or not is_stop[0]:
        stops.append(Stop(None, 0.0, ()))
    # The first number above a time: an output there has seen the doses at that time.
    output_time = np.where(after, np.maximum(np.nextafter(time, np.inf), _TINY), time)
    begin = 0
    for position in np.flatnonzero(is_stop):
        low, high = int(first[position]), int(last[position])
        leg = None
        if stops:
            # Outputs before anything else happens at a stop belong to the leg that ends there.
            others = np.flatnonzero(~output[low:high])
            low = low + int(others[0]) if others.size else high
            part = slice(begin, low)
            doses, outputs = dose[part], output[part]
            now = float(times[position])
            leg = Leg(
                start=stops[-1].time,
                end=now,
                dose_time=time[part][doses],
                dose_state=place[part][doses],
                dose_amount=amount[part][doses],
                infusions=infusions.during(stops[-1].time, now),
                output_time=np.minimum(output_time[part][outputs], now),
                output_row=place[part][outputs],
            )
        items = tuple(
            Item(Action(action[row]), int(place[row]), float(amount[row]))
            for row in range(low, high)
        )
        stops.append(Stop(leg, float(times[position]), items))
        begin = high
    return tuple(stops)
