"""What medication beside the study drugs does to their kinetics, as a table of factors.

`models/co_medication.tsv` says for each enzyme and state (`inducer`, `inhibitor`) by how much it
multiplies a parameter of a drug. A variant of an enzyme (`cyp2d6` `absent`) and a meal (`meal`
`fasting`) stand in the same table. A drug without a row is not affected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from estradyn.model.ode_model import OdeModel
from estradyn.model.parameter_table import EvidenceClass
from estradyn.model.table_file import read_table

COLUMNS = ("enzyme", "state", "parameter", "factor", "class", "source", "note")


@dataclass(frozen=True)
class CoMedicationEffect:
    """One parameter that medication changes.

    Attributes
    ----------
    enzyme, state
        What is done to which enzyme, as `cyp3a4` and `inducer`.
    parameter
        Flattened name of the parameter.
    factor
        What its value is multiplied with.
    evidence_class, source, note
        Where the factor comes from.
    """

    enzyme: str
    state: str
    parameter: str
    factor: float
    evidence_class: EvidenceClass
    source: str
    note: str


def read_co_medication(path: Path) -> tuple[CoMedicationEffect, ...]:
    """Read the table; none where there is no such file.

    Raises
    ------
    ParameterError
        Naming file and line of a row that may not be used.
    """
    if not path.is_file():
        return ()
    effects: dict[tuple[str, str, str], CoMedicationEffect] = {}
    for cells in read_table(path, COLUMNS):
        key = (cells.text("enzyme"), cells.text("state"), cells.text("parameter"))
        if key in effects:
            raise cells.error(f"{key[0]} {key[1]} has a factor for '{key[2]}' already")
        factor = cells.number("factor")
        if factor < 0:
            raise cells.error(f"factor is {factor:g}, it must not be below 0")
        effects[key] = CoMedicationEffect(
            *key,
            factor,
            EvidenceClass(cells.choice("class", list(EvidenceClass))),
            cells.text("source"),
            cells.cells["note"],
        )
    return tuple(effects.values())


def states_by_enzyme(effects: Sequence[CoMedicationEffect]) -> dict[str, tuple[str, ...]]:
    """Return what can be done to each enzyme."""
    return {
        enzyme: tuple(dict.fromkeys(e.state for e in effects if e.enzyme == enzyme))
        for enzyme in dict.fromkeys(effect.enzyme for effect in effects)
    }


def with_co_medication(
    parameters: Mapping[str, NDArray[np.float64]],
    patients: int,
    co_medication: Mapping[str, str],
    effects: Sequence[CoMedicationEffect],
    model: OdeModel,
) -> dict[str, NDArray[np.float64]]:
    """Return the parameters of patients who take medication that changes them.

    Parameters
    ----------
    parameters
        Values that vary between patients: name to array (patients,).
    patients
        Number of patients.
    co_medication
        State of each enzyme that is not in its usual one.
    effects
        The table.
    model
        Gives the value of a parameter that does not vary. Effects on drugs that the model does not
        hold are left out.
    """
    usual = {item.name: item.value for item in model.parameters}
    changed = dict(parameters)
    for effect in effects:
        name = effect.parameter
        if co_medication.get(effect.enzyme) != effect.state or name not in usual:
            continue
        values = changed.get(name, np.full(patients, usual[name]))
        changed[name] = effect.factor * values
    return changed
