"""Published numbers with their sources, and which simulated number each speaks to."""

from estradyn.evidence.mapping import (
    Comparison,
    MappingRow,
    Status,
    Tolerance,
    ToleranceKind,
    Use,
    mapping,
    miss_reasons,
    tolerances,
)
from estradyn.evidence.numbers import PrintedNumber, printed_numbers, wilson_interval
from estradyn.evidence.published import PublishedValue, published_values
from estradyn.evidence.rows import EvidenceRow, evidence_rows

__all__ = [
    "Comparison",
    "EvidenceRow",
    "MappingRow",
    "PrintedNumber",
    "PublishedValue",
    "Status",
    "Tolerance",
    "ToleranceKind",
    "Use",
    "evidence_rows",
    "mapping",
    "miss_reasons",
    "printed_numbers",
    "published_values",
    "tolerances",
    "wilson_interval",
]
