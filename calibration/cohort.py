"""Cohorts with common random numbers for fitting rows of the parameter tables."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from estradyn.engine import CompiledModel, DoseSchedule, Solution, solve
from estradyn.model import OdeModel, ParameterTable, load_model
from estradyn.model.composition import drug_records
from estradyn.model.sources import models_directory
from estradyn.population.draws import draw_candidates

Array = NDArray[np.float64]

HOURS_PER_DAY = 24.0


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


def write_rows(changes: Mapping[str, RowValues]) -> None:
    """Print new values and spreads, and put them into the tables of the shipped models.

    Numbers are rounded to four digits; nothing else in a table changes.
    """
    cells = {
        (row, column): f"{number:.4g}"
        for row, values in changes.items()
        for column, number in (("value", values.value), ("spread", values.spread))
        if number is not None
    }
    for (row, column), text in cells.items():
        print(f"{row}: {column} {text}")
    for path in models_directory().glob("*.tsv"):
        lines = [line.split("\t") for line in path.read_text(encoding="utf-8").split("\n")]
        header, before = lines[0], [list(line) for line in lines]
        for line in lines[1:]:
            for name in (f"{path.stem}_{line[0]}", line[0]):
                for column in ("value", "spread"):
                    if (name, column) in cells:
                        line[header.index(column)] = cells.pop((name, column))
        if lines != before:
            path.write_text("\n".join("\t".join(line) for line in lines), encoding="utf-8")
    if cells:
        raise KeyError(f"no row called {sorted(cells)}")


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


def tumor_model(drug: str) -> OdeModel:
    """Read `tumor_response.ant` with one drug in it: the patient up to the tumor.

    A text that takes drugs must stand beside their records, so it is read in a copy of the folder.
    """
    with tempfile.TemporaryDirectory() as folder:
        models = Path(shutil.copytree(models_directory(), Path(folder) / "models"))
        text = shutil.copy(Path(__file__).parent / "tumor_response.ant", models)
        return load_model(text, drugs=(drug,))


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
