"""Whom a scenario treats, where they differ from the patients of the tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from estradyn.model import PatientModel
from estradyn.model.parameter_table import ParameterTable
from estradyn.model.patient_model import with_values
from estradyn.model.table_file import TableRow, read_table

SCENARIOS = Path(__file__).parent / "scenarios"


def as_treated_in(scenario: str, model: PatientModel) -> PatientModel:
    """Return the model of a patient with the values that `populations.tsv` gives a scenario.

    Parameters
    ----------
    scenario
        Name of the scenario.
    model
        Model with the values of the tables.

    Raises
    ------
    ParameterError
        If the table names a parameter that the model does not have.
    """
    changes = {
        line.text("parameter"): line for line in _lines() if line.text("scenario") == scenario
    }
    table = _changed(model.parameters, changes)
    # What does not vary between patients stands in the equations themselves.
    return replace(model, model=with_values(model.model, table.model_values()), parameters=table)


@lru_cache(maxsize=1)
def _lines() -> tuple[TableRow, ...]:
    columns = ("scenario", "parameter", "value", "reason")
    return tuple(read_table(SCENARIOS / "populations.tsv", columns))


def _changed(table: ParameterTable, changes: Mapping[str, TableRow]) -> ParameterTable:
    for name, line in changes.items():
        if name not in table.by_name:
            raise line.error(f"the tables have no parameter '{name}'")
    rows = tuple(
        replace(row, value=changes[row.name].number("value")) if row.name in changes else row
        for row in table.rows
    )
    return ParameterTable(rows, table.correlations)
