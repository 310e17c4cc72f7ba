"""The state a woman is in before any drug: the drug-free steady state at her own parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from estradyn.engine import (
    CompiledModel,
    PatientStatus,
    SolverOptions,
    compile_model,
    find_equilibria,
    solve,
)
from estradyn.model.ode_model import OdeModel
from estradyn.model.patient_model import PatientModel
from estradyn.model.units import unit_ratio

NO_STEADY_STATE = "no drug-free steady state"

HORIZON = 1e7
"""Time over which a steady state must be reached, in hours; the slowest process of bone, with a
time constant of twenty years, has then had fifty of them."""

LARGEST_DRIFT = 1e-4
"""Largest change of a state over half the horizon, relative to its size: over two years of a trial
that is less than a millionth. Where Newton's method ends, disturbances may not grow by more."""

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
    followed
        Whether the model had to be followed in time because Newton's method gave up, shape
        (candidates,).
    parameters
        Model parameters that only the drug-free state can tell, say a mean over the cycle: name to
        array (candidates,). They take the place of drawn ones.
    """

    states: NDArray[np.float64]
    outputs: Mapping[str, NDArray[np.float64]]
    failures: list[str]
    followed: NDArray[np.bool_]
    parameters: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)


class BaselineSolver(Protocol):
    """Finds baselines; a candidate's may not depend on who else is in the batch."""

    def __call__(self, parameters: Mapping[str, NDArray[np.float64]], count: int) -> Baselines:
        """Find the baselines of `count` candidates with the given parameters and traits."""
        ...


@dataclass(frozen=True)
class EngineBaseline:
    """Finds the steady state of the drug-free model, by Newton's method or by following it.

    Newton's method (`find_equilibria`) is tried first. A candidate for whom it does not converge,
    or ends at an unstable state or one below zero, is followed in time by the engine until she is
    steady, or has no baseline.

    The search uses the overrides of `baseline.tsv` (a tumor that grows has no steady state); what a
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
        known = self.patient_model.model.parameter_names
        parameters = {name: array for name, array in parameters.items() if name in known}
        overrides = self.patient_model.baseline
        held = {item.name: np.full(count, item.value) for item in overrides}
        changed = {**parameters, **held}
        equilibria = find_equilibria(
            self._compiled,
            changed,
            self._horizon,
            patients=count,
            relevant=self._relevant,
            largest_drift=LARGEST_DRIFT,
            smallest_size=SMALLEST_SIZE,
            workers=self.workers,
        )
        states, failures = equilibria.states, [""] * count
        rest = np.flatnonzero(~equilibria.found)
        if rest.size:
            own = {name: array[rest] for name, array in changed.items()}
            states[rest], reasons = self._follow(own, rest.size)
            for place, reason in zip(rest, reasons, strict=True):
                failures[place] = reason
        states = np.where(np.abs(states) < ROUNDED_TO_ZERO, 0.0, states)
        steady = np.array([not reason for reason in failures], dtype=bool)
        outputs = self._evaluate(parameters, states, steady)
        return Baselines(states, outputs, failures, ~equilibria.found)

    @cached_property
    def _horizon(self) -> float:
        return HORIZON * unit_ratio("hour", self.patient_model.model.time_unit)

    def _follow(
        self, parameters: Mapping[str, NDArray[np.float64]], count: int
    ) -> tuple[NDArray[np.float64], list[str]]:
        """Follow candidates over the horizon; return where they settle, and why some do not."""
        states, status = follow_to_rest(
            self._compiled,
            parameters,
            count,
            self._horizon,
            relevant=self._relevant,
            options=SolverOptions(retry=False, step_limit=STEP_LIMIT),
            workers=self.workers,
        )
        failures = [
            _failure(PatientStatus(code)) if lost else ""
            for lost, code in zip(np.asarray(np.isnan(states).any(axis=1)), status, strict=True)
        ]
        return states, failures

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


def follow_to_rest(
    compiled: CompiledModel,
    parameters: Mapping[str, NDArray[np.float64]],
    count: int,
    horizon: float,
    *,
    relevant: NDArray[np.bool_],
    options: SolverOptions,
    workers: int = 1,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Follow patients in time until they change no more.

    Parameters
    ----------
    compiled
        Model whose first outputs are its states, in their order.
    parameters
        Values by name, one for each patient.
    count
        Number of patients.
    horizon
        Time to follow them, in the unit of the model.
    relevant
        States that must come to rest, shape (states,); the others keep their initial value.
    options, workers
        As in `solve`.

    Returns
    -------
    states
        Where each patient rests, shape (patients, states); NaN for one who does not, or who could
        not be solved.
    status
        `PatientStatus` of each patient.
    """
    run = solve(
        compiled,
        parameters,
        np.array([0.0, horizon / 2, horizon]),
        patients=count,
        options=options,
        workers=workers,
    )
    first, middle, last = (run.values[:, index, : relevant.size] for index in range(3))
    states = np.where(relevant, last, first)
    scale = np.maximum(np.maximum(np.abs(first), np.abs(last)), SMALLEST_SIZE)
    drifts = np.abs(last - middle) > LARGEST_DRIFT * scale
    states[~run.succeeded | (drifts & relevant).any(axis=1)] = np.nan
    return states, run.status


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
