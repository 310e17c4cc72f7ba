"""Values of a model's parameters and of patient traits, with spread, class and source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from estradyn.errors import ParameterError, UnitError
from estradyn.model.ode_model import OdeModel
from estradyn.model.table_file import TableRow, read_table
from estradyn.model.units import same_unit, unit_ratio

VALUE_COLUMNS = (
    *("name", "value", "unit", "distribution", "spread", "lower", "upper"),
    *("level", "class", "source", "note"),
)
CORRELATION_COLUMNS = ("first", "second", "correlation", "class", "source", "note")
OTHER_TABLES = frozenset(["correlations", "baseline", "plausibility", "outputs", "co_medication"])
"""Stems of the tables beside the value tables."""


class Distribution(StrEnum):
    """How a value varies; see `estradyn.population.distributions` for the meaning of spread."""

    FIXED = "fixed"
    LOGNORMAL = "lognormal"
    NORMAL = "normal"
    LOGITNORMAL = "logitnormal"
    BERNOULLI = "bernoulli"
    UNIFORM = "uniform"


class Level(StrEnum):
    """What a value varies between."""

    PATIENT = "patient"
    TRIAL = "trial"


class EvidenceClass(StrEnum):
    """Where a value comes from."""

    MEASURED = "measured"
    FITTED = "fitted"
    DERIVED = "derived"
    ASSUMED = "assumed"


_WITH_SPREAD = frozenset([Distribution.LOGNORMAL, Distribution.NORMAL, Distribution.LOGITNORMAL])


@dataclass(frozen=True)
class ParameterRow:
    """One value of a table.

    Attributes
    ----------
    name
        Flattened model name, or the trait's name.
    value
        Median, mean, probability or fixed value, by distribution.
    unit
        Unit as text that pint reads.
    distribution, level, evidence_class
        See their types.
    spread
        Spread on the scale of the distribution; None where it has none.
    lower, upper
        Bounds of the value; None where it has none.
    source, note
        Where the value comes from.
    is_trait
        Whether it is a patient trait and not a parameter of the model.
    path, line
        Where the row stands.
    """

    name: str
    value: float
    unit: str
    distribution: Distribution
    spread: float | None
    lower: float | None
    upper: float | None
    level: Level
    evidence_class: EvidenceClass
    source: str
    note: str
    is_trait: bool
    path: Path
    line: int

    @property
    def varies(self) -> bool:
        """Whether it is drawn, between patients or trials."""
        return self.distribution is not Distribution.FIXED

    def error(self, message: str) -> ParameterError:
        """An error that names this row's file and line."""
        return ParameterError(message, source=self.path, line=self.line)


@dataclass(frozen=True)
class Correlation:
    """Correlation of the normal variables behind two values that vary between patients."""

    first: str
    second: str
    correlation: float
    evidence_class: EvidenceClass
    source: str
    note: str


