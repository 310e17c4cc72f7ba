"""Which treatment stands in which well, and its union with what the reader measured."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from estradyn.assay.readers.delimited import header_and_records, split_delimited
from estradyn.assay.readers.plater import is_plater, plater_layers
from estradyn.assay.readers.text import parse_number, read_text
from estradyn.assay.readers.tidy import SIGNAL_NAMES, tidy_well
from estradyn.assay.readers.wellmap import read_wellmap
from estradyn.assay.wells import parse_well
from estradyn.errors import InputError

ROLES = ("sample", "vehicle", "blank", "positive_control", "empty")
"""What a well is for.

`vehicle` wells define 100 %, `blank` wells hold no cells, a `positive_control` has the agonist at
one dose and no drug, a `sample` has drug, agonist or both.
"""

_ROLE_WORDS = {
    "control": "vehicle",
    "vehicle control": "vehicle",
    "positive control": "positive_control",
    "positive": "positive_control",
    "background": "blank",
    "medium": "blank",
    "treatment": "sample",
    "drug": "sample",
    "": "empty",
}

MOLAR_UNITS = {"M": 1.0, "mM": 1e-3, "uM": 1e-6, "nM": 1e-9, "pM": 1e-12, "fM": 1e-15}
"""Units that are converted to mol/L."""

LAYOUT_COLUMNS = (
    "plate",
    "well",
    "role",
    "drug",
    "dose",
    "agonist",
    "agonist_dose",
    "unit",
    "cell_line",
    "readout",
    "time_h",
)
"""Columns of a layout.

