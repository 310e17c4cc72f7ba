"""Measured wells with their treatments, from files or from a data frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from estradyn.assay.layout import (
    LAYOUT_COLUMNS,
    MOLAR_UNITS,
    ROLES,
    has_layout,
    join_layout,
    read_layout,
    read_plates_table,
)
from estradyn.assay.readers import read_measurements, select_read
from estradyn.assay.readers.delimited import split_delimited
from estradyn.assay.readers.gen5 import is_gen5
from estradyn.assay.readers.plater import is_plater, plater_layers
from estradyn.assay.readers.softmax import is_softmax
from estradyn.assay.readers.text import read_text
from estradyn.assay.wells import parse_well, well_name
from estradyn.errors import InputError

WELL_COLUMNS = ("file", "plate", "well", "row", "column", "signal", "flag", *LAYOUT_COLUMNS[2:])
"""Columns of a table of measured wells."""


def load_assay(
    data: Sequence[str | Path],
    *,
    layout: str | Path | None = None,
    plates: str | Path | None = None,
    read: str | None = None,
    kinetic: str | None = None,
) -> tuple[pd.DataFrame, list[str]]:
    """Read plate files and put every well together with its treatment.

    Parameters
    ----------
    data
        Reader exports or CSV files (see `estradyn.assay.readers.read_measurements`).
    layout
        Plate map (see `estradyn.assay.layout.read_layout`); may be left out where every CSV file
        holds its own map.
    plates
        CSV with what holds for whole plates: `plate`, `time_h`, `readout`, `cell_line`.
    read, kinetic
        Which read and time of each plate to analyse.

    Returns
    -------
    wells : pandas.DataFrame
        Table with `WELL_COLUMNS`.
    notes : list of str
        What a reader of the analysis should know.

    Raises
    ------
    InputError
        One sentence that names file and well, and what to do.
    """
    paths = [Path(path) for path in data]
    if not paths:
        raise InputError("no data file is given")
    names = [path.name for path in paths]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two data files are called {name!r}; rename one")
    whole = None if plates is None else read_plates_table(plates)
    signals = [select_read(read_measurements(p), read=read, kinetic=kinetic) for p in paths]
    if layout is not None:
        return join_layout(pd.concat(signals, ignore_index=True), read_layout(layout), whole)
    tables, notes = [], []
    for path, signal in zip(paths, signals, strict=True):
        if not _holds_layout(path):
            raise InputError(
                "does not say what stands in its wells; give a plate map with --layout", source=path
            )
        own = read_layout(path)
        if len(signal["plate"].unique()) == 1 and set(own["plate"]) == {""}:
            own["plate"] = signal["plate"].iloc[0]
        table, more = join_layout(signal, own, whole)
        tables.append(table)
        notes += more
    wells = pd.concat(tables, ignore_index=True)
    if wells.groupby("plate")["file"].nunique().max() > 1:
        wells["plate"] = [
            f"{Path(file).stem}/{plate}"
            for file, plate in zip(wells["file"], wells["plate"], strict=True)
        ]
    return wells, notes


def _holds_layout(path: Path) -> bool:
    text = read_text(path)
    if is_softmax(text) or is_gen5(text):
        return False
    table = split_delimited(text, path)
    if is_plater(table):
        return has_layout(plater_layers(table))
    return has_layout(cell.lower() for cell in next(cells for _, cells in table.rows if cells))


def wells_from_frame(frame: pd.DataFrame, *, unit: str = "M") -> pd.DataFrame:
    """Check a data frame and bring it into the form that `analyze` takes.

    Parameters
    ----------
    frame
        One row per well with `plate`, `well`, `signal`, `role` and `dose`; optional are `drug`,
        `agonist`, `agonist_dose`, `cell_line`, `readout` and `time_h`.
    unit
        Unit of the doses; a molar unit is converted to mol/L.

    Returns
    -------
    pandas.DataFrame
        Table with `WELL_COLUMNS`.

    Raises
    ------
    InputError
        If a column is missing or a value is not allowed; names plate and well.
    """
    missing = [c for c in ("plate", "well", "signal", "role", "dose") if c not in frame]
    if missing:
        raise InputError(f"the data frame has no column {missing[0]!r}")
    table = pd.DataFrame({"plate": frame["plate"].astype(str)}).reset_index(drop=True)
    source = frame.reset_index(drop=True)
    places = []
    for plate, well in zip(table["plate"], source["well"], strict=True):
        try:
            places.append(parse_well(str(well)))
        except ValueError:
            raise InputError(f"plate {plate!r} has a well {str(well)[:40]!r}") from None
    table["file"] = "data frame"
    table["well"] = [well_name(*place) for place in places]
    table["row"] = [row for row, _ in places]
    table["column"] = [column for _, column in places]
    factor = MOLAR_UNITS.get(unit, 1.0)
    for name, default in (("signal", None), ("dose", 0.0), ("agonist_dose", 0.0), ("time_h", None)):
        values = pd.to_numeric(
            source[name] if name in source else pd.Series(default, index=source.index, dtype=float),
            errors="coerce",
        ).astype(float)
        if name in source:
            wrong = values.isna() & source[name].notna()
            if wrong.any():
                row = int(wrong.to_numpy().argmax())
                raise InputError(
                    f"well {table['well'][row]} of plate {table['plate'][row]!r} has the {name} "
                    f"{str(source[name][row])[:40]!r}, which is not a number"
                )
        if name in ("dose", "agonist_dose"):
            values = values.fillna(0.0) * factor
            if (values < 0).any():
                row = int((values < 0).to_numpy().argmax())
                raise InputError(f"well {table['well'][row]} has a negative {name}")
        table[name] = values
    table["flag"] = table["signal"].isna().map({True: "empty", False: ""})
    for name in ("role", "drug", "agonist", "cell_line", "readout"):
        texts = source[name] if name in source else pd.Series("", index=source.index)
        table[name] = texts.fillna("").astype(str)
    table["unit"] = "M" if unit in MOLAR_UNITS else unit
    wrong_role = ~table["role"].isin(ROLES)
    if wrong_role.any():
        row = int(wrong_role.to_numpy().argmax())
        raise InputError(
            f"well {table['well'][row]} of plate {table['plate'][row]!r} has the role "
            f"{table['role'][row]!r}; allowed are {', '.join(ROLES)}"
        )
    repeated = table.duplicated(["plate", "well"])
    if repeated.any():
        row = int(repeated.to_numpy().argmax())
        raise InputError(f"well {table['well'][row]} of plate {table['plate'][row]!r} stands twice")
    sample = table["role"] == "sample"
    nothing = sample & (table["dose"] == 0) & (table["agonist_dose"] == 0)
    if nothing.any():
        row = int(nothing.to_numpy().argmax())
        raise InputError(
            f"well {table['well'][row]} of plate {table['plate'][row]!r} is a sample with dose 0, "
            "which has no place on a logarithmic axis; give it the role vehicle"
        )
    return table.loc[:, list(WELL_COLUMNS)]
