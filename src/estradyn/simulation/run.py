"""Simulates the patients of an event table with any model."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from estradyn.engine import SolverOptions
from estradyn.errors import InputError
from estradyn.model import OdeModel, load_model, load_parameters, with_values
from estradyn.model.sources import find_model
from estradyn.simulation.administration import administer
from estradyn.simulation.dosing_traits import dosing_traits
from estradyn.simulation.event_records import (
    EventRecords,
    read_event_records,
    require_observations,
)
from estradyn.simulation.kernels import Kernels
from estradyn.simulation.lockstep import follow_together
from estradyn.simulation.parameter_values import read_parameter_values, require_values
from estradyn.simulation.result_file import KEY_COLUMNS, ResultFile, check_result_place
from estradyn.simulation.timeline import build_timeline

Array = NDArray[np.float64]

PATIENTS_AT_ONCE = 1024
ROWS_AT_ONCE = 2_000_000
"""Largest number of output values held before they are written."""

Progress = Callable[[int, int], None]
"""Called with patients simulated so far and patients in all."""


@dataclass(frozen=True)
class SimulatedPatients:
    """Outputs of some patients, their rows one after the other.

    Attributes
    ----------
    ids, time
        Patient and time of each row, shape (rows,).
    values
        Shape (rows, outputs); NaN for a patient who failed.
    faults
        Why a patient failed, by her ID.
    """

    ids: NDArray[np.int64]
    time: Array
    values: Array
    faults: Mapping[int, str]


@dataclass(frozen=True)
class SimulationSummary:
    """What a simulation wrote.

    Attributes
    ----------
    patients, rows
        Number of patients and of rows.
    faults
        Why a patient could not be simulated, by her ID; her outputs are NaN.
    """

    patients: int
    rows: int
    faults: Mapping[int, str] = field(default_factory=dict)


def simulate_events(
    model: OdeModel,
    records: EventRecords,
    outputs: Sequence[str],
    *,
    parameters: Mapping[str, Array] | None = None,
    times: Array | None = None,
    options: SolverOptions | None = None,
    workers: int = 1,
) -> Iterator[SimulatedPatients]:
    """Simulate the patients of an event table, a group at a time.

    Parameters
    ----------
    model
        Any model.
    records
        Doses, resets and observations.
    outputs
        Names of states, assigned variables or constants.
    parameters
        Values that replace the model's own, shape (patients,), in the order of `records.ids`.
    times
        Output times of all patients, ascending from 0 or later; by default each patient's own
        observations.
    options
        Accuracy and limits of the solver; by default what `accuracy` says.
    workers
        Threads; the numbers do not depend on it.

    Raises
    ------
    InputError
        If a record, a parameter or an output may not be used.
    """
    parameters = dict(parameters or {})
    require_values(model, parameters)
    if times is None:
        require_observations(records)
    traits = dosing_traits(model, parameters, records.patients)
    given = administer(records, traits, model.state_names)
    kernels = Kernels(model, tuple(outputs))
    first = 0
    while first < records.patients:
        timelines, size = [], 0
        for patient in range(first, min(first + PATIENTS_AT_ONCE, records.patients)):
            timelines.append(build_timeline(records, given, patient, times))
            if model.events and timelines[-1].legs > 1:
                _refuse_events(model, records, patient)
            size += timelines[-1].output_time.size * len(outputs)
            if size >= ROWS_AT_ONCE:
                break
        part = slice(first, first + len(timelines))
        followed = follow_together(
            kernels,
            {name: values[part] for name, values in parameters.items()},
            timelines,
            options=options,
            workers=workers,
        )
        ids = records.ids[part]
        yield SimulatedPatients(
            ids=np.repeat(ids, [timeline.output_time.size for timeline in timelines]),
            time=np.concatenate([timeline.output_time for timeline in timelines]),
            values=np.concatenate(followed.values),
            faults={int(ids[place]): fault for place, fault in sorted(followed.faults.items())},
        )
        first = part.stop


def _refuse_events(model: OdeModel, records: EventRecords, patient: int) -> None:
    """Refuse to start a model with events anew: whether they are about to happen would be lost."""
    raise InputError(
        f"'{model.name}' has events of its own, which allow no resets (EVID 3 and 4), no steady "
        "states (SS) and no observations between doses at one time, as "
        f"ID {records.ids[patient]} has",
        source=records.path,
    )


def simulate_file(
    source: str | Path,
    events: Path,
    out: Path,
    *,
    parameters: Path | None = None,
    outputs: Sequence[str] | None = None,
    times: Array | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> SimulationSummary:
    """Simulate an event table with a model and write the outputs to a file.

    Parameters
    ----------
    source
        A shipped model's name, or a path to a `.ant`, `.xml` or `.sbml` file.
    events
        Event table, see `read_event_records`.
    out
        `.parquet` or `.csv` file to write.
    parameters
        Table with the column ID and columns of parameter values.
    outputs
        Names to write, by default all states and assigned variables.
    times
        Output times of all patients; by default each patient's own observations.
    workers
        Threads to use, all cores by default.
    progress
        Told after every group of patients.

    Raises
    ------
    InputError
        If any input may not be used; nothing is written.
    """
    check_result_place(out, [path for path in (events, parameters) if path is not None])
    model = model_with_values(source)
    if isinstance(source, Path) or Path(source).is_file():
        check_result_place(out, [Path(source)])
    chosen = checked_outputs(model, outputs)
    records = read_event_records(events, model.state_names)
    values = {} if parameters is None else read_parameter_values(parameters, model, records.ids)
    groups = simulate_events(
        model,
        records,
        chosen,
        parameters=values,
        times=times,
        workers=workers or available_cores(),
    )
    units = {"time": model.time_unit, **{name: model.unit_of[name] for name in chosen}}
    faults: dict[int, str] = {}
    rows, done = 0, 0
    with ResultFile(out, units) as result:
        for group in groups:
            result.append(group.ids, group.time, group.values)
            faults |= group.faults
            rows += group.time.size
            done += np.unique(group.ids).size
            if progress is not None:
                progress(done, records.patients)
    return SimulationSummary(records.patients, rows, faults)


def model_with_values(source: str | Path) -> OdeModel:
    """Read a model; a shipped one gets the values of its parameter tables."""
    model = load_model(source)
    found = find_model(source)
    if not found.shipped:
        return model
    values = load_parameters(found.name).model_values()
    return with_values(model, {k: v for k, v in values.items() if k in model.parameter_names})


def checked_outputs(model: OdeModel, outputs: Sequence[str] | None) -> tuple[str, ...]:
    """Return the outputs asked for, by default all states and assigned variables.

    Raises
    ------
    InputError
        If a name is not in the model, is given twice, or is taken by the columns `id` and `time`.
    """
    if outputs is None:
        return (*model.state_names, *(item.name for item in model.assignments))
    for place, name in enumerate(outputs):
        if name in KEY_COLUMNS or name not in model.unit_of:
            allowed = ", ".join([*model.state_names, *(item.name for item in model.assignments)])
            raise InputError(f"there is no output '{name}', '{model.name}' has {allowed}")
        if name in outputs[:place]:
            raise InputError(f"the output '{name}' is asked for twice")
    if not outputs:
        raise InputError("no output is asked for, at least one is needed")
    return tuple(outputs)


def available_cores() -> int:
    """Cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
