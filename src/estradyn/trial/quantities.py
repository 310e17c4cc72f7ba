"""Numbers with units in study files: text such as '60 mg' becomes a number in a stated unit."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Annotated, Any

import pint
from pydantic import BeforeValidator, PlainSerializer
from pydantic_core import PydanticCustomError

_QUANTITY = re.compile(
    r"\s*(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)\s*(?P<unit>[^\W\d_%µ/]*.*?)\s*"
)
_UNIT = re.compile(r"[A-Za-zµμ%]+(?:\s*/\s*[A-Za-zµμ]+)?")
_LONGEST = 60


@lru_cache(maxsize=1)
def _registry() -> pint.UnitRegistry[Any]:
    return pint.UnitRegistry(cache_folder=None)


def parse_quantity(text: object, unit: str, example: str) -> float:
    """Read a number with a unit.

    Parameters
    ----------
    text
        What stands in the file.
    unit
        Unit of the result; the text may use any unit of the same dimension.
    example
        A good value, shown when this one is not.

    Returns
    -------
    float
        The number in `unit`.

    Raises
    ------
    PydanticCustomError
        If the text is not a finite number with a unit of the right dimension.
    """
    allowed = f"a number with a unit of {_dimension(unit)} such as '{example}'"
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        raise fault(describe(text), allowed)
    if not isinstance(text, str):
        raise fault(f"{text!r}, a number without a unit", allowed)
    match = _QUANTITY.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        raise fault(describe(text), allowed)
    written = match["unit"]
    if not written:
        raise fault(f"'{text}', a number without a unit", allowed)
    return _convert(float(match["number"]), written, unit, describe(text), allowed)


def _convert(number: float, written: str, unit: str, found: str, allowed: str) -> float:
    registry = _registry()
    try:
        if not _UNIT.fullmatch(written):
            raise pint.UndefinedUnitError(written)
        factor = registry.convert(1.0, registry.parse_units(written), registry.parse_units(unit))
    except pint.DimensionalityError:
        raise fault(f"{found} with unit '{written}'", f"{allowed}, in or like '{unit}'") from None
    except (pint.PintError, AttributeError, ValueError, TypeError, KeyError):
        raise fault(f"{found} with the unknown unit '{written}'", allowed) from None
    value = number * float(factor)
    if not math.isfinite(value):
        raise fault(found, allowed)
    return value


def convert_unit(value: float, unit: str, target: str) -> float:
    """Express a value in another unit; raises `pint.PintError` where that has no meaning."""
    return float(_registry().convert(value, unit, target))


def describe(value: object) -> str:
    """Name a value found in a file, shortened to fit a sentence."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    text = " ".join(str(value).split())
    return f"'{text}'" if len(text) <= _LONGEST else f"'{text[:_LONGEST]}...'"


def fault(found: str, allowed: str, path: tuple[str | int, ...] = ()) -> PydanticCustomError:
    """Build the error of one field: what was found, what is allowed, and where below the field."""
    return PydanticCustomError(
        "study",
        "found {found}, allowed {allowed}",
        {"found": found, "allowed": allowed, "at": path},
    )


def _dimension(unit: str) -> str:
    return {
        "day": "time",
        "mg": "mass",
        "percent": "proportion",
        "mm": "length",
        "mmol/L": "concentration",
    }[unit]


def _reads(
    unit: str, example: str, *, lower: float = 0.0, upper: float, exclude_lower: bool = False
) -> BeforeValidator:
    def read(text: object) -> float:
        value = parse_quantity(text, unit, example)
        if not (lower < value if exclude_lower else lower <= value) or value > upper:
            bounds = f"more than {lower:g}" if exclude_lower else f"at least {lower:g}"
            raise fault(describe(text), f"{bounds} and at most {upper:g} {unit}")
        return value

    return BeforeValidator(read)


def _writes(unit: str) -> PlainSerializer:
    return PlainSerializer(lambda value: f"{value!r} {unit}", return_type=str)


LONGEST_TRIAL_DAYS = 20 * 366.0

Days = Annotated[float, _reads("day", "8 week", upper=LONGEST_TRIAL_DAYS), _writes("day")]
"""Time in days, zero or more."""

PositiveDays = Annotated[
    float,
    _reads("day", "8 week", upper=LONGEST_TRIAL_DAYS, exclude_lower=True),
    _writes("day"),
]
"""Time in days, more than zero."""

IntervalDays = Annotated[
    float, _reads("day", "8 week", lower=1.0, upper=LONGEST_TRIAL_DAYS), _writes("day")
]
"""Days between appointments, one or more."""

Milligrams = Annotated[
    float, _reads("mg", "60 mg", upper=10_000.0, exclude_lower=True), _writes("mg")
]
"""Amount of one dose in mg."""

Percent = Annotated[float, _reads("percent", "6 percent", upper=100.0), _writes("percent")]
"""Proportion in percent, 0 to 100."""

Millimetres = Annotated[float, _reads("mm", "5 mm", upper=1000.0), _writes("mm")]
"""Length in mm."""

MillimolesPerLitre = Annotated[
    float,
    _reads("mmol/L", "2.75 mmol/L", upper=100.0, exclude_lower=True),
    _writes("mmol/L"),
]
"""Concentration in mmol/L."""
