"""Gradients by central differences, every perturbed patient in a lane of her own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from estradyn.engine import CompiledModel, DoseSchedule, SolverOptions, solve
from estradyn.engine.doses import NO_DOSES
from estradyn.errors import InputError, SimulationError

DEFAULT_RELATIVE_STEP = 1e-3
TOLERANCE = 1e-9
"""Tight, because the difference of two solutions divides their error by the step."""


@dataclass(frozen=True)
class Gradient:
    """Outputs of one patient and their derivatives by parameters.

    Attributes
    ----------
    parameters
        Names of the parameters.
    outputs
        Names of the outputs.
    times
        Output times, shape (times,).
    values
        Outputs, shape (times, outputs).
    derivatives
        Derivatives, shape (parameters, times, outputs).
    """

    parameters: tuple[str, ...]
    outputs: tuple[str, ...]
    times: NDArray[np.float64]
    values: NDArray[np.float64]
    derivatives: NDArray[np.float64]


def gradient(
    compiled: CompiledModel,
    parameters: Sequence[str],
    times: ArrayLike,
    doses: DoseSchedule = NO_DOSES,
    *,
    values: Mapping[str, float] | None = None,
    initial_state: NDArray[np.float64] | None = None,
    relative_step: float = DEFAULT_RELATIVE_STEP,
    options: SolverOptions | None = None,
    workers: int = 1,
) -> Gradient:
    """Differentiate the outputs of one patient by parameters.

    Solves one patient and two more for each parameter, a step below and above, in one call of the
    vector solver. Central differences have an error of the square of the step.

    Parameters
    ----------
    compiled
        Compiled model.
    parameters
        Names of the parameters to differentiate by.
    times
        Output times.
    doses
        Doses of the patient (patient 0).
    values
        The patient's parameters that differ from the model's.
    initial_state
        State to start from, shape (states,), held fixed; by default the model's own initial
        values, which may depend on the parameters.
    relative_step
        Step relative to the parameter's value, or absolute where that is zero.
    options
        Accuracy of the solver; tighter than usual by default.
    workers
        Threads.

    Raises
    ------
    InputError
        If a name is not a parameter of the model.
    SimulationError
        If one of the patients cannot be solved.
    """
    own = {item.name: item.value for item in compiled.model.parameters} | dict(values or {})
    unknown = [name for name in parameters if name not in compiled.model.parameter_names]
    if unknown:
        raise InputError(f"'{compiled.model.name}' has no parameter called '{unknown[0]}'")
    count = 2 * len(parameters) + 1
    table = {name: np.full(count, own[name]) for name in {*parameters, *(values or {})}}
    steps = np.empty(len(parameters))
    for place, name in enumerate(parameters):
        step = relative_step * (abs(own[name]) or 1.0)
        table[name][2 * place + 1] -= step
        table[name][2 * place + 2] += step
        # The step that the arithmetic really took.
        steps[place] = table[name][2 * place + 2] - table[name][2 * place + 1]
    everyone = DoseSchedule.together(
        replace(doses, patient=doses.patient + patient) for patient in range(count)
    )
    start = None if initial_state is None else np.repeat(initial_state[None, :], count, axis=0)
    solution = solve(
        compiled,
        table,
        times,
        everyone,
        patients=count,
        initial_states=start,
        options=options or SolverOptions(relative_tolerance=TOLERANCE),
        workers=workers,
    )
    if not solution.succeeded.all():
        failed = int(np.flatnonzero(~solution.succeeded)[0])
        name = "the patient" if failed == 0 else f"a step in '{parameters[(failed - 1) // 2]}'"
        raise SimulationError(f"{name} could not be solved, so there is no gradient")
    lower, upper = solution.values[1::2], solution.values[2::2]
    return Gradient(
        parameters=tuple(parameters),
        outputs=compiled.outputs,
        times=solution.times,
        values=solution.values[0],
        derivatives=(upper - lower) / steps[:, None, None],
    )
