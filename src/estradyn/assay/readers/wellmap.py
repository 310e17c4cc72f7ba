"""Plate layouts in the wellmap TOML format (Kundert 2021, doi:10.1186/s13104-021-05573-0).

Understood are `expt`, `plate.NAME`, `block.WxH.A1`, `row.A`, `col.1` and `well.A1`, each with the
patterns `A1,A2` and `A1,A2,...,A6`. A file is data: nothing in it is executed, and no other file
is opened on its behalf.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from estradyn.assay.wells import parse_well, row_index, row_name, well_name
from estradyn.errors import InputError

_SECTIONS = ("meta", "expt", "plate", "block", "row", "col", "well")
_WELL_SECTIONS = ("expt", "block", "row", "col", "well")

Wells = dict[str, dict[str, Any]]


def read_wellmap(text: str, path: Path) -> dict[str, Wells]:
    """Expand a layout.

    Returns
    -------
    dict
        For each plate (the name is empty if the file names none), for each well, its variables.

    Raises
    ------
    InputError
        If the file is not TOML, or a section, pattern or value is not understood.
    """
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise InputError(f"is not valid TOML: {error}", source=path) from error
    unknown = [name for name in content if name not in _SECTIONS]
    if unknown:
        raise InputError(
            f"has a section {unknown[0]!r}; allowed are {', '.join(_SECTIONS)}", source=path
        )
    plates = _table(content.get("plate", {}), "plate", path)
    if not plates:
        return {"": _expand(content, path)}
    layouts = {}
    for name, plate in plates.items():
        sections = _table(plate, f"plate.{name}", path)
        own = {key: sections[key] for key in _WELL_SECTIONS if key in sections}
        variables = {key: value for key, value in sections.items() if key not in _WELL_SECTIONS}
        general = _expand(content, path)
        special = _expand(own, path)
        layouts[str(name)] = {
            well: {**general.get(well, {}), **variables, **special.get(well, {})}
            for well in {**general, **special}
        }
    return layouts


def _expand(content: Mapping[str, Any], path: Path) -> Wells:
    experiment = _table(content.get("expt", {}), "expt", path)
    blocks: Wells = {}
    for size, anchors in _table(content.get("block", {}), "block", path).items():
        match = re.fullmatch(r"([1-9]\d?)x([1-9]\d?)", str(size))
        if match is None:
            raise InputError(
                f"block.{size} must give width and height, such as block.3x2", source=path
            )
        for pattern, values in _table(anchors, f"block.{size}", path).items():
            for anchor in _wells(str(pattern), path):
                row, column = parse_well(anchor)
                for i in range(int(match[2])):
                    for j in range(int(match[1])):
                        try:
                            well = well_name(row + i, column + j)
                            parse_well(well)
                        except ValueError:
                            raise InputError(
                                f"block.{size}.{anchor} runs off the plate", source=path
                            ) from None
                        values_of = _table(values, f"block.{size}.{pattern}", path)
                        blocks[well] = {**blocks.get(well, {}), **values_of}
    rows = {
        row: values
        for pattern, values in _table(content.get("row", {}), "row", path).items()
        for row in _rows(str(pattern), path)
    }
    columns = {
        column: values
        for pattern, values in _table(content.get("col", {}), "col", path).items()
        for column in _columns(str(pattern), path)
    }
    single: Wells = {}
    for pattern, values in _table(content.get("well", {}), "well", path).items():
        for well in _wells(str(pattern), path):
            single[well] = {**single.get(well, {}), **_table(values, f"well.{pattern}", path)}
    crossed = {well_name(row, column) for row in rows for column in columns}
    wells: Wells = {}
    for well in [*blocks, *single, *sorted(crossed, key=parse_well)]:
        row, column = parse_well(well)
        wells[well] = {
            **experiment,
            **_table(rows.get(row, {}), f"row.{row_name(row)}", path),
            **_table(columns.get(column, {}), f"col.{column + 1}", path),
            **blocks.get(well, {}),
            **single.get(well, {}),
        }
    return wells


def _table(value: Any, name: str, path: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{name} must be a table (found {str(value)[:40]!r})", source=path)
    return value


def _pattern_error(pattern: str, path: Path) -> InputError:
    return InputError(
        f"{pattern[:40]!r} is no pattern; allowed are lists such as A1,A2 and A1,A2,...,A6",
        source=path,
    )


def _series(numbers: list[int | None], pattern: str, path: Path) -> list[int]:
    """Fill in what `...` (None) stands for: steps go on as between the two items before it."""
    items: list[int] = []
    for place, number in enumerate(numbers):
        if number is not None:
            items.append(number)
            continue
        follower = numbers[place + 1] if place + 1 < len(numbers) else None
        if not items or follower is None:
            raise _pattern_error(pattern, path)
        before = numbers[place - 2] if place >= 2 else None
        step = items[-1] - before if before is not None else 1
        if step <= 0 or follower <= items[-1] or (follower - items[-1]) % step:
            raise _pattern_error(pattern, path)
        items += list(range(items[-1] + step, follower, step))
    return items


def _rows(pattern: str, path: Path) -> list[int]:
    try:
        parts = [part.strip() for part in pattern.split(",")]
        numbers = [None if part == "..." else row_index(part) for part in parts]
    except ValueError:
        raise _pattern_error(pattern, path) from None
    return _series(numbers, pattern, path)


def _columns(pattern: str, path: Path) -> list[int]:
    numbers: list[int | None] = []
    for part in (part.strip() for part in pattern.split(",")):
        if part == "...":
            numbers.append(None)
        elif re.fullmatch(r"0?[1-9]|[1-4]\d", part, re.ASCII) and int(part) <= 48:
            numbers.append(int(part) - 1)
        else:
            raise _pattern_error(pattern, path)
    return _series(numbers, pattern, path)


def _wells(pattern: str, path: Path) -> list[str]:
    parts = [part.strip() for part in pattern.split(",")]
    try:
        places = [None if part == "..." else parse_well(part) for part in parts]
    except ValueError:
        raise _pattern_error(pattern, path) from None
    if None not in places:
        return [well_name(*place) for place in places if place is not None]
    known = [place for place in places if place is not None]
    if not known:
        raise _pattern_error(pattern, path)
    row_numbers = [None if place is None else place[0] for place in places]
    column_numbers = [None if place is None else place[1] for place in places]
    if len({place[0] for place in known}) == 1:
        columns = _series(column_numbers, pattern, path)
        return [well_name(known[0][0], column) for column in columns]
    if len({place[1] for place in known}) == 1:
        rows = _series(row_numbers, pattern, path)
        return [well_name(row, known[0][1]) for row in rows]
    # Corners of a rectangle, with an optional second well that gives the steps.
    if places[-2] is not None or places.count(None) != 1 or len(places) not in (3, 4):
        raise _pattern_error(pattern, path)
    first, last = known[0], known[-1]
    second = known[1] if len(known) == 3 else (first[0] + 1, first[1] + 1)
    row_step, column_step = max(second[0] - first[0], 1), max(second[1] - first[1], 1)
    if last[0] < first[0] or last[1] < first[1]:
        raise _pattern_error(pattern, path)
    return [
        well_name(row, column)
        for row in range(first[0], last[0] + 1, row_step)
        for column in range(first[1], last[1] + 1, column_step)
    ]
