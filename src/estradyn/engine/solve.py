"""Solving a population with a compiled model."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from estradyn.engine.compiled import CompiledModel
from estradyn.engine.doses import NO_DOSES, DoseSchedule, EventTable, event_table
from estradyn.engine.layout import LANE_INTEGERS
from estradyn.engine.reference import solve_reference
from estradyn.engine.status import PatientStatus
from estradyn.errors import InputError

DEFAULT_RELATIVE_TOLERANCE = 1e-6
DEFAULT_SIZE_SHARE = 1e-2
"""Below this share of the largest size a state has had, errors are judged against that size."""
ABSOLUTE_TOLERANCE_SHARE = 1e-3
"""The same against the model's own initial value, for states that have not grown yet."""
DEFAULT_STEP_LIMIT = 1_000_000
RETRY_TOLERANCE_FACTOR = 0.01
RETRY_STEP_FACTOR = 4


@dataclass(frozen=True)
class SolverOptions:
    """How accurately to solve, and when to give up.

    Attributes
    ----------
    relative_tolerance
        Largest error of one step relative to each state.
    size_share
        A state's error is judged against its size plus this share of the largest size it has had
        in the same patient: a drug that is nearly gone need not be known to six digits.
    absolute_tolerance
        Largest error of one step at zero, one number or one per state; by default
        `relative_tolerance` times a thousandth of each state's size at the model's own initial
        values; where that is zero, of the patient's smallest dose or 1, whichever is smaller, so
        that results do not depend on the unit of the doses.
    first_step
        First step to try, by default a millionth of the time span.
    largest_step
        Longest step allowed.
    step_limit
        Steps after which a patient is given up.
    retry
        Whether failed patients are tried again, first with tighter step control and more steps,
        then with a reference solver.
    """

    relative_tolerance: float = DEFAULT_RELATIVE_TOLERANCE
    size_share: float = DEFAULT_SIZE_SHARE
    absolute_tolerance: float | tuple[float, ...] | None = None
    first_step: float | None = None
    largest_step: float = np.inf
    step_limit: int = DEFAULT_STEP_LIMIT
    retry: bool = True


@dataclass(frozen=True)
class Solution:
    """What became of a population.

    Attributes
    ----------
    times
        Output times, shape (times,).
    outputs
        Names of the outputs.
    values
        Outputs, shape (patients, times, outputs); NaN for a patient who failed.
    final_states
        State at the last output time, shape (patients, states); NaN for a patient who failed.
    status
        `PatientStatus` of each patient, shape (patients,).
    accepted_steps, rejected_steps
        Steps of each patient, shape (patients,).
    lane_use
        Share of lanes that had a patient, averaged over all vector steps.
    """

    times: NDArray[np.float64]
    outputs: tuple[str, ...]
    values: NDArray[np.float64]
    final_states: NDArray[np.float64]
    status: NDArray[np.int64]
    accepted_steps: NDArray[np.int64]
    rejected_steps: NDArray[np.int64]
    lane_use: float

    @property
    def succeeded(self) -> NDArray[np.bool_]:
        """Whether each patient's numbers may be used."""
        return self.status <= PatientStatus.RETRIED

    def __getitem__(self, output: str) -> NDArray[np.float64]:
        """Return one output, shape (patients, times)."""
        return self.values[:, :, self.outputs.index(output)]


@dataclass(frozen=True)
class PreparedPopulation:
    """A population in the form the kernel reads.

    Attributes
    ----------
    patients
        Number of patients.
    constants
        What depends on parameters only, shape (blocks, kept, lanes).
    initial_states
        Shape (patients, states).
    events
        Doses, by patient and time.
    times
        Output times.
    start
        Time at which the initial states hold.
    """

    patients: int
    constants: NDArray[np.float64]
    initial_states: NDArray[np.float64]
    events: EventTable
    times: NDArray[np.float64]
    start: float


def solve(
    compiled: CompiledModel,
    parameters: Mapping[str, ArrayLike],
    times: ArrayLike,
    doses: DoseSchedule = NO_DOSES,
    *,
    patients: int | None = None,
    start: float = 0.0,
    initial_states: NDArray[np.float64] | None = None,
    options: SolverOptions | None = None,
    workers: int = 1,
) -> Solution:
    """Solve a model for every patient of a population.

    Parameters
    ----------
    compiled
        Compiled model.
    parameters
        Values of parameters by name, one number or one per patient; the rest keep the model's.
    times
        Output times in ascending order, in the model's time unit. An output at the time of a dose
        is taken before the dose.
    doses
        Doses of each patient.
    patients
        Number of patients, if no parameter or initial state says it.
    start
        Time at which the initial states hold.
    initial_states
        States to start from, shape (patients, states); by default the model's own.
    options
        Accuracy and limits.
    workers
        Threads; the results do not depend on it.

    Raises
    ------
    InputError
        If names, shapes or times do not fit the model.
    """
    options = options or SolverOptions()
    prepared = prepare_population(
        compiled, parameters, times, doses, patients, start, initial_states
    )
    solution = _run(compiled, prepared, options, workers)
    failed = np.flatnonzero(~solution.succeeded)
    if options.retry and failed.size:
        _retry(compiled, prepared, options, solution, failed)
    failed = np.flatnonzero(~solution.succeeded)
    solution.values[failed] = np.nan
    solution.final_states[failed] = np.nan
    return solution


