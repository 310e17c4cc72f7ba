"""Puts fitted values into the models' value tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from estradyn.errors import ParameterError
from estradyn.model.parameter_table import EvidenceClass, ParameterTable

DIGITS = 3
"""Significant digits that are written; no fit here knows more."""


def write_fitted_values(
    table: ParameterTable,
    values: Mapping[str, float],
    spreads: Mapping[str, float] = MappingProxyType({}),
    following: Mapping[str, float] = MappingProxyType({}),
) -> list[Path]:
    """Replace the value of rows whose class is `fitted`, leaving every other character as it is.

    Parameters
    ----------
    table
        Table of the model as it was loaded.
    values
        New values by flattened name, in the units of the rows.
    spreads
        New spreads between patients by flattened name.
    following
        New values by flattened name of rows whose class is `derived`, which follow from fitted
        ones.

    Returns
    -------
    list of Path
        Files that were changed.

    Raises
    ------
    ParameterError
        If there is no such row, its class is another one, or the value is beyond its bounds;
        nothing is written then.
    """
    lines: dict[Path, list[str]] = {}
    fitted, derived = EvidenceClass.FITTED, EvidenceClass.DERIVED
    numbers = [("value", fitted, *item) for item in values.items()]
    numbers += [("spread", fitted, *item) for item in spreads.items()]
    numbers += [("value", derived, *item) for item in following.items()]
    for column_name, evidence_class, name, value in numbers:
        row = table.by_name.get(name)
        if row is None:
            raise ParameterError(f"no value table has a row for '{name}'")
        if row.evidence_class is not evidence_class:
            raise row.error(
                f"'{name}' is {row.evidence_class.value}, only {evidence_class.value} rows are "
                "replaced"
            )
        if column_name == "value" and not (row.lower or value) <= value <= (row.upper or value):
            raise row.error(f"'{name}' was fitted to {value:g}, beyond the row's own bounds")
        text = lines.setdefault(row.path, row.path.read_text(encoding="utf-8").splitlines())
        column = text[0].split("\t").index(column_name)
        cells = text[row.line - 1].split("\t")
        # The second formatting writes 1360 and not 1.36e+03.
        cells[column] = f"{float(f'{value:.{DIGITS}g}'):g}"
        text[row.line - 1] = "\t".join(cells)
    for path, text in lines.items():
        path.write_text("\n".join(text) + "\n", encoding="utf-8")
    return list(lines)
