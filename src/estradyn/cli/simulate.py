"""`estradyn simulate`: solve any model under NONMEM-style event records."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from estradyn.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from estradyn.simulation import SimulationSummary

LARGEST_FAILED_SHARE = 0.01
"""Share of patients that may fail before the exit code says so."""
TOO_MANY_FAILED = 1
"""Exit code when more patients failed than that."""
NAMED_FAILURES = 5


def simulate(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A model that `model list` names, or a .ant or .xml file."
        ),
    ],
    doses: Annotated[
        Path,
        typer.Option(
            "--doses", metavar="EVENTS.csv", help="Doses and observations, one record per line."
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help=".parquet or .csv file to write.")
    ],
    parameters: Annotated[
        Path | None,
        typer.Option("--parameters", metavar="P.csv", help="Parameter values of each ID."),
    ] = None,
    outputs: Annotated[
        str | None,
        typer.Option(
            "--outputs", metavar="A,B", help="Variables to write; without it, all that change."
        ),
    ] = None,
    duration: Annotated[
        float | None,
        typer.Option("--duration", metavar="T", help="Last output time, with --steps."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", metavar="N", help="Even steps between output times.")
    ] = None,
    times: Annotated[
        Path | None, typer.Option("--times", metavar="FILE", help="Output times, a column TIME.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Threads to use; all cores without it.")
    ] = None,
) -> None:
    """Simulate the patients of an event table with any model.

    Outputs are taken at the records with EVID 0, or at --times, or from 0 to --duration.
    """
    from estradyn.cli.progress import arm_progress
    from estradyn.simulation.run import simulate_file

    started = time.perf_counter()
    grid = _output_times(duration, steps, times)
    names = None if outputs is None else [name.strip() for name in outputs.split(",")]
    with arm_progress() as progress:
        summary = simulate_file(
            model,
            doses,
            out,
            parameters=parameters,
            outputs=names,
            times=grid,
            workers=workers,
            progress=None
            if progress is None
            else lambda done, planned: progress("simulating", done, planned),
        )
    _tell_failures(summary)
    typer.echo(
        f"Wrote {out}: {summary.patients:,} patients, {summary.rows:,} rows "
        f"in {time.perf_counter() - started:.1f} seconds."
    )
    if len(summary.faults) > LARGEST_FAILED_SHARE * summary.patients:
        raise typer.Exit(TOO_MANY_FAILED)


def _output_times(
    duration: float | None, steps: int | None, times: Path | None
) -> NDArray[np.float64] | None:
    from estradyn.simulation.output_times import even_times, read_times

    if (duration is None) != (steps is None):
        raise InputError("--duration and --steps are given together or not at all")
    if times is not None and duration is not None:
        raise InputError("give either --times or --duration with --steps, not both")
    if duration is not None and steps is not None:
        return even_times(duration, steps)
    return None if times is None else read_times(times)


def _tell_failures(summary: SimulationSummary) -> None:
    """Say on standard error who failed and why."""
    if not summary.faults:
        return
    named = [f"ID {who} ({why})" for who, why in list(summary.faults.items())[:NAMED_FAILURES]]
    more = len(summary.faults) - len(named)
    if more:
        named.append(f"and {more} more")
    typer.echo(
        f"estradyn: {len(summary.faults)} of {summary.patients} patients could not be simulated "
        f"and have NaN in every output: {', '.join(named)}",
        err=True,
    )
