"""Which published numbers stand beside which simulated endpoint of a trial."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from estradyn.evidence.mapping import FOLDER, Comparison, MappingRow, Status, Use, mapping
from estradyn.evidence.numbers import printed_numbers, wilson_interval
from estradyn.evidence.rows import EvidenceRow
from estradyn.evidence.times import parse_time
from estradyn.model.table_file import read_table

_RANGE = re.compile(r"\d\s*-\s*\d")
_ONE_DRUG = re.compile(r"[a-z]+: (?P<drug>[a-z]+) (?P<dose>\d+(?:\.\d+)?) mg/day")


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
        return f"{number}, {about}: {row.source} [{row.id}, grade {row.grade}, {self.use}]"


@dataclass(frozen=True)
class _Link:
    """A row of evidence that may stand beside a simulation of a drug; any dose where it is None."""

    item: MappingRow
    drug: str
    dose: float | None
    calibrated_dose: float | None
    note: str

    def use_at(self, dose: float | None) -> Use:
        """Fitted to at the dose of its own scenario only, and never through another drug."""
        fitted = self.calibrated_dose
        same = fitted is not None and dose is not None and math.isclose(fitted, dose)
        return Use.CALIBRATION if same else Use.CHECK

    def speaks_to(self, endpoint: str, drug: str, dose: float | None, day: float | None) -> bool:
        if self.item.endpoints[0] != endpoint or self.drug != drug:
            return False
        if self.dose is not None and (dose is None or not math.isclose(self.dose, dose)):
            return False
        return day is None or not self.item.time or parse_time(self.item.time).includes(day)


def published_values(
    endpoint: str, drug: str, dose: float | None = None, day: float | None = None
) -> list[PublishedValue]:
    """Return the published numbers that a simulated endpoint may be held against.

    They are the rows of the clinical mapping for an arm with that drug and dose; a row whose
    source states no dose speaks to every dose. Where a drug has no numbers of its own,
    `stand_ins.tsv` lets those of another stand in; the row of each says whose it is.

    Parameters
    ----------
    endpoint
        Name of the endpoint.
    drug
        Drug that was simulated.
    dose
        Dose in mg per day; numbers of another dose are left out.
    day
        Planned day of a visit; None for an endpoint without a time.

    Returns
    -------
    list of PublishedValue
        Numbers of one dose before those of trials with several doses together; of these the ones
        the model was calibrated to first, then those of the drug itself, then stand-ins; empty
        where nothing is published.
    """
    found = [link for link in _links() if link.speaks_to(endpoint, drug, dose, day)]
    values = [_value(link, link.use_at(dose)) for link in found]
    own_first = [value for value in values if value is not None]
    return sorted(
        own_first,
        key=lambda value: (
            _RANGE.search(value.row.dose) is not None,
            value.use is not Use.CALIBRATION,
        ),
    )


@lru_cache(maxsize=1)
def _links() -> tuple[_Link, ...]:
    return (*_own_links(), *_stand_ins())


def _own_links() -> Iterator[_Link]:
    for item in mapping("clinical").values():
        match = _ONE_DRUG.fullmatch(item.scenario)
        if item.status is Status.MODELLED and match:
            dose = float(match["dose"])
            calibrated = dose if item.use is Use.CALIBRATION else None
            yield _Link(
                item, match["drug"], dose if item.row.dose else None, calibrated, item.reason
            )


def _stand_ins() -> Iterator[_Link]:
    clinical = mapping("clinical")
    for line in read_table(FOLDER / "stand_ins.tsv", ("evidence", "drug", "dose", "note")):
        item = clinical.get(line.text("evidence"))
        if item is None or item.status is not Status.MODELLED:
            raise line.error(f"'{line.text('evidence')}' is not a modelled row of the mapping")
        dose = line.optional_number("dose")
        note = ", ".join(part for part in (line.cells["note"], item.reason) if part)
        yield _Link(item, line.text("drug"), dose, None, note)


def _value(link: _Link, use: Use) -> PublishedValue | None:
    row = link.item.row
    number = printed_numbers(row)[0]
    if number is None:
        return None
    lower, upper, interval = number.lower, number.upper, number.interval
    if not interval and link.item.comparison is Comparison.PROPORTION and row.patients:
        lower, upper = wilson_interval(number.value, row.patients)
        interval = "95% from n"
    return PublishedValue(number.value, lower, upper, interval, number.unit, use, link.note, row)
