"""Which simulated number each row of evidence speaks to, and how close is close enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from estradyn.evidence.rows import TABLES_OF_CONTEXT, EvidenceRow, evidence_rows
from estradyn.model.table_file import TableRow, read_table

FOLDER = Path(__file__).parent

COLUMNS = (
    "evidence",
    "group",
    "status",
    "use",
    "scenario",
    "endpoint",
    "time",
    "comparison",
    "reason",
)


class Status(StrEnum):
    """Whether the model says anything about a row."""

    MODELLED = "modelled"
    NOT_MODELLED = "not_modelled"


class Use(StrEnum):
    """Whether the model was fitted to a number or is only held against it."""

    CALIBRATION = "calibration"
    CHECK = "check"


class Comparison(StrEnum):
    """How a prediction is held against a published number.

    Attributes
    ----------
    PROPORTION
        Percent of patients: within the interval that is printed or follows from their number, else
        within the group's absolute tolerance.
    VALUE, RELATIVE, FOLD
        Within the printed interval, else within the group's tolerance of that kind: a difference,
        a share of the published number, or a ratio either way.
    REMAINING
        The published number is a fall in percent of the start; what remains is compared as a
        ratio, because 95 and 99 percent of suppression are alike and their rests are not.
    AT_MOST, AT_LEAST
        The published number is a limit that the prediction must keep.
    DIRECTION
        Both are above zero, or both below.
    INCREASE, DECREASE
        The prediction is above zero, or below; for directions published in words.
    """

    PROPORTION = "proportion"
    VALUE = "value"
    RELATIVE = "relative"
    FOLD = "fold"
    REMAINING = "remaining"
    AT_MOST = "at_most"
    AT_LEAST = "at_least"
    DIRECTION = "direction"
    INCREASE = "increase"
    DECREASE = "decrease"

    @property
    def tolerance_kind(self) -> ToleranceKind | None:
        """Kind of tolerance that decides where no interval does; None where none is needed."""
        return _TOLERANCE_KINDS.get(self)


class ToleranceKind(StrEnum):
    """What a tolerance limits: a difference, a difference over the number, or a ratio."""

    ABSOLUTE = "absolute"
    RELATIVE = "relative"
    FOLD = "fold"


_TOLERANCE_KINDS = {
    Comparison.PROPORTION: ToleranceKind.ABSOLUTE,
    Comparison.VALUE: ToleranceKind.ABSOLUTE,
    Comparison.RELATIVE: ToleranceKind.RELATIVE,
    Comparison.FOLD: ToleranceKind.FOLD,
    Comparison.REMAINING: ToleranceKind.FOLD,
}

NO_ENDPOINT = "-"
"""Stands in a list of endpoints for a printed number that is not modelled."""


@dataclass(frozen=True)
class MappingRow:
    """What one row of evidence is compared with.

    Attributes
    ----------
    row
        The row of evidence.
    group
        Group it is counted in.
    status
        Whether it is modelled.
    use
        Whether the model was fitted to it; None where it is not modelled.
    scenario
        Who is given what; its meaning belongs to the predictor of the context.
    endpoints
        Simulated number for each printed number, in their order; `NO_ENDPOINT` for one that is
        not modelled. A row that prints one number has one endpoint.
    time
        When, in words of the predictor; empty for an endpoint without a time.
    comparison
        How the two are compared; None where it is not modelled.
    reason
        Why it is not modelled, or what to know when comparing.
    """

    row: EvidenceRow
    group: str
    status: Status
    use: Use | None
    scenario: str
    endpoints: tuple[str, ...]
    time: str
    comparison: Comparison | None
    reason: str


@lru_cache(maxsize=3)
def mapping(context: str) -> Mapping[str, MappingRow]:
    """Return the mapping of a context, by id of the evidence, in the order of the table.

    Raises
    ------
    ParameterError
        Naming file and line, if a row names no evidence or one twice, a group without a tolerance
        that it needs, or lacks what its status asks for.
    """
    return read_mapping(FOLDER / f"mapping_{context}.tsv", context)


def mapped_contexts() -> tuple[str, ...]:
    """Contexts that have a mapping table."""
    return tuple(name for name in TABLES_OF_CONTEXT if (FOLDER / f"mapping_{name}.tsv").is_file())


def read_mapping(path: Path, context: str) -> Mapping[str, MappingRow]:
    """Read a mapping table; see `mapping`."""
    evidence = evidence_rows(context)
    allowed = tolerances()
    found: dict[str, MappingRow] = {}
    for line in read_table(path, COLUMNS):
        item = _mapping_row(line, evidence)
        if item.row.id in found:
            raise line.error(f"evidence '{item.row.id}' is mapped twice, each row is mapped once")
        kind = item.comparison.tolerance_kind if item.comparison else None
        if kind is not None and (item.group, kind) not in allowed:
            groups = sorted({group for group, of in allowed if of is kind})
            raise line.error(
                f"the group '{item.group}' has no {kind} tolerance, which the comparison "
                f"'{item.comparison}' needs; tolerances.tsv has one for: {', '.join(groups)}"
            )
        found[item.row.id] = item
    return MappingProxyType(found)


def _mapping_row(line: TableRow, evidence: Mapping[str, EvidenceRow]) -> MappingRow:
    name = line.text("evidence")
    if name not in evidence:
        raise line.error(f"there is no evidence '{name}' in the tables of this context")
    status = Status(line.choice("status", list(Status)))
    if status is Status.NOT_MODELLED:
        for column in ("use", "scenario", "endpoint", "time", "comparison"):
            if line.cells[column]:
                raise line.error(f"{column} is '{line.cells[column]}' in a row that is {status}")
        return MappingRow(
            evidence[name], line.text("group"), status, None, "", (), "", None, line.text("reason")
        )
    return MappingRow(
        row=evidence[name],
        group=line.text("group"),
        status=status,
        use=Use(line.choice("use", list(Use))),
        scenario=line.text("scenario"),
        endpoints=tuple(part.strip() for part in line.text("endpoint").split(";")),
        time=line.cells["time"],
        comparison=Comparison(line.choice("comparison", list(Comparison))),
        reason=line.cells["reason"],
    )


@dataclass(frozen=True)
class Tolerance:
    """How far a prediction may be from a number that is printed without an interval.

    Attributes
    ----------
    group
        Group of evidence.
    kind
        What is limited.
    limit
        Largest difference in the unit of the endpoint, largest share, or largest ratio.
    reason
        Why so much.
    """

    group: str
    kind: ToleranceKind
    limit: float
    reason: str


@lru_cache(maxsize=1)
def tolerances() -> Mapping[tuple[str, ToleranceKind], Tolerance]:
    """Return the tolerances of all groups and kinds.

    They were set before the first prediction was scored and do not change with what is predicted.

    Raises
    ------
    ParameterError
        If a row is wrong.
    """
    found: dict[tuple[str, ToleranceKind], Tolerance] = {}
    for line in read_table(FOLDER / "tolerances.tsv", ("group", "kind", "tolerance", "reason")):
        kind = ToleranceKind(line.choice("kind", list(ToleranceKind)))
        item = Tolerance(line.text("group"), kind, line.number("tolerance"), line.text("reason"))
        if item.limit <= (1.0 if kind is ToleranceKind.FOLD else 0.0):
            raise line.error(f"a {kind} tolerance of {item.limit:g} allows nothing")
        if (item.group, kind) in found:
            raise line.error(f"the {kind} tolerance of '{item.group}' stands twice")
        found[item.group, kind] = item
    return MappingProxyType(found)


@lru_cache(maxsize=1)
def miss_reasons() -> Mapping[tuple[str, str], str]:
    """Return the likely reason of a miss by context and id of evidence, as somebody judged it.

    A reason explains a miss and excuses none: the row counts as missed all the same.

    Raises
    ------
    ParameterError
        If a row names a context or evidence that is not there, or one twice.
    """
    found: dict[tuple[str, str], str] = {}
    for line in read_table(FOLDER / "misses.tsv", ("context", "evidence", "reason")):
        context = line.choice("context", list(TABLES_OF_CONTEXT))
        name = line.text("evidence")
        if name not in evidence_rows(context):
            raise line.error(f"there is no evidence '{name}' in the tables of '{context}'")
        if (context, name) in found:
            raise line.error(f"'{name}' stands twice")
        found[context, name] = line.text("reason")
    return MappingProxyType(found)
