"""The `estradyn` command and the groups below it."""

from __future__ import annotations

from typing import Annotated

import typer

from estradyn import __version__
from estradyn.cli import assay, calibrate, evidence, model, simulate, trial, xenograft
from estradyn.cli.failures import PlainFailures

application = typer.Typer(
    name="estradyn",
    cls=PlainFailures,
    help="Quantitative systems pharmacology of endocrine therapy in ER+ breast cancer. "
    "For research use only.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
application.add_typer(trial.commands, name="trial")
application.add_typer(model.commands, name="model")
application.add_typer(evidence.commands, name="evidence")
application.add_typer(assay.commands, name="assay")
application.add_typer(xenograft.commands, name="xenograft")
application.command("simulate")(simulate.simulate)
application.command("calibrate")(calibrate.calibrate)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"estradyn {__version__}")
        raise typer.Exit


@application.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; the exit code is 2 when what the user gave cannot be used."""
    application()
