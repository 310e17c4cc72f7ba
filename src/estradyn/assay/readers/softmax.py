"""Molecular Devices SoftMax Pro text exports.

A file is a list of blocks that end with `~End`. The first line of a plate block declares format,
mode, number of times and wavelengths, and which part of which plate was read; the raw block that
follows is checked against it. The reduced block and the groups are SoftMax's own arithmetic and
are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from estradyn.assay.readers.reads import WellRead, table_of_reads
from estradyn.assay.readers.text import parse_cell, parse_clock
from estradyn.assay.wells import PLATE_SHAPES, parse_well, well_name
from estradyn.errors import InputError

_MODES = ("absorbance", "fluorescence", "luminescence", "time resolved fluorescence")


@dataclass(frozen=True)
class _Declaration:
    """First line of a plate block."""

    name: str
    by_well: bool
    kinetic: bool
    mode: str
    wavelengths: tuple[str, ...]
    excitations: tuple[str, ...]
    first_column: int
    columns: int
    first_row: int
    rows: int
    shape: tuple[int, int]
    times: int
    line: int

    def excitation(self, channel: int) -> float:
        """Excitation wavelength of one channel, NaN if there is none."""
        return float(self.excitations[channel]) if channel < len(self.excitations) else np.nan


_Numbered = tuple[int, list[str]]


def is_softmax(text: str) -> bool:
    """Whether the text looks like a SoftMax Pro export."""
    return text.startswith("##BLOCKS") or re.search(r"^Plate:\t", text, re.MULTILINE) is not None


def read_softmax(text: str, path: Path) -> pd.DataFrame:
    """Read the raw data of every plate of a SoftMax Pro export.

    Parameters
    ----------
    text
        Content of the file.
    path
        Where it came from, for messages and the `file` column.

    Returns
    -------
    pandas.DataFrame
        Table with `estradyn.assay.readers.READ_COLUMNS`.

    Raises
    ------
    InputError
        If a plate block disagrees with its own first line, or a cell cannot be read.
    """
    lines = text.split("\n")
    reads: list[WellRead] = []
    number = 0
    while number < len(lines):
        if not lines[number].startswith("Plate:"):
            number += 1
            continue
        start = number
        while number < len(lines) and not lines[number].startswith("~End"):
            number += 1
        block = [(i + 1, lines[i].split("\t")) for i in range(start, number)]
        if number == len(lines):
            raise InputError(
                "the last plate block has no ~End; the export was cut off, export it again",
                source=path,
                line=start + 1,
            )
        declaration = _declaration(block[0], path)
        if declaration is not None:
            reads += _raw_reads(declaration, block[1:], path)
    return table_of_reads(path, reads)


def _declaration(numbered: _Numbered, path: Path) -> _Declaration | None:
    """Read the first line of a plate block; None if the plate was exported without raw data."""
    line, fields = numbered[0], [field.strip() for field in numbered[1]]
    broken = InputError(
        "the line that begins with 'Plate:' does not declare format, wavelengths and wells as "
        "SoftMax Pro does; export the plate again with tabs",
        source=path,
        line=line,
    )
    if len(fields) < 12 or fields[3] not in ("PlateFormat", "TimeFormat"):
        raise broken
    if fields[4] not in ("Endpoint", "Kinetic"):
        raise InputError(
            f"plate {fields[1]!r} has a read of type {fields[4]!r}; only Endpoint and Kinetic "
            "reads can be analysed",
            source=path,
            line=line,
        )
    if fields[5].lower() not in _MODES:
        raise broken
    contents = [field for field in fields[6:9] if field in ("Raw", "Reduced", "Both")]
    if not contents:
        raise broken
    if contents[0] == "Reduced":
        return None
    place = _channel_count_place(fields)
    if place is None:
        raise broken
    tail = [i for i in range(place + 5, len(fields)) if fields[i].isdigit()]
    pairs = [i for i in tail if i + 1 in tail]
    if not pairs:
        raise broken
    first_row, rows = int(fields[pairs[-1]]), int(fields[pairs[-1] + 1])
    first_column, columns = int(fields[place + 2]), int(fields[place + 3])
    shape = PLATE_SHAPES[int(fields[place + 4])]
    # A plate read to its last column may be declared from another column on.
    if not (1 <= first_row <= shape[0] and rows >= 1 and first_row + rows - 1 <= shape[0]):
        raise broken
    if not (1 <= first_column <= shape[1] and 1 <= columns <= shape[1]):
        raise broken
    wavelengths = tuple(fields[place + 1].split())
    excitations = tuple(fields[place + 5].split()) if len(fields) > place + 5 else ()
    if not all(item.isdigit() for item in excitations):
        excitations = ()
    times = next((int(f) for f in fields[8:11] if f.isdigit() and f.isascii()), 1)
    return _Declaration(
        name=fields[1] or "Plate",
        by_well=fields[3] == "TimeFormat",
        kinetic=fields[4] == "Kinetic",
        mode=fields[5].lower(),
        wavelengths=wavelengths,
        excitations=excitations if fields[5].lower() != "absorbance" else (),
        first_column=first_column,
        columns=columns,
        first_row=first_row,
        rows=rows,
        shape=shape,
        times=times,
        line=line,
    )


def _channel_count_place(fields: list[str]) -> int | None:
    """Where the number of wavelengths stands: it is followed by just so many wavelengths."""
    for place in range(9, len(fields) - 4):
        count, items = fields[place], fields[place + 1].split()
        if not (count.isascii() and count.isdigit() and 0 < int(count) == len(items)):
            continue
        follow = fields[place + 2 : place + 5]
        if (
            all(item.isascii() and item.isdigit() and len(item) < 5 for item in items + follow)
            and int(follow[2]) in PLATE_SHAPES
        ):
            return place
    return None


def _raw_reads(plate: _Declaration, block: list[_Numbered], path: Path) -> Iterator[WellRead]:
    if not block or len(block[0][1]) < 3 or not block[0][1][1].startswith("Temperature"):
        raise InputError(
            f"plate {plate.name!r} has no header line with 'Temperature'; export it again",
            source=path,
            line=plate.line,
        )
    header = [cell.strip() for cell in block[0][1]]
    groups = _groups(block[1:])
    yield from (
        _reads_by_well(plate, header, groups, path)
        if plate.by_well
        else _reads_by_plate(plate, header, groups, path)
    )


def _groups(lines: list[_Numbered]) -> list[list[_Numbered]]:
    """Runs of lines between blank lines, up to the reduced block (a header without times)."""
    groups: list[list[_Numbered]] = [[]]
    for number, cells in lines:
        texts = [cell.strip() for cell in cells]
        if not any(texts):
            if groups[-1]:
                groups.append([])
            continue
        if not groups[-1] and not any(texts[:2]) and _is_header(texts[2:]):
            break
        groups[-1].append((number, texts))
    return [group for group in groups if group]


def _is_header(texts: list[str]) -> bool:
    filled = [text for text in texts if text]
    columns = [str(int(filled[0]) + i) for i in range(len(filled))] if filled[0].isdigit() else []
    return filled == columns or (
        bool(filled) and re.fullmatch(r"[A-P]\d{1,2}", filled[0]) is not None
    )


def _reads_by_plate(
    plate: _Declaration, header: list[str], groups: list[list[_Numbered]], path: Path
) -> Iterator[WellRead]:
    """`PlateFormat`: one plate-shaped block per time, wavelengths side by side."""
    places = _wavelength_columns(plate, header, path)
    if len(groups) != plate.times:
        raise InputError(
            f"plate {plate.name!r} has {len(groups)} blocks of raw data where {plate.times} "
            "are declared; export it again",
            source=path,
            line=plate.line,
        )
    for group in groups:
        if len(group) not in (plate.rows, plate.shape[0]):
            raise InputError(
                f"plate {plate.name!r} has {len(group)} rows where {plate.rows} are declared; "
                "export it again",
                source=path,
                line=group[0][0],
            )
        first_row = plate.first_row - 1 if len(group) == plate.rows else 0
        time = _time(plate, group[0], path)
        for offset, (number, cells) in enumerate(group):
            width = max(max(columns) for columns in places)
            if any(cells[width + 1 :]):
                raise InputError(
                    f"a row of plate {plate.name!r} has more cells than its header; the "
                    "separators are damaged, export it again",
                    source=path,
                    line=number,
                )
            for channel, columns in enumerate(places):
                for place in columns:
                    well = well_name(first_row + offset, int(header[place]) - 1)
                    text = cells[place] if place < len(cells) else ""
                    yield _read(plate, channel, well, text, time, number, path)


def _wavelength_columns(plate: _Declaration, header: list[str], path: Path) -> list[list[int]]:
    """Positions of the columns of each wavelength; a blank cell parts two wavelengths."""
    blocks: list[list[int]] = [[]]
    for place, text in enumerate(header[2:], start=2):
        if text == "":
            if blocks[-1]:
                blocks.append([])
        elif text.isascii() and text.isdigit() and 1 <= int(text) <= plate.shape[1]:
            blocks[-1].append(place)
        else:
            blocks = []
            break
    blocks = [block for block in blocks if block]
    if len(blocks) != len(plate.wavelengths):
        raise InputError(
            f"plate {plate.name!r} has a header for {len(blocks)} wavelengths where "
            f"{len(plate.wavelengths)} are declared; export it again",
            source=path,
            line=plate.line + 1,
        )
    return blocks


def _reads_by_well(
    plate: _Declaration, header: list[str], groups: list[list[_Numbered]], path: Path
) -> Iterator[WellRead]:
    """`TimeFormat`: one line per time, one column per well, one run of lines per wavelength."""
    if len(groups) != len(plate.wavelengths) or any(len(group) != plate.times for group in groups):
        found = " + ".join(str(len(group)) for group in groups) or "0"
        raise InputError(
            f"plate {plate.name!r} has {found} lines of raw data where {plate.times} for each of "
            f"{len(plate.wavelengths)} wavelengths are declared; export it again",
            source=path,
            line=plate.line,
        )
    wells: list[tuple[int, str]] = []
    for place, text in enumerate(header[2:], start=2):
        if text == "":
            continue
        try:
            row, column = parse_well(text)
        except ValueError:
            raise InputError(
                f"plate {plate.name!r} has a column {text[:40]!r} that is not a well",
                source=path,
                line=plate.line + 1,
            ) from None
        wells.append((place, well_name(row, column)))
    for channel, group in enumerate(groups):
        for numbered in group:
            time = _time(plate, numbered, path)
            for place, well in wells:
                text = numbered[1][place] if place < len(numbered[1]) else ""
                yield _read(plate, channel, well, text, time, numbered[0], path)


def _time(plate: _Declaration, numbered: _Numbered, path: Path) -> float:
    if not plate.kinetic:
        return float("nan")
    time = parse_clock(numbered[1][0])
    if time is None:
        raise InputError(
            f"plate {plate.name!r} is kinetic but this line has no time (found "
            f"{numbered[1][0][:40]!r})",
            source=path,
            line=numbered[0],
        )
    return time


def _read(
    plate: _Declaration, channel: int, well: str, text: str, time: float, line: int, path: Path
) -> WellRead:
    value, flag = parse_cell(text, path=path, line=line, well=well, plate=plate.name)
    wavelength = plate.wavelengths[channel]
    return WellRead(
        plate.name,
        channel + 1,
        wavelength,
        plate.mode,
        well,
        value,
        flag,
        float(wavelength),
        plate.excitation(channel),
        time,
    )
