"""The tidy CSV of a xenograft study: one row per animal and day, units in the column names."""

from __future__ import annotations

import csv
import difflib
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from estradyn.errors import InputError
from estradyn.xenograft.volume import VolumeFormula, tumor_volume

LARGEST_FILE = 50 * 1024 * 1024
MOST_ROWS = 200_000
MOST_ANIMALS = 5_000
MOST_ARMS = 20
LONGEST_TEXT = 80

MG_PER_DL_CALCIUM = 4.008
"""mg/dL of calcium in 1 mmol/L (molar mass 40.08 g/mol)."""

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")
_MISSING = {"", "na", "n/a", "nan", "."}


@dataclass(frozen=True)
class Column:
    """A column of the file.

    Attributes
    ----------
    name
        Name in the analysis, with its unit.
    lower, upper
        Smallest and largest value allowed, in the unit of the file.
    factor
        What a value is multiplied by to reach the unit in `name`.
    """

    name: str
    lower: float = 0.0
    upper: float = math.inf
    factor: float = 1.0


NUMBERS: dict[str, Column] = {
    "day": Column("day", -365.0, 3650.0),
    "time_d": Column("day", -365.0, 3650.0),
    "length_mm": Column("length_mm", upper=100.0),
    "length_cm": Column("length_mm", upper=10.0, factor=10.0),
    "width_mm": Column("width_mm", upper=100.0),
    "width_cm": Column("width_mm", upper=10.0, factor=10.0),
    "volume_mm3": Column("volume_mm3", upper=100_000.0),
    "volume_cm3": Column("volume_mm3", upper=100.0, factor=1000.0),
    "volume_mL": Column("volume_mm3", upper=100.0, factor=1000.0),
    "flux_photons_per_s": Column("flux_photons_per_s", upper=1e15),
    "total_flux_p_per_s": Column("flux_photons_per_s", upper=1e15),
    "weight_g": Column("weight_g", upper=100.0),
    "body_weight_g": Column("weight_g", upper=100.0),
    "dose_mg_per_kg": Column("dose_mg_per_kg", upper=10_000.0),
    "nominal_dose_mg_per_kg": Column("dose_mg_per_kg", upper=10_000.0),
    "calcium_mmol_per_L": Column("calcium_mmol_per_L", upper=25.0),
    "calcium_mg_per_dL": Column("calcium_mmol_per_L", upper=100.0, factor=1.0 / MG_PER_DL_CALCIUM),
    "alp_U_per_L": Column("alp_U_per_L", upper=100_000.0),
    "pain_score": Column("pain_score", upper=100.0),
    "bladder_distension": Column("bladder_distension", upper=1.0),
    "ki67_percent": Column("ki67_percent", upper=100.0),
    "tunel_percent": Column("tunel_percent", upper=100.0),
    "f4_80_percent": Column("f4_80_percent", upper=100.0),
    "cd3_percent": Column("cd3_percent", upper=100.0),
}
"""Columns with numbers, by their name in the file."""

TEXTS = {
    "animal": "animal",
    "animal_id": "animal",
    "mouse_id": "animal",
    "arm": "arm",
    "group": "arm",
    "date": "date",
    "drug": "drug",
    "site": "site",
    "cage": "cage",
    "reason_left": "reason_left",
}
"""Columns with text, by their name in the file."""

MEASURED = tuple(dict.fromkeys(column.name for column in NUMBERS.values()))
"""Numeric columns of `StudyData.measurements`, in order."""

HISTOLOGY = ("ki67_percent", "tunel_percent", "f4_80_percent", "cd3_percent")


@dataclass(frozen=True)
class StudyData:
    """A study as it was measured.

    Attributes
    ----------
    measurements
        One row per animal and day, sorted by animal and day: `animal`, `arm`, `day`, every name in
        `MEASURED` (missing values NaN), `reason_left`, `drug`, `site`, `cage` (empty where not
        given) and `line`, the line of the file.
    arms
        Arms in the order of the file.
    source
        Name of the file.
    formula
        How lengths and widths became volumes.
    volumes_computed
        Whether any volume came from length and width.
    columns
        Names in the analysis of the columns that the file has.
    ignored
        Columns of the file that the analysis does not know.
    """

    measurements: pd.DataFrame
    arms: tuple[str, ...]
    source: str
    formula: VolumeFormula
    volumes_computed: bool
    columns: tuple[str, ...]
    ignored: tuple[str, ...]

    def with_formula(self, formula: VolumeFormula) -> StudyData:
        """Return the study with the volumes that were computed computed anew."""
        table = _with_volumes(self.measurements, formula)
        return replace(self, measurements=table, formula=formula)