def prepare_population(
    compiled: CompiledModel,
    parameters: Mapping[str, ArrayLike],
    times: ArrayLike,
    doses: DoseSchedule = NO_DOSES,
    patients: int | None = None,
    start: float = 0.0,
    initial_states: NDArray[np.float64] | None = None,
) -> PreparedPopulation:
    """Check what describes a population, compute its constants and sort its doses.

    The arguments, and the errors raised, are those of `solve`.
    """
    layout, model = compiled.layout, compiled.model
    arrays = {name: np.asarray(value, dtype=np.float64) for name, value in parameters.items()}
    unknown = [name for name in arrays if name not in model.parameter_names]
    if unknown:
        raise InputError(f"'{model.name}' has no parameter called '{unknown[0]}'")
    counts = {array.shape[0] for array in arrays.values() if array.ndim == 1}
    if initial_states is not None:
        counts.add(initial_states.shape[0])
    if patients is not None:
        counts.add(patients)
    if len(counts) > 1:
        raise InputError(f"parameters and states are for different numbers of patients: {counts}")
    count = counts.pop() if counts else 1

    grid = np.ascontiguousarray(times, dtype=np.float64)
    if grid.ndim != 1 or grid.size == 0 or not np.isfinite(grid).all():
        raise InputError("output times must be a list of finite numbers")
    if (np.diff(grid) < 0).any() or grid[0] < start:
        raise InputError(f"output times must ascend from the start, {start:g}")

    table = np.empty((model_parameter_count(compiled), count))
    for position, parameter in enumerate(model.parameters):
        table[position] = arrays.get(parameter.name, parameter.value)
    table[len(model.parameters) :] = 0.0
    constants, own_initial = _compute_constants(compiled, table)
    if initial_states is None:
        initial = own_initial
    else:
        initial = np.ascontiguousarray(initial_states, dtype=np.float64)
        if initial.shape != (count, layout.states):
            raise InputError(
                f"initial states have shape {initial.shape}, not {(count, layout.states)}"
            )
    events = event_table(
        doses, count, start, model.state_names, compiled.inflow_states, layout.constants
    )
    return PreparedPopulation(count, constants, initial, events, grid, start)


def model_parameter_count(compiled: CompiledModel) -> int:
    """Return the length of the kernel's parameter vector: the model's and the inflows."""
    return len(compiled.model.parameters) + len(compiled.inflow_states)


