"""The values a solver computes for a model, on one graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from estradyn.engine.elimination import Elimination, plan_elimination
from estradyn.engine.graph import Graph
from estradyn.engine.straight_line import kept_by_patient
from estradyn.errors import ModelError
from estradyn.model.ode_model import TIME, OdeModel


@dataclass(frozen=True)
class Program:
    """Values of one model: what is computed once per patient and what in every step.

    Attributes
    ----------
    graph
        Graph that holds all values.
    initial
        Initial value of each state.
    rates
        Rate of each state, with the inflow of those that can be infused.
    jacobian
        Derivative of each rate by each state where it is not zero, by (row, column).
    time_derivative
        Derivative of each rate by time.
    outputs
        Requested outputs.
    parameter_count
        Length of the parameter vector; the last `inflow_states` entries are inflows.
    inflow_states
        States that can be infused.
    triggers
        Condition of each event.
    changes
        For each event, the states it changes and their new values.
    true_before_start
        For each event, whether its condition counts as true before the start.
    """

    graph: Graph
    initial: tuple[int, ...]
    rates: tuple[int, ...]
    jacobian: dict[tuple[int, int], int]
    time_derivative: tuple[int, ...]
    outputs: tuple[int, ...]
    parameter_count: int
    inflow_states: tuple[int, ...]
    triggers: tuple[int, ...] = ()
    changes: tuple[tuple[tuple[int, int], ...], ...] = ()
    true_before_start: tuple[bool, ...] = ()

    @cached_property
    def kept(self) -> tuple[int, ...]:
        """Parameter-only values used in every step, in the order they are kept per patient."""
        used = [*self.rates, *self.jacobian.values(), *self.time_derivative, *self.outputs]
        used += [*self.triggers, *(value for change in self.changes for _, value in change)]
        first_inflow = self.parameter_count - len(self.inflow_states)
        inflows = [self.graph.parameter(first_inflow + k) for k in range(len(self.inflow_states))]
        return tuple(dict.fromkeys([*inflows, *kept_by_patient(self.graph, used)]))

    @cached_property
    def states_of_outputs(self) -> tuple[int, ...]:
        """States that any output is made of."""
        used = 0
        for output in self.outputs:
            used |= self.graph.depends[output]
        return tuple(state for state in range(len(self.rates)) if used >> state & 1)

    @cached_property
    def depends_on_time(self) -> bool:
        """Whether any rate uses time explicitly."""
        return any(value != self.graph.zero for value in self.time_derivative)

    @cached_property
    def elimination(self) -> Elimination:
        """Plan of the LU factorisation of the Jacobian with its diagonal shifted."""
        return plan_elimination(len(self.rates), self.jacobian)


def build_program(
    model: OdeModel, outputs: Sequence[str], inflow_states: Sequence[str] = ()
) -> Program:
    """Lower a model to a graph, with the symbolic Jacobian of its rates.

    Parameters
    ----------
    model
        Model to solve.
    outputs
        Names of states, assigned variables or parameters to compute at the output times.
    inflow_states
        Names of states that can receive an infusion.

    Raises
    ------
    ModelError
        If a name is unknown or an expression uses something the solver does not know.
    """
    graph = Graph(len(model.states))
    state_position = {name: position for position, name in enumerate(model.state_names)}
    constants = {
        parameter.name: graph.parameter(position)
        for position, parameter in enumerate(model.parameters)
    }
    for derived in model.derived:
        constants[derived.name] = graph.lower(derived.expression, constants)
    initial = tuple(graph.lower(state.initial, constants) for state in model.states)

    values = dict(constants)
    values[TIME] = graph.time()
    for name, position in state_position.items():
        values[name] = graph.state(position)
    for assignment in model.assignments:
        values[assignment.name] = graph.lower(assignment.expression, values)
    rates = [graph.lower(state.rate, values) for state in model.states]

    positions = []
    for name in inflow_states:
        if name not in state_position:
            raise ModelError(f"'{name}' cannot be infused: it is not a state of '{model.name}'")
        positions.append(state_position[name])
    for order, position in enumerate(positions):
        inflow = graph.parameter(len(model.parameters) + order)
        rates[position] = graph.add(rates[position], inflow)

    jacobian = {}
    for row, rate in enumerate(rates):
        for column in range(len(rates)):
            entry = graph.derivative(rate, column)
            if entry != graph.zero:
                jacobian[row, column] = entry
    unknown = [name for name in outputs if name not in values]
    if unknown:
        raise ModelError(f"'{model.name}' has no variable called {', '.join(map(repr, unknown))}")
    return Program(
        graph=graph,
        initial=initial,
        rates=tuple(rates),
        jacobian=jacobian,
        time_derivative=tuple(graph.derivative(rate, len(rates)) for rate in rates),
        outputs=tuple(values[name] for name in outputs),
        parameter_count=len(model.parameters) + len(positions),
        inflow_states=tuple(positions),
        triggers=tuple(graph.lower(event.trigger, values) for event in model.events),
        changes=tuple(
            tuple(
                (state_position[name], graph.lower(new, values)) for name, new in event.assignments
            )
            for event in model.events
        ),
        true_before_start=tuple(event.true_before_start for event in model.events),
    )
