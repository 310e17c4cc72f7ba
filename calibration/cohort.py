"""Cohorts with common random numbers for fitting rows of the parameter tables."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from estradyn.calibration.value_tables import write_fitted_values
from estradyn.engine import CompiledModel, DoseSchedule, Solution, compile_model, solve
from estradyn.model import OdeModel, ParameterTable, load_model
from estradyn.model.composition import drug_records
from estradyn.model.patient_model import PATIENT
from estradyn.model.sources import ANTIMONY_SUFFIX, models_directory
from estradyn.population.draws import draw_candidates

Array = NDArray[np.float64]

HOURS_PER_DAY = 24.0

BONE_AND_LIPIDS = re.compile(r"\s*(bone|lipids)(:|\.|_\w+_input\s*:=)")
"""Lines of the patient's text that put in these two modules and wire them."""

OVER_DRUGS = re.compile(r"\s*(bone|lipids)\.(?P<rest>\w+ := [01];\s*// (sum|product) over drugs)")
"""Those of these lines that join what drugs bring."""


@dataclass(frozen=True)
class RowValues:
    """Numbers of one table row that a fit may change; None keeps the table's."""

    value: float | None = None
    spread: float | None = None


def with_rows(table: ParameterTable, changes: Mapping[str, RowValues]) -> ParameterTable:
    """Return the table with new values or spreads in some rows.

    Raises
    ------
    KeyError
        If a name is not a row of the table.
    """
    unknown = changes.keys() - table.by_name.keys()
    if unknown:
        raise KeyError(f"no row called {sorted(unknown)}")
    rows = []
    for row in table.rows:
        change = changes.get(row.name, RowValues())
        value = row.value if change.value is None else change.value
        spread = row.spread if change.spread is None else change.spread
        rows.append(replace(row, value=value, spread=spread))
    return ParameterTable(tuple(rows), table.correlations)


def write_rows(
    table: ParameterTable,
    changes: Mapping[str, RowValues],
    following: Mapping[str, float] = MappingProxyType({}),
) -> None:
    """Print new values and spreads, and put them into the tables of the shipped models.

    `following` are values of derived rows that follow from fitted ones.
    """
    values = {row: new.value for row, new in changes.items() if new.value is not None}
    spreads = {row: new.spread for row, new in changes.items() if new.spread is not None}
    for column, numbers in (("value", {**values, **following}), ("spread", spreads)):
        for row, number in numbers.items():
            print(f"{row}: {column} {number:.4g}")
    write_fitted_values(table, values, spreads, following)


def draw(
    table: ParameterTable, names: tuple[str, ...], seed: int, patients: int
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Draw patients of the typical trial: parameters of a model with these names, and traits.

    The same seed gives the same patients under any change of values: each value is a function of
    the patient's normal variable.
    """
    candidates = draw_candidates(table, seed, np.arange(patients), "typical")
    fixed = {row.name: np.full(patients, row.value) for row in table.parameters}
    drawn = {**fixed, **candidates.parameters}
    return {name: drawn[name] for name in names if name in drawn}, candidates.traits


def tumor_model(*drugs: str, modules: tuple[str, ...] = ()) -> OdeModel:
    """Read the patient with some drugs, without bone, calcium and lipids.

    These do not act back on the tumor, so what flare, response and progression need costs a third.
    """
    with tempfile.TemporaryDirectory() as folder:
        models = Path(shutil.copytree(models_directory(), Path(folder) / "models"))
        patient = models / f"{PATIENT}{ANTIMONY_SUFFIX}"
        lines = patient.read_text(encoding="utf-8").splitlines(keepends=True)
        # A drug may act on nothing that the text does not name, so what it would bring stays.
        kept = [OVER_DRUGS.sub(r"\g<rest>", line) for line in lines]
        kept = [line for line in kept if not BONE_AND_LIPIDS.match(line)]
        patient.write_text("".join(kept), encoding="utf-8")
        return load_model(patient, drugs=drugs, modules=modules)


def treat(
    compiled: CompiledModel,
    parameters: Mapping[str, Array],
    drug: str,
    dose: float,
    days: Array,
    *,
    initial_states: Array | None = None,
    workers: int = 2,
) -> Solution:
    """Give a drug, in mg, once a day and read the outputs on the given days."""
    patients = len(next(iter(parameters.values())))
    state = drug_records(models_directory())[drug].dose_state
    doses = DoseSchedule.repeated(
        patients, state, dose, interval=HOURS_PER_DAY, count=int(days[-1])
    )
    return solve(
        compiled,
        parameters,
        days * HOURS_PER_DAY,
        doses,
        patients=patients,
        initial_states=initial_states,
        workers=workers,
    )


def compile_even(
    model: OdeModel, outputs: tuple[str, ...], drugs: tuple[str, ...]
) -> CompiledModel:
    """Compile a model for `treat_evenly` with these drugs."""
    records = drug_records(models_directory())
    return compile_model(model, outputs, inflow_states=[records[drug].dose_state for drug in drugs])


def treat_evenly(
    compiled: CompiledModel,
    parameters: Mapping[str, Array],
    daily: Mapping[str, float],
    days: Array,
    *,
    stop: float | None = None,
    initial_states: Array | None = None,
    workers: int = 2,
) -> Solution:
    """Give drugs as a constant flow, in mg per day, and read the outputs on the given days.

    The flow ends on the day `stop`, without it on the last. Levels then lack their daily swing,
    which matters little for tumors (drugs here have half-lives of two days and more, cells turn
    over in weeks); without a jump each day the solver takes forty times fewer steps.
    """
    patients = len(next(iter(parameters.values())))
    records = drug_records(models_directory())
    end = float(days[-1]) if stop is None else stop
    flows = [
        DoseSchedule.infusions(
            np.arange(patients), 0.0, end * HOURS_PER_DAY, records[drug].dose_state, dose * end
        )
        for drug, dose in daily.items()
    ]
    return solve(
        compiled,
        parameters,
        days * HOURS_PER_DAY,
        DoseSchedule.together(flows),
        patients=patients,
        initial_states=initial_states,
        workers=workers,
    )
