"""One value that says what the equations are, independent of how they are solved."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from symengine import Basic

TIME = "time"
"""Name of the symbol for time in every expression."""


@dataclass(frozen=True)
class State:
    """A variable with a rate of change.

    Attributes
    ----------
    name
        Name, unique in the model.
    unit
        Unit of the value, as text pint reads.
    initial
        Value at time zero, in terms of parameters and derived parameters only.
    rate
        Time derivative in terms of states, assigned variables, parameters and time.
    """

    name: str
    unit: str
    initial: Basic
    rate: Basic


@dataclass(frozen=True)
class Parameter:
    """A constant that may differ between patients."""

    name: str
    unit: str
    value: float


@dataclass(frozen=True)
class Assignment:
    """A named expression: a derived constant or a variable given by a rule."""

    name: str
    unit: str
    expression: Basic


@dataclass(frozen=True)
class Event:
    """A change of states at the moment a condition becomes true.

    Attributes
    ----------
    name
        Name for messages.
    trigger
        Condition in terms of states, assigned variables, constants and time.
    assignments
        New value of each state that changes, all from the values at that moment.
    true_before_start
        Whether the condition counts as true before time zero; if not, an event whose condition
        holds at time zero happens there.
    """

    name: str
    trigger: Basic
    assignments: tuple[tuple[str, Basic], ...]
    true_before_start: bool


@dataclass(frozen=True)
class OdeModel:
    """A system of ordinary differential equations.

    Attributes
    ----------
    name
        Name of the model.
    time_unit
        Unit of time, as text pint reads.
    states
        Variables with a rate of change, in the order of every state vector.
    parameters
        Independent constants, in the order of every parameter vector.
    derived
        Constants computed once per patient from `parameters` and earlier `derived` ones.
    assignments
        Variables given by rules; each uses states, time, constants and earlier assignments.
    events
        Changes of states at moments the model itself determines.
    """

    name: str
    time_unit: str
    states: tuple[State, ...]
    parameters: tuple[Parameter, ...]
    derived: tuple[Assignment, ...]
    assignments: tuple[Assignment, ...]
    events: tuple[Event, ...] = ()

    @cached_property
    def state_names(self) -> tuple[str, ...]:
        """Names of the states, in order."""
        return tuple(state.name for state in self.states)

    @cached_property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of the independent constants, in order."""
        return tuple(parameter.name for parameter in self.parameters)

    @cached_property
    def unit_of(self) -> dict[str, str]:
        """Unit of every named quantity."""
        named: tuple[State | Parameter | Assignment, ...] = (
            *self.states,
            *self.parameters,
            *self.derived,
            *self.assignments,
        )
        return {quantity.name: quantity.unit for quantity in named}
