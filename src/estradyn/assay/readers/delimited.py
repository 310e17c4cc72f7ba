"""Delimited text (comma, semicolon or tab) as a table of texts that remembers its lines."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from estradyn.errors import InputError


@dataclass(frozen=True)
class DelimitedText:
    """Rows of cells.

    Attributes
    ----------
    path
        File, for messages.
    rows
        Line number and cells of each row that is not blank; blank rows have no cells.
    separator
        What parts the cells.
    """

    path: Path
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    separator: str


def split_delimited(text: str, path: Path) -> DelimitedText:
    """Split a text at the separator its first filled line uses.

    Raises
    ------
    InputError
        If the quoting is broken or no separator is found.
    """
    first = next((line for line in text.split("\n") if line.strip()), "")
    counts = {mark: first.count(mark) for mark in (",", ";", "\t")}
    separator = max(counts, key=lambda mark: counts[mark])
    if counts[separator] == 0:
        raise InputError(
            "has one column only; separate the cells with commas, semicolons or tabs (for a "
            "plate reader export keep its tabs)",
            source=path,
            line=1,
        )
    rows = []
    try:
        reader = csv.reader(text.split("\n"), delimiter=separator, strict=True)
        for cells in reader:
            filled = any(cell.strip() for cell in cells)
            rows.append((reader.line_num, tuple(c.strip() for c in cells) if filled else ()))
    except csv.Error as error:
        raise InputError(
            f"has broken quoting ({error}); save it as CSV again", source=path
        ) from error
    if not any(cells for _, cells in rows):
        raise InputError("holds separators but no cells; export the plate again", source=path)
    return DelimitedText(path, tuple(rows), separator)


def header_and_records(table: DelimitedText) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Lower-case column names, and line number and cells by name of every record.

    Raises
    ------
    InputError
        If a name stands twice, or a record is longer or shorter than the header.
    """
    filled = [row for row in table.rows if row[1]]
    number, header_cells = filled[0]
    names = [cell.lower() for cell in header_cells]
    while names and not names[-1]:
        names.pop()
    for name in names:
        if not name or names.count(name) > 1:
            what = "a column without a name" if not name else f"two columns named {name!r}"
            raise InputError(f"has {what}; name every column once", source=table.path, line=number)
    records = []
    for line, cells in filled[1:]:
        if any(cells[len(names) :]) or len(cells) < len(names):
            hint = " (is a decimal comma used with commas between cells?)"
            raise InputError(
                f"has {len(cells)} cells where the header has {len(names)}"
                + (
                    hint if table.separator == "," and len(cells) > len(names) else "; mend the row"
                ),
                source=table.path,
                line=line,
            )
        records.append((line, dict(zip(names, cells, strict=False))))
    if not records:
        raise InputError("has a header but no rows", source=table.path)
    return names, records
