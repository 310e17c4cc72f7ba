"""Running a trial: patients stream through it to tables, in memory bounded by one chunk."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

from estradyn.errors import StudyError
from estradyn.output_folder import check_output_folder, output_folder
from estradyn.trial.assembly import (
    ArmChunks,
    count_statuses,
    evaluable,
    read_outcomes,
    write_patient_tables,
)
from estradyn.trial.chunks import CHUNK_SIZE, Chunk, ChunkPlace, ChunkPlan, simulate_chunk
from estradyn.trial.endpoints import endpoint_table, survival_table
from estradyn.trial.files import (
    ASSESSMENTS,
    ENDPOINTS,
    FILES,
    REPORT,
    TRAJECTORIES,
    file_hash,
    write_endpoints,
)
from estradyn.trial.identity import differences, run_identity
from estradyn.trial.manifest import RunRecord, build_manifest, read_manifest, write_manifest
from estradyn.trial.patients import PatientSimulation
from estradyn.trial.result import TrialResult
from estradyn.trial.simulation import Simulation
from estradyn.trial.study import Storage, Study
from estradyn.trial.working_folder import WorkingFolder, working_folder

Progress = Callable[[str, int, int], None]
"""Called with the name of the arm, patients of it simulated so far, and patients planned."""

ReportWriter = Callable[[TrialResult, Path], None]
"""Writes the report of a result into a folder."""

ChunkRunner = Callable[[Iterable[Chunk]], Iterator[tuple[ChunkPlace, bytes]]]
"""Simulates chunks and yields the content of their files as they finish, in any order."""


def run_trial(
    study: Study,
    out: str | Path,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
    write_report: ReportWriter | None = None,
    simulation: Simulation | None = None,
    chunk_size: int = CHUNK_SIZE,
    resume: bool = False,
    scheduler: str | None = None,
) -> TrialResult:
    """Run a trial and leave its files in a folder, all of them or none.

    Finished chunks of patients are kept in a hidden folder beside `out` until the run has ended.

    Parameters
    ----------
    study
        The study.
    out
        Folder for the files; an earlier trial in it is replaced once this one has succeeded.
    workers
        Threads to use, all cores by default; the numbers do not depend on it.
    progress
        Told after every chunk of patients.
    write_report
        Adds the report to the folder before it is moved into place.
    simulation
        Simulates the patients; the shipped population and engine by default.
    chunk_size
        Most patients in memory at a time; no number depends on it.
    resume
        Continue an interrupted run into `out`, if there is one, instead of beginning anew. The
        tables are the same bits as those of a run that was not interrupted.
    scheduler
        Address of a Dask scheduler whose workers simulate the patients, who are drawn here; the
        tables are the same bits. Its workers simulate with the shipped population and engine.

    Raises
    ------
    InputError
        If `out` may not be written or replaced, or an interrupted run is of another kind.
    SimulationError
        If more than `LARGEST_FAILED_SHARE` of an arm could not be simulated.
    ClusterError
        If the cluster cannot be reached, cannot run this version, or was lost.
    """
    started = time.perf_counter()
    out = Path(out)
    workers = workers or default_workers()
    check_output_folder(out, FILES)
    simulation = simulation or PatientSimulation(study, workers=workers)
    plan = ChunkPlan(study, chunk_size)
    identity = run_identity(study, simulation.provenance(), plan.chunk_size)
    with working_folder(out, identity, resume=resume) as work:
        stored = work.stored()
        if len(stored) < len(plan.places):
            with _chunk_runner(study, simulation, identity, scheduler) as simulate:
                finished = simulate(plan.missing(simulation, stored))
                _keep_chunks(plan, work, finished, stored, progress)
        arms = [
            ArmChunks(
                index,
                [work.chunk(place) for place in plan.places if place.arm_index == index],
            )
            for index in range(len(study.arms))
        ]
        with output_folder(out, FILES, within=work.path) as directory:
            result = _assemble(study, simulation, arms, directory)
            record = RunRecord(
                population=result.population,
                statuses=result.statuses,
                workers=workers,
                scheduler=scheduler,
                chunks=len(plan.places),
                resumed=len(stored),
                processors=sum((arm.processors() for arm in arms), Counter()),
                wall_time_seconds=time.perf_counter() - started,
            )
            result = replace(result, manifest=build_manifest(identity, record, directory))
            write_manifest(result.manifest, directory)
            if write_report is not None:
                write_report(result, directory)
    if study.store is Storage.ENDPOINTS:
        return result
    return replace(result, assessments_path=out / ASSESSMENTS, trajectories_path=out / TRAJECTORIES)


def is_complete(
    study: Study, out: Path, simulation: Simulation, *, chunk_size: int = CHUNK_SIZE
) -> bool:
    """Whether a folder holds exactly the trial that would be run, report included.

    Parameters
    ----------
    study, simulation, chunk_size
        As in `run_trial`.
    out
        Folder to look at.
    """
    try:
        manifest = read_manifest(out)
    except StudyError:
        return False
    largest = ChunkPlan(study, chunk_size).chunk_size
    identity = run_identity(study, simulation.provenance(), largest)
    if differences(manifest, identity) or not (out / REPORT).is_file():
        return False
    tables = manifest["tables"].items()
    return all(
        (out / name).is_file() and file_hash(out / name) == hashed for name, hashed in tables
    )


def default_workers() -> int:
    """Threads to use where nobody says: the cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _chunk_runner(
    study: Study, simulation: Simulation, identity: dict[str, object], scheduler: str | None
) -> AbstractContextManager[ChunkRunner]:
    if scheduler is not None:
        from estradyn.trial.cluster import cluster_runner

        return cluster_runner(scheduler, study, identity)

    def simulate_here(chunks: Iterable[Chunk]) -> Iterator[tuple[ChunkPlace, bytes]]:
        for chunk in chunks:
            yield chunk.place, simulate_chunk(study, simulation, chunk)

    return nullcontext(simulate_here)


def _keep_chunks(
    plan: ChunkPlan,
    work: WorkingFolder,
    finished: Iterator[tuple[ChunkPlace, bytes]],
    stored: Iterable[ChunkPlace],
    progress: Progress | None,
) -> None:
    """Write chunks as they finish and tell how far each arm is."""
    done: Counter[int] = Counter()

    def count(place: ChunkPlace) -> None:
        done[place.arm_index] += plan.patients(place)
        if progress is not None:
            name = plan.study.arms[place.arm_index].name
            progress(name, done[place.arm_index], plan.study.patients_per_arm)

    for place in stored:
        count(place)
    for place, content in finished:
        work.keep(place, content)
        count(place)


def _assemble(
    study: Study, simulation: Simulation, arms: list[ArmChunks], directory: Path
) -> TrialResult:
    """Write the tables of finished chunks into a folder."""
    names = [arm.name for arm in study.arms]
    outcomes = read_outcomes(study, arms)
    tables = evaluable(study, arms, outcomes)
    everything = study.store is Storage.ALL
    if everything:
        write_patient_tables(study, arms, simulation.outputs, directory)
    result = TrialResult(
        study=study,
        patients=outcomes,
        assessments_path=directory / ASSESSMENTS if everything else None,
        trajectories_path=directory / TRAJECTORIES if everything else None,
        endpoints=endpoint_table(study, tables, simulation.outputs),
        progression_free_survival=survival_table(study, tables),
        population={name: arm.population() for name, arm in zip(names, arms, strict=True)},
        statuses=count_statuses(study, outcomes),
        manifest={},
    )
    write_endpoints(result.endpoints, directory / ENDPOINTS)
    return result
