"""The evidence tables: one published number per row, with where it stands."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from types import MappingProxyType

_OF_WOMEN = ("clinical.csv", "pk.csv", "receptor.csv", "quoted.csv")
_OF_CELLS_AND_MICE = ("preclinical.csv",)

TABLES_OF_CONTEXT: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"clinical": _OF_WOMEN, "in_vitro": _OF_CELLS_AND_MICE, "mouse": _OF_CELLS_AND_MICE}
)
"""Tables whose rows may speak to each context, by the context's name.

`quoted.csv` holds numbers known from a secondary source alone. Cells and mice share a table; which
of its rows belongs to which is up to their mappings.
"""

GRADES = ("A", "B", "C")
"""Grades that may be shipped; what was recalled and never checked may not."""


@dataclass(frozen=True)
class EvidenceRow:
    """One published number, as printed.

    Attributes
    ----------
    id
        Name of the row, unique over the tables of a context.
    table
        File of the package it stands in.
    drug, comparator, dose, population, setting
        What was given to whom, against what and in which disease; empty where not printed. In the
        preclinical table the population is the cells or animals.
    quantity, time
        What was measured and when. The clinical table gives days, the preclinical one words.
    value, unit
        The number and its unit, as printed; some values are ranges or words, some are several
        numbers separated by semicolons.
    spread, spread_kind
        Its spread or interval and what kind that is; empty where none is printed.
    n
        Number of patients as printed; may hold words or be empty.
    source_title, source_id, year
        Where it stands.
    grade
        A: read in the primary abstract, label or data. B: secondary source. C: derived, or
        transcribed by machine.
    notes
        Remarks of the reader.
    """

    id: str
    table: str
    drug: str
    comparator: str
    dose: str
    population: str
    setting: str
    quantity: str
    time: str
    value: str
    unit: str
    spread: str
    spread_kind: str
    n: str
    source_title: str
    source_id: str
    year: str
    grade: str
    notes: str

    @property
    def patients(self) -> int | None:
        """Number of patients in the group, where one plain number is printed."""
        return int(self.n) if self.n.isdecimal() else None

    @property
    def source(self) -> str:
        """Title, identifier and year in one line."""
        return ", ".join(part for part in (self.source_title, self.source_id, self.year) if part)


@lru_cache(maxsize=3)
def evidence_rows(context: str = "clinical") -> Mapping[str, EvidenceRow]:
    """Return the rows of the evidence tables of a context by id.

    Raises
    ------
    KeyError
        If there is no such context.
    """
    rows: dict[str, EvidenceRow] = {}
    for name in TABLES_OF_CONTEXT[context]:
        table = resources.files(__package__) / name
        with table.open(encoding="utf-8") as stream:
            for record in csv.DictReader(stream):
                rows[record["id"]] = _row(name, record)
    return MappingProxyType(rows)


def _row(table: str, record: dict[str, str]) -> EvidenceRow:
    analyte = record.get("analyte", "")
    quantity = record.get("endpoint") or record["quantity"]
    return EvidenceRow(
        id=record["id"],
        table=table,
        drug=record["drug"],
        comparator=record.get("comparator", ""),
        dose=record["dose"],
        population=record.get("population") or record.get("system", ""),
        setting=record.get("setting", ""),
        # The kinetic and receptor tables say apart of what the quantity is.
        quantity=f"{analyte}: {quantity}" if analyte else quantity,
        time=record.get("time_days") or record.get("time", ""),
        value=record["value"],
        unit=record["unit"],
        spread=record["spread"],
        spread_kind=record["spread_kind"],
        n=record["n"],
        source_title=record["source_title"],
        source_id=record["source_id"],
        year=record["year"],
        grade=record["grade"],
        notes=record["notes"],
    )
