"""Writes a model as SBML that other tools run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import libsbml

from estradyn.errors import ModelError
from estradyn.model.patient_model import load_parameters
from estradyn.model.sbml import parse_sbml
from estradyn.model.sources import find_model, sbml_text
from estradyn.model.units import check_units


def export_sbml(
    source: str | Path,
    values: Mapping[str, float] | None = None,
    *,
    strict_units: bool | None = None,
    drugs: Sequence[str] | None = None,
    population: str | None = None,
) -> str:
    """Write a model as flattened SBML Level 3 Version 2.

    Parameters
    ----------
    source
        A shipped model's name, or a path to a `.ant`, `.xml` or `.sbml` file. Shipped models carry
        the values of the parameter tables.
    values
        Values of parameters that replace those, in the model's units (say one patient's).
    strict_units
        Whether units are checked; by default of shipped models only.
    drugs
        Drugs to put into a patient's model; all with a record by default.
    population
        People whom a patient's model describes; those of its own text by default.

    Returns
    -------
    str
        SBML that passes libSBML's consistency checks.

    Raises
    ------
    ModelError
        If the model cannot be read, is not consistent SBML, or lacks a name in `values`.
    UnitError
        If units are checked and do not agree.
    """
    found = find_model(source)
    text = sbml_text(found, drugs, population=population)
    document = parse_sbml(text, str(found.path))
    tabled: Mapping[str, float] = {}
    if found.shipped:
        tabled = load_parameters(found.name, drugs=drugs, population=population).model_values()
    for name, value in {**tabled, **(values or {})}.items():
        _set_value(document.getModel(), name, value)
    text = str(libsbml.writeSBMLToString(document))
    if found.shipped if strict_units is None else strict_units:
        check_units(text, str(found.path))
    _check_consistency(text, str(found.path))
    return text


def _set_value(model: libsbml.Model, name: str, value: float) -> None:
    """Set a constant; an initial assignment would win over the number, so it goes."""
    element = model.getElementBySId(name)
    setters = {
        libsbml.Parameter: "setValue",
        libsbml.Compartment: "setSize",
        libsbml.SpeciesReference: "setStoichiometry",
    }
    setter = setters.get(type(element))
    if setter is None:
        raise ModelError(f"'{name}' is not a parameter or compartment of the model")
    getattr(element, setter)(value)
    model.removeInitialAssignment(name)


def _check_consistency(text: str, source: str) -> None:
    document = libsbml.readSBMLFromString(text)
    document.setConsistencyChecks(libsbml.LIBSBML_CAT_MODELING_PRACTICE, False)
    document.setConsistencyChecks(libsbml.LIBSBML_CAT_UNITS_CONSISTENCY, False)
    document.checkConsistency()
    for index in range(document.getNumErrors()):
        error = document.getError(index)
        if error.getSeverity() >= libsbml.LIBSBML_SEV_ERROR:
            raise ModelError(" ".join(error.getMessage().split()), source=source)
