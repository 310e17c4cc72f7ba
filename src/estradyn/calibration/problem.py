"""Calibration problems in PEtab, the exchange format for parameter estimation.

Read here is PEtab version 1 (Schmiester et al. 2021, doi:10.1371/journal.pcbi.1008646) as far as a
typical individual needs it: one SBML model, normal noise with a printed standard deviation, linear
observables, uniform or normal priors on the scale of the parameter. What goes beyond is refused by
name. Formulas are read by libSBML's grammar and nothing in a file is ever executed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import libsbml
import numpy as np
from numpy.typing import NDArray

from estradyn.errors import InputError
from estradyn.model.ode_model import OdeModel
from estradyn.model.sbml import model_from_sbml
from estradyn.model.table_file import TableRow, read_table
from estradyn.model.text_file import read_text
from estradyn.plain_yaml import load_plain_yaml

Array = NDArray[np.float64]

_SCALES = ("lin", "log", "log10")
_FILES = ("sbml_files", "condition_files", "observable_files", "measurement_files")


@dataclass(frozen=True)
class FreeParameter:
    """A parameter that is fitted.

    Attributes
    ----------
    name
        Name in the model.
    scale
        Scale of the search: `lin`, `log` or `log10`.
    lower, upper, nominal
        Bounds and starting value, in the model's unit.
    prior
        Mean and standard deviation of a normal prior on that scale; None for none within the
        bounds.
    """

    name: str
    scale: str
    lower: float
    upper: float
    nominal: float
    prior: tuple[float, float] | None

    def to_scale(self, value: float | Array) -> Any:
        """Value on the scale of the search."""
        if self.scale == "lin":
            return value
        return np.log(value) if self.scale == "log" else np.log10(value)

    def from_scale(self, value: float | Array) -> Any:
        """Value in the model's unit."""
        if self.scale == "lin":
            return value
        return np.exp(value) if self.scale == "log" else np.power(10.0, value)


@dataclass(frozen=True)
class Experiment:
    """Conditions that are simulated together: a run, and the one whose steady state it starts at.

    A value is a number or the name of a fitted parameter.
    """

    name: str
    values: Mapping[str, float | str]
    before: Mapping[str, float | str] | None


@dataclass(frozen=True)
class Measurement:
    """A published number: which observable of which experiment at what time, and its spread."""

    observable: str
    experiment: int
    time: float
    value: float
    standard_deviation: float
    dataset: str


@dataclass(frozen=True)
class CalibrationProblem:
    """What is fitted to what.

    Attributes
    ----------
    name
        Stem of the problem file's folder.
    model
        Equations that the observables depend on, with these as assigned variables.
    observables
        Names of the observables.
    free
        Fitted parameters.
    experiments, measurements
        Conditions and data.
    """

    name: str
    model: OdeModel
    observables: tuple[str, ...]
    free: tuple[FreeParameter, ...]
    experiments: tuple[Experiment, ...]
    measurements: tuple[Measurement, ...]

    @property
    def targets(self) -> Array:
        """Measured values, shape (measurements,)."""
        return np.array([item.value for item in self.measurements])

    @property
    def standard_deviations(self) -> Array:
        """Their standard deviations, shape (measurements,)."""
        return np.array([item.standard_deviation for item in self.measurements])


def load_problem(path: str | Path) -> CalibrationProblem:
    """Read a PEtab problem.

    Parameters
    ----------
    path
        The YAML file; the tables and the model stand beside it.

    Raises
    ------
    InputError
        Naming file and line of what may not be used.
    """
    path = Path(path)
    files = _files(path)
    free, fixed = _parameters(files["parameter_file"])
    observables = _observables(files["observable_files"])
    whole = _model(files["sbml_files"], observables, fixed)
    model = behind_observables(whole, observables)
    conditions = _conditions(files["condition_files"], model, {item.name for item in free})
    experiments: dict[tuple[str, str], int] = {}
    measurements = _measurements(files["measurement_files"], observables, conditions, experiments)
    for item in free:
        if item.name not in model.parameter_names:
            raise InputError(
                f"'{item.name}' is not a parameter of the model", source=files["parameter_file"]
            )
    return CalibrationProblem(
        name=path.resolve().parent.name,
        model=model,
        observables=tuple(observables),
        free=free,
        experiments=tuple(
            Experiment(run, conditions[run], conditions[before] if before else None)
            for run, before in experiments
        ),
        measurements=measurements,
    )


