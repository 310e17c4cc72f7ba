"""Units that a model names and nobody defines."""

from __future__ import annotations

from collections.abc import Iterator

import libsbml

from estradyn.errors import UnitError


def refuse_unknown_units(model: libsbml.Model, source: str) -> None:
    """Refuse a model with a unit that is neither SBML's nor defined in the model.

    Antimony writes an empty definition for a unit that its text names and does not define.

    Parameters
    ----------
    model
        Model of level 3.
    source
        File name for the message.

    Raises
    ------
    UnitError
        Names the unit and what has it.
    """
    definitions = {
        definition.getId(): definition
        for definition in map(model.getUnitDefinition, range(model.getNumUnitDefinitions()))
    }
    for name, definition in definitions.items():
        for unit in map(definition.getUnit, range(definition.getNumUnits())):
            if unit.getKind() == libsbml.UNIT_KIND_INVALID:
                raise UnitError(
                    f"defines the unit '{name}' by a kind of unit that SBML does not have",
                    source=source,
                )
    for owner, name in _units_in_use(model):
        if name in definitions:
            known = definitions[name].getNumUnits() > 0
        else:
            known = libsbml.UnitKind_forName(name) != libsbml.UNIT_KIND_INVALID
        if not known:
            raise UnitError(
                f"gives '{owner}' the unit '{name}', which is not defined", source=source
            )


def _units_in_use(model: libsbml.Model) -> Iterator[tuple[str, str]]:
    """What has a unit, and its name."""
    of_model = {
        "substance": model.getSubstanceUnits(),
        "time": model.getTimeUnits(),
        "extent": model.getExtentUnits(),
        "volume": model.getVolumeUnits(),
        "area": model.getAreaUnits(),
        "length": model.getLengthUnits(),
    }
    yield from ((owner, name) for owner, name in of_model.items() if name)
    elements = model.getListOfAllElements()
    for element in map(elements.get, range(elements.getSize())):
        if isinstance(element, libsbml.Species):
            name = element.getSubstanceUnits()
        elif isinstance(element, libsbml.Parameter | libsbml.Compartment):
            name = element.getUnits()
        else:
            continue
        if name:
            yield element.getId(), name
