"""A model of a patient with everything the other layers read beside the equations."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from estradyn.errors import ModelError, ParameterError, UnitError
from estradyn.model.co_medication import CoMedicationEffect, read_co_medication
from estradyn.model.composition import Composition, compose, drug_records, optional_modules
from estradyn.model.context import PATIENT, context_of
from estradyn.model.drug_record import DrugRecord, check_drug
from estradyn.model.loading import load_model
from estradyn.model.ode_model import OdeModel
from estradyn.model.parameter_table import (
    Distribution,
    ParameterTable,
    read_overlay,
    read_parameters,
)
from estradyn.model.people import Cycle, People, people_called
from estradyn.model.sources import ANTIMONY_SUFFIX, models_directory
from estradyn.model.table_file import TableRow, read_table
from estradyn.model.units import same_unit

SETTINGS_FOLDER = "settings"
"""Folder of the values that differ in a setting, one table each."""

_CHANGES = ("absolute", "percent")
_LIMIT_COLUMNS = ("quantification_limit", "limit_source")


@dataclass(frozen=True)
class BaselineOverride:
    """A parameter value under which the drug-free model reaches its steady state."""

    name: str
    value: float
    reason: str


@dataclass(frozen=True)
class PlausibilityRule:
    """Range of an output at baseline; a patient outside it is not plausible.

    A bound that is not stated is minus or plus infinity.
    """

    output: str
    lower: float
    upper: float
    reason: str
    source: str


@dataclass(frozen=True)
class Output:
    """A variable of the model that is reported.

    Attributes
    ----------
    name
        Variable of the model.
    label
        Words for people.
    unit
        Unit as text that pint reads, the same as the model's.
    endpoint
        Name in the table of endpoints.
    change
        `absolute`, or `percent` of the value at baseline.
    quantification_limit
        Least value that the assay can put a number to, in the unit; None where it has no limit.
        Below it a measured value is censored.
    limit_source
        Where the limit comes from; empty without one.
    """

    name: str
    label: str
    unit: str
    endpoint: str
    change: str
    quantification_limit: float | None = None
    limit_source: str = ""


@dataclass(frozen=True)
class PatientModel:
    """Equations, values, rules and drugs of one kind of patient, or of what stands in for one.

    Attributes
    ----------
    model
        Equations with the values of the tables put in.
    parameters
        The value tables.
    baseline
        Overrides for the drug-free steady state.
    plausibility
        What a plausible patient looks like at baseline.
    outputs
        Reported variables, in the order of the table.
    drugs
        Records of the drugs that the model holds, by name.
    digest
        SHA-256 over the names and contents of all files in the models folder.
    co_medication
        What other medication does to the drugs that the model holds.
    cycle
        How people are brought to their cycle; None for those who have a steady state.
    """

    model: OdeModel
    parameters: ParameterTable
    baseline: tuple[BaselineOverride, ...]
    plausibility: tuple[PlausibilityRule, ...]
    outputs: tuple[Output, ...]
    drugs: Mapping[str, DrugRecord]
    digest: str
    co_medication: tuple[CoMedicationEffect, ...] = ()
    cycle: Cycle | None = None


def load_parameters(
    model_name: str = PATIENT,
    directory: str | Path | None = None,
    *,
    drugs: Sequence[str] | None = None,
    modules: Sequence[str] | None = None,
    setting: str | None = None,
    population: str | None = None,
) -> ParameterTable:
    """Read the value tables of a model.

    Parameters
    ----------
    model_name
        Stem of an Antimony file in the folder. A root model, `patient` or that of another context,
        needs a row for every parameter; in a single module a parameter without a row keeps the
        value of the text.
    directory
        Folder of the models; the shipped ones if not given.
    drugs
        Drugs that a root model holds; all with a record for its context by default.
    modules
        Optional modules that it holds; all by default.
    setting
        Setting whose values replace those of the tables; see `load_patient_model`.
    population
        People whom it describes; see `load_patient_model`.

    Raises
    ------
    ParameterError
        Naming file and line of a row that may not be used, or a parameter without a row.
    """
    path = _model_path(model_name, directory)
    whole = model_name == PATIENT or not context_of(path).is_patient
    model = load_model(path, drugs=drugs, modules=modules, population=population)
    composition = compose(path, drugs, modules, population)
    table = _read_tables(model, path, whole, composition)
    table = _in_setting(table, path.parent, setting, composition.absent_instances)
    people = people_called(population, path.parent)
    return _of_people(table, people, composition.absent_instances)


def load_patient_model(
    directory: str | Path | None = None,
    model_name: str = PATIENT,
    *,
    drugs: Sequence[str] | None = None,
    modules: Sequence[str] | None = None,
    setting: str | None = None,
    population: str | None = None,
) -> PatientModel:
    """Read a patient model with its tables and drug records.

    Parameters
    ----------
    directory
        Folder that holds `<model_name>.ant`, its tables and `drugs/`; the shipped one if not given.
    model_name
        Stem of the composing Antimony file, `patient` or that of another context.
    drugs
        Drugs that the model holds, of those with a record for its context; all by default. A
        trial names those of its arms, so that it pays for no other.
    modules
        Optional modules that the model holds; all by default. A trial names those that give what
        its visits measure.
    setting
        Stem of a table in `settings/`, whose rows, given by flattened name, replace those of the
        other tables; none by default.
    population
        Stem of a record in `populations/`: people whose physiology and values take the place of
        the text's own (see `estradyn.model.people`), and whose values go before the setting's;
        those that the text and the tables describe by default.

    Raises
    ------
    ModelError, UnitError, ParameterError, InputError
        Naming file and line of what may not be used.
    """
    path = _model_path(model_name, directory)
    composition = compose(path, drugs, modules, population)
    context = composition.context
    people = people_called(population, path.parent)
    text_model = load_model(
        path, strict_units=True, drugs=drugs, modules=modules, population=population
    )
    table = _read_tables(text_model, path, True, composition)
    table = _in_setting(table, path.parent, setting, composition.absent_instances)
    table = _of_people(table, people, composition.absent_instances)
    model = with_values(text_model, table.model_values())
    records = composition.drugs
    if records is None:
        records = drug_records(context.folder, context.name)
    for drug in records.values():
        check_drug(drug, model)
    folder, own_drugs = context.own_folder, context.drug_folders[-1]
    output_tables = [
        *(own_drugs / f"{name}_outputs.tsv" for name in records),
        *(() if people is None else people.outputs),
        folder / "outputs.tsv",
    ]
    rules = [folder / "plausibility.tsv", *(() if people is None else people.plausibility)]
    return PatientModel(
        model=model,
        parameters=table,
        baseline=_read_baseline(folder / "baseline.tsv", model),
        plausibility=_read_plausibility(rules, model),
        outputs=_read_outputs(output_tables, model, composition.absent_variables),
        drugs=MappingProxyType(dict(records)),
        digest=_digest(context.folder),
        co_medication=_read_co_medication(
            folder / "co_medication.tsv", model, composition.absent_instances
        ),
        cycle=_checked_cycle(people, model),
    )


def modules_giving(
    variables: Collection[str],
    model_name: str = PATIENT,
    directory: str | Path | None = None,
    *,
    population: str | None = None,
) -> tuple[str, ...]:
    """Name the optional modules of a model that give at least one of some variables."""
    optional = optional_modules(_model_path(model_name, directory), population)
    return tuple(name for name, given in optional.items() if not set(given).isdisjoint(variables))


def outputs_of_people(
    population: str | None = None,
    model_name: str = PATIENT,
    directory: str | Path | None = None,
) -> frozenset[str]:
    """Name the outputs that a model reports of some people, those that drugs add left out.

    Parameters
    ----------
    population, model_name, directory
        As in `load_patient_model`; the model's equations are not read.

    Raises
    ------
    ModelError
        If there is no record of these people.
    """
    path = _model_path(model_name, directory)
    composition = compose(path, drugs=(), population=population)
    people = people_called(population, path.parent)
    tables = (
        *(() if people is None else people.outputs),
        composition.context.own_folder / "outputs.tsv",
    )
    named = frozenset(row.text("name") for table in tables for row in _output_rows(table))
    return named - composition.absent_variables


def with_values(model: OdeModel, values: Mapping[str, float]) -> OdeModel:
    """Put values in the place of a model's own.

    Parameters
    ----------
    model
        Any model.
    values
        New values of some of its parameters, in the model's units.

    Raises
    ------
    ModelError
        If a name is not a parameter of the model.
    """
    unknown = [name for name in values if name not in model.parameter_names]
    if unknown:
        raise ModelError(f"'{unknown[0]}' is not a parameter of the model '{model.name}'")
    return replace(
        model,
        parameters=tuple(
            replace(item, value=float(values.get(item.name, item.value)))
            for item in model.parameters
        ),
    )


def with_fixed_values(patient_model: PatientModel, values: Mapping[str, float]) -> PatientModel:
    """Hold parameters or traits at given values for every patient.

    Parameters
    ----------
    patient_model
        Any patient model.
    values
        Value by flattened name, in the units of the tables.

    Raises
    ------
    ParameterError
        If no table has the name.
    """
    table = patient_model.parameters
    unknown = [name for name in values if name not in table.by_name]
    if unknown:
        raise ParameterError(f"no parameter table has a value called '{unknown[0]}'")
    rows = tuple(
        replace(row, value=float(values[row.name]), distribution=Distribution.FIXED, spread=None)
        if row.name in values
        else row
        for row in table.rows
    )
    correlations = tuple(
        item for item in table.correlations if not {item.first, item.second} & values.keys()
    )
    table = ParameterTable(rows, correlations)
    model = with_values(patient_model.model, table.model_values())
    return replace(patient_model, model=model, parameters=table)


def _model_path(model_name: str, directory: str | Path | None) -> Path:
    folder = models_directory() if directory is None else Path(directory)
    path = folder / (model_name + ANTIMONY_SUFFIX)
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in folder.glob("*" + ANTIMONY_SUFFIX)))
        raise ModelError(f"no model '{model_name}' in {folder}; there are: {known or 'none'}")
    return path


def _read_tables(
    model: OdeModel, path: Path, whole: bool, composition: Composition
) -> ParameterTable:
    context, absent = composition.context, composition.absent_instances
    if context.is_patient:
        return read_parameters(model, path.parent, stem=None if whole else path.stem, absent=absent)
    return read_parameters(
        model, context.own_folder, absent=absent, shared=_shared_tables(composition)
    )


def _shared_tables(composition: Composition) -> tuple[Path, ...]:
    """The patient's tables of the module instances that another context holds too."""
    folder = composition.context.folder
    return tuple(
        path
        for path in sorted(folder.glob("*.tsv"))
        if any(f"{path.stem}_".startswith(f"{name}_") for name in composition.instances)
    )