def behind_observables(model: OdeModel, observables: Iterable[str]) -> OdeModel:
    """Return the part of a model that observables depend on; every parameter stays.

    Parameters
    ----------
    model
        Any model.
    observables
        Names of states or assigned variables.
    """
    expressions = {item.name: item.expression for item in model.assignments}
    expressions |= {state.name: state.rate for state in model.states}
    symbols = {
        name: {symbol.name for symbol in expression.free_symbols}
        for name, expression in expressions.items()
    }
    # An event that changes a state brings all that it reads and changes.
    for event in model.events:
        read = [event.trigger, *(value for _, value in event.assignments)]
        named = {name for name, _ in event.assignments}
        named |= {symbol.name for expression in read for symbol in expression.free_symbols}
        for name, _ in event.assignments:
            symbols[name] |= named
    found: set[str] = set()
    pending = list(observables)
    while pending:
        name = pending.pop()
        if name in symbols and name not in found:
            found.add(name)
            pending.extend(symbols[name])
    return replace(
        model,
        states=tuple(state for state in model.states if state.name in found),
        assignments=tuple(item for item in model.assignments if item.name in found),
        events=tuple(
            event for event in model.events if any(name in found for name, _ in event.assignments)
        ),
    )


def _files(path: Path) -> dict[str, Path]:
    content = load_plain_yaml(read_text(path, InputError), path)
    if not isinstance(content, dict) or content.get("format_version") != 1:
        raise InputError("must be a PEtab problem with 'format_version: 1'", source=path)
    problems = content.get("problems")
    if not isinstance(problems, list) or len(problems) != 1 or not isinstance(problems[0], dict):
        raise InputError("must hold one problem under 'problems'", source=path)
    found = {"parameter_file": content.get("parameter_file")}
    for key in _FILES:
        names = problems[0].get(key)
        if not isinstance(names, list) or len(names) != 1:
            raise InputError(f"must name one file under '{key}'", source=path)
        found[key] = names[0]
    files = {}
    for key, name in found.items():
        if not isinstance(name, str):
            raise InputError(f"must name a file under '{key}'", source=path)
        files[key] = path.parent / name
        if not files[key].is_file():
            raise InputError(f"there is no file '{name}', which '{key}' names", source=path)
    return files


def _parameters(path: Path) -> tuple[tuple[FreeParameter, ...], dict[str, float]]:
    free, fixed = [], {}
    columns = ("parameterId", "parameterScale", "lowerBound", "upperBound", "nominalValue")
    for cells in read_table(path, (*columns, "estimate"), others=True):
        name = cells.text("parameterId")
        if cells.choice("estimate", ("0", "1")) == "0":
            fixed[name] = cells.number("nominalValue")
            continue
        item = FreeParameter(
            name=name,
            scale=cells.choice("parameterScale", _SCALES),
            lower=cells.number("lowerBound"),
            upper=cells.number("upperBound"),
            nominal=cells.number("nominalValue"),
            prior=_prior(cells),
        )
        if not item.lower < item.upper or not item.lower <= item.nominal <= item.upper:
            raise cells.error(f"'{name}' needs lowerBound <= nominalValue <= upperBound")
        if item.scale != "lin" and item.lower <= 0:
            raise cells.error(f"'{name}' is searched on a logarithm, so lowerBound must exceed 0")
        free.append(item)
    if not free:
        raise InputError("no parameter has 'estimate' 1", source=path)
    return tuple(free), fixed


