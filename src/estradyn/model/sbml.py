"""SBML (core, without events) as an `OdeModel`.

Meaning of the symbols follows the SBML Level 3 Version 2 Core specification (Hucka et al.,
J Integr Bioinform 2019;16(2):20190021, doi 10.1515/jib-2019-0021): a species' symbol is its amount
when it has only substance units, and its concentration otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

import libsbml
import symengine as se

from estradyn.errors import ModelError
from estradyn.model.mathml import (
    MathReader,
    UnsupportedMathError,
    check_compilable,
    constant_value,
    names_in,
    number,
)
from estradyn.model.ode_model import TIME, Assignment, Event, OdeModel, Parameter, State
from estradyn.model.unit_text import UNDECLARED, pint_text
from estradyn.model.unknown_units import refuse_unknown_units

_PACKAGES_WITHOUT_EFFECT = frozenset(["l3v2extendedmath", "layout", "render", "groups"])
"""Packages that change no equation; libSBML counts the functions of Level 3 Version 2 as one."""


def parse_sbml(text: str, source: str) -> libsbml.SBMLDocument:
    """Read SBML text of any level into a Level 3 Version 2 document.

    Parameters
    ----------
    text
        SBML.
    source
        File name for messages.

    Raises
    ------
    ModelError
        If the text is not SBML with one model, or uses a package other than core.
    """
    document = libsbml.readSBMLFromString(text)
    _raise_first_error(document, source)
    for index in range(document.getNumPlugins()):
        package = document.getPlugin(index).getPackageName()
        if package not in _PACKAGES_WITHOUT_EFFECT:
            raise ModelError(
                f"uses the SBML package '{package}'; only SBML core is read", source=source
            )
    if document.getModel() is None:
        raise ModelError("has no SBML model in it", source=source)
    if (document.getLevel(), document.getVersion()) != (3, 2):
        document.setLevelAndVersion(3, 2, False)
        _raise_first_error(document, source)
    return document


def model_from_sbml(text: str, source: str) -> OdeModel:
    """Read SBML text as a system of ordinary differential equations.

    Species are states in the quantity the model's text uses: amounts when they have only substance
    units, else concentrations. In a compartment that varies the state is the amount, named
    ``<species>_amount``, and the concentration is an assigned variable under the species' name.
    Reactions are assigned variables under their ids. Local parameters become
    ``<reaction>_<parameter>``. A constant whose value depends on other constants is derived.
    A parameter without a value has the value NaN, and is left out where nothing uses it.

    Parameters
    ----------
    text
        SBML of any level.
    source
        File name for messages.

    Raises
    ------
    ModelError
        If the text cannot be read or the model has delays, priorities, algebraic rules, fast
        reactions, cycles of assignments, or functions that cannot be compiled.
    UnitError
        If a unit is named and not defined.
    """
    document = parse_sbml(text, source)
    refuse_unknown_units(document.getModel(), source)
    try:
        return _Reader(document.getModel()).read()
    except ModelError as error:
        raise ModelError(str(error), source=source) from error
    except RecursionError as error:
        raise ModelError("has an expression nested too deeply to be read", source=source) from error


def _raise_first_error(document: libsbml.SBMLDocument, source: str) -> None:
    for index in range(document.getNumErrors()):
        error = document.getError(index)
        if error.getSeverity() >= libsbml.LIBSBML_SEV_ERROR:
            message = " ".join(error.getMessage().split())
            raise ModelError(f"is not valid SBML: {message}", source=source, line=error.getLine())


@dataclass
class _Quantity:
    """What is known of one named quantity while the model is read.

    `start` is the value at time zero in terms of other names; `value` the plain number of a
    constant. A quantity has a rate, a rule, or neither (then it is a constant).
    """

    name: str
    unit: str
    value: float = math.nan
    start: se.Basic | None = None
    rate: se.Basic | None = None
    rule: se.Basic | None = None


@dataclass
class _Reader:
    model: libsbml.Model
    quantities: dict[str, _Quantity] = field(default_factory=dict)
    reader: MathReader = field(init=False)

    def __post_init__(self) -> None:
        definitions = _items(self.model.getListOfFunctionDefinitions())
        self.reader = MathReader({item.getId(): item for item in definitions})
        self.starts = {
            item.getSymbol(): item.getMath()
            for item in _items(self.model.getListOfInitialAssignments())
            if item.isSetMath()
        }
        rules = [rule for rule in _items(self.model.getListOfRules()) if rule.isSetMath()]
        self.rules = {r.getVariable(): r.getMath() for r in rules if r.isAssignment()}
        self.rates = {r.getVariable(): r.getMath() for r in rules if r.isRate()}
        self.changes_at_events = {
            change.getVariable(): change.getMath()
            for event in _items(self.model.getListOfEvents())
            for change in _event_assignments(event)
        }

    def read(self) -> OdeModel:
        self._refuse_unsupported()
        self._refuse_broken_references()
        for parameter in _items(self.model.getListOfParameters()):
            self._add(parameter, pint_text(_definition(parameter)), parameter.getValue())
        for compartment in _items(self.model.getListOfCompartments()):
            size = compartment.getSize() if compartment.isSetSize() else math.nan
            self._add(compartment, pint_text(_definition(compartment)), size)
        for species in _items(self.model.getListOfSpecies()):
            self._add_species(species)
        self._add_stoichiometries()
        changes = self._add_reactions()
        for species in _items(self.model.getListOfSpecies()):
            self._set_species_rate(species, changes.get(species.getId()))
        return self._assemble()

    # -- what the solver cannot do ------------------------------------------------------------

    def _refuse_unsupported(self) -> None:
        model = self.model
        for event in _items(model.getListOfEvents()):
            for present, what in (
                (event.isSetDelay(), "a delay"),
                (event.isSetPriority(), "a priority"),
                (not event.getUseValuesFromTriggerTime(), "values from after its trigger"),
                (
                    event.isSetTrigger() and not event.getTrigger().getPersistent(),
                    "a trigger that is not persistent",
                ),
            ):
                if present:
                    raise ModelError(
                        f"the event '{event.getIdAttribute()}' has {what}, which is not solved"
                    )
        for rule in _items(model.getListOfRules()):
            if rule.isAlgebraic():
                raise ModelError(
                    "has an algebraic rule; only assignment rules and rate rules are solved"
                )

    def _refuse_broken_references(self) -> None:
        """Refuse names of compartments, species and variables that the model does not have."""
        model = self.model
        wanted = [
            (species.getId(), model.getCompartment(species.getCompartment()), "compartment")
            for species in _items(model.getListOfSpecies())
        ]
        for reaction in _items(model.getListOfReactions()):
            wanted += [
                (reaction.getId(), model.getSpecies(reference.getSpecies()), "species")
                for reference in _stoichiometric(reaction)
            ]
        wanted += [
            (name, model.getElementBySId(name), "variable")
            for name in (*self.starts, *self.rules, *self.rates)
        ]
        for owner, found, kind in wanted:
            if found is None:
                raise ModelError(f"'{owner}' refers to a {kind} that the model does not have")

    # -- quantities -----------------------------------------------------------------------------

    def _new(self, name: str, unit: str, value: float = math.nan) -> _Quantity:
        if name == TIME:
            raise ModelError(f"a quantity is called '{TIME}', which names the time itself")
        if name in self.quantities:
            raise ModelError(f"the name '{name}' is used twice")
        quantity = _Quantity(name, unit, value)
        self.quantities[name] = quantity
        return quantity

    def _math(self, owner: str, node: libsbml.ASTNode, scope: Mapping[str, se.Basic]) -> se.Basic:
        try:
            return self.reader.read(node, scope)
        except UnsupportedMathError as error:
            raise ModelError(f"in the expression of '{owner}': {error}") from error

    def _add(self, element: libsbml.SBase, unit: str, value: float) -> _Quantity:
        """Add a quantity with the rule, rate and initial assignment the model states for it."""
        name = element.getIdAttribute()
        quantity = self._new(name, unit, value)
        if name in self.rules:
            quantity.rule = self._math(name, self.rules[name], {})
        if name in self.rates:
            quantity.rate = self._math(name, self.rates[name], {})
        if name in self.starts:
            quantity.start = self._math(name, self.starts[name], {})
        if name in self.changes_at_events and quantity.rule is None and quantity.rate is None:
            # Constant between events.
            quantity.rate = se.Integer(0)
        return quantity

    def _add_species(self, species: libsbml.Species) -> None:
        quantity = self._add(species, pint_text(_definition(species)), math.nan)
        if quantity.rule is not None or quantity.start is not None:
            return
        size = se.Symbol(species.getCompartment())
        in_amount = self._is_amount(species)
        if species.isSetInitialAmount():
            amount = number(species.getInitialAmount())
            quantity.start = amount if in_amount else amount / size
        elif species.isSetInitialConcentration():
            concentration = number(species.getInitialConcentration())
            quantity.start = concentration * size if in_amount else concentration
        else:
            quantity.start = se.nan

    def _is_amount(self, species: libsbml.Species) -> bool:
        compartment = self.model.getCompartment(species.getCompartment())
        return species.getHasOnlySubstanceUnits() or compartment.getSpatialDimensionsAsDouble() == 0

    def _set_species_rate(self, species: libsbml.Species, change: se.Basic | None) -> None:
        """Give a species that reactions may change its rate, as amount or concentration."""
        quantity = self.quantities[species.getId()]
        if quantity.rule is not None or species.getId() in self.rates:
            return
        if species.getId() in self.changes_at_events:
            change = se.Integer(0) if change is None else change
            quantity.rate = None
        size = se.Symbol(species.getCompartment())
        if self._is_amount(species):
            quantity.rate = change
        elif self._varies(species.getCompartment()):
            unit = self._model_unit(species.getSubstanceUnits() or self.model.getSubstanceUnits())
            amount = self._new(self._free_name(f"{species.getId()}_amount"), unit)
            amount.start = None if quantity.start is None else quantity.start * size
            amount.rate = change
            quantity.start = None
            quantity.rule = se.Symbol(amount.name) / size
        elif change is not None:
            quantity.rate = change / size

    def _varies(self, name: str) -> bool:
        quantity = self.quantities[name]
        return quantity.rule is not None or quantity.rate is not None

    def _free_name(self, wanted: str) -> str:
        name = wanted
        while name in self.quantities:
            name += "_"
        return name

    def _model_unit(self, name: str) -> str:
        """Text of a unit that the model states for substance, time or extent."""
        if not name:
            return UNDECLARED
        definition = self.model.getUnitDefinition(name)
        if definition is None:
            definition = libsbml.UnitDefinition(3, 2)
            unit = definition.createUnit()
            unit.setKind(libsbml.UnitKind_forName(name))
            unit.setExponent(1)
            unit.setScale(0)
            unit.setMultiplier(1)
        return pint_text(definition)

    # -- reactions --------------------------------------------------------------------------------

    def _add_stoichiometries(self) -> None:
        """Add stoichiometries that other parts of the model refer to as named quantities."""
        used = self._names_in_math().union(
            self.starts, self.rules, self.rates, self.changes_at_events
        )
        for reaction in _items(self.model.getListOfReactions()):
            for reference in _stoichiometric(reaction):
                if reference.getIdAttribute() in used:
                    value = (
                        reference.getStoichiometry() if reference.isSetStoichiometry() else math.nan
                    )
                    self._add(reference, "dimensionless", value)

    def _names_in_math(self) -> set[str]:
        trees = [*self.starts.values(), *self.rules.values(), *self.rates.values()]
        for event in _items(self.model.getListOfEvents()):
            if event.isSetTrigger() and event.getTrigger().isSetMath():
                trees.append(event.getTrigger().getMath())
            trees += [change.getMath() for change in _event_assignments(event)]
        for reaction in _items(self.model.getListOfReactions()):
            if reaction.isSetKineticLaw() and reaction.getKineticLaw().isSetMath():
                trees.append(reaction.getKineticLaw().getMath())
        return set().union(*(names_in(tree) for tree in trees)) if trees else set()

    def _add_reactions(self) -> dict[str, se.Basic]:
        """Add each reaction's rate; returns what the reactions add to each species' amount."""
        changes: dict[str, se.Basic] = {}
        for reaction in _items(self.model.getListOfReactions()):
            name = reaction.getId()
            law = reaction.getKineticLaw() if reaction.isSetKineticLaw() else None
            if law is None or not law.isSetMath():
                raise ModelError(f"the reaction '{name}' has no kinetic law")
            local = {
                item.getId(): se.Symbol(
                    self._new(
                        self._free_name(f"{name}_{item.getId()}"),
                        pint_text(_definition(item)),
                        item.getValue(),
                    ).name
                )
                for item in _items(law.getListOfLocalParameters())
            }
            rate = self._new(name, self._rate_unit())
            rate.rule = self._math(name, law.getMath(), local)
            for sign, references in (
                (-1, reaction.getListOfReactants()),
                (1, reaction.getListOfProducts()),
            ):
                for reference in _items(references):
                    species = self.model.getSpecies(reference.getSpecies())
                    if species.getBoundaryCondition() or species.getConstant():
                        continue
                    change = sign * self._stoichiometry(reference, name) * se.Symbol(name)
                    factor = species.getConversionFactor() or self.model.getConversionFactor()
                    if factor:
                        change *= se.Symbol(factor)
                    changes[species.getId()] = changes.get(species.getId(), 0) + change
        return changes

    def _rate_unit(self) -> str:
        extent = self._model_unit(self.model.getExtentUnits() or self.model.getSubstanceUnits())
        time = self._model_unit(self.model.getTimeUnits())
        return f"{extent} / {time}" if extent and time else UNDECLARED

    def _stoichiometry(self, reference: libsbml.SpeciesReference, reaction: str) -> se.Basic:
        if reference.getIdAttribute() in self.quantities:
            return se.Symbol(reference.getIdAttribute())
        if not reference.isSetStoichiometry():
            raise ModelError(
                f"'{reference.getSpecies()}' has no stoichiometry in the reaction '{reaction}'"
            )
        return number(reference.getStoichiometry())

    # -- events -----------------------------------------------------------------------------------

    def _events(self) -> Iterator[Event]:
        for place, event in enumerate(_items(self.model.getListOfEvents())):
            name = event.getIdAttribute() or f"event_{place + 1}"
            if not (event.isSetTrigger() and event.getTrigger().isSetMath()):
                continue
            try:
                trigger = self.reader.read_condition(event.getTrigger().getMath())
            except UnsupportedMathError as error:
                raise ModelError(f"in the trigger of '{name}': {error}") from error
            news = {
                change.getVariable(): self._math(change.getVariable(), change.getMath(), {})
                for change in _event_assignments(event)
            }
            self._keep_amounts(news)
            yield Event(
                name=name,
                trigger=trigger,
                assignments=tuple(self._as_state(variable, new) for variable, new in news.items()),
                true_before_start=event.getTrigger().getInitialValue(),
            )

    def _keep_amounts(self, news: dict[str, se.Basic]) -> None:
        """Rescale concentrations with a rate of their own where an event changes the size."""
        for species in _items(self.model.getListOfSpecies()):
            name, compartment = species.getId(), species.getCompartment()
            if name in self.rates and compartment in news and not self._is_amount(species):
                concentration = news.get(name, se.Symbol(name))
                news[name] = concentration * se.Symbol(compartment) / news[compartment]

    def _as_state(self, variable: str, new: se.Basic) -> tuple[str, se.Basic]:
        """Turn a new concentration into the amount that is the state, where the size varies.

        The amount is taken with the size before the event, also where the event changes the size.
        """
        rule = self.quantities[variable].rule
        species = self.model.getSpecies(variable)
        if rule is None or species is None:
            return variable, new
        compartment = species.getCompartment()
        amount = next(iter(_names(rule) - {compartment}))
        return amount, new * se.Symbol(compartment)

    # -- the model value --------------------------------------------------------------------------

    def _assemble(self) -> OdeModel:
        self._check_names()
        starts = self._start_values()
        used = set().union(
            *(_names(e) for q in self.quantities.values() for e in (q.start, q.rate, q.rule) if e)
        )
        states, parameters, derived = [], [], {}
        for quantity in self.quantities.values():
            name = quantity.name
            if quantity.rate is not None:
                states.append(State(name, quantity.unit, starts[name], quantity.rate))
            elif quantity.rule is None:
                fixed = constant_value(starts[name]) if name in starts else quantity.value
                if math.isnan(quantity.value) and quantity.start is None and name not in used:
                    continue
                if fixed is not None:
                    parameters.append(Parameter(name, quantity.unit, fixed))
                else:
                    derived[name] = Assignment(name, quantity.unit, starts[name])
        assigned = {
            q.name: Assignment(q.name, q.unit, q.rule)
            for q in self.quantities.values()
            if q.rule is not None
        }
        model = OdeModel(
            name=self.model.getIdAttribute() or "model",
            time_unit=self._model_unit(self.model.getTimeUnits()),
            states=tuple(states),
            parameters=tuple(parameters),
            derived=_in_order(derived),
            assignments=_in_order(assigned),
            events=tuple(self._events()),
        )
        for event in model.events:
            check_compilable(event.trigger, event.name)
            for name, value in event.assignments:
                check_compilable(value, name)
        for state in model.states:
            check_compilable(state.rate, state.name)
            check_compilable(state.initial, state.name)
        for item in (*model.derived, *model.assignments):
            check_compilable(item.expression, item.name)
        return model

    def _check_names(self) -> None:
        known = {*self.quantities, TIME}
        for quantity in self.quantities.values():
            for expression in (quantity.start, quantity.rate, quantity.rule):
                if expression is None:
                    continue
                unknown = sorted(_names(expression) - known)
                if unknown:
                    raise ModelError(
                        f"the expression of '{quantity.name}' refers to '{unknown[0]}', which the "
                        "model does not have"
                    )

    def _start_values(self) -> dict[str, se.Basic]:
        """Values at time zero in terms of parameters and derived constants.

        Returns
        -------
        dict
            For each state and each constant that is given by an expression, and for what they
            depend on.
        """
        meaning = {
            q.name: q.rule if q.rule is not None else q.start for q in self.quantities.values()
        }
        needs = {
            name: sorted(_names(expression) - {TIME}) if expression is not None else []
            for name, expression in meaning.items()
        }
        wanted = [q.name for q in self.quantities.values() if q.rule is None]
        needs = {name: needs[name] for name in _reachable(wanted, needs)}
        resolved: dict[str, se.Basic] = {}
        # What stands for a name in a later expression: constants stand for themselves.
        stand_in: dict[se.Basic, se.Basic] = {se.Symbol(TIME): se.Integer(0)}
        for name in _sorted(needs, "values at time zero"):
            quantity, expression = self.quantities[name], meaning[name]
            varies = quantity.rate is not None or quantity.rule is not None
            if expression is None:
                if quantity.rate is None:
                    continue
                expression = number(quantity.value)
            symbols = expression.free_symbols
            used = {symbol: stand_in[symbol] for symbol in symbols if symbol in stand_in}
            try:
                value = expression.subs(used) if used else expression
            except RuntimeError as error:
                raise ModelError(f"'{name}' has no value at time zero ({error})") from error
            resolved[name] = value
            if varies:
                stand_in[se.Symbol(name)] = value
        return resolved


def _in_order(items: Mapping[str, Assignment]) -> tuple[Assignment, ...]:
    """Sort assignments so that each uses earlier ones only."""
    needs = {
        name: sorted(_names(item.expression) & items.keys() - {TIME})
        for name, item in items.items()
    }
    return tuple(items[name] for name in _sorted(needs, "assignments"))


def _sorted(needs: Mapping[str, Iterable[str]], what: str) -> Iterator[str]:
    try:
        yield from TopologicalSorter(needs).static_order()
    except CycleError as error:
        cycle = " -> ".join(error.args[1])
        raise ModelError(f"the {what} depend on each other in a circle: {cycle}") from error


def _reachable(wanted: Iterable[str], needs: Mapping[str, Iterable[str]]) -> list[str]:
    """Names that are wanted or needed by a wanted one, in a fixed order."""
    found: dict[str, None] = {}
    pending = list(wanted)[::-1]
    while pending:
        name = pending.pop()
        if name not in found:
            found[name] = None
            pending.extend(needs[name])
    return list(found)


def _names(expression: se.Basic) -> set[str]:
    return {symbol.name for symbol in expression.free_symbols}


def _definition(element: libsbml.SBase) -> libsbml.UnitDefinition | None:
    """Declared unit of a quantity; libSBML answers for species in amounts and concentrations."""
    definition = element.getDerivedUnitDefinition()
    return None if definition is None or element.containsUndeclaredUnits() else definition


def _stoichiometric(reaction: libsbml.Reaction) -> Iterator[libsbml.SpeciesReference]:
    yield from _items(reaction.getListOfReactants())
    yield from _items(reaction.getListOfProducts())


def _event_assignments(event: libsbml.Event) -> list[libsbml.EventAssignment]:
    return [change for change in _items(event.getListOfEventAssignments()) if change.isSetMath()]


def _items(elements: libsbml.ListOf) -> list[libsbml.SBase]:
    return [elements.get(index) for index in range(elements.size())]
