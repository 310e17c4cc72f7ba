"""`estradyn assay`: plan, simulate and analyse a biphasic proliferation assay."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated

import typer

commands = typer.Typer(
    help="Plan, simulate and analyse in vitro proliferation assays.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@commands.command("analyze")
def analyze(
    data: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATA...",
            help="Plate files: BioTek Gen5 or SoftMax Pro text exports, tidy CSV, plater CSV.",
        ),
    ],
    layout: Annotated[
        Path | None,
        typer.Option(
            "--layout",
            help="Plate map: tidy CSV, plater CSV or wellmap TOML; not needed where "
            "each CSV file holds its own.",
        ),
    ] = None,
    plates: Annotated[
        Path | None,
        typer.Option("--plates", help="CSV with plate, time_h, readout and cell_line."),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", help="Folder for report, tables and figures.")
    ] = Path("results/assay"),
    read: Annotated[
        str | None,
        typer.Option("--read", help="Number, label or wavelength of the read to analyse."),
    ] = None,
    kinetic: Annotated[
        str | None,
        typer.Option("--kinetic", help="Time of a kinetic read: first, last, mean or seconds."),
    ] = None,
    blanks: Annotated[
        str,
        typer.Option("--blanks", help="required, or none for signals without background."),
    ] = "required",
    error: Annotated[
        str,
        typer.Option("--error", help="Scatter: constant, or proportional to the mean."),
    ] = "constant",
    bootstrap: Annotated[
        int, typer.Option("--bootstrap", min=0, help="Draws for bootstrap intervals; 0 for none.")
    ] = 0,
    simulations: Annotated[
        int, typer.Option("--simulations", min=0, help="Largest number behind each p value.")
    ] = 999,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of all that is drawn.")] = 1,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes; all cores without it.")
    ] = None,
    title: Annotated[
        str, typer.Option("--title", help="Heading of the report.")
    ] = "Assay analysis",
) -> None:
    """Read plates, fit dose-response curves and report the stimulation zone with intervals."""
    from estradyn.assay import AnalysisOptions, load_assay, write_analysis
    from estradyn.assay import analyze as run
    from estradyn.assay.output import FILES
    from estradyn.output_folder import check_output_folder

    started = time.perf_counter()
    check_output_folder(out, FILES)
    wells, notes = load_assay(data, layout=layout, plates=plates, read=read, kinetic=kinetic)
    options = AnalysisOptions(
        blanks=blanks,
        error=error,
        bootstrap=bootstrap,
        simulations=simulations,
        seed=seed,
        workers=workers or os.cpu_count() or 1,
    )
    result = run(wells, options, notes=notes)
    report = write_analysis(result, out, title=title)
    zones = sum(curve.choice.biphasic for curve in result.curves)
    typer.echo(
        f"Wrote tables, figures and {report}: {len(result.curves)} curves on "
        f"{wells['plate'].nunique()} plates, {zones} with a stimulation zone, in "
        f"{time.perf_counter() - started:.0f} seconds."
    )


@commands.command("plan")
def plan(
    design_file: Annotated[Path, typer.Argument(metavar="DESIGN.yaml", help="Design file.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for maps and bench sheet; without it, results/DESIGN."),
    ] = None,
    power_runs: Annotated[
        int,
        typer.Option(
            "--power-runs", min=0, help="Simulated runs behind the power; 0 leaves it out."
        ),
    ] = 50,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the simulated runs.")] = 1,
) -> None:
    """Make plate maps, dilutions and a bench sheet from a design; say if it can show the zone."""
    from estradyn.assay.plan import design_warnings, load_design, write_plan
    from estradyn.assay.plan.folder import FILES
    from estradyn.errors import InputError
    from estradyn.output_folder import check_output_folder

    design = load_design(design_file)
    place = Path("results") / design_file.stem if out is None else out
    check_output_folder(place, FILES)
    power, note = [], ""
    if power_runs:
        from estradyn.assay.simulate.power import RULE, zone_power

        try:
            power = zone_power(design, runs=power_runs, seed=seed, workers=os.cpu_count() or 1)
            note = RULE
        except InputError as error:
            note = f"Power is not known: {error}."
    sheet = write_plan(design, place, power=power, power_note=note)
    warnings = design_warnings(design)
    for warning in warnings:
        typer.echo(f"warning: {warning}", err=True)
    for one in power:
        typer.echo(one.sentence)
    if note and not power:
        typer.echo(note)
    plates = design.plates_per_time * (len(design.times_h) + design.time_zero)
    typer.echo(f"Wrote {sheet}, maps and tables: {plates} plates, {len(warnings)} warnings.")


@commands.command("simulate")
def simulate(
    design_file: Annotated[Path, typer.Argument(metavar="DESIGN.yaml", help="Design file.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for the data; without it, results/DESIGN_simulated."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of all that is drawn.")] = 1,
) -> None:
    """Simulate the plates of a design: data for `assay analyze`, with the truth beside them."""
    from estradyn.assay.plan import load_design
    from estradyn.assay.series import dose_text
    from estradyn.assay.simulate.folder import DATA_FILE, FILES, write_simulation
    from estradyn.output_folder import check_output_folder

    design = load_design(design_file)
    place = Path("results") / f"{design_file.stem}_simulated" if out is None else out
    check_output_folder(place, FILES)
    truth = write_simulation(design, place, seed=seed, workers=os.cpu_count() or 1)
    alone = [one for one in truth if one.agonist_dose == 0]
    best = max(alone, key=lambda one: one.peak_percent - one.control)
    zone = (
        f"true peak {best.peak_percent:.0f} % of vehicle at {dose_text(best.peak_dose, 'M')} "
        f"after {best.time_h:g} h"
        if best.peak_percent > best.control
        else "no stimulation at any dose or time"
    )
    plates = design.plates_per_time * (len(design.times_h) + design.time_zero)
    typer.echo(
        f"Wrote {place / DATA_FILE} ({plates} plates), figure and truth: {zone}. "
        f"Analyse it with: estradyn assay analyze {place / DATA_FILE}"
    )
