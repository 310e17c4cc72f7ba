"""A shipped model as SBML in which a condition table alone can say what is given.

PEtab states conditions as values of parameters and knows no doses. So the model gets a clock for
each drug: an event that adds `<drug>_dose` to the drug's state every `<drug>_interval` until
`<drug>_stop`. Changes from baseline need the value before treatment: an event at the start keeps
each output asked for in `<output>_at_start`. Areas under a curve need a sum over time: a further
state holds that of each output asked for, `<output>_area`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import libsbml

from estradyn.model.composition import compose
from estradyn.model.export import export_sbml
from estradyn.model.sources import find_model

AT_START = "_at_start"
AREA = "_area"


def experiment_sbml(
    model_name: str,
    remembered: Sequence[str],
    *,
    drugs: Sequence[str] | None = None,
    values: Mapping[str, float] | None = None,
    areas: Sequence[str] = (),
    population: str | None = None,
    constants: Mapping[str, float] = MappingProxyType({}),
) -> str:
    """Write a model with dose clocks, memories of its values before treatment and areas.

    Parameters
    ----------
    model_name
        A shipped model.
    remembered
        Variables whose value at the start is kept as `<name>_at_start`.
    drugs
        Drugs that the model holds; all with a record by default. Each brings the parameters
        `<drug>_dose` (in the unit of its record), `<drug>_interval` and `<drug>_stop` (in the
        model's time unit), with no dose by default.
    values
        Values of parameters other than the tables', say of the typical individual.
    areas
        Variables whose area under the curve since the start is `<name>_area`.
    population
        People whom a patient's model describes; those of its own text by default.
    constants
        Further constants, without unit, say of assays that observables read.

    Raises
    ------
    ModelError, ParameterError, UnitError
        If the model's texts or tables have a fault.
    """
    composed = compose(find_model(model_name).path, drugs, population=population)
    document = libsbml.readSBMLFromString(
        export_sbml(model_name, values, drugs=drugs, population=population)
    )
    model = document.getModel()
    for name, record in (composed.drugs or {}).items():
        _add_clock(model, name, record.dose_state)
    _add_memories(model, remembered)
    for name in areas:
        _add_area(model, name)
    for name, value in constants.items():
        _add_parameter(model, name, value, "dimensionless", constant=True)
    return str(libsbml.writeSBMLToString(document))


def _add_clock(model: libsbml.Model, drug: str, state: str) -> None:
    time_units = model.getTimeUnits()
    unit_of_state = model.getElementBySId(state).getUnits()
    _add_parameter(model, f"{drug}_dose", 0.0, unit_of_state, constant=True)
    _add_parameter(model, f"{drug}_interval", 24.0, time_units, constant=True)
    _add_parameter(model, f"{drug}_stop", 0.0, time_units, constant=True)
    _add_parameter(model, f"{drug}_next_dose", 0.0, time_units, constant=False)
    _add_event(
        model,
        f"give_{drug}",
        f"time >= {drug}_next_dose && time < {drug}_stop",
        {
            state: f"{state} + {drug}_dose",
            f"{drug}_next_dose": f"{drug}_next_dose + {drug}_interval",
        },
    )


def _add_memories(model: libsbml.Model, names: Sequence[str]) -> None:
    for name in names:
        units = model.getElementBySId(name).getUnits()
        _add_parameter(model, name + AT_START, 1.0, units, constant=False)
    if names:
        _add_event(model, "remember", "time >= 0", {name + AT_START: name for name in names})


def _add_area(model: libsbml.Model, name: str) -> None:
    product = libsbml.UnitDefinition.combine(
        model.getElementBySId(name).getDerivedUnitDefinition(),
        model.getUnitDefinition(model.getTimeUnits()),
    )
    unit = ""
    # A model that states no units has none for an area.
    if product is not None and product.getNumUnits() > 0:
        unit = f"unit_of_{name}{AREA}"
        product.setId(unit)
        model.addUnitDefinition(product)
    _add_parameter(model, name + AREA, 0.0, unit, constant=False)
    rule = model.createRateRule()
    rule.setVariable(name + AREA)
    rule.setMath(libsbml.parseL3Formula(name))


def _add_parameter(
    model: libsbml.Model, name: str, value: float, units: str, *, constant: bool
) -> None:
    parameter = model.createParameter()
    parameter.setId(name)
    parameter.setValue(value)
    parameter.setUnits(units)
    parameter.setConstant(constant)


def _add_event(
    model: libsbml.Model, name: str, condition: str, assignments: Mapping[str, str]
) -> None:
    event = model.createEvent()
    event.setId(name)
    event.setUseValuesFromTriggerTime(True)
    trigger = event.createTrigger()
    trigger.setInitialValue(False)
    trigger.setPersistent(True)
    trigger.setMath(libsbml.parseL3Formula(condition))
    for variable, formula in assignments.items():
        assignment = event.createEventAssignment()
        assignment.setVariable(variable)
        assignment.setMath(libsbml.parseL3Formula(formula))
