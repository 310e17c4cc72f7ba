"""Comma-separated tables of numbers, read with the line of each row."""

from __future__ import annotations

import csv
import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from estradyn.errors import InputError

LARGEST_TABLE_BYTES = 100_000_000
"""A larger file is refused before it is read."""
NOT_GIVEN = ("", ".")
"""Cells that mean no value, as in NONMEM's data sets; they are read as NaN."""
_BLOCK_ROWS = 20_000
_LISTED_COLUMNS = 12


@dataclass(frozen=True)
class NumberTable:
    """A table whose cells are finite numbers or not given.

    Attributes
    ----------
    path
        The file.
    lines
        Line of each row in the file, counted from 1; shape (rows,).
    numbers
        Each column's values, shape (rows,); NaN where a cell is not given.
    texts
        Cells of the columns that were asked for as text.
    """

    path: Path
    lines: NDArray[np.int64]
    numbers: dict[str, NDArray[np.float64]]
    texts: dict[str, list[str]]

    def column(self, name: str, missing: float = 0.0) -> NDArray[np.float64]:
        """Return a column, with `missing` where a cell or the whole column is not given."""
        values = self.numbers.get(name)
        if values is None:
            return np.full(self.lines.size, missing)
        return np.where(np.isnan(values), missing, values)

    def refuse(self, wrong: NDArray[np.bool_], column: str, found: object, allowed: str) -> None:
        """Raise an error about the first row where `wrong` holds.

        Parameters
        ----------
        wrong
            Rows that may not be used, shape (rows,).
        column
            Column the fault is in.
        found
            What was found: an array with one value per row, or text.
        allowed
            What is allowed.

        Raises
        ------
        InputError
            If any row is wrong.
        """
        if not wrong.any():
            return
        row = int(np.argmax(wrong))
        value = found if isinstance(found, str) else f"{np.asarray(found)[row]:g}"
        raise self.error(row, f"{column} is {value}, it must be {allowed}")

    def error(self, row: int, message: str) -> InputError:
        """Return an error that names the file and the line of a row."""
        return InputError(message, source=self.path, line=int(self.lines[row]))


def read_number_table(
    path: Path,
    allowed: Collection[str],
    required: Sequence[str],
    texts: Collection[str] = (),
) -> NumberTable:
    """Read a comma-separated table of numbers with a header line.

    Parameters
    ----------
    path
        The file, UTF-8.
    allowed
        Columns it may have, in any order.
    required
        Columns it must have.
    texts
        Columns that are kept as text instead.

    Raises
    ------
    InputError
        If the file cannot be read or is too large, has a column twice or one that is not allowed,
        lacks one, has no rows, or has a row of another length or a cell that is not a number.
    """
    _check_size(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)
            header = _read_header(path, rows, allowed, required)
            return _read_rows(path, rows, header, [name for name in header if name in texts])
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", source=path) from None
    except UnicodeDecodeError:
        raise InputError(
            "is not UTF-8 text, as a comma-separated table must be", source=path
        ) from None
    except csv.Error as error:
        raise InputError(f"is not a comma-separated table ({error})", source=path) from None


def _check_size(path: Path) -> None:
    if not path.is_file():
        what = "is not a file" if path.exists() else "there is no such file"
        raise InputError(f"{what}, it must be a comma-separated table", source=path)
    size = path.stat().st_size
    if size > LARGEST_TABLE_BYTES:
        raise InputError(
            f"has {size / 1e6:,.0f} MB, a table may have {LARGEST_TABLE_BYTES / 1e6:.0f} MB",
            source=path,
        )


def _read_header(
    path: Path, rows: Iterator[list[str]], allowed: Collection[str], required: Sequence[str]
) -> list[str]:
    header = [name.strip() for name in next(rows, [])]
    listed = ", ".join(list(allowed)[:_LISTED_COLUMNS])
    if len(allowed) > _LISTED_COLUMNS:
        listed += " ..."
    for place, name in enumerate(header):
        if name not in allowed:
            raise InputError(
                f"has a column '{name[:80]}', allowed are {listed}", source=path, line=1
            )
        if name in header[:place]:
            raise InputError(f"has the column {name} twice", source=path, line=1)
    for name in required:
        if name not in header:
            raise InputError(
                f"has no column {name}; its first line must name the columns, "
                f"at least {', '.join(required)}",
                source=path,
                line=1,
            )
    return header


def _read_rows(
    path: Path, rows: Iterator[list[str]], header: list[str], texts: list[str]
) -> NumberTable:
    lines: list[NDArray[np.int64]] = []
    numbers: dict[str, list[NDArray[np.float64]]] = {
        name: [] for name in header if name not in texts
    }
    kept: dict[str, list[str]] = {name: [] for name in texts}
    numbered = _numbered_rows(path, rows, len(header))
    while block := list(islice(numbered, _BLOCK_ROWS)):
        lines.append(np.array([line for line, _ in block], dtype=np.int64))
        for name, cells in zip(header, zip(*(row for _, row in block), strict=True), strict=True):
            if name in kept:
                kept[name].extend(cell.strip() for cell in cells)
                continue
            values = _numbers(cells)
            if values is None:
                _raise_first_fault(path, header, block, texts)
            else:
                numbers[name].append(values)
    if not lines:
        raise InputError("has a header but no rows", source=path)
    columns = {name: np.concatenate(blocks) for name, blocks in numbers.items()}
    return NumberTable(path, np.concatenate(lines), columns, kept)


def _numbered_rows(
    path: Path, rows: Iterator[list[str]], width: int
) -> Iterator[tuple[int, list[str]]]:
    """Give each row that is not empty with its line."""
    for row in rows:
        line: int = rows.line_num  # type: ignore[attr-defined]
        if not row or (width > 1 and not "".join(row).strip()):
            continue
        if len(row) != width:
            raise InputError(
                f"has {len(row)} cells, the header has {width}", source=path, line=line
            )
        yield line, row


def _numbers(cells: Sequence[str]) -> NDArray[np.float64] | None:
    """Return a column's numbers, NaN for a cell not given; None if a cell is not a number."""
    try:
        values = [_number(cell) for cell in cells]
    except ValueError:
        return None
    return np.array(values)


def _number(cell: str) -> float:
    text = cell.strip()
    if text in NOT_GIVEN:
        return math.nan
    value = float(text)
    # Python alone reads 1_000 as a number.
    if not math.isfinite(value) or "_" in text:
        raise ValueError
    return value


def _raise_first_fault(
    path: Path, header: list[str], block: list[tuple[int, list[str]]], texts: list[str]
) -> None:
    for line, row in block:
        for name, cell in zip(header, row, strict=True):
            if name not in texts and _numbers([cell]) is None:
                raise InputError(
                    f"{name} is '{cell.strip()[:80]}', it must be a finite number",
                    source=path,
                    line=line,
                )
