"""`estradyn trial`: run a virtual trial, and check that a finished one can be made again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from estradyn.trial.result import TrialResult

NOT_REPRODUCED = 1
"""Exit code when a trial did not come out the same again."""

commands = typer.Typer(
    help="Run virtual trials and check them.", no_args_is_help=True, rich_markup_mode=None
)

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
) -> None:
    """Run the trial that a study file describes and write its tables and report."""
    from estradyn.cli.progress import arm_progress
    from estradyn.output_folder import check_output_folder
    from estradyn.trial.files import FILES
    from estradyn.trial.study import load_study, with_overrides

    started = time.perf_counter()
    study = with_overrides(load_study(study_file), patients=patients, seed=seed)
    place = Path("results") / study_file.stem if out is None else out
    check_output_folder(place, FILES)

    # Loaded after the study has been read: a fault in it is told at once.
    from estradyn.trial.run import run_trial

    with arm_progress() as progress:
        run_trial(study, place, workers=workers, progress=progress, write_report=_add_report)
    seconds = time.perf_counter() - started
    size = len(study.arms) * study.patients_per_arm
    typer.echo(
        f"Wrote tables and {place / 'report.html'}: {size:,} patients in {seconds:.0f} seconds."
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


def _add_report(result: TrialResult, directory: Path) -> None:
    from estradyn.report import write_report

    write_report(result, directory)
