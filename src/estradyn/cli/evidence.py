"""`estradyn evidence`: hold the model's predictions against published numbers."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from estradyn.scorecard.summary import GroupSummary

PIPE_WIDTH = 120
"""Characters of a line where nobody looks at a terminal."""

commands = typer.Typer(
    help="Published numbers, and how close the model comes to them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@commands.callback()
def _evidence() -> None:
    """Published numbers, and how close the model comes to them."""


@commands.command("score")
def score(
    context: Annotated[
        list[str] | None,
        typer.Option("--context", help="Context to score (repeatable); all without it."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="NAME",
            help="Group, or id of a row, to score (repeatable); all without it.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE.csv", help="Table with one line for every number."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE.html", help="Report with forest plots and misses."),
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the summary as Markdown.")
    ] = False,
    patients: Annotated[
        int | None,
        typer.Option("--patients", min=2, help="Size of each simulated group, for a quick look."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Threads to use; all cores without it.")
    ] = None,
) -> None:
    """Simulate what was published and print, by group, how many numbers are met."""
    from estradyn.cli.output import check_place
    from estradyn.errors import InputError
    from estradyn.scorecard.contexts import CONTEXTS
    from estradyn.scorecard.targets import chosen_rows

    started = time.perf_counter()
    contexts = tuple(dict.fromkeys(context or CONTEXTS))
    for name in contexts:
        if name not in CONTEXTS:
            raise InputError(f"--context: found '{name}', allowed is one of: {', '.join(CONTEXTS)}")
    chosen = _known_names(contexts, only or ())
    contexts = tuple(name for name in contexts if chosen_rows(name, chosen))
    for place in (out, report):
        if place is not None:
            check_place(place)

    from estradyn.cli.progress import arm_progress
    from estradyn.scorecard import score_context, summarise
    from estradyn.trial.run import default_workers

    threads = workers or default_workers()
    with arm_progress() as progress:
        scores = {
            name: score_context(
                name, workers=threads, progress=progress, patients=patients, only=chosen
            )
            for name in contexts
        }
    summaries = {name: summarise(name, own, chosen) for name, own in scores.items()}
    if markdown:
        typer.echo(markdown_table(summaries))
    else:
        _print(summaries)
    seconds = time.perf_counter() - started
    written = []
    if out is not None:
        from estradyn.cli.output import write_whole
        from estradyn.scorecard.table import score_table

        table = score_table(contexts, [one for own in scores.values() for one in own], chosen)
        write_whole(out, table.to_csv(index=False, lineterminator="\n"))
        written.append(str(out))
    if report is not None:
        from estradyn.cli.output import write_whole
        from estradyn.scorecard.report import score_html

        write_whole(report, score_html(scores, _manifest(patients, seconds), chosen))
        written.append(str(report))
    told = f"Wrote {' and '.join(written)}: " if written else ""
    numbers = sum(len(own) for own in scores.values())
    typer.echo(f"{told}{numbers} published numbers scored in {seconds:.0f} seconds.", err=markdown)


def _known_names(contexts: Sequence[str], names: Sequence[str]) -> frozenset[str]:
    """Return names of groups and rows after a look whether the contexts have them.

    Raises
    ------
    InputError
        If a name is neither a group nor the id of a row.
    """
    from estradyn.errors import InputError
    from estradyn.evidence import mapping

    items = [item for context in contexts for item in mapping(context).values()]
    groups = dict.fromkeys(item.group for item in items)
    known = {*groups, *(item.row.id for item in items)}
    for name in names:
        if name not in known:
            raise InputError(
                f"--only: found '{name}', allowed is the id of a row or one of: {', '.join(groups)}"
            )
    return frozenset(names)


def markdown_table(summaries: Mapping[str, Sequence[GroupSummary]]) -> str:
    """Return the summaries as a table in Markdown."""
    lines = [
        "| " + " | ".join(_HEADS) + " |",
        "|---|---|" + "--:|" * (len(_HEADS) - 2),
    ]
    lines += [
        "| " + " | ".join(_cells(one)) + " |" for groups in summaries.values() for one in groups
    ]
    return "\n".join(lines)


_HEADS = (
    "Context",
    "Group",
    "Rows",
    "Modelled",
    "Met",
    "Fitted: met",
    "Checked: met",
    "Median fold error",
    "Median error, points",
)


def _cells(one: GroupSummary) -> tuple[str, ...]:
    from estradyn.scorecard.report.page import error_text

    return (
        one.context,
        one.group,
        str(one.rows),
        str(one.modelled),
        str(one.met),
        f"{one.calibration_met} of {one.calibration}",
        f"{one.check_met} of {one.check}",
        error_text(one.median_fold_error),
        error_text(one.median_absolute_error),
    )


def _print(summaries: Mapping[str, Sequence[GroupSummary]]) -> None:
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
    for name, groups in summaries.items():
        console.print(_rich_table(name, groups))


def _rich_table(context: str, groups: Sequence[GroupSummary]) -> Table:
    from rich.table import Table

    table = Table(title=f"Context {context}", title_justify="left")
    for place, head in enumerate(_HEADS[1:]):
        table.add_column(head, justify="left" if place == 0 else "right")
    for one in groups:
        table.add_row(*_cells(one)[1:])
    return table


def _manifest(patients: int | None, seconds: float) -> dict[str, str]:
    from estradyn import __version__
    from estradyn.model import load_patient_model

    size = "as in the scenarios" if patients is None else str(patients)
    return {
        "Estradyn": __version__,
        "Models folder": load_patient_model(drugs=()).digest,
        "Size of each simulated group": size,
        "Wall time": f"{seconds:.0f} s",
    }