`dose` and `agonist_dose` are in `unit`: `M` for any molar unit, else as the file says; `time_h` is
0 for plates read when treatment began; `plate` is empty where one map holds for all plates.
"""

_DOSE_NAME = re.compile(r"(dose|agonist_dose)(?:_(\w+|µM))?")


def read_layout(path: str | Path) -> pd.DataFrame:
    """Read a plate map.

    Parameters
    ----------
    path
        Tidy CSV with the columns `well`, `role`, `drug`, `dose` and so on (see `LAYOUT_COLUMNS`),
        plater CSV with blocks of these names, or wellmap TOML. A dose is a number with its unit in
        the name (`dose_nM`), in a column `dose_unit`, or beside it (`10 nM`).

    Returns
    -------
    pandas.DataFrame
        One row per well with `LAYOUT_COLUMNS`.

    Raises
    ------
    InputError
        One sentence with file, line and well.
    """
    path = Path(path)
    text = read_text(path)
    if path.suffix.lower() == ".toml":
        plates = read_wellmap(text, path)
        entries: list[tuple[str, str, int | None, Mapping[str, Any]]] = [
            (plate, well, None, values)
            for plate, wells in plates.items()
            for well, values in wells.items()
        ]
        return _layout(entries, path)
    table = split_delimited(text, path)
    if is_plater(table):
        layers = {k: v for k, v in plater_layers(table).items() if k not in SIGNAL_NAMES}
        wells = sorted({well for layer in layers.values() for well in layer}, key=parse_well)
        return _layout(
            [
                (
                    "",
                    well,
                    None,
                    {name: layer[well][1] for name, layer in layers.items() if well in layer},
                )
                for well in wells
            ],
            path,
        )
    names, records = header_and_records(table)
    if "well" not in names:
        raise InputError(
            f"needs a column 'well' (found {', '.join(names)[:200]})", source=path, line=1
        )
    return _layout(
        [
            (record.get("plate", ""), tidy_well(record["well"], path, line), line, record)
            for line, record in records
        ],
        path,
    )


def has_layout(names: Iterable[str]) -> bool:
    """Whether columns or blocks describe treatments, so that a data file is its own map."""
    return any(name == "role" or _DOSE_NAME.fullmatch(name) for name in names)


def _layout(
    entries: list[tuple[str, str, int | None, Mapping[str, Any]]], path: Path
) -> pd.DataFrame:
    rows = [_row(plate, well, line, values, path) for plate, well, line, values in entries]
    if not rows:
        raise InputError("describes no well", source=path)
    table = pd.DataFrame(rows, columns=list(LAYOUT_COLUMNS))
    repeated = table.duplicated(["plate", "well"])
    if repeated.any():
        row = table[repeated].iloc[0]
        if table.drop_duplicates().duplicated(["plate", "well"]).any():
            raise InputError(
                f"describes well {row['well']} of plate {row['plate']!r} twice; keep one",
                source=path,
            )
        table = table.drop_duplicates(["plate", "well"])
    units = sorted(set(table.loc[table["role"] == "sample", "unit"]) - {""})
    if len(units) > 1:
        raise InputError(
            f"has doses in {' and '.join(units)}, which cannot be compared; use one unit",
            source=path,
        )
    table["unit"] = units[0] if units else "M"
    return table.reset_index(drop=True)


def _row(
    plate: str, well: str, line: int | None, values: Mapping[str, Any], path: Path
) -> dict[str, Any]:
    texts = {str(key).lower(): str(value).strip() for key, value in values.items()}

    def wrong(message: str) -> InputError:
        where = f"well {well}" + (f" of plate {plate!r}" if plate else "")
        return InputError(f"{where}: {message}", source=path, line=line)

    doses: dict[str, float] = {}
    unit = ""
    for name, text in texts.items():
        match = _DOSE_NAME.fullmatch(name)
        if match is None or match[2] == "unit" or not text:
            continue
        value, found = _dose(text, match[2] or texts.get("dose_unit", ""), wrong)
        if match[1] in doses:
            raise wrong(f"two columns give the {match[1]}; keep one")
        doses[match[1]] = value
        unit = found or unit
    drug = texts.get("drug", texts.get("compound", ""))
    dose, agonist_dose = doses.get("dose", 0.0), doses.get("agonist_dose", 0.0)
    role = texts.get("role", texts.get("type"))
    if role is None:
        role = "sample" if dose > 0 or agonist_dose > 0 else "vehicle" if doses else "empty"
    else:
        role = role.lower()
        role = _ROLE_WORDS.get(role, role.replace(" ", "_"))
    if role not in ROLES:
        raise wrong(f"role {role[:40]!r} is not one of {', '.join(ROLES)}")
    if role == "sample":
        if dose <= 0 and agonist_dose <= 0:
            raise wrong(
                "a sample with dose 0 has no place on a logarithmic axis; give it the role vehicle "
                "or its dose"
            )
        if dose > 0 and not drug:
            raise wrong("a dose without the name of a drug; fill in the column 'drug'")
    elif dose > 0:
        raise wrong(f"a {role} well has the dose {dose:g}; make it a sample or clear the dose")
    return {
        "plate": plate,
        "well": well,
        "role": role,
        "drug": drug if dose > 0 else "",
        "dose": dose,
        "agonist": texts.get("agonist", ""),
        "agonist_dose": agonist_dose,
        "unit": unit,
        "cell_line": texts.get("cell_line", ""),
        "readout": texts.get("readout", ""),
        "time_h": _time(texts.get("time_h", ""), wrong),
    }


def _dose(text: str, unit: str, wrong: Any) -> tuple[float, str]:
    """Dose in mol/L, or in its own unit where that is not molar."""
    number, _, beside = text.partition(" ")
    value = parse_number(number)
    if value is None or value < 0 or not np.isfinite(value):
        raise wrong(f"dose {text[:40]!r} is not a number of 0 or more")
    unit = (beside.strip() or unit).replace("µ", "u").replace("μ", "u")
    known = {name.lower(): name for name in MOLAR_UNITS}
    if unit.lower() in known and unit != "mm":
        # Header names arrive in lower case, so only millimolar and molar could be confused.
        return value * MOLAR_UNITS[known[unit.lower()]], "M"
    return value, unit or "M"


def _time(text: str, wrong: Any) -> float:
    if not text:
        return float("nan")
    value = parse_number(text.removesuffix("h").strip())
    if value is None or value < 0:
        raise wrong(f"time_h {text[:40]!r} is not a number of hours, 0 or more")
    return value


def read_plates_table(path: str | Path) -> pd.DataFrame:
    """Read what holds for whole plates: columns `plate` and `time_h`, `readout`, `cell_line`.

    Raises
    ------
    InputError
        If a column is unknown, or a plate stands twice.
    """
    path = Path(path)
    names, records = header_and_records(split_delimited(read_text(path), path))
    allowed = ("plate", "time_h", "readout", "cell_line")
    unknown = [name for name in names if name not in allowed]
    if unknown or "plate" not in names:
        found = f"column {unknown[0]!r}" if unknown else "no column 'plate'"
        raise InputError(f"has {found}; allowed are {', '.join(allowed)}", source=path, line=1)
    rows = []
    for line, record in records:

        def wrong(message: str, line: int = line) -> InputError:
            return InputError(message, source=path, line=line)

        rows.append({**record, "time_h": _time(record.get("time_h", ""), wrong)})
    table = pd.DataFrame(rows)
    if table["plate"].duplicated().any():
        plate = table.loc[table["plate"].duplicated(), "plate"].iloc[0]
        raise InputError(f"describes plate {plate!r} twice; keep one row", source=path)
    return table


def join_layout(
    signals: pd.DataFrame, layout: pd.DataFrame, plates: pd.DataFrame | None = None
) -> tuple[pd.DataFrame, list[str]]:
    """Give every measured well its treatment.

    Parameters
    ----------
    signals
        Columns `file`, `plate`, `well`, `signal`, `flag`; one value per well.
    layout
        What `read_layout` returns.
    plates
        What `read_plates_table` returns; its values go before those of the layout.

    Returns
    -------
    wells : pandas.DataFrame
        Columns `file`, `plate`, `well`, `row`, `column`, `signal`, `flag` and those of the layout.
    notes : list of str
        What a reader of the analysis should know, such as wells that are on no map.

    Raises
    ------
    InputError
        If plates and maps disagree.
    """
    notes: list[str] = []
    parts, used = [], set()
    named = [name for name in layout["plate"].unique() if name]
    names = _plate_names(signals)
    for key, wells in signals.groupby(["file", "plate"], sort=False):
        file, plate = cast("tuple[str, str]", key)
        name = names[(file, plate)]
        alias = next((a for a in _aliases(file, plate, name) if a in named), "")
        treatments = layout[layout["plate"] == alias]
        if treatments.empty:
            raise InputError(
                f"plate {plate!r} is not on the plate map, which describes "
                + ", ".join(map(repr, named))[:200],
                source=file,
            )
        used.add(alias)
        treatments = treatments.drop(columns="plate")
        missing = treatments[
            ~treatments["well"].isin(wells["well"]) & (treatments["role"] != "empty")
        ]
        if not missing.empty:
            raise InputError(
                f"plate {plate!r} has no well {missing['well'].iloc[0]}, where the plate map has a "
                f"{missing['role'].iloc[0]}; use the map of this plate",
                source=file,
            )
        unmapped = wells[~wells["well"].isin(treatments["well"]) & wells["signal"].notna()]
        if len(unmapped):
            notes.append(
                f"{name}: {len(unmapped)} wells with a signal are not on the plate map and were "
                f"left out (first {unmapped['well'].iloc[0]})"
            )
        joined = wells.merge(treatments, on="well", how="inner").assign(plate=name)
        parts.append(_with_plate_row(joined, plates, file, plate, name))
    unread = [name for name in named if name not in used]
    if unread:
        raise InputError(f"the plate map describes plate {unread[0]!r}, which no data file holds")
    table = pd.concat(parts, ignore_index=True)
    places = [parse_well(well) for well in table["well"]]
    table["row"] = [row for row, _ in places]
    table["column"] = [column for _, column in places]
    return table, notes


def _plate_names(signals: pd.DataFrame) -> dict[tuple[str, str], str]:
    """One name per plate: its own where that is unique, else with its file, else the file's."""
    pairs = list(signals[["file", "plate"]].drop_duplicates().itertuples(index=False, name=None))
    own = [plate for _, plate in pairs]
    files = [file for file, _ in pairs]
    names = {}
    for file, plate in pairs:
        stem = Path(file).stem
        if own.count(plate) == 1:
            names[(file, plate)] = plate
        else:
            names[(file, plate)] = stem if files.count(file) == 1 else f"{stem}/{plate}"
    return names


def _aliases(file: str, plate: str, name: str) -> tuple[str, ...]:
    stem = Path(file).stem
    return (name, f"{stem}/{plate}", stem, plate)


def _with_plate_row(
    wells: pd.DataFrame, plates: pd.DataFrame | None, file: str, plate: str, name: str
) -> pd.DataFrame:
    if plates is None:
        return wells
    alias = next((a for a in _aliases(file, plate, name) if a in set(plates["plate"])), None)
    if alias is None:
        raise InputError(f"plate {plate!r} has no row in the table of plates", source=file)
    row = plates[plates["plate"] == alias].iloc[0]
    return wells.assign(
        **{
            column: row[column]
            for column in ("time_h", "readout", "cell_line")
            if column in plates and row[column] == row[column] and row[column] != ""
        }
    )
