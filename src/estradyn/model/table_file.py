"""Tab-separated tables with named columns, read with the line of each row."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from estradyn.errors import ParameterError
from estradyn.model.text_file import read_text


@dataclass(frozen=True)
class TableRow:
    """One row of a table and where it stands.

    Attributes
    ----------
    path
        The file.
    line
        Line in the file, counted from 1.
    cells
        Text of each column, stripped.
    """

    path: Path
    line: int
    cells: Mapping[str, str]

    def text(self, column: str) -> str:
        """Text of a cell that may not be empty.

        Raises
        ------
        ParameterError
            If the cell is empty.
        """
        if not self.cells[column]:
            raise self.error(f"the column '{column}' is empty")
        return self.cells[column]

    def optional_text(self, column: str) -> str:
        """Text of a cell, empty where the cell or the column is."""
        return self.cells.get(column, "")

    def number(self, column: str) -> float:
        """Finite number of a cell that may not be empty.

        Raises
        ------
        ParameterError
            If the cell is empty or not a finite number.
        """
        text = self.text(column)
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.error(f"{column} is '{text}', it must be a finite number")
        return value

    def optional_number(self, column: str) -> float | None:
        """Finite number of a cell, None where it is empty."""
        return self.number(column) if self.cells[column] else None

    def choice(self, column: str, allowed: Sequence[str]) -> str:
        """Text of a cell that must be one of a few words.

        Raises
        ------
        ParameterError
            If it is none of them.
        """
        text = self.text(column)
        if text not in allowed:
            raise self.error(f"{column} is '{text}', it must be one of: {', '.join(allowed)}")
        return text

    def error(self, message: str) -> ParameterError:
        """An error that names this row's file and line."""
        return ParameterError(message, source=self.path, line=self.line)


def read_table(
    path: Path,
    columns: Sequence[str],
    optional: Sequence[str] = (),
    *,
    others: bool = False,
) -> list[TableRow]:
    """Read a tab-separated table.

    Parameters
    ----------
    path
        File with a header line.
    columns
        The columns it must have, in any order.
    optional
        Columns that it may also have; their cells are empty where it does not.
    others
        Whether it may have any other columns too.

    Returns
    -------
    list of TableRow
        In the order of the file; empty lines are skipped.

    Raises
    ------
    ParameterError
        If the file cannot be read, lacks a column or has another, or a row has another number of
        cells than the header.
    """
    lines = read_text(path, ParameterError).splitlines()
    if not lines:
        raise ParameterError(f"is empty; its first line must be: {' '.join(columns)}", source=path)
    header = [name.strip() for name in lines[0].split("\t")]
    missing = set(columns) - set(header)
    required = sorted(name for name in header if name not in optional)
    if missing if others else required != sorted(columns):
        raise ParameterError(
            f"has the columns {', '.join(header)}; it must have, separated by tabs: "
            + ", ".join(columns)
            + (f", and may have: {', '.join(optional)}" if optional else ""),
            source=path,
            line=1,
        )
    absent = dict.fromkeys(optional, "")
    rows = []
    for line, text in enumerate(lines[1:], start=2):
        if not text.strip():
            continue
        cells = [cell.strip() for cell in next(csv.reader([text], delimiter="\t"))]
        # Editors drop empty cells at the end of a line.
        cells += [""] * (len(header) - len(cells))
        if len(cells) != len(header):
            raise ParameterError(
                f"has {len(cells)} cells, the header has {len(header)}", source=path, line=line
            )
        rows.append(TableRow(path, line, absent | dict(zip(header, cells, strict=True))))
    return rows
