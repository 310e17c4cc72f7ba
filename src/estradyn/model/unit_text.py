"""Unit definitions of SBML as text that pint reads."""

from __future__ import annotations

import math
from collections.abc import Mapping

import libsbml

UNDECLARED = ""
"""Unit of a quantity whose model does not state one; pint reads it as dimensionless."""

_PINT_NAMES = {
    "avogadro": "avogadro_constant",
    "celsius": "delta_degree_Celsius",
    "item": "count",
    "liter": "liter",
    "litre": "liter",
    "metre": "meter",
}
_NAMED_FACTORS: Mapping[str, Mapping[float, str]] = {
    "second": {60.0: "minute", 3600.0: "hour", 86400.0: "day", 604800.0: "week"},
    "dimensionless": {1.0: "dimensionless", 0.01: "percent"},
}
_PREFIXES = {
    -18: "atto",
    -15: "femto",
    -12: "pico",
    -9: "nano",
    -6: "micro",
    -3: "milli",
    -2: "centi",
    -1: "deci",
    0: "",
    3: "kilo",
    6: "mega",
    9: "giga",
}


def pint_text(definition: libsbml.UnitDefinition | None) -> str:
    """Write a unit definition with the names pint knows.

    Parameters
    ----------
    definition
        A definition from libSBML; None or an empty one stands for no declared unit.

    Returns
    -------
    str
        For example ``"milligram / liter"``. A factor that no prefix or named unit carries is
        written as a leading number, which pint reads as a quantity.
    """
    if definition is None or definition.getNumUnits() == 0:
        return UNDECLARED
    leading = 1.0
    exponents: dict[str, float] = {}
    for index in range(definition.getNumUnits()):
        unit = definition.getUnit(index)
        exponent = unit.getExponentAsDouble()
        name, factor = _named(
            libsbml.UnitKind_toString(unit.getKind()),
            unit.getMultiplier() * 10.0 ** unit.getScale(),
        )
        leading *= factor**exponent
        if name != "dimensionless" and exponent != 0:
            exponents[name] = exponents.get(name, 0.0) + exponent
    above = [_power(name, power) for name, power in exponents.items() if power > 0]
    below = [_power(name, -power) for name, power in exponents.items() if power < 0]
    if not above and not below:
        above = ["dimensionless"]
    if not math.isclose(leading, 1.0, rel_tol=1e-12):
        above.insert(0, f"{leading:.15g}")
    return " / ".join([" * ".join(above) or "1", *below])


def _named(kind: str, factor: float) -> tuple[str, float]:
    """Find the pint name that carries a factor; returns the name and the factor left over."""
    name = _PINT_NAMES.get(kind, kind)
    for value, named in _NAMED_FACTORS.get(kind, {}).items():
        if math.isclose(factor, value, rel_tol=1e-12):
            return named, 1.0
    if kind in ("dimensionless", "avogadro", "celsius", "item"):
        return name, factor
    if kind == "kilogram":
        name, factor = "gram", factor * 1e3
    if factor <= 0 or not math.isfinite(factor):
        return name, factor
    exponent = round(math.log10(factor))
    if exponent in _PREFIXES and math.isclose(factor, 10.0**exponent, rel_tol=1e-12):
        return _PREFIXES[exponent] + name, 1.0
    return name, factor


def _power(name: str, exponent: float) -> str:
    return name if exponent == 1 else f"{name} ** {exponent:g}"
