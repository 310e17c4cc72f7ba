"""`estradyn trial`: run a virtual trial, and check that a finished one can be made again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from estradyn.errors import ClusterError

if TYPE_CHECKING:
    from estradyn.trial.result import TrialResult

NOT_REPRODUCED = 1
"""Exit code when a trial did not come out the same again."""

commands = typer.Typer(
    help="Run virtual trials and check them.", no_args_is_help=True, rich_markup_mode=None
)

_Store = Literal["all", "endpoints"]

_Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Threads to use; all cores without it."),
]


@commands.command("run")
def run(
    study_file: Annotated[Path, typer.Argument(metavar="STUDY.yaml", help="Study file.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for the results; without it, results/STUDY."),
    ] = None,
    patients: Annotated[
        int | None, typer.Option("--patients", help="Patients per arm, in place of the file's.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Seed, in place of the file's.")
    ] = None,
    workers: _Workers = None,
    store: Annotated[
        _Store | None,
        typer.Option("--store", help="What to leave behind, in place of the file's."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Continue an interrupted run instead of beginning anew."),
    ] = False,
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler", metavar="ADDRESS", help="Simulate on the Dask cluster at this address."
        ),
    ] = None,
) -> None:
    """Run the trial that a study file describes and write its tables and report."""
    from estradyn.cli.progress import arm_progress
    from estradyn.output_folder import check_output_folder
    from estradyn.trial.files import FILES
    from estradyn.trial.study import Storage, load_study, with_overrides

    started = time.perf_counter()
    study = with_overrides(
        load_study(study_file),
        patients=patients,
        seed=seed,
        store=None if store is None else Storage(store),
    )
    place = Path("results") / study_file.stem if out is None else out
    check_output_folder(place, FILES)

    # Loaded after the study has been read: a fault in it is told at once.
    from estradyn.trial.patients import PatientSimulation
    from estradyn.trial.run import default_workers, is_complete, run_trial

    threads = workers or default_workers()
    with arm_progress() as progress, _told_what_is_kept(place):
        simulation = PatientSimulation(study, workers=threads)
        if resume and is_complete(study, place, simulation):
            typer.echo(f"{place} holds this trial already; nothing was done.")
            return
        result = run_trial(
            study,
            place,
            workers=threads,
            progress=progress,
            write_report=_add_report,
            simulation=simulation,
            resume=resume,
            scheduler=scheduler,
        )
    seconds = time.perf_counter() - started
    size = len(study.arms) * study.patients_per_arm
    tables = "tables" if study.store is Storage.ALL else "endpoints"
    kept = result.manifest["chunks"]["from_interrupted_run"]
    share = f", {kept} of {result.manifest['chunks']['all']} parts were there" if kept else ""
    typer.echo(
        f"Wrote {tables} and {place / 'report.html'}: {size:,} patients in {seconds:.0f} "
        f"seconds{share}."
    )


@commands.command("verify")
def verify(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder that `trial run` has written.")
    ],
    workers: _Workers = None,
) -> None:
    """Run a finished trial again and compare every table; exit code 1 if one differs."""
    from estradyn.cli.progress import arm_progress
    from estradyn.trial.verification import verify as run_again

    with arm_progress() as progress:
        verification = run_again(directory, workers=workers, progress=progress)
    typer.echo(f"{directory}: {verification.text}")
    if not verification.identical:
        raise typer.Exit(NOT_REPRODUCED)


@contextmanager
def _told_what_is_kept(place: Path) -> Iterator[None]:
    """Say what an interrupted run leaves for `--resume`."""
    from estradyn.trial.working_folder import finished_chunks, working_path

    try:
        yield
    except (KeyboardInterrupt, ClusterError):
        if finished_chunks(place):
            typer.echo(
                f"estradyn: the patients simulated so far are kept in {working_path(place)}; "
                "with --resume the same command continues",
                err=True,
            )
        raise


def _add_report(result: TrialResult, directory: Path) -> None:
    from estradyn.report import write_report

    write_report(result, directory)
