"""What laboratories read of a hormone: cross-reactions and limits of their assays.

The model's concentrations are those of mass spectrometry. An immunoassay reads a true concentration
as `gain * true + background`: the gain stands for what falls and rises with the hormone and is
taken for it, the background for what stays when the hormone is gone. Below its limit of
quantification an assay gives no number. Each assay is a table of its own,
`models/assays/<assay>.tsv`, with rows `<endpoint>_gain`, `<endpoint>_background` and, if it has
one, `<endpoint>_limit` for each hormone that it measures, where the endpoint is that of
`models/outputs.tsv`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import overload

import numpy as np
from numpy.typing import NDArray

from estradyn.errors import ParameterError, UnitError
from estradyn.model.parameter_table import ParameterRow, ParameterTable, read_value_rows
from estradyn.model.patient_model import Output
from estradyn.model.sources import models_directory
from estradyn.model.units import same_unit

Array = NDArray[np.float64]

FOLDER = "assays"
GAIN, BACKGROUND, LIMIT = "gain", "background", "limit"


@dataclass(frozen=True)
class Reading:
    """What an assay reads of one hormone.

    Attributes
    ----------
    gain
        Factor on the true concentration.
    background
        Added to it, in the unit of the output.
    limit
        Least reading that the assay puts a number to, in the same unit; None where it has none.
    source
        Where the limit comes from; empty without one.
    """

    gain: float
    background: float
    limit: float | None
    source: str

    @overload
    def of(self, true: float) -> float: ...

    @overload
    def of(self, true: Array) -> Array: ...

    def of(self, true: float | Array) -> float | Array:
        """Reading of a true concentration, as if the assay had no limit."""
        return self.gain * true + self.background


@dataclass(frozen=True)
class Assay:
    """An assay by name, with what it reads by name of the model output."""

    name: str
    readings: Mapping[str, Reading]


def assay_names(directory: Path | None = None) -> tuple[str, ...]:
    """Names of the assays that have a table, in alphabetical order."""
    folder = (directory or models_directory()) / FOLDER
    return tuple(sorted(path.stem for path in folder.glob("*.tsv")))


def assay_parameters(directory: Path | None = None) -> ParameterTable:
    """Rows of all assays, named `<assay>_<endpoint>_<quantity>`, with class and source.

    Raises
    ------
    ParameterError
        Naming file and line of a row that may not be used.
    """
    folder = (directory or models_directory()) / FOLDER
    rows: list[ParameterRow] = []
    for name in assay_names(directory):
        rows += read_value_rows(folder / f"{name}.tsv")
    return ParameterTable(tuple(rows))


def load_assay(name: str, outputs: Sequence[Output], directory: Path | None = None) -> Assay:
    """Read an assay.

    Parameters
    ----------
    name
        Stem of its table.
    outputs
        Outputs of a model; hormones that it has no output for are passed over.
    directory
        Folder of the models; the shipped ones by default.

    Raises
    ------
    ParameterError
        If there is no such assay, or a row is missing or in a wrong unit.
    """
    folder = (directory or models_directory()) / FOLDER
    if name not in assay_names(directory):
        known = ", ".join(assay_names(directory))
        raise ParameterError(f"there is no assay '{name}', allowed is one of: {known}")
    rows = {
        row.name.removeprefix(f"{name}_"): row for row in read_value_rows(folder / f"{name}.tsv")
    }
    readings = {}
    for output in outputs:
        own = {
            quantity: rows[f"{output.endpoint}_{quantity}"]
            for quantity in (GAIN, BACKGROUND, LIMIT)
            if f"{output.endpoint}_{quantity}" in rows
        }
        if own:
            readings[output.name] = _reading(own, output, folder / f"{name}.tsv")
    return Assay(name, MappingProxyType(readings))


def _reading(rows: Mapping[str, ParameterRow], output: Output, path: Path) -> Reading:
    for quantity in (GAIN, BACKGROUND):
        if quantity not in rows:
            raise ParameterError(f"has no row '{output.endpoint}_{quantity}'", source=path)
    for quantity, row in rows.items():
        unit = "dimensionless" if quantity == GAIN else output.unit
        try:
            same = same_unit(row.unit, unit)
        except UnitError:
            same = False
        if not same:
            raise row.error(f"'{row.name}' is given in '{row.unit}', it must be in '{unit}'")
        if row.value < 0 or (row.value == 0 and quantity != BACKGROUND):
            raise row.error(f"'{row.name}' is {row.value:g}, it must be above 0")
    limit = rows.get(LIMIT)
    return Reading(
        rows[GAIN].value,
        rows[BACKGROUND].value,
        limit.value if limit else None,
        limit.source if limit else "",
    )
