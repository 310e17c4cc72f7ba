"""What is printed in a row of evidence, as numbers with intervals in the units used here."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from scipy import stats

from estradyn.evidence.rows import EvidenceRow

NORMAL_95 = float(stats.norm.ppf(0.975))
"""Standard errors from the middle of a 95 % interval to its end."""

UNITS: Mapping[str, tuple[str, float]] = {
    "%": ("percent", 1.0),
    "% patients": ("percent", 1.0),
    "% (median)": ("percent", 1.0),
    "% of flare patients": ("percent", 1.0),
    "% of continued": ("percent", 1.0),
    "% (at least)": ("percent", 1.0),
    "% (approx)": ("percent", 1.0),
    "% (not significant)": ("percent", 1.0),
    "% of baseline": ("percent", 1.0),
    "% of day 0": ("percent", 1.0),
    "% of reference": ("percent", 1.0),
    "%/y": ("percent", 1.0),
    "% regression": ("percent", 1.0),
    "% of initial volume": ("percent", 1.0),
    "% positive": ("percent", 1.0),
    "per 1000": ("percent", 0.1),
    "per 1000/y": ("percent", 0.1),
    "months": ("month", 1.0),
    "weeks": ("day", 7.0),
    "days": ("day", 1.0),
    "d": ("day", 1.0),
    "weeks (1-2 w)": ("day", 7.0),
    "weeks (2-4 w, up to 12 w)": ("day", 7.0),
    "h": ("hour", 1.0),
    "ng/mL (unit assumed)": ("mg/L", 1e-3),
    "ng/mL per mg/kg": ("kg/L", 1e-3),
    "L/kg": ("L/kg", 1.0),
    "L/kg/h": ("L/kg/h", 1.0),
    "ug/mL": ("mg/L", 1.0),
    "ng/mL": ("mg/L", 1e-3),
    "ng*h/mL": ("mg*hour/L", 1e-3),
    "ng*d/mL": ("mg*hour/L", 0.024),
    "ug.h/mL": ("mg*hour/L", 1.0),
    "nM": ("nmol/L", 1.0),
    "uM": ("nmol/L", 1e3),
    "pM": ("nmol/L", 1e-3),
    "M": ("nmol/L", 1e9),
    "nM*h": ("nmol*hour/L", 1.0),
    "pmol/L": ("pmol/L", 1.0),
    "mmol/L": ("mmol/L", 1.0),
    "mg/dL": ("mg/dL", 1.0),
    "L/h": ("L/h", 1.0),
    "mL/min": ("L/h", 0.06),
    "L": ("L", 1.0),
    "1/h": ("1/h", 1.0),
    "ratio": ("ratio", 1.0),
    "fraction": ("ratio", 1.0),
    "fold": ("ratio", 1.0),
    "fold (more than)": ("ratio", 1.0),
    "HR": ("ratio", 1.0),
    "RR": ("ratio", 1.0),
    "SUV": ("SUV", 1.0),
    "ms": ("ms", 1.0),
    "mm": ("mm", 1.0),
    "cm2": ("cm2", 1.0),
    "sites/cell": ("sites/cell", 1.0),
    "% of mean": ("percent", 1.0),
    "none": ("percent", 1.0),
    "no increase vs placebo": ("percent", 1.0),
    "no consistent change": ("percent", 1.0),
    "pg/mL": ("pg/mL", 1.0),
    "ng/dL": ("ng/dL", 1.0),
    "nmol/L": ("nmol/L", 1.0),
    "U/L": ("1/L", 1.0),
    "power": ("ratio", 1.0),
    "r": ("r", 1.0),
}
"""Units as printed: the unit they are reported in here and the factor to it."""

_NUMBER = r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?"
_VALUE = re.compile(rf"\s*(?P<bound>[<>]=?|[~]|up to)?\s*(?P<number>{_NUMBER})\s*(?:\(.*\))?\s*")
_RANGE = re.compile(rf"\s*({_NUMBER})\s*(?:-|to)\s*({_NUMBER})\s*")
_UNIT_OF_QUANTITY = re.compile(r".*\(([^()]+)\)")
_SEPARATOR = re.compile(r"\s*;\s*|\s+/\s+")

_INTERVALS = {
    "95% CI": "95% CI",
    "90% CI": "90% CI",
    "bootstrap CI": "95% CI",
    "95% CI of reduction": "95% CI",
    "95% CI of reduction (as printed)": "95% CI",
}
_STANDARD_ERRORS = ("SE",)
_RELATIVE_STANDARD_ERRORS = ("RSE %",)
_STANDARD_DEVIATIONS = ("SD",)


@dataclass(frozen=True)
class PrintedNumber:
    """One number of a row.

    Attributes
    ----------
    value
        The number; the middle where a range is printed in its place.
    lower, upper
        Its interval; None where none is printed. One side may be infinite.
    interval
        What the interval is: `95% CI`, `90% CI`, `range`, `limit` (of a number printed with < or
        >), `95% from SE`, `95% from SD and n`; empty where there is none.
    decides
        Whether the interval says how far the truth may lie from the number. The range of single
        patients does not.
    unit
        Unit of the numbers.
    """

    value: float
    lower: float | None
    upper: float | None
    interval: str
    decides: bool
    unit: str


def printed_numbers(row: EvidenceRow) -> tuple[PrintedNumber | None, ...]:
    """Read the numbers of a row, in the order in which they are printed.

    A row may print several, separated by semicolons or slashes, with a unit and a spread for each
    or one for all; where units are fewer, the last numbers have none. A unit in brackets behind the
    quantity goes before that of the column.

    Returns
    -------
    tuple of PrintedNumber or None
        None for what is no number, or is in a unit that is not known here.
    """
    values = _SEPARATOR.split(row.value.strip())
    units = _units(row, len(values))
    spreads = _for_each(row.spread, len(values))
    return tuple(
        _number(value, unit, spread, row)
        for value, unit, spread in zip(values, units, spreads, strict=True)
    )


def _units(row: EvidenceRow, count: int) -> list[str]:
    own = _UNIT_OF_QUANTITY.fullmatch(row.quantity)
    if own and own[1] in UNITS:
        return [own[1]] * count
    parts = _SEPARATOR.split(row.unit.strip())
    if 1 < len(parts) < count:
        return [*parts, *[""] * (count - len(parts))]
    return _for_each(row.unit, count)


def _for_each(text: str, count: int) -> list[str]:
    parts = _SEPARATOR.split(text.strip()) if count > 1 else [text.strip()]
    return parts if len(parts) == count else [text.strip()] * count


def _number(value: str, unit: str, spread: str, row: EvidenceRow) -> PrintedNumber | None:
    if unit not in UNITS:
        return None
    name, factor = UNITS[unit]
    printed = _RANGE.fullmatch(value)
    if printed and not _VALUE.fullmatch(value):
        low, high = sorted(float(end) * factor for end in printed.groups())
        return PrintedNumber((low + high) / 2, low, high, "range", True, name)
    match = _VALUE.fullmatch(value)
    if match is None:
        return None
    limit, size = match["bound"] or "", float(match["number"]) * factor
    if limit.startswith(">"):
        return PrintedNumber(size, size, math.inf, "limit", True, name)
    if limit.startswith("<"):
        return PrintedNumber(size, -math.inf, size, "limit", True, name)
    number = PrintedNumber(size, None, None, "", False, name)
    return _with_interval(number, spread, row, factor)


def _with_interval(
    number: PrintedNumber, spread: str, row: EvidenceRow, factor: float
) -> PrintedNumber:
    kind = row.spread_kind
    ends = _ends(spread)
    if ends is not None and kind in _INTERVALS:
        low, high = (end * factor for end in ends)
        if "reduction" in kind and number.value < 0:
            low, high = -high, -low
        return replace(number, lower=low, upper=high, interval=_INTERVALS[kind], decides=True)
    if ends is not None and kind.startswith(("range", "median (range)")):
        low, high = (end * factor for end in ends)
        return replace(number, lower=low, upper=high, interval="range")
    error = _standard_error(number.value, spread, row, factor)
    if error is None:
        return number
    reach = NORMAL_95 * error[0]
    return replace(
        number,
        lower=number.value - reach,
        upper=number.value + reach,
        interval=error[1],
        decides=True,
    )


def _ends(spread: str) -> tuple[float, float] | None:
    text = spread.strip()
    match = _RANGE.fullmatch(text)
    if match:
        low, high = sorted((float(match[1]), float(match[2])))
        return low, high
    open_ended = re.fullmatch(rf"\s*({_NUMBER})\s*-\s*(?:NE|NR)\s*", text)
    return (float(open_ended[1]), math.inf) if open_ended else None


def _standard_error(
    value: float, spread: str, row: EvidenceRow, factor: float
) -> tuple[float, str] | None:
    """Standard error of a number in the unit used here, and what it comes from."""
    if not re.fullmatch(_NUMBER, spread.strip()):
        return None
    size = float(spread)
    if row.spread_kind in _STANDARD_ERRORS:
        return size * factor, "95% from SE"
    if row.spread_kind in _RELATIVE_STANDARD_ERRORS:
        return abs(value) * size / 100.0, "95% from SE"
    if row.spread_kind in _STANDARD_DEVIATIONS and row.patients:
        return size * factor / math.sqrt(row.patients), "95% from SD and n"
    return None


def wilson_interval(percent: float, patients: int) -> tuple[float, float]:
    """95 % interval of a proportion in percent (Wilson 1927, doi 10.1080/01621459.1927.10502953).

    Parameters
    ----------
    percent
        Proportion as printed, 0 to 100; the count behind it is the nearest whole number.
    patients
        Number of patients.
    """
    count = round(percent / 100.0 * patients)
    interval = stats.binomtest(count, patients).proportion_ci(0.95, method="wilson")
    return 100.0 * float(interval.low), 100.0 * float(interval.high)
