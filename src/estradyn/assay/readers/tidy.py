"""Tidy and plate-shaped CSV as tables of reads."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from estradyn.assay.readers.delimited import DelimitedText, header_and_records
from estradyn.assay.readers.plater import plater_layers
from estradyn.assay.readers.reads import WellRead, table_of_reads
from estradyn.assay.readers.text import parse_cell, parse_number
from estradyn.assay.wells import parse_well, well_name
from estradyn.errors import InputError

SIGNAL_NAMES = ("signal", "value", "absorbance", "od", "fluorescence", "luminescence")
"""Column or layer names under which a signal may stand."""


def read_tidy(table: DelimitedText) -> pd.DataFrame:
    """Read a CSV with one row per well: columns `well`, `signal`, and optionally `plate`.

    Raises
    ------
    InputError
        If a column is missing, or a cell holds neither a number nor a known flag.
    """
    names, records = header_and_records(table)
    signals = [name for name in names if name in SIGNAL_NAMES]
    if "well" not in names or len(signals) != 1:
        raise InputError(
            "needs a column 'well' and one column 'signal' (found " + ", ".join(names)[:200] + ")",
            source=table.path,
            line=1,
        )
    reads = []
    for line, record in records:
        plate = record.get("plate") or table.path.stem
        well = tidy_well(record["well"], table.path, line)
        value, flag = parse_cell(
            record[signals[0]], path=table.path, line=line, well=well, plate=plate
        )
        label = record.get("read") or "1"
        reads.append(WellRead(plate, 1, label, "", well, value, flag))
    ordinal = {label: i for i, label in enumerate(dict.fromkeys(r.read_label for r in reads), 1)}
    numbered = [
        WellRead(r.plate, ordinal[r.read_label], r.read_label, "", r.well, r.value, r.flag)
        for r in reads
    ]
    return table_of_reads(table.path, numbered)


def tidy_well(text: str, path: Path, line: int) -> str:
    """Canonical name of a well in a table.

    Raises
    ------
    InputError
        If the text is not the name of a well.
    """
    try:
        return well_name(*parse_well(text))
    except ValueError:
        raise InputError(
            f"{text[:40]!r} is not a well; wells are named A1 to AF48", source=path, line=line
        ) from None


def read_plater(table: DelimitedText) -> pd.DataFrame:
    """Read the numeric layers of a plater file as the reads of one plate named like the file.

    A layer is a read if its name is one of `SIGNAL_NAMES`; a file with a single layer may give it
    any name.

    Raises
    ------
    InputError
        If no layer is a signal, or a cell is not a number.
    """
    layers = plater_layers(table)
    signals = [name for name in layers if name in SIGNAL_NAMES]
    if not signals and len(layers) == 1:
        signals = list(layers)
        if all(parse_number(text) is None for _, text in layers[signals[0]].values()):
            signals = []
    if not signals:
        raise InputError(
            "has no block named 'signal' (found " + ", ".join(layers)[:200] + ")",
            source=table.path,
        )
    plate = table.path.stem
    reads = []
    for number, name in enumerate(signals, start=1):
        for well, (line, text) in layers[name].items():
            value, flag = parse_cell(text, path=table.path, line=line, well=well, plate=plate)
            reads.append(WellRead(plate, number, name, "", well, value, flag))
    return table_of_reads(table.path, reads)
