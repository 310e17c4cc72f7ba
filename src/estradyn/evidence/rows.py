"""The evidence tables: one published number per row, with where it stands."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from types import MappingProxyType

TABLES = ("clinical.csv", "pk.csv", "quoted.csv")
"""Tables of the package; `quoted.csv` holds numbers known from a secondary source alone."""


@dataclass(frozen=True)
class EvidenceRow:
    """One published number, as printed.

    Attributes
    ----------
    id
        Name of the row, unique over all tables.
    drug, dose, population, quantity
        What was given to whom and what was measured.
    value, unit
        The number and its unit, as printed; some values are ranges or words.
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
    drug: str
    dose: str
    population: str
    quantity: str
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


@lru_cache(maxsize=1)
def evidence_rows() -> Mapping[str, EvidenceRow]:
    """Return every row of the evidence tables by id."""
    rows: dict[str, EvidenceRow] = {}
    for name in TABLES:
        table = resources.files(__package__) / name
        with table.open(encoding="utf-8") as stream:
            for record in csv.DictReader(stream):
                rows[record["id"]] = _row(record)
    return MappingProxyType(rows)


def _row(record: dict[str, str]) -> EvidenceRow:
    return EvidenceRow(
        id=record["id"],
        drug=record["drug"],
        dose=record["dose"],
        population=record["population"],
        # The clinical tables name an endpoint, the kinetic one a quantity of an analyte.
        quantity=record.get("endpoint") or record["quantity"],
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