def _in_setting(
    table: ParameterTable, folder: Path, setting: str | None, absent: frozenset[str]
) -> ParameterTable:
    if setting is None:
        return table
    path = folder / SETTINGS_FOLDER / f"{setting}.tsv"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in path.parent.glob("*.tsv")))
        raise ModelError(f"no setting '{setting}' in {path.parent}; there are: {known or 'none'}")
    return read_overlay(table, path, absent)


def _of_people(
    table: ParameterTable, people: People | None, absent: frozenset[str]
) -> ParameterTable:
    for path in () if people is None else people.values:
        table = read_overlay(table, path, absent)
    return table


def _checked_cycle(people: People | None, model: OdeModel) -> Cycle | None:
    """Cycle of people, whose names must be those of the model."""
    if people is None or people.cycle is None:
        return None
    cycle = people.cycle
    for name in (cycle.marker, *cycle.means.values()):
        if name not in model.unit_of:
            raise ModelError(
                f"the cycle names '{name}', which is no variable of the model",
                source=people.lineage[-1],
            )
    for name in cycle.means:
        if name not in model.parameter_names:
            raise ModelError(
                f"the cycle names '{name}', which is no parameter of the model",
                source=people.lineage[-1],
            )
    return cycle


def _optional_table(path: Path, columns: tuple[str, ...]) -> list[TableRow]:
    return read_table(path, columns) if path.is_file() else []


