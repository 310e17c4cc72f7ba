"""Values that take the place of a patient's own: those of a setting, and those of other people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from estradyn.model.parameter_table import ParameterRow, read_value_rows
from estradyn.model.patient_model import SETTINGS_FOLDER
from estradyn.model.people import people_records
from estradyn.report.parameters import PrintedParameter, printed_parameters


@dataclass(frozen=True)
class Variant:
    """A setting or a kind of people.

    Attributes
    ----------
    name
        What a study file calls it.
    title
        What it is, in words.
    about
        Paragraphs of its record; none of a setting.
    values
        Values that it brings or replaces.
    """

    name: str
    title: str
    about: tuple[str, ...]
    values: list[PrintedParameter]


def setting_variants(folder: Path) -> list[Variant]:
    """Read the settings of a models folder whose values differ from those of metastatic disease."""
    return [
        Variant(path.stem, path.stem.capitalize(), (), printed_parameters(_rows(path)))
        for path in sorted((folder / SETTINGS_FOLDER).glob("*.tsv"))
    ]


def people_variants(folder: Path) -> list[Variant]:
    """Read the kinds of people of a models folder, with all values that their records bring."""
    found = []
    for name, people in people_records(folder).items():
        rows: dict[str, ParameterRow] = {}
        for path in people.values:
            rows |= {row.name: row for row in _rows(path)}
        found.append(
            Variant(
                name, people.title, _paragraphs(people.body), printed_parameters([*rows.values()])
            )
        )
    return found


def _rows(path: Path) -> list[ParameterRow]:
    """Rows of a table whose names are those of the model, not of the table."""
    return [
        replace(row, name=row.name.removeprefix(f"{path.stem}_")) for row in read_value_rows(path)
    ]


def _paragraphs(body: str) -> tuple[str, ...]:
    """Paragraphs of a record's Markdown, its heading left out."""
    blocks = (" ".join(block.split()) for block in body.replace("**", "").split("\n\n"))
    return tuple(block for block in blocks if block and not block.startswith("#"))


def variant_pages(folder: Path) -> Mapping[str, tuple[str, str, list[Variant]]]:
    """Pages on settings and people: file to title, lead and what stands on it."""
    return {
        "settings.html": (
            "Settings",
            "A study file names them under setting. Metastatic disease has the values of the "
            "modules' own pages; these take their place in the others.",
            setting_variants(folder),
        ),
        "people.html": (
            "People",
            "A study file names them under people. Women after menopause have the values of the "
            "modules' own pages; these take their place in others, or come with modules of theirs.",
            people_variants(folder),
        ),
    }
