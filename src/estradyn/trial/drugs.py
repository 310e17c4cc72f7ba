"""The drugs that a study file may name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from estradyn.model import DrugRecord, drug_records, models_directory

Drugs = Mapping[str, DrugRecord]
"""Drug records by name."""


@lru_cache(maxsize=1)
def known_drugs() -> Drugs:
    """Read the shipped drug records, by name."""
    return MappingProxyType(drug_records(models_directory()))


def largest_dose(record: DrugRecord) -> float | None:
    """Largest single dose that was studied, in the record's unit; None where it states none."""
    stated = record.fields.get("largest_dose")
    return None if stated is None else float(stated)


def other_name_of(word: str, drugs: Drugs) -> str:
    """Remark on the drug that has this brand name or synonym; empty if none has."""
    for name, record in drugs.items():
        names = (*record.fields.get("brand_names", ()), *record.fields.get("also_called", ()))
        if word.casefold() in (other.casefold() for other in names):
            return f" (another name of '{name}')"
    return ""
