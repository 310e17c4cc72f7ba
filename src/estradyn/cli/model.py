"""`estradyn model`: see and export the models and the records of drugs and people."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from estradyn.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from estradyn.model.drug_record import DrugRecord
    from estradyn.model.parameter_table import ParameterRow
    from estradyn.model.people import People

WIDTH_WITHOUT_TERMINAL = 160
"""Characters per line where the output goes to a file or another program."""

commands = typer.Typer(
    help="See and export the models and drug records.", no_args_is_help=True, rich_markup_mode=None
)


class ExportFormat(StrEnum):
    """Formats a model can be written in."""

    SBML = "sbml"


@commands.command("list")
def list_models() -> None:
    """List the models, and the drugs and people that have a record."""
    from rich.table import Table

    from estradyn.model.sources import find_model, shipped_models

    table = Table("Name", "Kind", "What it is", box=None, pad_edge=False)
    for name in shipped_models():
        table.add_row(name, "model", _first_sentence(find_model(name).path))
    for name, record in _drug_records().items():
        table.add_row(name, "drug", str(record.fields.get("class", "")))
    for name, people in _people_records().items():
        table.add_row(name, "population", people.title)
    _console().print(table)


@commands.command("show")
def show(
    name: Annotated[
        str, typer.Argument(help="A model, drug or population that `model list` names.")
    ],
    today: Annotated[
        datetime.datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Day to judge a record's review by."),
    ] = None,
) -> None:
    """Show the record of a drug or population with its values, or the values of a model."""
    from estradyn.model.sources import shipped_models

    records, people = _drug_records(), _people_records()
    if name in people:
        _show_people(people[name])
    elif name in records:
        _show_drug(records[name], today.date() if today else datetime.date.today())
    elif name in shipped_models():
        _show_model(name)
    else:
        from estradyn.trial.drugs import other_name_of
        from estradyn.trial.study_faults import nearest

        meant = other_name_of(name, records) or nearest(
            name.lower(), [*records, *people, *shipped_models()]
        )
        raise InputError(
            f"found no model, drug or population '{name}'{meant}, allowed a name that "
            "`estradyn model list` prints"
        )


@commands.command("export")
def export(
    name: Annotated[
        str, typer.Argument(help="A model that `model list` names, or a .ant or .xml file.")
    ],
    format_: Annotated[ExportFormat, typer.Option("--format", help="Format to write.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write; without it, standard output.")
    ] = None,
    drug: Annotated[
        list[str] | None,
        typer.Option("--drug", help="Drug to put into a patient; may be repeated. Default: all."),
    ] = None,
    population: Annotated[
        str | None, typer.Option("--population", help="People whom a patient's model describes.")
    ] = None,
) -> None:
    """Write a model with its parameter values in a format that other tools read."""
    from estradyn.cli.output import write_whole
    from estradyn.model.export import export_sbml

    text = export_sbml(name, drugs=drug or None, population=population)
    if out is None:
        typer.echo(text, nl=False)
        return
    write_whole(out, text)
    typer.echo(f"Wrote {out} ({format_.value.upper()}, {len(text.encode()) / 1000:.0f} kB).")


@commands.command("document")
def document(
    name: Annotated[str, typer.Argument(help="A model that composes modules.")] = "patient",
    out: Annotated[Path, typer.Option("--out", help="Folder to write.")] = Path("results/model"),
    drug: Annotated[
        list[str] | None,
        typer.Option("--drug", help="Drug to put into the model; may be repeated. Default: all."),
    ] = None,
    population: Annotated[
        str | None, typer.Option("--population", help="People whom a patient's model describes.")
    ] = None,
) -> None:
    """Write pages with the equations, values, sources and limits of a model's modules."""
    from estradyn.report.model_pages import write_model_pages

    pages = write_model_pages(out, name, drugs=drug or None, population=population)
    typer.echo(f"Wrote {pages[0]} and {len(pages) - 1} pages on its modules.")


def _console() -> Console:
    from rich.console import Console

    console = Console(highlight=False)
    return (
        console if console.is_terminal else Console(highlight=False, width=WIDTH_WITHOUT_TERMINAL)
    )


def _drug_records() -> dict[str, DrugRecord]:
    from estradyn.model.composition import drug_records
    from estradyn.model.sources import models_directory

    return drug_records(models_directory())


def _people_records() -> dict[str, People]:
    from estradyn.model.people import people_records
    from estradyn.model.sources import models_directory

    return people_records(models_directory())


def _show_people(people: People) -> None:
    from rich.markdown import Markdown

    from estradyn.model.patient_model import load_parameters

    _console().print(Markdown(people.body))
    rows = load_parameters(drugs=(), population=people.name).rows
    usual = load_parameters(drugs=()).by_name
    _print_parameters([row for row in rows if row != usual.get(row.name)])


def _first_sentence(path: Path) -> str:
    """First sentence of the comment that a model's text begins with."""
    words: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("//"):
            break
        words += line.removeprefix("//").split()
        if words and words[-1].endswith("."):
            break
    return " ".join(words).split(". ")[0].removesuffix(".")


def _show_drug(record: DrugRecord, today: datetime.date) -> None:
    from rich.markdown import Markdown
    from rich.table import Table
    from rich.text import Text

    from estradyn.model.drug_review import review_warning
    from estradyn.model.patient_model import load_parameters

    table = Table(box=None, pad_edge=False, show_header=False)
    for field, value in record.fields.items():
        if field != "contexts":
            table.add_row(field.replace("_", " "), Text(_as_text(value)))
    for context, fields in record.contexts.items():
        stated = [f"{name.replace('_', ' ')} {_as_text(value)}" for name, value in fields.items()]
        table.add_row(f"in {context}", Text("; ".join(stated)))
    console = _console()
    console.print(table)
    console.print()
    console.print(Markdown(record.body))
    console.print()
    rows = load_parameters(drugs=(record.name,)).rows
    _print_parameters([row for row in rows if _is_instance_of(row.path.stem, record.name)])
    warning = review_warning(record, today)
    if warning is not None:
        typer.echo(f"Warning: {warning}", err=True)


def _as_text(value: object) -> str:
    """Value of a record's field; the items of a list with commas between them."""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _is_instance_of(stem: str, drug: str) -> bool:
    """Whether a table is that of a module instance of a drug."""
    return stem == drug or stem.startswith(drug + "_")


def _show_model(name: str) -> None:
    from estradyn.model.patient_model import load_parameters

    _print_parameters(load_parameters(name).rows)


def _print_parameters(rows: Sequence[ParameterRow]) -> None:
    from rich.table import Table
    from rich.text import Text

    from estradyn.report.parameters import printed_parameters

    table = Table("Name", box=None, pad_edge=False)
    table.add_column("Value", justify="right")
    for heading in ("Unit", "Spread", "Class", "Source"):
        table.add_column(heading)
    for row in printed_parameters(rows):
        cells = (row.name, row.value, row.unit, row.spread, row.evidence_class, row.source)
        table.add_row(*(Text(cell) for cell in cells))
    _console().print(table)
