"""Running a trial: patients stream through it to tables, in memory bounded by one group."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from estradyn.errors import SimulationError
from estradyn.output_folder import output_folder
from estradyn.trial.endpoint_row import ArmTables
from estradyn.trial.endpoints import endpoint_table, survival_table
from estradyn.trial.files import (
    ASSESSMENTS,
    ENDPOINTS,
    FILES,
    PATIENTS,
    TRAJECTORIES,
    TrajectoryWriter,
    write_endpoints,
    write_table,
)
from estradyn.trial.manifest import build_manifest, write_manifest
from estradyn.trial.outcomes import Outcomes, VisitReadings
from estradyn.trial.patients import PatientSimulation
from estradyn.trial.recording import KNOWN_OF_THE_SIMULATED, RECORDERS
from estradyn.trial.result import TrialResult
from estradyn.trial.schedule import output_days, trajectory_days
from estradyn.trial.simulation import Simulation
from estradyn.trial.study import Study

LARGEST_FAILED_SHARE = 0.01
"""Share of an arm's patients that may fail before the trial is not reported at all."""

Progress = Callable[[str, int, int], None]
"""Called with the name of the arm, patients of it simulated so far, and patients planned."""

ReportWriter = Callable[[TrialResult, Path], None]
"""Writes the report of a result into a folder."""


def run_trial(
    study: Study,
    out: str | Path,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
    write_report: ReportWriter | None = None,
    simulation: Simulation | None = None,
) -> TrialResult:
    """Run a trial and leave its files in a folder, all of them or none.

    Parameters
    ----------
    study
        The study.
    out
        Folder for the files; an earlier trial in it is replaced once this one has succeeded.
    workers
        Threads to use, all cores by default; the numbers do not depend on it.
    progress
        Told after every group of patients.
    write_report
        Adds the report to the folder before it is moved into place.
    simulation
        Simulates the patients; the shipped population and engine by default.

    Raises
    ------
    InputError
        If `out` may not be written or replaced.
    SimulationError
        If more than `LARGEST_FAILED_SHARE` of an arm could not be simulated.
    """
    started = time.perf_counter()
    out = Path(out)
    workers = workers or default_workers()
    with output_folder(out, FILES) as directory:
        simulation = simulation or PatientSimulation(study, workers=workers)
        names = [arm.name for arm in study.arms]
        columns = [output.name for output in simulation.outputs]
        with TrajectoryWriter(directory / TRAJECTORIES, names, columns) as trajectories:
            arms = [
                _run_arm(study, index, simulation, trajectories, progress)
                for index in range(len(study.arms))
            ]
        evaluable = [_evaluable(study, index, outcomes) for index, outcomes in enumerate(arms)]
        result = TrialResult(
            study=study,
            patients=_stack([outcomes.patients for outcomes in arms], names),
            assessments=_stack([outcomes.assessments for outcomes in arms], names),
            trajectories_path=directory / TRAJECTORIES,
            endpoints=endpoint_table(study, evaluable, simulation.outputs),
            progression_free_survival=survival_table(study, evaluable),
            population={
                name: dict(simulation.population_report(index)) for index, name in enumerate(names)
            },
            statuses={
                name: dict(Counter(outcomes.patients["status"].tolist()))
                for name, outcomes in zip(names, arms, strict=True)
            },
            manifest={},
        )
        write_table(result.patients, directory / PATIENTS)
        write_table(result.assessments, directory / ASSESSMENTS)
        write_endpoints(result.endpoints, directory / ENDPOINTS)
        manifest = build_manifest(
            study,
            provenance=simulation.provenance(),
            population=result.population,
            statuses=result.statuses,
            tables=directory,
            wall_time_seconds=time.perf_counter() - started,
            workers=workers,
        )
        result = replace(result, manifest=manifest)
        write_manifest(manifest, directory)
        if write_report is not None:
            write_report(result, directory)
    return replace(result, trajectories_path=out / TRAJECTORIES)


def default_workers() -> int:
    """Threads to use where nobody says: the cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _run_arm(
    study: Study,
    arm_index: int,
    simulation: Simulation,
    trajectories: TrajectoryWriter,
    progress: Progress | None,
) -> Outcomes:
    days = output_days(study)
    kept = np.isin(days, trajectory_days(study))
    parts: list[Outcomes] = []
    done = 0
    for group in simulation.arm(arm_index, days):
        parts.append(RECORDERS[study.setting](study, arm_index, group, days, simulation))
        trajectories.append(arm_index, group.patient_ids, days[kept], group.trajectories[:, kept])
        done += group.patient_ids.size
        if progress is not None:
            progress(study.arms[arm_index].name, done, study.patients_per_arm)
    if not parts:
        raise SimulationError(f"no patient of '{study.arms[arm_index].name}' could be drawn")
    return Outcomes(
        patients=pd.concat([part.patients for part in parts], ignore_index=True),
        assessments=pd.concat([part.assessments for part in parts], ignore_index=True),
        visits=tuple(
            _join_visits(series) for series in zip(*(part.visits for part in parts), strict=True)
        ),
    )


def _join_visits(parts: tuple[VisitReadings, ...]) -> VisitReadings:
    return replace(
        parts[0],
        days=np.concatenate([part.days for part in parts]),
        measured=np.concatenate([part.measured for part in parts]),
    )


def _evaluable(study: Study, arm_index: int, outcomes: Outcomes) -> ArmTables:
    """Leave out the patients who failed, unless they are too many to leave out quietly."""
    succeeded = outcomes.patients[KNOWN_OF_THE_SIMULATED[study.setting]].notna().to_numpy()
    failed = int(np.count_nonzero(~succeeded))
    name = study.arms[arm_index].name
    if failed > LARGEST_FAILED_SHARE * succeeded.size:
        counts = Counter(outcomes.patients["status"][~succeeded].tolist())
        reasons = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
        raise SimulationError(
            f"{failed} of {succeeded.size} patients of '{name}' could not be simulated "
            f"({reasons}), allowed {100 * LARGEST_FAILED_SHARE:g} percent; nothing was written"
        )
    return ArmTables(
        study.arms[arm_index],
        outcomes.patients[succeeded].reset_index(drop=True),
        tuple(
            replace(series, days=series.days[succeeded], measured=series.measured[succeeded])
            for series in outcomes.visits
        ),
    )


def _stack(frames: list[pd.DataFrame], names: list[str]) -> pd.DataFrame:
    arms = pd.CategoricalDtype(names)
    return pd.concat(
        [frame.assign(arm=frame["arm"].astype(arms)) for frame in frames], ignore_index=True
    )
