"""Names of wells and shapes of plates."""

from __future__ import annotations

import re

PLATE_SHAPES = {
    6: (2, 3),
    12: (3, 4),
    24: (4, 6),
    48: (6, 8),
    96: (8, 12),
    384: (16, 24),
    1536: (32, 48),
}
"""Rows and columns of a plate by its number of wells (ANSI SLAS 4-2004)."""

GROWTH_AREA_CM2 = {6: 9.5, 12: 3.8, 24: 1.9, 48: 0.95, 96: 0.32, 384: 0.056, 1536: 0.025}
"""Usual area for cells in a well by the number of wells."""

_WELL = re.compile(r"([A-Za-z]{1,2})0*([1-9]\d{0,1})")


def row_name(index: int) -> str:
    """Letters of a row counted from 0: A to Z, then AA to AF."""
    return chr(65 + index) if index < 26 else "A" + chr(65 + index - 26)


def row_index(letters: str) -> int:
    """Index from 0 of a row given by its letters.

    Raises
    ------
    ValueError
        If no plate has such a row.
    """
    text = letters.upper()
    for index in range(32):
        if row_name(index) == text:
            return index
    raise ValueError(f"no plate has a row {letters!r}")


def well_name(row: int, column: int) -> str:
    """Name of the well in a row and column counted from 0."""
    return f"{row_name(row)}{column + 1}"


def parse_well(text: str) -> tuple[int, int]:
    """Row and column from 0 of a well such as `A1`, `a01` or `AF48`.

    Raises
    ------
    ValueError
        If the text is not the name of a well of a 1,536-well plate.
    """
    match = _WELL.fullmatch(text.strip())
    if match is None or int(match[2]) > 48:
        raise ValueError(f"{text!r} is not a well")
    return row_index(match[1]), int(match[2]) - 1


def smallest_plate(rows: int, columns: int) -> tuple[int, int]:
    """Shape of the smallest standard plate with at least so many rows and columns."""
    for shape in PLATE_SHAPES.values():
        if shape[0] >= rows and shape[1] >= columns:
            return shape
    raise ValueError(f"no plate has {rows} rows and {columns} columns")
