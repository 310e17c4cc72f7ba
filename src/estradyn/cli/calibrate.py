"""`estradyn calibrate`: fit a typical individual to published numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from estradyn.errors import InputError


def calibrate(
    problem_file: Annotated[
        Path, typer.Argument(metavar="PROBLEM.yaml", help="Problem in PEtab, version 1.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for the results; without it, results/calibration/NAME."),
    ] = None,
    starts: Annotated[int, typer.Option("--starts", min=1, help="Searches to run.")] = 10,
    seed: Annotated[int, typer.Option("--seed", help="Seed of where they start.")] = 1,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Threads to use; all cores without it.")
    ] = None,
    profile: Annotated[
        list[str] | None,
        typer.Option(
            "--profile", help="Profile this parameter; may be repeated. Without it, every one."
        ),
    ] = None,
    write_values: Annotated[
        bool,
        typer.Option(
            "--write-values", help="Also put the fitted values into the models' value tables."
        ),
    ] = False,
    population: Annotated[
        str | None,
        typer.Option("--population", help="People whose value tables the fitted values belong to."),
    ] = None,
) -> None:
    """Fit a PEtab problem from many starts, profile its parameters and write a report."""
    import os

    from estradyn.calibration import calibrate as run
    from estradyn.calibration import load_problem, write_fitted_values
    from estradyn.cli.progress import step_progress
    from estradyn.model import ParameterTable, load_parameters
    from estradyn.model.assays import assay_parameters

    if not problem_file.is_file():
        raise InputError("there is no such file", source=problem_file)
    problem = load_problem(problem_file)
    place = Path("results") / "calibration" / problem.name if out is None else out
    with step_progress() as progress:
        found = run(
            problem,
            place,
            starts=starts,
            seed=seed,
            workers=workers or os.cpu_count() or 1,
            profiled=profile or None,
            progress=progress,
        )
    if write_values:
        pairs = zip(problem.free, found.fitted.values, strict=True)
        values = {item.name: float(value) for item, value in pairs}
        own = load_parameters(population=population)
        tables = ParameterTable((*own.rows, *assay_parameters().rows))
        for path in write_fitted_values(tables, values):
            typer.echo(f"Changed {path}.")
    typer.echo(
        f"Wrote tables and {place / 'report.html'}: {len(problem.free)} parameters, "
        f"misfit {found.fitted.misfit:.1f} over {len(problem.measurements)} numbers."
    )
