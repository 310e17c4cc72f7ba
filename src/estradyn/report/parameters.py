"""The values behind the simulated patients, as rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from estradyn.model.parameter_table import Distribution, EvidenceClass, Level, ParameterRow
from estradyn.report.wording import interval_text, number_text, unit_text

_SCALE = {
    Distribution.FIXED: "",
    Distribution.LOGNORMAL: "log-normal, SD {spread} of the logarithm",
    Distribution.NORMAL: "normal, SD {spread}",
    Distribution.LOGITNORMAL: "logit-normal, SD {spread} of the logit",
    Distribution.BERNOULLI: "yes or no, value is the probability of yes",
    Distribution.UNIFORM: "uniform",
}


CLASS_MEANINGS = {
    EvidenceClass.MEASURED: "read in a publication",
    EvidenceClass.FITTED: "estimated from published data, there or here",
    EvidenceClass.DERIVED: "computed from other values",
    EvidenceClass.ASSUMED: "chosen; no publication gives it",
}


@dataclass(frozen=True)
class PrintedParameter:
    """One value as text."""

    name: str
    value: str
    unit: str
    spread: str
    evidence_class: str
    source: str
    note: str


def printed_parameters(rows: Sequence[ParameterRow]) -> list[PrintedParameter]:
    """Print the rows of a parameter table, in their order."""
    return [
        PrintedParameter(
            name=row.name,
            value=number_text(row.value),
            unit=unit_text(row.unit),
            spread=spread_text(row),
            evidence_class=row.evidence_class.value,
            source=row.source,
            note=row.note,
        )
        for row in rows
    ]


def spread_text(row: ParameterRow) -> str:
    """How a value varies, between whom, and within which bounds; empty for a fixed one."""
    if not row.varies:
        return ""
    text = _SCALE[row.distribution].format(spread=number_text(row.spread))
    bounds = interval_text(row.lower, row.upper)
    if bounds:
        text += f", {bounds}"
    return text + (", between trials" if row.level is Level.TRIAL else "")


def class_counts(rows: Sequence[ParameterRow]) -> list[tuple[str, int]]:
    """Number of values in each class, the best founded first."""
    counts = [
        (kind.value, sum(row.evidence_class is kind for row in rows)) for kind in EvidenceClass
    ]
    return [(kind, count) for kind, count in counts if count]
