"""Which compound a plan means: records of the well by the names people write on a plate map."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from estradyn.errors import InputError
from estradyn.model import DrugRecord, drug_records, models_directory

CONTEXT = "well"
"""Root model, and context, of cells in a culture well."""


@lru_cache(maxsize=1)
def compounds() -> Mapping[str, DrugRecord]:
    """Compounds that a simulated well can hold, by name."""
    return MappingProxyType(drug_records(models_directory(), CONTEXT))


def find_compound(name: str) -> DrugRecord:
    """Find a compound by its name, title or another name that its record lists.

    Case, spaces, hyphens and accents of spelling do not matter.

    Raises
    ------
    InputError
        If no record has the name; lists those there are.
    """
    wanted = plain(name)
    for record in compounds().values():
        if wanted in {plain(each) for each in _names(record)}:
            return record
    known = ", ".join(
        str(record.fields.get("title", record.name)) for record in compounds().values()
    )
    raise InputError(f"no well can hold {name[:60]!r}; allowed are {known}")


def plain(name: str) -> str:
    """A name reduced to its letters and digits, to compare spellings."""
    return "".join(character for character in name.casefold() if character.isalnum())


def _names(record: DrugRecord) -> list[str]:
    other = record.fields.get("also_called") or []
    return [record.name, str(record.fields.get("title", "")), *map(str, other)]
