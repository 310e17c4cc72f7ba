"""Which published numbers stand beside which simulated endpoint."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib import resources

from scipy import stats

from estradyn.evidence.rows import EvidenceRow, evidence_rows

UNITS: Mapping[str, tuple[str, float]] = {
    "%": ("percent", 1.0),
    "% patients": ("percent", 1.0),
    "% (median)": ("percent", 1.0),
    "% of flare patients": ("percent", 1.0),
    "months": ("month", 1.0),
    "days": ("day", 1.0),
    "weeks (1-2 w)": ("day", 7.0),
    "ug/mL": ("mg/L", 1.0),
    "mmol/L": ("mmol/L", 1.0),
}
"""Units as printed: the unit they are reported in here and the factor to it."""

_NUMBER = r"-?\d+(?:\.\d+)?"
_RANGE = re.compile(rf"({_NUMBER})-({_NUMBER})")
_NORMAL_95 = float(stats.norm.ppf(0.975))


class Use(StrEnum):
    """Whether the model was fitted to a number or is only held against it."""

    CALIBRATION = "calibration"
    CHECK = "check"


@dataclass(frozen=True)
class PublishedValue:
    """A published number in the unit of the endpoint it speaks to.

    Attributes
    ----------
    value
        The number.
    lower, upper
        Its interval; None where none is printed or follows from the number of patients.
    interval
        What the interval is: `95% CI` or `range` as printed, `95% from SE`, `95% from n` (Wilson).
    unit
        Unit of the numbers.
    use
        Whether the model was calibrated to it.
    note
        What to know when comparing.
    row
        The evidence row it comes from.
    """

    value: float
    lower: float | None
    upper: float | None
    interval: str
    unit: str
    use: Use
    note: str
    row: EvidenceRow

    @property
    def citation(self) -> str:
        """The number and where it stands, in one line."""
        row = self.row
        number = f"{self.value:g} {self.unit}"
        if self.lower is not None and self.upper is not None:
            number += f" ({self.interval} {self.lower:.3g} to {self.upper:.3g})"
        about = ", ".join(part for part in (f"{row.drug} {row.dose}".strip(), self.note) if part)
        source = ", ".join(part for part in (row.source_title, row.source_id, row.year) if part)
        return f"{number}, {about}: {source} [{row.id}, grade {row.grade}, {self.use}]"


@dataclass(frozen=True)
class _Link:
    endpoint: str
    drug: str
    dose: float | None
    from_day: float
    to_day: float
    evidence: str
    kind: str
    use: Use
    note: str


def published_values(
    endpoint: str, drug: str, dose: float | None = None, day: float | None = None
) -> list[PublishedValue]:
    """Return the published numbers that a simulated endpoint may be held against.

    Parameters
    ----------
    endpoint
        Name of the endpoint.
    drug
        Drug that was simulated. Numbers of another drug of its class stand in where the table says
        so; the row of each says whose it is.
    dose
        Dose in mg per day; numbers of another dose are left out.
    day
        Planned day of a visit; None for an endpoint without a time.

    Returns
    -------
    list of PublishedValue
        In the order of the table, the closest match first; empty where nothing is published.
    """
    rows = evidence_rows()
    return [
        _value(link, rows[link.evidence])
        for link in _links()
        if link.endpoint == endpoint
        and link.drug == drug
        and (link.dose is None or (dose is not None and math.isclose(link.dose, dose)))
        and (day is None or link.from_day <= day <= link.to_day)
    ]


@lru_cache(maxsize=1)
def _links() -> tuple[_Link, ...]:
    table = resources.files(__package__) / "published.tsv"
    with table.open(encoding="utf-8") as stream:
        return tuple(
            _Link(
                endpoint=record["endpoint"],
                drug=record["drug"],
                dose=float(record["dose"]) if record["dose"] else None,
                from_day=float(record["from_day"] or 0.0),
                to_day=float(record["to_day"] or math.inf),
                evidence=record["evidence"],
                kind=record["kind"],
                use=Use(record["use"]),
                note=record["note"],
            )
            for record in csv.DictReader(stream, delimiter="\t")
        )


def _value(link: _Link, row: EvidenceRow) -> PublishedValue:
    unit, factor = UNITS[row.unit]
    value = float(row.value) * factor
    lower, upper, kind = _interval(row, factor)
    if not kind and link.kind == "proportion" and row.patients:
        count = round(value / 100.0 * row.patients)
        wilson = stats.binomtest(count, row.patients).proportion_ci(0.95, method="wilson")
        lower, upper, kind = 100.0 * float(wilson.low), 100.0 * float(wilson.high), "95% from n"
    return PublishedValue(value, lower, upper, kind, unit, link.use, link.note, row)


def _interval(row: EvidenceRow, factor: float) -> tuple[float | None, float | None, str]:
    printed = _RANGE.fullmatch(row.spread)
    if printed and row.spread_kind in ("95% CI", "range"):
        return float(printed[1]) * factor, float(printed[2]) * factor, row.spread_kind
    if row.spread and row.spread_kind == "SE":
        reach = _NORMAL_95 * float(row.spread)
        centre = float(row.value)
        return (centre - reach) * factor, (centre + reach) * factor, "95% from SE"
    return None, None, ""