def read_study(
    path: str | Path,
    *,
    formula: VolumeFormula = VolumeFormula.ELLIPSOID_MEAN,
    start: date | None = None,
) -> StudyData:
    """Read a study from a CSV file (comma, decimal point, UTF-8).

    Parameters
    ----------
    path
        File with a header line; see `NUMBERS` and `TEXTS` for its columns. Needed are `animal`,
        `arm`, `day` or `date`, and `volume_...` or `length_...` and `width_...`.
    formula
        How length and width give the volume.
    start
        Date of day 0; without it the earliest date in the file.

    Raises
    ------
    InputError
        Names file, line and column, what was found and what is allowed.
    """
    place = Path(path)
    header, rows = _read_cells(place)
    return _parse(header, rows, place.name, formula, start)


def study_from_frame(
    frame: pd.DataFrame,
    *,
    formula: VolumeFormula = VolumeFormula.ELLIPSOID_MEAN,
    start: date | None = None,
    source: str = "data frame",
) -> StudyData:
    """Take a study from a data frame with the columns of a study file.

    Parameters
    ----------
    frame
        One row per animal and day. Line numbers in errors count as if it were a file: the first
        row is line 2.
    formula, start
        As for `read_study`.
    source
        What errors call the frame.

    Raises
    ------
    InputError
        As for `read_study`.
    """
    header = [str(name) for name in frame.columns]
    rows = [
        (line, [_cell_text(value) for value in values])
        for line, values in enumerate(frame.itertuples(index=False, name=None), start=2)
    ]
    return _parse(header, rows, source, formula, start)


def _cell_text(value: object) -> str:
    if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, (pd.Timestamp, date)):
        return value.isoformat()[:10]
    return "" if value is pd.NA else str(value)


def _read_cells(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    source = path.name
    try:
        with path.open("rb") as stream:
            raw = stream.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise InputError("found no such file, allowed a CSV file", source=path) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(
            f"found something that cannot be read ({reason}), allowed a CSV file", source=path
        ) from None
    if len(raw) > LARGEST_FILE:
        raise InputError("found more than 50 MB, allowed at most that", source=source)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"found byte 0x{raw[error.start]:02x}, which is not UTF-8, allowed text in UTF-8",
            source=source,
            line=line,
        ) from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[tuple[int, list[str]]] = []
    start = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((start, [cell.strip() for cell in cells]))
            start = reader.line_num + 1
            if len(rows) > MOST_ROWS + 1:
                raise InputError(
                    f"found more than {MOST_ROWS:,} rows, allowed at most that", source=source
                )
    except csv.Error as error:
        raise InputError(
            f"found a row that is not CSV ({error}), allowed comma-separated cells",
            source=source,
            line=start,
        ) from None
    if not rows:
        raise InputError("found no rows, allowed a header line and measurements", source=source)
    header = rows[0][1]
    if len(header) == 1 and re.search("[;\t|]", header[0]):
        raise InputError(
            f"found the header '{_short(header[0])}', allowed commas between columns",
            source=source,
            line=rows[0][0],
        )
    return header, rows[1:]


def _parse(
    header: Sequence[str],
    rows: Sequence[tuple[int, list[str]]],
    source: str,
    formula: VolumeFormula,
    start: date | None,
) -> StudyData:
    places, ignored = _columns(header, source)
    if not rows:
        raise InputError("found a header but no measurements, allowed rows", source=source)
    records: list[dict[str, object]] = []
    for line, cells in rows:
        if len(cells) != len(header):
            raise InputError(
                f"found {len(cells)} cells, allowed {len(header)} as in the header",
                source=source,
                line=line,
            )
        records.append(_record(places, cells, source, line))
    if "date" in places.values():
        _days_from_dates(records, start, source)
    table = pd.DataFrame.from_records(records)
    for name in MEASURED:
        if name not in table:
            table[name] = np.nan
        table[name] = table[name].astype(np.float64)
    for name in ("drug", "site", "cage", "reason_left"):
        table[name] = table[name].fillna("") if name in table else ""
    arms = tuple(dict.fromkeys(str(arm) for arm in table["arm"]))
    _check_size(table, arms, source)
    known = ("animal", "arm", *MEASURED, "reason_left", "drug", "site", "cage", "line")
    table["volume_given"] = table["volume_mm3"]
    table = table[[*known, "volume_given"]].sort_values(["animal", "day", "line"], kind="stable")
    table = _with_volumes(table.reset_index(drop=True), formula)
    computed = bool((table["length_mm"].notna() & table["width_mm"].notna()).any())
    return StudyData(table, arms, source, formula, computed, tuple(places.values()), tuple(ignored))