@dataclass(frozen=True)
class ParameterTable:
    """All values of a model, in the order of the files and their lines.

    Attributes
    ----------
    rows
        Model parameters and traits.
    correlations
        Between rows that vary between patients.
    """

    rows: tuple[ParameterRow, ...]
    correlations: tuple[Correlation, ...] = ()

    @cached_property
    def by_name(self) -> dict[str, ParameterRow]:
        """Rows by name."""
        return {row.name: row for row in self.rows}

    @property
    def parameters(self) -> tuple[ParameterRow, ...]:
        """Rows that are parameters of the model."""
        return tuple(row for row in self.rows if not row.is_trait)

    @property
    def traits(self) -> tuple[ParameterRow, ...]:
        """Rows that other layers read."""
        return tuple(row for row in self.rows if row.is_trait)

    def varying(self, level: Level) -> tuple[ParameterRow, ...]:
        """Rows that are drawn at one level."""
        return tuple(row for row in self.rows if row.varies and row.level is level)

    def model_values(self) -> dict[str, float]:
        """Tabled value of each model parameter."""
        return {row.name: row.value for row in self.parameters}

    def correlation_matrix(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Correlations of the underlying normal variables, shape (names, names)."""
        place = {name: index for index, name in enumerate(names)}
        matrix = np.eye(len(names))
        for item in self.correlations:
            if item.first in place and item.second in place:
                first, second = place[item.first], place[item.second]
                matrix[first, second] = matrix[second, first] = item.correlation
        return matrix


def read_parameters(
    model: OdeModel,
    directory: Path,
    *,
    stem: str | None = None,
    absent: frozenset[str] = frozenset(),
    shared: Sequence[Path] = (),
) -> ParameterTable:
    """Read the value tables of a model.

    A row `clearance` of `drug.tsv` is the parameter `drug_clearance` if the model has it, else the
    parameter `clearance`, else a patient trait called `clearance`.

    Parameters
    ----------
    model
        The model whose parameters the tables give.
    directory
        Folder of the tables.
    stem
        None reads every table. The name of a single module reads its own table and those of the
        instances inside it; rows of the latter that the module does not have are left out, and a
        parameter without a row keeps the value of the text (an input, or a module whose values
        belong to its instances).
    absent
        Instances that the model was composed without; their tables and correlations do not apply.
    shared
        Tables of another folder that hold what the folder's own do not say otherwise. Of them only
        the model's parameters are read: traits and correlations are the folder's own.

    Raises
    ------
    ParameterError
        Naming file and line of a row that may not be used, or a parameter without a row.
    """
    rows = _read_rows(model, shared, stem, absent, with_traits=False)
    rows |= _read_rows(model, sorted(directory.glob("*.tsv")), stem, absent)
    missing = [name for name in model.parameter_names if name not in rows]
    if missing and stem is None:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise ParameterError(
            f"no table gives the value of the model parameter '{missing[0]}'{more}",
            source=directory,
        )
    correlations = _read_correlations(directory / "correlations.tsv", rows, stem is None, absent)
    return ParameterTable(tuple(rows.values()), correlations)


def _read_rows(
    model: OdeModel,
    paths: Sequence[Path],
    stem: str | None,
    absent: frozenset[str],
    *,
    with_traits: bool = True,
) -> dict[str, ParameterRow]:
    """Rows of the value tables among files, by flattened name."""
    rows: dict[str, ParameterRow] = {}
    for path in paths:
        if path.stem in OTHER_TABLES or path.stem in absent:
            continue
        for cells in read_table(path, VALUE_COLUMNS):
            short = cells.text("name")
            name, known = _resolve(model, path.stem, short)
            if stem is not None and path.stem != stem and name == short:
                continue
            if not (known or with_traits):
                continue
            row = _read_row(cells, name, is_trait=not known)
            if name in rows:
                other = rows[name]
                raise row.error(f"'{name}' stands in {other.path.name}:{other.line} already")
            if known:
                _check_unit(row, model.unit_of[name])
            rows[name] = row
    return rows


def read_value_rows(path: Path) -> tuple[ParameterRow, ...]:
    """Read a value table that belongs to no model: rows named `<stem>_<name>`, all of them traits.

    Raises
    ------
    ParameterError
        Naming file and line of a row that may not be used or stands twice.
    """
    rows: dict[str, ParameterRow] = {}
    for cells in read_table(path, VALUE_COLUMNS):
        row = _read_row(cells, f"{path.stem}_{cells.text('name')}", is_trait=True)
        if row.name in rows:
            raise row.error(f"'{row.name}' is given twice")
        rows[row.name] = row
    return tuple(rows.values())


def read_overlay(
    table: ParameterTable, path: Path, absent: frozenset[str] = frozenset()
) -> ParameterTable:
    """Put the rows of one file, given by flattened name, in the place of a table's own.

    A name that the table does not have is a further patient trait.

    Parameters
    ----------
    table
        The table.
    path
        File with `VALUE_COLUMNS`.
    absent
        Instances that the model was composed without; their rows are passed over.

    Raises
    ------
    ParameterError
        Naming file and line of a row that may not be used, or that changes a unit.
    """
    rows = dict(table.by_name)
    given: set[str] = set()
    for cells in read_table(path, VALUE_COLUMNS):
        name = cells.text("name")
        if _all_absent((name,), absent):
            continue
        own = rows.get(name)
        row = _read_row(cells, name, is_trait=own is None or own.is_trait)
        if name in given:
            raise row.error(f"'{name}' is given twice")
        given.add(name)
        if own is not None:
            _check_unit(row, own.unit)
        rows[name] = row
    for item in table.correlations:
        for name in (item.first, item.second):
            if not (rows[name].varies and rows[name].level is Level.PATIENT):
                raise rows[name].error(f"'{name}' is correlated, so it must vary between patients")
    return replace(table, rows=tuple(rows.values()))


def _resolve(model: OdeModel, stem: str, short: str) -> tuple[str, bool]:
    """Flattened name of a row and whether it is a model parameter."""
    names = set(model.parameter_names)
    for name in (f"{stem}_{short}", short):
        if name in names:
            return name, True
    return short, False


def _read_row(cells: TableRow, name: str, *, is_trait: bool) -> ParameterRow:
    distribution = Distribution(cells.choice("distribution", list(Distribution)))
    fixed = distribution is Distribution.FIXED
    level = "patient" if fixed and not cells.cells["level"] else cells.choice("level", list(Level))
    row = ParameterRow(
        name=name,
        value=cells.number("value"),
        unit=cells.text("unit"),
        distribution=distribution,
        spread=cells.optional_number("spread"),
        lower=cells.optional_number("lower"),
        upper=cells.optional_number("upper"),
        level=Level(level),
        evidence_class=EvidenceClass(cells.choice("class", list(EvidenceClass))),
        source=cells.text("source"),
        note=cells.cells["note"],
        is_trait=is_trait,
        path=cells.path,
        line=cells.line,
    )
    try:
        unit_ratio(row.unit, row.unit)
    except UnitError as error:
        raise row.error(f"the unit of '{name}': {error}") from error
    _check_numbers(row)
    return row


def _check_numbers(row: ParameterRow) -> None:
    """Refuse spread, bounds or value that the distribution does not allow."""
    name, kind = row.name, row.distribution
    if kind in _WITH_SPREAD and row.spread is None:
        raise row.error(f"'{name}' is {kind}, so it needs a spread")
    if kind not in _WITH_SPREAD and row.spread is not None:
        raise row.error(
            f"'{name}' is {kind}, which has no spread; a value that varies is lognormal, normal or "
            "logitnormal"
        )
    if row.spread is not None and row.spread <= 0:
        raise row.error(f"the spread of '{name}' is {row.spread:g}, it must be above 0")
    if kind is Distribution.UNIFORM and (row.lower is None or row.upper is None):
        raise row.error(f"'{name}' is uniform, so it needs lower and upper")
    if row.lower is not None and row.upper is not None and not row.lower < row.upper:
        raise row.error(
            f"the bounds of '{name}' are {row.lower:g} and {row.upper:g}; lower < upper"
        )
    if row.lower is not None and row.value < row.lower:
        raise row.error(f"'{name}' is {row.value:g}, below its lower bound {row.lower:g}")
    if row.upper is not None and row.value > row.upper:
        raise row.error(f"'{name}' is {row.value:g}, above its upper bound {row.upper:g}")
    if kind is Distribution.LOGNORMAL and row.value <= 0:
        raise row.error(f"'{name}' is lognormal, so its value must be above 0")
    if kind is Distribution.LOGITNORMAL and not 0 < row.value < 1:
        raise row.error(f"'{name}' is logitnormal, so its value must be between 0 and 1")
    if kind is Distribution.BERNOULLI and not 0 <= row.value <= 1:
        raise row.error(f"'{name}' is a probability, so its value must be from 0 to 1")


def _check_unit(row: ParameterRow, declared: str) -> None:
    try:
        same = same_unit(row.unit, declared)
    except UnitError:
        same = False
    if not same:
        raise row.error(
            f"'{row.name}' is given in '{row.unit}', the model declares it in "
            f"'{declared or 'no unit'}'"
        )


def _all_absent(names: Sequence[str], absent: frozenset[str]) -> bool:
    """Whether every name is that of a parameter of an instance left out."""
    return all(any(name.startswith(instance + "_") for instance in absent) for name in names)


def _read_correlations(
    path: Path, rows: dict[str, ParameterRow], whole: bool, absent: frozenset[str]
) -> tuple[Correlation, ...]:
    """Read the correlations; those of modules that the model does not hold are left out."""
    if not path.is_file():
        return ()
    found: dict[frozenset[str], Correlation] = {}
    for cells in read_table(path, CORRELATION_COLUMNS):
        pair = (cells.text("first"), cells.text("second"))
        unknown = [name for name in pair if name not in rows]
        if unknown and (not whole or _all_absent(unknown, absent)):
            continue
        if unknown:
            raise cells.error(f"no table has '{unknown[0]}'; give the flattened name of a row")
        for name in pair:
            if not (rows[name].varies and rows[name].level is Level.PATIENT):
                raise cells.error(f"'{name}' does not vary between patients")
        key = frozenset(pair)
        if len(key) == 1 or key in found:
            raise cells.error(
                f"the pair '{pair[0]}' and '{pair[1]}' is given twice or is one value"
            )
        value = cells.number("correlation")
        if not -1 <= value <= 1:
            raise cells.error(f"the correlation is {value:g}, it must be from -1 to 1")
        evidence_class = EvidenceClass(cells.choice("class", list(EvidenceClass)))
        found[key] = Correlation(
            *pair, value, evidence_class, cells.text("source"), cells.cells["note"]
        )
    correlations = tuple(found.values())
    names = list(dict.fromkeys(n for item in correlations for n in (item.first, item.second)))
    try:
        np.linalg.cholesky(ParameterTable((), correlations).correlation_matrix(names))
    except np.linalg.LinAlgError as error:
        raise ParameterError(
            "the correlations contradict each other (their matrix is not positive definite)",
            source=path,
        ) from error
    return correlations