def _prior(cells: TableRow) -> tuple[float, float] | None:
    kind = cells.optional_text("objectivePriorType")
    if kind in ("", "parameterScaleUniform"):
        return None
    if kind != "parameterScaleNormal":
        raise cells.error(f"found the prior '{kind}', allowed parameterScaleNormal or none")
    mean, _, deviation = cells.optional_text("objectivePriorParameters").partition(";")
    try:
        return float(mean), float(deviation)
    except ValueError:
        raise cells.error("objectivePriorParameters must be 'mean;standard deviation'") from None


def _observables(path: Path) -> dict[str, str]:
    formulas: dict[str, str] = {}
    for cells in read_table(
        path, ("observableId", "observableFormula", "noiseFormula"), others=True
    ):
        name = cells.text("observableId")
        if cells.optional_text("observableTransformation") not in ("", "lin"):
            raise cells.error("observableTransformation must be lin")
        if cells.optional_text("noiseDistribution") not in ("", "normal"):
            raise cells.error("noiseDistribution must be normal")
        if cells.text("noiseFormula") != f"noiseParameter1_{name}":
            raise cells.error(f"noiseFormula must be noiseParameter1_{name}: each row has its own")
        formula = cells.text("observableFormula")
        if libsbml.parseL3Formula(formula) is None:
            raise cells.error(f"observableFormula: {libsbml.getLastParseL3Error().splitlines()[0]}")
        formulas[name] = formula
    return formulas


def _model(path: Path, observables: Mapping[str, str], fixed: Mapping[str, float]) -> OdeModel:
    document = libsbml.readSBMLFromString(read_text(path, InputError))
    model = document.getModel()
    if model is None or document.getNumErrors(libsbml.LIBSBML_SEV_ERROR):
        raise InputError("cannot be read as SBML", source=path)
    for name, value in fixed.items():
        parameter = model.getParameter(name)
        if parameter is None:
            raise InputError(f"the model has no parameter '{name}' to hold", source=path)
        parameter.setValue(value)
    for name, formula in observables.items():
        parameter = model.createParameter()
        parameter.setId(name)
        parameter.setConstant(False)
        rule = model.createAssignmentRule()
        rule.setVariable(name)
        rule.setMath(libsbml.parseL3Formula(formula))
    return model_from_sbml(libsbml.writeSBMLToString(document), str(path))


def _conditions(path: Path, model: OdeModel, free: set[str]) -> dict[str, dict[str, float | str]]:
    conditions: dict[str, dict[str, float | str]] = {}
    for cells in read_table(path, ("conditionId",), others=True):
        values: dict[str, float | str] = {}
        for column in cells.cells:
            if column in ("conditionId", "conditionName"):
                continue
            if column not in model.parameter_names:
                raise cells.error(f"the column '{column}' is not a parameter of the model")
            text = cells.text(column)
            values[column] = text if text in free else cells.number(column)
        conditions[cells.text("conditionId")] = values
    return conditions


def _measurements(
    path: Path,
    observables: Mapping[str, str],
    conditions: Mapping[str, object],
    experiments: dict[tuple[str, str], int],
) -> tuple[Measurement, ...]:
    columns = ("observableId", "simulationConditionId", "measurement", "time", "noiseParameters")
    found = []
    for cells in read_table(path, columns, others=True):
        run = cells.choice("simulationConditionId", tuple(conditions))
        before = cells.optional_text("preequilibrationConditionId")
        if before and before not in conditions:
            raise cells.error(f"there is no condition '{before}'")
        item = Measurement(
            observable=cells.choice("observableId", tuple(observables)),
            experiment=experiments.setdefault((run, before), len(experiments)),
            time=cells.number("time"),
            value=cells.number("measurement"),
            standard_deviation=cells.number("noiseParameters"),
            dataset=cells.optional_text("datasetId"),
        )
        if item.standard_deviation <= 0 or not math.isfinite(item.time) or item.time < 0:
            raise cells.error("needs a positive standard deviation and a time of 0 or later")
        found.append(item)
    if not found:
        raise InputError("holds no measurement", source=path)
    return tuple(found)