def _read_baseline(path: Path, model: OdeModel) -> tuple[BaselineOverride, ...]:
    overrides = []
    for cells in _optional_table(path, ("name", "value", "reason")):
        name = cells.text("name")
        if name not in model.parameter_names:
            raise cells.error(f"'{name}' is not a parameter of the model")
        overrides.append(BaselineOverride(name, cells.number("value"), cells.text("reason")))
    return tuple(overrides)


def _read_co_medication(
    path: Path, model: OdeModel, absent: frozenset[str]
) -> tuple[CoMedicationEffect, ...]:
    """Read the effects on parameters of the model; those on drugs left out do not apply."""
    effects = []
    for effect in read_co_medication(path):
        name = effect.parameter
        if name in model.parameter_names:
            effects.append(effect)
        elif not any(name.startswith(instance + "_") for instance in absent):
            raise ParameterError(f"'{name}' is not a parameter of the model", source=path)
    return tuple(effects)


def _read_plausibility(paths: Sequence[Path], model: OdeModel) -> tuple[PlausibilityRule, ...]:
    """Read the tables of rules; a rule for an output replaces those of earlier tables for it."""
    columns = ("output", "lower", "upper", "reason", "source")
    rules: list[PlausibilityRule] = []
    for path in paths:
        found = [_plausibility_rule(cells, model) for cells in _optional_table(path, columns)]
        named = {rule.output for rule in found}
        rules = [rule for rule in rules if rule.output not in named] + found
    return tuple(rules)


