"""BioTek Gen5 text exports.

A file holds one section per plate. Its procedure names the reads; only blocks whose label belongs
to a read are raw data, all others (blanked values, ratios, concentrations, fits) are Gen5's own
arithmetic and are left out.
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
from estradyn.assay.wells import parse_well, row_index, well_name
from estradyn.errors import InputError

_READ = re.compile(r"\s*Read\t(.*)")
_MODE = re.compile(r"\s*(Absorbance|Fluorescence|Luminescence)\b", re.IGNORECASE)
_WAVELENGTHS = re.compile(r"\s*Wavelengths?:\s*(.+?)\s*(?:\(.*)?")
_EXCITATION = re.compile(r"Excitation:\s*([^\t]+?),\s*Emission:\s*([^\t]+)")
_EMISSION = re.compile(r"Emission:\s*([^\t]+)")
_ROW_LETTERS = re.compile(r"[A-Z]|A[A-F]")


@dataclass(frozen=True)
class _Channel:
    label: str
    mode: str
    wavelength_nm: float
    excitation_nm: float


@dataclass(frozen=True)
class _Line:
    number: int
    text: str

    @property
    def cells(self) -> list[str]:
        return self.text.split("\t")


def is_gen5(text: str) -> bool:
    """Whether the text looks like a Gen5 export."""
    head = text[:20000]
    return "Plate Number" in head and ("Reader Type" in head or "Software Version" in head)


def read_gen5(text: str, path: Path) -> pd.DataFrame:
    """Read every plate of a Gen5 export.

    Parameters
    ----------
    text
        Content of the file.
    path
        Where it came from, for messages and the `file` column.

    Returns
    -------
    pandas.DataFrame
        Table with `estradyn.assay.readers.READ_COLUMNS`, raw reads only.

    Raises
    ------
    InputError
        If a plate has no raw result table, or a cell cannot be read.
    """
    lines = [_Line(i, line) for i, line in enumerate(text.split("\n"), start=1)]
    starts = [i for i, line in enumerate(lines) if line.text.startswith("Plate Number")]
    if not starts:
        raise InputError(
            "has no line that begins with 'Plate Number', where a plate of a Gen5 export begins; "
            "export it again",
            source=path,
        )
    reads: list[WellRead] = []
    for start, stop in zip(starts, [*starts[1:], len(lines)], strict=True):
        reads += _plate_reads(lines[start:stop], path)
    return table_of_reads(path, reads)


def _plate_reads(section: list[_Line], path: Path) -> list[WellRead]:
    cells = section[0].cells
    plate = cells[1].strip() if len(cells) > 1 and cells[1].strip() else "Plate 1"
    channels = _channels(section, path)
    reads = list(_matrix_reads(section, plate, channels, path))
    reads += _kinetic_reads(section, plate, channels, path)
    if not reads:
        labels = ", ".join(repr(label) for label in channels) or "none named in the procedure"
        raise InputError(
            f"plate {plate!r} has no result table of its raw reads ({labels}); add the results "
            "matrix to the export and keep its tabs",
            source=path,
            line=section[0].number,
        )
    return reads


def _channels(section: list[_Line], path: Path) -> dict[str, _Channel]:
    """Labels of the raw reads, in the order of the procedure."""
    channels: dict[str, _Channel] = {}
    step, mode = "", ""

    def add(name: str, wavelength: str, excitation: str = "") -> None:
        label = f"{step}:{name}" if step else name
        channels[label] = _Channel(label, mode, _nanometres(wavelength), _nanometres(excitation))

    for line in section:
        if line.text.startswith(("Layout", "Results")):
            break
        read = _READ.match(line.text)
        if read is not None:
            step = read[1].strip()
            inline = _MODE.match(step)
            mode = inline[1].lower() if inline else ""
            step = "" if inline and step.lower().endswith(("endpoint", "kinetic")) else step
            continue
        if not mode:
            found = _MODE.match(line.text)
            mode = found[1].lower() if found else ""
            continue
        wavelengths = _WAVELENGTHS.fullmatch(line.text)
        excitation = _EXCITATION.search(line.text)
        emission = _EMISSION.search(line.text)
        if wavelengths is not None:
            for item in re.split(r"[,;\s]+", wavelengths[1]):
                add(item, item)
        elif excitation is not None:
            add(f"{excitation[1].strip()},{excitation[2].strip()}", excitation[2], excitation[1])
        elif emission is not None:
            name = emission[1].strip()
            add("Lum" if name.lower().startswith("full light") else name, name)
    return channels


def _nanometres(text: str) -> float:
    match = re.match(r"\s*(\d{2,4})(?!\d)", text)
    return float(match[1]) if match else np.nan


def _matrix_reads(
    section: list[_Line], plate: str, channels: dict[str, _Channel], path: Path
) -> Iterator[WellRead]:
    """Plate-shaped blocks: a header of column numbers, rows of wells with the label at the end."""
    order = {label: i for i, label in enumerate(channels, start=1)}
    columns: list[int] = []
    row = ""
    in_layout = False
    for line in section:
        if line.text.strip() and "\t" not in line.text:
            in_layout = line.text.strip() == "Layout"
        cells = line.cells
        numbers = _column_numbers(cells)
        if numbers:
            columns, row = numbers, ""
            continue
        if not columns or not line.text.strip():
            columns = columns if line.text.strip() else []
            continue
        letter = cells[0].strip()
        if _ROW_LETTERS.fullmatch(letter):
            row = letter
        elif letter or not row:
            continue
        label = cells[-1].strip()
        if in_layout or label not in channels:
            _refuse_shifted_row(cells, columns, channels, path, line, plate)
            continue
        if len(cells) != len(columns) + 2:
            raise InputError(
                f"row {row} of plate {plate!r} has {len(cells) - 2} wells where the header has "
                f"{len(columns)}; export the plate again",
                source=path,
                line=line.number,
            )
        channel = channels[label]
        for column, cell in zip(columns, cells[1:-1], strict=True):
            well = well_name(row_index(row), column - 1)
            value, flag = parse_cell(cell, path=path, line=line.number, well=well, plate=plate)
            yield WellRead(
                plate,
                order[label],
                label,
                channel.mode,
                well,
                value,
                flag,
                channel.wavelength_nm,
                channel.excitation_nm,
            )


def _refuse_shifted_row(
    cells: list[str],
    columns: list[int],
    channels: dict[str, _Channel],
    path: Path,
    line: _Line,
    plate: str,
) -> None:
    """A label that is not last means that a cell was added or a separator lost."""
    found = [cell.strip() for cell in cells if cell.strip() in channels and ":" in cell]
    if found and len(cells) != len(columns) + 2:
        raise InputError(
            f"a row of plate {plate!r} with the label {found[0]!r} has {len(cells)} cells where "
            f"{len(columns) + 2} are expected; export the plate again",
            source=path,
            line=line.number,
        )


def _column_numbers(cells: list[str]) -> list[int]:
    """Columns of a header row such as `\\t1\\t2\\t3`, or nothing."""
    if cells[0].strip() or len(cells) < 2:
        return []
    texts = [cell.strip() for cell in cells[1:]]
    while texts and not texts[-1]:
        texts.pop()
    if not texts or not all(text.isascii() and text.isdigit() and len(text) < 3 for text in texts):
        return []
    numbers = [int(text) for text in texts]
    consecutive = list(range(numbers[0], numbers[0] + len(numbers)))
    return numbers if numbers == consecutive and numbers[0] >= 1 and numbers[-1] <= 48 else []


def _kinetic_reads(
    section: list[_Line], plate: str, channels: dict[str, _Channel], path: Path
) -> Iterator[WellRead]:
    """Blocks with one row per time and one column per well."""
    order = {label: i for i, label in enumerate(channels, start=1)}
    wells: list[tuple[int, str]] = []
    channel: _Channel | None = None
    title = ""
    last_time = -1.0
    for line in section:
        cells = [cell.strip() for cell in line.cells]
        if len(cells) == 1 and cells[0]:
            title, wells = cells[0], []
            continue
        if cells[0] == "Time" and len(cells) > 2:
            channel = channels.get(title)
            wells = _kinetic_wells(cells, path, line, plate) if channel else []
            last_time = -1.0
            continue
        if not wells or channel is None:
            continue
        time = parse_clock(cells[0])
        if time is None:
            wells = []
            continue
        if time <= last_time and not any(cells[place] for place, _ in wells if place < len(cells)):
            # Gen5 pads a run that was stopped early with empty rows at time zero.
            continue
        if time <= last_time:
            raise InputError(
                f"plate {plate!r} has the time {cells[0]} after a later one; export it again",
                source=path,
                line=line.number,
            )
        last_time = time
        for place, well in wells:
            text = cells[place] if place < len(cells) else ""
            value, flag = parse_cell(text, path=path, line=line.number, well=well, plate=plate)
            yield WellRead(
                plate,
                order[channel.label],
                channel.label,
                channel.mode,
                well,
                value,
                flag,
                channel.wavelength_nm,
                channel.excitation_nm,
                time,
            )


def _kinetic_wells(cells: list[str], path: Path, line: _Line, plate: str) -> list[tuple[int, str]]:
    wells = []
    for place, cell in enumerate(cells[1:], start=1):
        if cell == "" or (place == 1 and cell.startswith("T")):
            continue
        try:
            row, column = parse_well(cell)
        except ValueError:
            raise InputError(
                f"the kinetic table of plate {plate!r} has a column {cell[:40]!r} that is not a "
                "well; export the plate again",
                source=path,
                line=line.number,
            ) from None
        wells.append((place, well_name(row, column)))
    return wells
