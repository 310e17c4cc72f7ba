"""Plate-shaped CSV in the plater format (Hughes 2016, doi:10.21105/joss.00106).

Each block has the name of a variable in its top left cell, column numbers beside it and row
letters below; blocks are parted by blank rows.
"""

from __future__ import annotations

from estradyn.assay.readers.delimited import DelimitedText
from estradyn.assay.wells import row_index, well_name
from estradyn.errors import InputError


def is_plater(table: DelimitedText) -> bool:
    """Whether the first filled row is a header of column numbers."""
    cells = next(cells for _, cells in table.rows if cells)
    return len(cells) > 1 and cells[1] == "1" and not cells[0].isdigit()


def plater_layers(table: DelimitedText) -> dict[str, dict[str, tuple[int, str]]]:
    """Layers of a plater file.

    Returns
    -------
    dict
        For each variable (lower case), line number and text of each well.

    Raises
    ------
    InputError
        If a block has no name, two blocks have one name, or a block is not plate-shaped.
    """
    layers: dict[str, dict[str, tuple[int, str]]] = {}
    wells: dict[str, tuple[int, str]] | None = None
    columns = rows = 0
    for line, cells in table.rows:
        if not cells:
            wells = None
            continue
        if wells is None:
            name = cells[0].lower() or "signal"
            if name in layers:
                raise InputError(
                    f"has two blocks named {name!r}; name every block once in its top left cell",
                    source=table.path,
                    line=line,
                )
            numbers = [cell for cell in cells[1:] if cell]
            columns, rows = len(numbers), 0
            if numbers != [str(i + 1) for i in range(columns)] or not 1 <= columns <= 48:
                raise InputError(
                    f"the header of block {name!r} must hold the column numbers 1, 2, 3 ... "
                    f"(found {', '.join(numbers[:4])[:40]!r})",
                    source=table.path,
                    line=line,
                )
            wells = layers.setdefault(name, {})
            continue
        try:
            row = row_index(cells[0])
        except ValueError:
            row = -1
        if row != rows:
            raise InputError(
                f"begins with {cells[0][:40]!r} where the row letter of a plate is expected; part "
                "blocks with a blank row",
                source=table.path,
                line=line,
            )
        rows += 1
        if any(cells[columns + 1 :]):
            raise InputError(
                f"row {cells[0]} has more wells than its header has columns",
                source=table.path,
                line=line,
            )
        for column in range(columns):
            text = cells[column + 1] if column + 1 < len(cells) else ""
            wells[well_name(row, column)] = (line, text)
    empty = [name for name, block in layers.items() if not block]
    if empty:
        raise InputError(f"block {empty[0]!r} has no rows", source=table.path)
    return layers