def _compute_constants(
    compiled: CompiledModel, table: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute what depends on parameters only: constants by block, initial states by patient."""
    layout = compiled.layout
    count, width = table.shape[1], layout.width
    blocks = -(-count // width)
    parameters = aligned((blocks, table.shape[0], width))
    padded = np.concatenate([table, np.repeat(table[:, -1:], blocks * width - count, axis=1)], 1)
    parameters[...] = padded.reshape(table.shape[0], blocks, width).transpose(1, 0, 2)
    constants = aligned((blocks, layout.kept, width))
    initial = aligned((blocks, layout.states, width))
    prepare = compiled.function("prepare")
    for block in range(blocks):
        prepare(
            parameters[block].ctypes.data, constants[block].ctypes.data, initial[block].ctypes.data
        )
    by_patient = initial.transpose(0, 2, 1).reshape(blocks * width, layout.states)[:count]
    return constants, np.ascontiguousarray(by_patient)


def absolute_tolerances(
    compiled: CompiledModel, options: SolverOptions
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the absolute tolerance of each state: a fixed part, and one per size of dose."""
    states = compiled.layout.states
    if options.absolute_tolerance is not None:
        fixed = np.broadcast_to(np.asarray(options.absolute_tolerance, float), states).copy()
        return fixed, np.zeros(states)
    values = [parameter.value for parameter in compiled.model.parameters]
    table = np.array([*values, *(0.0 for _ in compiled.inflow_states)]).reshape(-1, 1)
    _, initial = _compute_constants(compiled, table)
    size = np.abs(initial[0])
    known = np.isfinite(size) & (size > 0)
    share = options.relative_tolerance * ABSOLUTE_TOLERANCE_SHARE
    return share * np.where(known, size, 0.0), share * np.where(known, 0.0, 1.0)


def dose_sizes(events: EventTable, patients: int) -> NDArray[np.float64]:
    """Return the size of each patient's smallest dose, at most 1, shape (patients,)."""
    sizes = np.ones(patients)
    amounts = np.abs(events.amount[: events.first[-1]])
    receivers = np.repeat(np.arange(patients), np.diff(events.first))
    given = amounts > 0
    np.minimum.at(sizes, receivers[given], amounts[given])
    return sizes


def _run(
    compiled: CompiledModel, prepared: PreparedPopulation, options: SolverOptions, workers: int
) -> Solution:
    layout, count = compiled.layout, prepared.patients
    solution = Solution(
        times=prepared.times,
        outputs=compiled.outputs,
        values=np.full((count, prepared.times.size, layout.outputs), np.nan),
        final_states=np.full((count, layout.states), np.nan),
        status=np.zeros(count, dtype=np.int64),
        accepted_steps=np.zeros(count, dtype=np.int64),
        rejected_steps=np.zeros(count, dtype=np.int64),
        lane_use=np.nan,
    )
    fixed_tolerance, dose_tolerance = absolute_tolerances(compiled, options)
    sizes = dose_sizes(prepared.events, count)
    integrate = compiled.function("integrate")
    span = max(prepared.times[-1] - prepared.start, 1e-300)
    first_step = options.first_step or span * 1e-6

    next_patient = np.zeros(1, dtype=np.int64)

    def advance() -> int:
        workspace = aligned((layout.size, layout.width))
        integers = aligned((len(LANE_INTEGERS), layout.width), np.int64)
        vector_steps = np.zeros(1, dtype=np.int64)
        integrate(
            count,
            next_patient.ctypes.data,
            prepared.constants.ctypes.data,
            prepared.initial_states.ctypes.data,
            prepared.events.first.ctypes.data,
            prepared.events.time.ctypes.data,
            prepared.events.slot.ctypes.data,
            prepared.events.amount.ctypes.data,
            prepared.times.ctypes.data,
            prepared.times.size,
            prepared.start,
            prepared.times[-1],
            options.relative_tolerance,
            options.size_share,
            fixed_tolerance.ctypes.data,
            dose_tolerance.ctypes.data,
            sizes.ctypes.data,
            first_step,
            options.largest_step,
            options.step_limit,
            solution.values.ctypes.data,
            solution.final_states.ctypes.data,
            solution.status.ctypes.data,
            solution.accepted_steps.ctypes.data,
            solution.rejected_steps.ctypes.data,
            workspace.ctypes.data,
            integers.ctypes.data,
            vector_steps.ctypes.data,
        )
        return int(vector_steps[0])

    threads = min(workers, -(-count // layout.width))
    if threads <= 1:
        steps = [advance()]
    else:
        with ThreadPoolExecutor(threads) as pool:
            running = [pool.submit(advance) for _ in range(threads)]
            try:
                steps = [thread.result() for thread in running]
            except BaseException:
                # An interrupt: the threads finish the patients they have and take no more.
                next_patient[0] = count
                raise
    taken = solution.accepted_steps.sum() + solution.rejected_steps.sum()
    return replace(solution, lane_use=float(taken / max(sum(steps) * layout.width, 1)))


def _retry(
    compiled: CompiledModel,
    prepared: PreparedPopulation,
    options: SolverOptions,
    solution: Solution,
    failed: NDArray[np.int64],
) -> None:
    """Try failed patients again, one by one, along the ladder; update the solution in place."""
    tighter = replace(
        options,
        relative_tolerance=options.relative_tolerance * RETRY_TOLERANCE_FACTOR,
        step_limit=options.step_limit * RETRY_STEP_FACTOR,
    )
    for patient in failed:
        alone = _alone(prepared, int(patient), compiled.layout.width)
        again = _run(compiled, alone, tighter, workers=1)
        if again.status[0] == PatientStatus.OK:
            solution.values[patient] = again.values[0]
            solution.final_states[patient] = again.final_states[0]
            solution.status[patient] = PatientStatus.RETRIED
            continue
        if compiled.model.events:
            # The reference solver does not look for events.
            continue
        fixed, by_dose = absolute_tolerances(compiled, options)
        reference = solve_reference(
            compiled,
            alone.constants[0],
            alone.initial_states[0],
            alone.events,
            alone.times,
            start=alone.start,
            relative_tolerance=options.relative_tolerance,
            absolute_tolerance=fixed + by_dose * dose_sizes(alone.events, 1),
        )
        if reference is not None:
            solution.values[patient], solution.final_states[patient] = reference
            solution.status[patient] = PatientStatus.RETRIED


def _alone(prepared: PreparedPopulation, patient: int, width: int) -> PreparedPopulation:
    """Return one patient as a population of her own."""
    block, lane = divmod(patient, width)
    constants = aligned((1, *prepared.constants.shape[1:]))
    constants[0] = prepared.constants[block, :, lane][:, None]
    low, high = prepared.events.first[patient : patient + 2]
    events = EventTable(
        first=np.array([0, high - low], dtype=np.int64),
        time=np.append(prepared.events.time[low:high], np.inf),
        slot=prepared.events.slot[low : high + 1].copy(),
        amount=prepared.events.amount[low : high + 1].copy(),
    )
    initial = prepared.initial_states[patient : patient + 1].copy()
    return PreparedPopulation(1, constants, initial, events, prepared.times, prepared.start)


def aligned(shape: tuple[int, ...], kind: type = np.float64) -> NDArray:
    """Return zeros that start on a 64-byte boundary, as vector loads require."""
    size = int(np.prod(shape)) * 8
    raw = np.zeros(size + 64, dtype=np.uint8)
    offset = -raw.ctypes.data % 64
    return raw[offset : offset + size].view(kind).reshape(shape)