def _with_volumes(table: pd.DataFrame, formula: VolumeFormula) -> pd.DataFrame:
    """Volumes from length and width where both are there, else as they were given."""
    computed = tumor_volume(table["length_mm"].to_numpy(), table["width_mm"].to_numpy(), formula)
    volume = np.where(np.isnan(computed), table["volume_given"].to_numpy(), computed)
    return table.assign(volume_mm3=volume)


def _columns(header: Sequence[str], source: str) -> tuple[dict[int, str], list[str]]:
    """Position in the file to column name in the file, and the columns that are not known."""
    known = [*NUMBERS, *TEXTS]
    lower = {name.lower(): name for name in known}
    places: dict[int, str] = {}
    ignored: list[str] = []
    taken: dict[str, str] = {}
    for place, given in enumerate(header):
        name = lower.get(given.lower())
        if name is None:
            near = difflib.get_close_matches(given.lower(), list(lower), n=1, cutoff=0.8)
            stem = given.lower().split("_")[0]
            same = [k for k in NUMBERS if "_" in k and k.split("_")[0].lower() == stem]
            if near or same:
                # Units are what matters: all spellings of the quantity before a near miss.
                allowed = " or ".join(f"'{k}'" for k in same) or f"'{lower[near[0]]}'"
                raise InputError(
                    f"found the column '{_short(given)}', allowed {allowed}", source=source, line=1
                )
            ignored.append(_short(given))
            continue
        target = NUMBERS[name].name if name in NUMBERS else TEXTS[name]
        if target in taken:
            raise InputError(
                f"found the columns '{taken[target]}' and '{name}' for the same quantity, "
                "allowed one of them",
                source=source,
                line=1,
            )
        taken[target] = name
        places[place] = name
    if "day" in taken and "date" in taken:
        raise InputError(
            "found the columns 'day' and 'date', allowed one of them", source=source, line=1
        )
    needs: tuple[tuple[bool, str], ...] = (
        ("animal" in taken, "'animal'"),
        ("arm" in taken, "'arm'"),
        ("day" in taken or "date" in taken, "'day' or 'date'"),
        (
            "volume_mm3" in taken or ("length_mm" in taken and "width_mm" in taken),
            "'volume_mm3', 'volume_cm3', or 'length_mm' and 'width_mm'",
        ),
    )
    for present, what in needs:
        if not present:
            raise InputError(
                f"found no column {what}, allowed a header with it", source=source, line=1
            )
    return places, ignored


def _record(
    places: Mapping[int, str], cells: Sequence[str], source: str, line: int
) -> dict[str, object]:
    record: dict[str, object] = {"line": line}
    for place, name in places.items():
        cell = cells[place]
        if name in NUMBERS:
            column = NUMBERS[name]
            record[column.name] = _number(cell, name, column, source, line)
        elif name == "date":
            record["date"] = _date(cell, source, line)
        else:
            record[TEXTS[name]] = _text(cell, name, source, line)
    for needed in ("animal", "arm"):
        if not record[needed]:
            raise InputError(
                f"column '{needed}': found an empty cell, allowed a name", source=source, line=line
            )
    day = record.get("day")
    if isinstance(day, float) and math.isnan(day):
        raise InputError("column 'day': found no day, allowed a number", source=source, line=line)
    return record


