"""The drugs that a study file may name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from estradyn.model import DrugRecord, models_directory, read_drug_record

Drugs = Mapping[str, DrugRecord]
"""Drug records by name."""


@lru_cache(maxsize=1)
def known_drugs() -> Drugs:
    """Read the shipped drug records, by name."""
    files = sorted((models_directory() / "drugs").glob("*.md"))
    records = [read_drug_record(path) for path in files]
    return MappingProxyType({record.name: record for record in records})


def largest_dose(record: DrugRecord) -> float | None:
    """Largest single dose that was studied, in the record's unit; None where it states none."""
    stated = record.fields.get("largest_dose")
    return None if stated is None else float(stated)
