"""Parameter tables: values of the model's parameters for each patient."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from estradyn.errors import InputError
from estradyn.model import OdeModel, parameters_without_value
from estradyn.simulation.number_table import read_number_table


def read_parameter_values(
    path: Path, model: OdeModel, ids: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Read a table with one row of parameter values per patient.

    Parameters
    ----------
    path
        Comma-separated file with the column ID and one column per parameter.
    model
        The model whose parameters may stand in the table.
    ids
        Patients who must have a row each, shape (patients,).

    Returns
    -------
    dict
        Values by parameter in the order of `ids`, shape (patients,).

    Raises
    ------
    InputError
        If a column is no parameter of the model, a cell is empty or not a number, or the patients
        are not exactly those of `ids`, once each.
    """
    table = read_number_table(path, ("ID", *model.parameter_names), ("ID",))
    for name, values in table.numbers.items():
        table.refuse(np.isnan(values), name, "empty", "a number")
    identity = table.numbers.pop("ID")
    row_of: dict[float, int] = {}
    for row, patient in enumerate(identity):
        if patient in row_of:
            raise table.error(row, f"ID {patient:g} is given twice, one row each is allowed")
        row_of[patient] = row
    for patient in ids:
        if patient not in row_of:
            raise InputError(
                f"has no row for ID {patient} of the event table; every patient needs one",
                source=path,
            )
    strangers = ~np.isin(identity, ids)
    if strangers.any():
        row = int(np.argmax(strangers))
        raise table.error(
            row, f"ID {identity[row]:g} has no record in the event table; every patient needs one"
        )
    rows = np.array([row_of[patient] for patient in ids], dtype=np.int64)
    return {name: values[rows] for name, values in table.numbers.items()}


def require_values(model: OdeModel, given: dict[str, NDArray[np.float64]]) -> None:
    """Check that every parameter has a value, in the model or in a table.

    Raises
    ------
    InputError
        Naming the first parameter without one.
    """
    for name in parameters_without_value(model):
        if name not in given:
            raise InputError(
                f"the parameter '{name}' has no value in the model '{model.name}'; "
                "give it a column in a table of parameters"
            )