def _number(cell: str, name: str, column: Column, source: str, line: int) -> float:
    if cell.lower() in _MISSING:
        return math.nan
    if name == "bladder_distension" and cell.lower() in ("yes", "no", "true", "false"):
        return 1.0 if cell.lower() in ("yes", "true") else 0.0
    if not _NUMBER.fullmatch(cell):
        raise InputError(
            f"column '{name}': found '{_short(cell)}', allowed a number with a decimal point "
            "or an empty cell",
            source=source,
            line=line,
        )
    value = float(cell)
    if not column.lower <= value <= column.upper:
        raise InputError(
            f"column '{name}': found {_short(cell)}, allowed {column.lower:g} to {column.upper:g}",
            source=source,
            line=line,
        )
    return value * column.factor


def _date(cell: str, source: str, line: int) -> date:
    try:
        found = date.fromisoformat(cell)
    except ValueError:
        raise InputError(
            f"column 'date': found '{_short(cell)}', allowed a date such as 2025-03-31",
            source=source,
            line=line,
        ) from None
    return found


def _text(cell: str, name: str, source: str, line: int) -> str:
    if len(cell) > LONGEST_TEXT or not cell.isprintable():
        raise InputError(
            f"column '{name}': found '{_short(cell)}', allowed up to {LONGEST_TEXT} printable "
            "characters",
            source=source,
            line=line,
        )
    return cell


def _days_from_dates(records: Sequence[dict[str, object]], start: date | None, source: str) -> None:
    dates = [record.pop("date") for record in records]
    first = start or min(value for value in dates if isinstance(value, date))
    for record, value in zip(records, dates, strict=True):
        assert isinstance(value, date)
        day = float((value - first).days)
        allowed = NUMBERS["day"]
        if not allowed.lower <= day <= allowed.upper:
            line = record["line"]
            assert isinstance(line, int)
            raise InputError(
                f"column 'date': found {value}, {day:g} days from the start on {first}, allowed "
                f"{allowed.lower:g} to {allowed.upper:g} days",
                source=source,
                line=line,
            )
        record["day"] = day


def _check_size(table: pd.DataFrame, arms: Sequence[str], source: str) -> None:
    animals = table["animal"].nunique()
    if animals > MOST_ANIMALS:
        raise InputError(f"found {animals:,} animals, allowed {MOST_ANIMALS:,}", source=source)
    if len(arms) > MOST_ARMS:
        raise InputError(f"found {len(arms)} arms, allowed {MOST_ARMS}", source=source)


def _short(text: str) -> str:
    """Text fit for a one-line message."""
    plain = "".join(c if c.isprintable() else "?" for c in text)
    return plain if len(plain) <= 40 else plain[:37] + "..."


def read_animals(animals: str | Path | pd.DataFrame) -> pd.DataFrame:
    """Read animals to be randomised: `animal`, `volume_mm3` and, if known, `weight_g`, `cage`.

    Parameters
    ----------
    animals
        A CSV file or a frame, one row per animal; volumes and weights as in `NUMBERS`.

    Raises
    ------
    InputError
        Names line and column.
    """
    if isinstance(animals, pd.DataFrame):
        source = "animals"
        header = [str(name) for name in animals.columns]
        rows = [
            (line, [_cell_text(value) for value in values])
            for line, values in enumerate(animals.itertuples(index=False, name=None), start=2)
        ]
    else:
        source = Path(animals).name
        header, rows = _read_cells(Path(animals))
    # Every animal is in one arm on day 0 before it is allocated: the same reader then serves both.
    extra = [name for name in ("arm", "day") if name in header]
    if extra:
        raise InputError(
            f"found the column '{extra[0]}', allowed animals that are not in an arm yet",
            source=source,
            line=1,
        )
    widened = [
        (line, [*cells, "none", "0"] if len(cells) == len(header) else cells)
        for line, cells in rows
    ]
    data = _parse([*header, "arm", "day"], widened, source, VolumeFormula.ELLIPSOID_MEAN, None)
    table = data.measurements
    for row in table.to_dict("records"):
        if not row["volume_mm3"] > 0:
            raise InputError(
                f"animal '{row['animal']}': found no volume above 0, allowed a tumor to rank",
                source=source,
                line=row["line"],
            )
    repeated = table[table.duplicated("animal")]
    if len(repeated):
        raise InputError(
            f"animal '{repeated['animal'].iloc[0]}': found twice, allowed once",
            source=source,
            line=int(repeated["line"].iloc[0]),
        )
    kept = ["animal", "volume_mm3"]
    kept += ["weight_g"] if table["weight_g"].notna().all() else []
    kept += ["cage"] if "cage" in data.columns else []
    return table[kept].copy()
