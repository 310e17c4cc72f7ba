"""The state a woman is in before any drug: the drug-free steady state at her own parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from estradyn.engine import CompiledModel, PatientStatus, SolverOptions, compile_model, solve
from estradyn.model.ode_model import OdeModel
from estradyn.model.patient_model import PatientModel
from estradyn.model.units import unit_ratio

NO_STEADY_STATE = "no drug-free steady state"

HORIZON = 1e7
"""Time over which a steady state must be reached, in hours; the slowest process of bone, with a
time constant of twenty years, has then had fifty of them."""

LARGEST_DRIFT = 1e-4
"""Largest change of a state over the second half of the horizon, relative to its size: over two
years of a trial that is less than a millionth."""

SMALLEST_SIZE = 1e-9
"""Size, in the unit of the state, below which a state's drift is judged against this size."""

ROUNDED_TO_ZERO = 1e-30
"""Size below which a state is zero: what a decay leaves behind may be negative, and a power of it
then not a number."""

STEP_LIMIT = 20_000
"""Steps after which a candidate has no steady state; one that settles needs some hundred. There is
no second try: a model that grows without end would spend it on every candidate."""


@dataclass(frozen=True)
class Baselines:
    """Where candidates start.

    Attributes
    ----------
    states
        Initial states, shape (candidates, states); NaN where there is none.
    outputs
        Value of each output that a plausibility rule reads, name to array (candidates,).
    failures
        Reason why a candidate has no baseline, an empty text where she has one.
    """

    states: NDArray[np.float64]
    outputs: Mapping[str, NDArray[np.float64]]
    failures: list[str]


class BaselineSolver(Protocol):
    """Finds baselines; a candidate's may not depend on who else is in the batch."""

    def __call__(self, parameters: Mapping[str, NDArray[np.float64]], count: int) -> Baselines:
        """Find the baselines of `count` candidates with the given parameters."""
        ...


@dataclass(frozen=True)
class EngineBaseline:
    """Runs the drug-free model with the engine until it is steady.

    The run uses the overrides of `baseline.tsv` (a tumor that grows has no steady state); what a
    plausibility rule reads is then evaluated with the candidate's own parameters.

    States that no reported output depends on (say mineral that only accumulates) need not be
    steady and keep the model's initial value.

    Attributes
    ----------
    patient_model
        The model.
    workers
        Threads of the solver; the results do not depend on it.
    """

    patient_model: PatientModel
    workers: int = 1

    @cached_property
    def _rule_outputs(self) -> tuple[str, ...]:
        rules = self.patient_model.plausibility
        return tuple(dict.fromkeys(rule.output for rule in rules))

    @cached_property
    def _compiled(self) -> CompiledModel:
        model = self.patient_model.model
        return compile_model(model, list(dict.fromkeys((*model.state_names, *self._rule_outputs))))

    @cached_property
    def _relevant(self) -> NDArray[np.bool_]:
        patient_model = self.patient_model
        outputs = [
            *self._rule_outputs,
            *(output.name for output in patient_model.outputs),
            *(drug.concentration_output for drug in patient_model.drugs.values()),
        ]
        names = patient_model.model.state_names
        relevant = states_behind(patient_model.model, outputs) if outputs else set(names)
        return np.array([name in relevant for name in names])

    def __call__(self, parameters: Mapping[str, NDArray[np.float64]], count: int) -> Baselines:
        """Find the baselines of `count` candidates with the given parameters."""
        overrides = {item.name: item.value for item in self.patient_model.baseline}
        size = len(self.patient_model.model.states)
        horizon = HORIZON * unit_ratio("hour", self.patient_model.model.time_unit)
        run = solve(
            self._compiled,
            {**parameters, **overrides},
            np.array([0.0, horizon / 2, horizon]),
            patients=count,
            options=SolverOptions(retry=False, step_limit=STEP_LIMIT),
            workers=self.workers,
        )
        first, middle, last = (run.values[:, index, :size] for index in range(3))
        states = np.where(self._relevant, last, first)
        states = np.where(np.abs(states) < ROUNDED_TO_ZERO, 0.0, states)
        scale = np.maximum(np.maximum(np.abs(first), np.abs(last)), SMALLEST_SIZE)
        drifts = np.abs(last - middle) > LARGEST_DRIFT * scale
        steady = run.succeeded & ~(drifts & self._relevant).any(axis=1)
        failures = [
            "" if fine else _failure(PatientStatus(status))
            for fine, status in zip(steady, run.status, strict=True)
        ]
        states[~steady] = np.nan
        return Baselines(states, self._evaluate(parameters, states, steady), failures)

    def _evaluate(
        self,
        parameters: Mapping[str, NDArray[np.float64]],
        states: NDArray[np.float64],
        steady: NDArray[np.bool_],
    ) -> dict[str, NDArray[np.float64]]:
        """Outputs of the plausibility rules at the baseline, NaN where there is none."""
        values = {name: np.full(len(states), np.nan) for name in self._rule_outputs}
        if not values or not steady.any():
            return values
        at_start = solve(
            self._compiled,
            {name: array[steady] for name, array in parameters.items()},
            np.array([0.0]),
            initial_states=states[steady],
            options=SolverOptions(retry=False),
        )
        for name, array in values.items():
            array[steady] = at_start[name][:, 0]
        return values


def states_behind(model: OdeModel, outputs: list[str]) -> set[str]:
    """States that outputs depend on, directly or through other states.

    Parameters
    ----------
    model
        Any model.
    outputs
        Names of states or assigned variables.
    """
    expressions = {item.name: item.expression for item in model.assignments}
    expressions |= {state.name: state.rate for state in model.states}
    found: set[str] = set()
    pending = [name for name in outputs if name in expressions]
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            symbols = expressions[name].free_symbols
            pending.extend(symbol.name for symbol in symbols if symbol.name in expressions)
    return found & set(model.state_names)


def _failure(status: PatientStatus) -> str:
    if status.succeeded:
        return NO_STEADY_STATE
    return f"{NO_STEADY_STATE}: {status.text}"
