"""One patient's simulation as a script that asks for what it needs.

The requests of many patients are answered together (see `lockstep`), so that patients with
different events still share the lanes of the engine.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from estradyn.simulation.timeline import Action, Leg, Regimen, Timeline

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Travel:
    """Ask for the state at the end of a leg and for the outputs inside it."""

    leg: Leg
    state: Array


@dataclass(frozen=True)
class Observe:
    """Ask for the outputs that belong to a state."""

    time: float
    state: Array


@dataclass(frozen=True)
class Settle:
    """Ask for the steady state of a regimen, searched from a state."""

    time: float
    regimen: Regimen
    state: Array


Request = Travel | Observe | Settle


class Answer(NamedTuple):
    """A state, shape (states,), and outputs, shape (times, outputs)."""

    state: Array
    outputs: Array


Course = Generator[Request, Answer, Array]


def follow(timeline: Timeline, initial: Array, outputs: int) -> Course:
    """Follow a patient through her timeline.

    Parameters
    ----------
    timeline
        What happens to her.
    initial
        Her state at time 0 and after every reset, shape (states,).
    outputs
        Number of outputs.

    Yields
    ------
    Request
        What must be computed next; send the answer.

    Returns
    -------
    numpy.ndarray
        Outputs, shape (rows, outputs).
    """
    values = np.full((timeline.output_time.size, outputs), np.nan)
    state = initial.copy()
    for stop in timeline.stops:
        if stop.leg is not None:
            answer = yield Travel(stop.leg, state)
            state = answer.state.copy()
            values[stop.leg.output_row] = answer.outputs
        for item in stop.items:
            if item.action is Action.OUTPUT:
                answer = yield Observe(stop.time, state.copy())
                values[item.place] = answer.outputs[0]
            elif item.action is Action.RESET:
                state = initial.copy()
            elif item.action is Action.DOSE:
                state[item.place] += item.amount
            else:
                regimen = timeline.regimens[item.place]
                settled = (yield Settle(stop.time, regimen, initial)).state
                # What a steady state adds on top is what the doses made of the undosed state.
                on_top = item.action is Action.SETTLE_ON_TOP
                state = state + (settled - initial) if on_top else settled.copy()
    return values
