"""Reads any model the workbench can solve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from estradyn.model.ode_model import OdeModel
from estradyn.model.sbml import model_from_sbml
from estradyn.model.sources import find_model, sbml_text
from estradyn.model.units import check_units


def load_model(
    source: str | Path,
    *,
    strict_units: bool | None = None,
    drugs: Sequence[str] | None = None,
    modules: Sequence[str] | None = None,
    population: str | None = None,
) -> OdeModel:
    """Read a model as a system of ordinary differential equations.

    Values are those of the model's text; `load_patient_model` puts in those of the tables.

    Parameters
    ----------
    source
        A shipped model's name, or a path to a `.ant`, `.xml` or `.sbml` file.
    strict_units
        Whether every quantity must have a unit and all units must agree. By default this is asked
        of shipped models only, since many published models state no units.
    drugs
        Drugs to put into a patient's model; all with a record by default.
    modules
        Optional modules to put into a patient's model; all by default.
    population
        People whom a patient's model describes; those of its own text by default.

    Returns
    -------
    OdeModel
        See `model_from_sbml` for what becomes of species, reactions and constants.

    Raises
    ------
    ModelError
        If the model cannot be read or uses what is not solved (delays, algebraic rules,
        fast reactions, packages).
    UnitError
        If units are checked and do not agree; names the variable and both units.
    """
    found = find_model(source)
    text = sbml_text(found, drugs, modules, population)
    if found.shipped if strict_units is None else strict_units:
        check_units(text, str(found.path))
    return model_from_sbml(text, str(found.path))


def parameters_without_value(model: OdeModel) -> tuple[str, ...]:
    """Names of the constants that have no value in the model's text."""
    return tuple(item.name for item in model.parameters if math.isnan(item.value))
