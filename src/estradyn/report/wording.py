"""Names, numbers and times as a reader wants them."""

from __future__ import annotations

import math
from collections.abc import Sequence

NOTHING = "–"
"""What stands where there is no number."""

_ABBREVIATIONS = {
    "bmd": "BMD",
    "ctx": "CTX",
    "p1np": "P1NP",
    "ldl": "LDL",
    "hdl": "HDL",
    "fsh": "FSH",
    "lh": "LH",
    "fdg": "FDG",
    "fes": "FES",
    "shbg": "SHBG",
    "qtc": "QTc",
    "ki67": "Ki-67",
}
_UNITS = {
    "percent": "%",
    "percentage": "%",
    "dimensionless": "",
    "ratio": "",
    "probability": "",
    "patient": "patients",
    "day": "days",
    "month": "months",
    "percent/year": "%/year",
}


_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_ONE_DECIMAL = ("%", "days", "months")


def words_of(name: str) -> str:
    """Turn a snake_case name into words: `ldl_change` becomes "LDL change"."""
    text = " ".join(_ABBREVIATIONS.get(word, word) for word in name.split("_"))
    return text.replace("progression free", "progression-free")


def label_of(name: str) -> str:
    """Words of a snake_case name with a capital at the start."""
    text = words_of(name)
    return text[:1].upper() + text[1:]


def unbroken(text: str) -> str:
    """Keep a number and its percent sign on one line."""
    return text.replace(" %", "\N{NARROW NO-BREAK SPACE}%")


def unit_text(unit: str | None) -> str:
    """Unit as printed beside a number."""
    text = "" if unit is None else str(unit)
    return _UNITS.get(text, text)


def number_text(value: float | None, unit: str = "") -> str:
    """Number with a true minus sign and the decimals that its unit deserves.

    Parameters
    ----------
    value
        Number; None or NaN gives a dash.
    unit
        Unit as `unit_text` gives it; percentages and months get one decimal, everything else
        three significant digits.
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    if unit in _ONE_DECIMAL:
        text = f"{value:.1f}"
    elif value == 0:
        text = "0"
    elif abs(value) >= 1e5 or abs(value) < 1e-3:
        mantissa, exponent = f"{value:.2e}".split("e")
        text = f"{mantissa}×10{str(int(exponent)).translate(_SUPERSCRIPT)}"
    else:
        decimals = max(0, 2 - math.floor(math.log10(abs(value))))
        text = f"{value:.{decimals}f}"
    if text.startswith("-") and not text.strip("-0."):
        text = text[1:]
    return text.replace("-", "−")


def interval_text(lower: float | None, upper: float | None, unit: str = "") -> str:
    """Two limits joined by "to"; an open side says so."""
    low, high = number_text(lower, unit), number_text(upper, unit)
    if low == high == NOTHING:
        return ""
    if high == NOTHING:
        return f"{low} or more"
    if low == NOTHING:
        return f"{high} or less"
    return f"{low} to {high}"


def period_text(time: str) -> str:
    """Time of an endpoint as a reader writes it: "12 week" becomes "12 weeks"."""
    number, _, unit = time.partition(" ")
    return time_text(float(number) * _DAYS[unit]) if unit in _DAYS else time


_DAYS = {"day": 1.0, "week": 7.0}


def time_text(days: float) -> str:
    """Time in the largest unit that divides it: years, months, weeks, days or hours."""
    for length, unit in _TIMES:
        if days != 0 and _whole(days, length):
            count = round(days / length)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{days:g} days"


def times_text(days: Sequence[float]) -> str:
    """Times in the largest unit that divides all of them, days at least, or each in its own."""
    for length, unit in _TIMES:
        if len(days) > 1 and length >= 1.0 and all(_whole(day, length) for day in days):
            return f"{listed([str(round(day / length)) for day in days])} {unit}s"
    return listed([time_text(day) for day in days])


_TIMES = (
    *((365.25, "year"), (365.25 / 12.0, "month"), (7.0, "week")),
    *((1.0, "day"), (1.0 / 24.0, "hour")),
)


def _whole(days: float, length: float) -> bool:
    return abs(days / length - round(days / length)) < 1e-6


def listed(words: Sequence[str]) -> str:
    """Words with commas between, and "and" before the last."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