def _plausibility_rule(cells: TableRow, model: OdeModel) -> PlausibilityRule:
    name = cells.text("output")
    if name not in model.unit_of:
        raise cells.error(f"'{name}' is not a variable of the model")
    lower, upper = cells.optional_number("lower"), cells.optional_number("upper")
    if lower is None and upper is None:
        raise cells.error(f"the rule for '{name}' has no bound")
    rule = PlausibilityRule(
        name,
        -math.inf if lower is None else lower,
        math.inf if upper is None else upper,
        cells.text("reason"),
        cells.text("source"),
    )
    if not rule.lower < rule.upper:
        raise cells.error(f"the lower bound of '{name}' is not below its upper bound")
    return rule


def _read_outputs(
    paths: Sequence[Path], model: OdeModel, absent: frozenset[str]
) -> tuple[Output, ...]:
    """Read the tables of outputs; what optional modules left out would give is passed over."""
    outputs: dict[str, Output] = {}
    for cells in (row for path in paths for row in _output_rows(path)):
        name, unit = cells.text("name"), cells.text("unit")
        if name in absent:
            continue
        if name not in model.unit_of:
            raise cells.error(f"'{name}' is not a variable of the model")
        if name in outputs:
            raise cells.error(f"the output '{name}' is given twice")
        try:
            same = same_unit(unit, model.unit_of[name])
        except UnitError:
            same = False
        if not same:
            raise cells.error(
                f"'{name}' is given in '{unit}', the model has it in '{model.unit_of[name]}'"
            )
        outputs[name] = Output(
            name,
            cells.text("label"),
            unit,
            cells.text("endpoint"),
            cells.choice("change", _CHANGES),
            *_quantification(cells),
        )
    return tuple(outputs.values())


def _output_rows(path: Path) -> list[TableRow]:
    columns = ("name", "label", "unit", "endpoint", "change")
    return read_table(path, columns, _LIMIT_COLUMNS) if path.is_file() else []


def _quantification(cells: TableRow) -> tuple[float | None, str]:
    """Limit of an output's assay and its source; both are stated or neither is."""
    limit = cells.optional_number("quantification_limit")
    if limit is None:
        return None, ""
    if limit <= 0:
        raise cells.error(f"quantification_limit is {limit:g}, it must be above 0")
    if cells.text("change") != "absolute":
        raise cells.error(
            "a value with a quantification_limit has no percent change once it is below; give it "
            "the change 'absolute'"
        )
    return limit, cells.text("limit_source")


def _digest(folder: Path) -> str:
    """Hash what the science says, in an order that does not depend on the file system."""
    total = hashlib.sha256()
    for path in sorted(
        path for path in folder.rglob("*") if path.suffix in (".ant", ".tsv", ".md")
    ):
        content = path.read_bytes()
        total.update(f"{path.relative_to(folder).as_posix()} {len(content)}\n".encode())
        total.update(content)
    return total.hexdigest()
