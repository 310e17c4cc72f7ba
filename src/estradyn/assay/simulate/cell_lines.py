"""Cell lines: what differs from the culture of the tables, and how their assays scatter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from estradyn.assay.simulate.compounds import CONTEXT, plain
from estradyn.errors import InputError
from estradyn.model import load_parameters, models_directory
from estradyn.model.parameter_table import VALUE_COLUMNS
from estradyn.model.table_file import read_table

FOLDER = "cell_lines"


@dataclass(frozen=True)
class CellLine:
    """A cell line.

    Attributes
    ----------
    name
        As people write it; the stem of its table.
    values
        Values of model parameters that differ from the tables of the context, by flattened name.
    traits
        Values that are of the assay and not of the model, by name.
    """

    name: str
    values: Mapping[str, float]
    traits: Mapping[str, float]


@lru_cache(maxsize=1)
def cell_lines() -> Mapping[str, CellLine]:
    """Read the tables of the cell lines, by name."""
    known = load_parameters(CONTEXT, drugs=()).model_values()
    folder = models_directory() / CONTEXT / FOLDER
    lines = (_read(path, set(known)) for path in sorted(folder.glob("*.tsv")))
    return MappingProxyType({line.name: line for line in lines})


def find_cell_line(name: str) -> CellLine:
    """Find a cell line by name; case, spaces and hyphens do not matter.

    Raises
    ------
    InputError
        If there is no such table; lists those there are.
    """
    for line in cell_lines().values():
        if plain(line.name) == plain(name):
            return line
    raise InputError(
        f"no table describes the cell line {name[:60]!r}; allowed are {', '.join(cell_lines())}"
    )


def _read(path: Path, parameters: set[str]) -> CellLine:
    values: dict[str, float] = {}
    traits: dict[str, float] = {}
    for cells in read_table(path, VALUE_COLUMNS):
        name = cells.text("name")
        (values if name in parameters else traits)[name] = cells.number("value")
    return CellLine(path.stem, MappingProxyType(values), MappingProxyType(traits))
