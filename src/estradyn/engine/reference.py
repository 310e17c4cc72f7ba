"""The last rung of the retry ladder: SciPy's stiff solver on the compiled rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

if TYPE_CHECKING:
    from estradyn.engine.compiled import CompiledModel
    from estradyn.engine.doses import EventTable


class LaneFunctions:
    """Compiled rates and outputs of one patient, called from Python.

    Parameters
    ----------
    compiled
        Compiled model.
    constants
        The patient's constants, shape (kept, width), equal in every lane.
    """

    def __init__(self, compiled: CompiledModel, constants: NDArray[np.float64]):
        from estradyn.engine.solve import aligned

        layout = compiled.layout
        self._rates = compiled.function("rates")
        self._observe = compiled.function("observe")
        self._constants = aligned(constants.shape)
        self._constants[...] = constants
        self._time = aligned((1, layout.width))
        self._state = aligned((layout.states, layout.width))
        self._rate = aligned((layout.states, layout.width))
        self._output = aligned((max(layout.outputs, 1), layout.width))

    def rates(self, time: float, state: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the rates at a state, shape (states,)."""
        self._call(self._rates, time, state, self._rate)
        return self._rate[:, 0].copy()

    def observe(self, time: float, state: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the outputs at a state, shape (outputs,)."""
        self._call(self._observe, time, state, self._output)
        return self._output[:, 0].copy()

    def add_to_constant(self, position: int, amount: float) -> None:
        """Change a constant (an inflow) at an event."""
        self._constants[position] += amount

    def _call(self, function: object, time: float, state: NDArray, result: NDArray) -> None:
        self._time[...] = time
        self._state[...] = state[:, None]
        function(  # type: ignore[operator]
            self._time.ctypes.data,
            self._state.ctypes.data,
            self._constants.ctypes.data,
            result.ctypes.data,
        )


def solve_reference(
    compiled: CompiledModel,
    constants: NDArray[np.float64],
    initial_state: NDArray[np.float64],
    events: EventTable,
    times: NDArray[np.float64],
    *,
    start: float,
    relative_tolerance: float,
    absolute_tolerance: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Solve one patient with SciPy's implicit Runge-Kutta method (Radau IIA of order 5).

    Returns
    -------
    tuple or None
        Outputs, shape (times, outputs), and final state; None if this solver fails too.
    """
    functions = LaneFunctions(compiled, constants)
    layout = compiled.layout
    values = np.full((times.size, layout.outputs), np.nan)
    state, now, event, output = initial_state.copy(), start, 0, 0
    last_event = int(events.first[1])
    with np.errstate(all="ignore"):
        while True:
            while output < times.size and times[output] <= now:
                values[output] = functions.observe(now, state)[: layout.outputs]
                output += 1
            if now >= times[-1]:
                break
            while event < last_event and events.time[event] <= now:
                slot = int(events.slot[event])
                if slot < layout.states:
                    state[slot] += events.amount[event]
                else:
                    functions.add_to_constant(slot - layout.constants, events.amount[event])
                event += 1
            stop = min(events.time[event] if event < last_event else np.inf, times[-1])
            wanted = times[(times > now) & (times <= stop)]
            try:
                piece = solve_ivp(
                    functions.rates,
                    (now, stop),
                    state,
                    method="Radau",
                    t_eval=np.unique(np.append(wanted, stop)),
                    rtol=relative_tolerance,
                    atol=absolute_tolerance,
                )
            except (ValueError, ArithmeticError, np.linalg.LinAlgError):
                return None
            if not piece.success or not np.isfinite(piece.y).all():
                return None
            for time, at_time in zip(piece.t, piece.y.T, strict=True):
                while output < times.size and times[output] <= time:
                    values[output] = functions.observe(times[output], at_time)[: layout.outputs]
                    output += 1
            state, now = piece.y[:, -1].copy(), stop
    if not np.isfinite(values).all():
        return None
    return values, state
