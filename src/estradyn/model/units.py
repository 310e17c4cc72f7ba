"""Unit checks: of equations by libSBML, of values by pint."""

from __future__ import annotations

import math
import re
from functools import lru_cache

import libsbml
import pint

from estradyn.errors import UnitError
from estradyn.model.sbml import parse_sbml
from estradyn.model.unit_text import pint_text

_EXPECTED = re.compile(r"[Ee]xpected units are (?P<expected>.+?) but the units returned")
_FOUND = re.compile(r"but the units returned .*? (?:are|is) (?P<found>[^']*?)\.?$")
_OWNER = re.compile(
    r"<(?:assignmentRule|rateRule|initialAssignment|reaction)\b[^>]*?"
    r"\b(?:variable|symbol|id)=\"(?P<name>\w+)\""
)
_FORMULA = re.compile(r"(?:formula|expression) '(?P<formula>.*?)'")
_UNIT = re.compile(
    r"(?P<kind>\w+) \(exponent = (?P<exponent>[^,]+), multiplier = (?P<multiplier>[^,]+), "
    r"scale = (?P<scale>[^)]+)\)"
)
_EXAMPLES = "say mg, hour, pmol/L or 1/hour"


@lru_cache(maxsize=4096)
def unit_ratio(found: str, expected: str) -> float:
    """How many of one unit make up one of another.

    Parameters
    ----------
    found, expected
        Units as text that pint reads.

    Returns
    -------
    float
        1 where the two are the same unit, 1000 for gram in milligram.

    Raises
    ------
    UnitError
        If one is not a unit or they do not measure the same; names both.
    """
    registry = pint.get_application_registry()
    sizes = []
    for text in (found, expected):
        try:
            size = registry.Quantity(text or "dimensionless")
            usable = bool(0 < size.magnitude < math.inf)
        except Exception as error:  # pint raises a dozen kinds, some of them bare Exceptions
            raise UnitError(f"'{text}' is not a unit, {_EXAMPLES}") from error
        if not usable:
            raise UnitError(f"'{text}' is not a unit, {_EXAMPLES}")
        sizes.append(size)
    try:
        return float((sizes[0] / sizes[1]).to("dimensionless").magnitude)
    except (pint.DimensionalityError, pint.OffsetUnitCalculusError) as error:
        raise UnitError(f"the unit '{found}' cannot be converted into '{expected}'") from error


def same_unit(found: str, expected: str) -> bool:
    """Whether two unit texts mean the same unit, size included.

    Raises
    ------
    UnitError
        If one is not a unit or they do not measure the same.
    """
    return math.isclose(unit_ratio(found, expected), 1.0, rel_tol=1e-9)


def unit_faults(text: str, source: str) -> list[str]:
    """Find every place of a model where units disagree or are missing.

    Parameters
    ----------
    text
        SBML.
    source
        File name for messages.

    Returns
    -------
    list of str
        One sentence each, clearest first; names the variable and both units.
    """
    document = parse_sbml(text, source)
    document.setConsistencyChecks(libsbml.LIBSBML_CAT_MODELING_PRACTICE, False)
    document.checkConsistencyWithStrictUnits()
    lines = text.splitlines()
    model = document.getModel()
    explicit: list[str] = []
    consequences: list[str] = []
    vague: list[str] = []
    for index in range(document.getNumErrors()):
        error = document.getError(index)
        if error.getCategory() != libsbml.LIBSBML_CAT_UNITS_CONSISTENCY:
            continue
        message = " ".join(error.getMessage().split())
        owner = _owner(lines, error.getLine())
        expected, found = _EXPECTED.search(message), _FOUND.search(message)
        formula = _FORMULA.search(message)
        unchecked = "cannot be fully checked" in message
        if expected and found:
            # An undecided unit follows from a fault inside the expression, which is named too.
            target = consequences if "indeterminable" in message else explicit
            target.append(
                f"the expression of '{owner}' has the unit '{_readable(found['found'])}' where "
                f"'{_readable(expected['expected'])}' is expected"
            )
        elif formula:
            fault = "has a unit that is not declared" if unchecked else "joins units that differ"
            explicit.append(
                f"in the expression of '{owner}', '{formula['formula']}' {fault} "
                f"({_units_of(model, formula['formula'])})"
            )
        elif unchecked:
            consequences.append(message)
        else:
            vague.append(message.partition(" Reference: ")[2].partition(" The ")[2] or message)
    return list(dict.fromkeys(explicit or vague or consequences))


def check_units(text: str, source: str) -> None:
    """Refuse a model whose units disagree or are missing.

    Parameters
    ----------
    text
        SBML.
    source
        File name for messages.

    Raises
    ------
    UnitError
        Naming the variable and both units of the first fault, and how many more there are.
    """
    faults = unit_faults(text, source)
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise UnitError(faults[0] + more, source=source)


def _owner(lines: list[str], line: int) -> str:
    """Name of the variable or reaction whose expression stands around a line."""
    for text in reversed(lines[:line]):
        found = _OWNER.search(text)
        if found:
            return found["name"]
    return "?"


def _readable(description: str) -> str:
    definition = libsbml.UnitDefinition(3, 2)
    for part in _UNIT.finditer(description):
        unit = definition.createUnit()
        unit.setKind(libsbml.UnitKind_forName(part["kind"]))
        unit.setExponent(float(part["exponent"]))
        unit.setMultiplier(float(part["multiplier"]))
        unit.setScale(int(part["scale"]))
    return pint_text(definition) or description


def _units_of(model: libsbml.Model, formula: str) -> str:
    """List the names in a formula with their units."""
    known = []
    for name in dict.fromkeys(re.findall(r"[A-Za-z_]\w*", formula)):
        element = model.getElementBySId(name)
        if element is not None and hasattr(element, "getDerivedUnitDefinition"):
            known.append(f"{name} in {pint_text(element.getDerivedUnitDefinition()) or 'no unit'}")
    return ", ".join(known) or "literal numbers only"
