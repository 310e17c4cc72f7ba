"""A model compiled for simulating events, and what its equations say about steady states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from estradyn.engine import CompiledModel, compile_model, solve
from estradyn.model import TIME, OdeModel


@dataclass(frozen=True)
class Kernels:
    """Machine code of a model; every state can be dosed and infused.

    All states take infusions whether or not this event table has any, so that a patient's numbers
    do not depend on how others are dosed.

    Attributes
    ----------
    model
        The model.
    outputs
        Names of the outputs.
    """

    model: OdeModel
    outputs: tuple[str, ...]

    @cached_property
    def for_outputs(self) -> CompiledModel:
        """Solves for the outputs."""
        return self._compile(self.outputs)

    @cached_property
    def for_states(self) -> CompiledModel:
        """Solves for all states."""
        return self._compile(self.model.state_names)

    def _compile(self, outputs: Sequence[str]) -> CompiledModel:
        return compile_model(self.model, outputs, inflow_states=self.model.state_names)

    @cached_property
    def own_initial_state(self) -> NDArray[np.float64]:
        """Initial state under the model's own parameter values, shape (states,)."""
        return solve(self.for_outputs, {}, [0.0]).final_states[0]

    @cached_property
    def depends_on_time(self) -> bool:
        """Whether any rate depends on time itself."""
        return TIME in self._used_by_rates

    @cached_property
    def feeds_back(self) -> NDArray[np.bool_]:
        """Whether any rate depends on each state, shape (states,).

        A state that none depends on, such as an amount excreted or an area under a curve, only
        adds up.
        """
        return np.array([name in self._used_by_rates for name in self.model.state_names])

    @cached_property
    def _used_by_rates(self) -> set[str]:
        """Names of all symbols that rates are made of, through assigned variables."""
        made_of = {
            item.name: {str(symbol) for symbol in item.expression.free_symbols}
            for item in self.model.assignments
        }
        pending = {str(symbol) for state in self.model.states for symbol in state.rate.free_symbols}
        used: set[str] = set()
        while pending:
            name = pending.pop()
            if name not in used:
                used.add(name)
                pending |= made_of.get(name, set())
        return used
