"""`estradyn xenograft`: plan, simulate and analyse a xenograft flare study."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

commands = typer.Typer(
    help="Plan, simulate and analyse xenograft flare studies.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class Formula(StrEnum):
    """How length L and width W give a volume."""

    ELLIPSOID_MEAN = "ellipsoid_mean"
    HALF_LENGTH = "half_length"
    ELLIPSOID = "ellipsoid"


class GrowthCurve(StrEnum):
    """Shape of the mean course of log volume."""

    PIECEWISE = "piecewise"
    SPLINE = "spline"


@commands.command("analyze")
def analyze(
    data: Annotated[
        Path,
        typer.Argument(metavar="DATA.csv", help="Measurements, one row per animal and day."),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for the results; without it, results/DATA."),
    ] = None,
    control: Annotated[
        str | None,
        typer.Option("--control", help="Control arm; without it, found by its name."),
    ] = None,
    formula: Annotated[
        Formula,
        typer.Option(
            "--volume",
            help="Volume from length L and width W: pi/6 L W (L+W)/2, L W W / 2 or pi/6 L W W.",
        ),
    ] = Formula.ELLIPSOID_MEAN,
    start: Annotated[
        datetime | None,
        typer.Option(
            "--start",
            formats=["%Y-%m-%d"],
            help="Date of the first dose (day 0), for a file with dates; without it, the earliest.",
        ),
    ] = None,
    window: Annotated[
        float,
        typer.Option("--window", min=7, max=60, help="Last day of the flare window."),
    ] = 21.0,
    growth: Annotated[
        GrowthCurve,
        typer.Option("--growth", help="One growth rate in each phase, or a spline with knots."),
    ] = GrowthCurve.PIECEWISE,
    title: Annotated[
        str, typer.Option("--title", help="Heading of the report.")
    ] = "Xenograft flare study",
    seed: Annotated[
        int,
        typer.Option("--seed", min=0, help="Seed of the animals that calibrate the flare score."),
    ] = 1,
) -> None:
    """Check, model and classify the measurements of a study; write tables and a report."""
    from estradyn.output_folder import check_output_folder
    from estradyn.xenograft.analysis import AnalysisSettings, analyze_study
    from estradyn.xenograft.analysis_files import ANALYSIS_FILES, write_analysis
    from estradyn.xenograft.response import FlareRule
    from estradyn.xenograft.study_table import read_study
    from estradyn.xenograft.volume import VolumeFormula

    place = Path("results") / data.stem if out is None else out
    check_output_folder(place, ANALYSIS_FILES)
    study = read_study(
        data, formula=VolumeFormula(formula.value), start=start.date() if start else None
    )
    settings = AnalysisSettings(
        control=control,
        flare_rule=FlareRule(window_end=window),
        growth="spline" if growth is GrowthCurve.SPLINE else "piecewise",
        seed=seed,
    )
    analysis = analyze_study(study, settings)
    report = write_analysis(analysis, place, title=title)
    typer.echo(
        f"Wrote tables and {report}: {len(analysis.animals)} animals in {len(analysis.arms)} arms."
    )


@commands.command("plan")
def plan(
    plan_file: Annotated[Path, typer.Argument(metavar="PLAN.yaml", help="Plan file.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for the results; without it, results/PLAN."),
    ] = None,
    animals: Annotated[
        Path | None,
        typer.Option(
            "--animals", help="CSV of animals to randomise: animal, volume, weight, cage."
        ),
    ] = None,
    simulations: Annotated[
        int | None,
        typer.Option(
            "--simulations", min=20, max=2000, help="Simulated studies per size, over the file's."
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Seed, in place of the file's.")
    ] = None,
) -> None:
    """Find the group size, randomise, and write calendar, humane endpoints and ARRIVE table."""
    from estradyn.output_folder import check_output_folder
    from estradyn.xenograft.plan import make_plan
    from estradyn.xenograft.plan_file import load_plan
    from estradyn.xenograft.plan_files import PLAN_FILES, write_plan

    place = Path("results") / plan_file.stem if out is None else out
    check_output_folder(place, PLAN_FILES)
    asked = load_plan(plan_file)
    if simulations is not None:
        power = asked.power.model_copy(update={"simulations": simulations})
        asked = asked.model_copy(update={"power": power})
    if seed is not None:
        asked = asked.model_copy(update={"seed": seed})
    with _study_progress() as progress:
        made = make_plan(asked, animals=animals, progress=progress)
    page = write_plan(made, place)
    for warning in made.warnings:
        typer.echo(f"Warning: {warning.subject}. {warning.message}", err=True)
    typer.echo(
        f"Wrote tables and {page}: {made.animals_per_arm} animals in each of "
        f"{len(asked.arms)} arms, {made.to_inoculate} to inoculate."
    )


@commands.command("simulate")
def simulate(
    plan_file: Annotated[Path, typer.Argument(metavar="PLAN.yaml", help="Plan file.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for the results; without it, results/PLAN-simulated."),
    ] = None,
    animals: Annotated[
        int | None,
        typer.Option(
            "--animals", min=3, max=100, help="Animals per arm; without it, the file's, else 10."
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Seed, in place of the file's.")
    ] = None,
) -> None:
    """Simulate the study of a plan on mechanistic mice; write measurements and their truth."""
    from estradyn.output_folder import check_output_folder
    from estradyn.xenograft.plan_file import load_plan
    from estradyn.xenograft.planned_study import simulate_plan
    from estradyn.xenograft.simulation_files import SIMULATION_FILES, write_simulation

    place = Path("results") / f"{plan_file.stem}-simulated" if out is None else out
    check_output_folder(place, SIMULATION_FILES)
    asked = load_plan(plan_file)
    size = animals or asked.power.animals_per_arm or 10
    start = asked.seed if seed is None else seed
    study = simulate_plan(asked, size, start)
    file = write_simulation(study, asked, place, animals_per_arm=size, seed=start)
    typer.echo(f"Wrote {file} and truth.csv: {len(study.truth)} animals in {len(asked.arms)} arms.")


@contextmanager
def _study_progress() -> Iterator[Callable[[int, int], None] | None]:
    """Show simulated studies on a terminal; None in a pipe."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("simulated studies", total=None)

        def advance(done: int, planned: int) -> None:
            bars.update(task, completed=done, total=planned)

        yield advance
