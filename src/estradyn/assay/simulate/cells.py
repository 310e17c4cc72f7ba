"""Cells in wells without any noise: the mechanistic core solved for each treatment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from estradyn.assay.simulate.cell_lines import find_cell_line
from estradyn.assay.simulate.compounds import CONTEXT, find_compound
from estradyn.assay.wells import GROWTH_AREA_CM2
from estradyn.engine import CompiledModel, DoseSchedule, compile_model, solve
from estradyn.errors import SimulationError
from estradyn.model import PatientModel, load_parameters, load_patient_model, unit_ratio

Array = NDArray[np.float64]

OUTPUTS = (
    *("live_cells", "dead_cells", "cycling_fraction", "metabolic_activity", "dna_synthesis"),
    *("breast_estrogen_drive", "unliganded_activity", "receptor_content"),
)
"""Variables of the model that can be asked for."""

Treatment = Mapping[str, float]
"""Nominal concentration in the medium, mol/L, of each compound by name."""


@dataclass(frozen=True)
class Medium:
    """Medium of a culture.

    Attributes
    ----------
    serum_percent
        Serum by volume.
    charcoal_stripped, phenol_red_free
        Whether serum and medium are free of estrogen.
    deprivation_h
        Hours in this medium before treatment.
    insulin
        Whether the medium holds insulin or a like growth factor at the concentration of defined
        media (micrograms per mL), so that growth without estrogen does not fade.
    """

    serum_percent: float = 10.0
    charcoal_stripped: bool = True
    phenol_red_free: bool = True
    deprivation_h: float = 48.0
    insulin: bool = False

    def parameters(self) -> dict[str, float]:
        """Values of the model's parameters that this medium sets."""
        return {
            "tumor_serum_fraction": self.serum_percent / 100.0,
            "tumor_charcoal_stripped": float(self.charcoal_stripped),
            "tumor_phenol_red_free": float(self.phenol_red_free),
            "tumor_supplied_growth_factors": float(self.insulin),
        }


def simulate_cells(
    treatments: Sequence[Treatment],
    times_h: ArrayLike,
    *,
    cell_line: str,
    medium: Medium | None = None,
    parameters: Mapping[str, ArrayLike] | None = None,
    workers: int = 1,
) -> dict[str, Array]:
    """Simulate cells under treatments, without noise.

    Cells that grew with estrogen are brought into the medium; after the deprivation the treatment
    begins.

    Parameters
    ----------
    treatments
        What each well holds; an empty mapping is vehicle.
    times_h
        Hours after the start of treatment, ascending.
    cell_line
        Name of a line with a table.
    medium
        The medium; by default stripped, with 10 % serum, after 48 h of deprivation.
    parameters
        Values of model parameters by flattened name, one number or one per treatment, over those of
        tables and cell line.
    workers
        Threads of the solver.

    Returns
    -------
    dict
        Each of `OUTPUTS`, shape (treatments, times). Cells in thousands.

    Raises
    ------
    InputError
        If a compound or cell line is not known.
    SimulationError
        If a well cannot be solved.

    Examples
    --------
    >>> found = simulate_cells([{}, {"estradiol": 1e-9}], [0, 96], cell_line="MCF-7")
    >>> bool(found["live_cells"][1, 1] > 2 * found["live_cells"][0, 1])
    True
    """
    medium = medium or Medium()
    records = {name: find_compound(name) for name in {name for one in treatments for name in one}}
    names = tuple(sorted({record.name for record in records.values()}))
    model, compiled = _compiled(names)
    doses = []
    for name, record in records.items():
        to_state = unit_ratio("mol/L", model.model.unit_of[record.dose_state])
        amounts = to_state * np.array([treatment.get(name, 0.0) for treatment in treatments])
        held = np.flatnonzero(amounts > 0)
        doses.append(
            DoseSchedule.from_records(held, medium.deprivation_h, record.dose_state, amounts[held])
        )
    values = {**find_cell_line(cell_line).values, **medium.parameters(), **(parameters or {})}
    hours = np.asarray(times_h, dtype=np.float64) + medium.deprivation_h
    solution = solve(
        compiled,
        values,
        hours,
        DoseSchedule.together(doses),
        patients=len(treatments),
        workers=workers,
    )
    if not solution.succeeded.all():
        place = int(np.flatnonzero(~solution.succeeded)[0])
        raise SimulationError(f"the well with {dict(treatments[place]) or 'vehicle'} is not solved")
    return {name: solution.values[:, :, i] for i, name in enumerate(OUTPUTS)}


def capacity_of(area_cm2: float) -> float:
    """Thousands of cells at which growth ends on an area."""
    return tabled_culture()["tumor_capacity"] * area_cm2 / GROWTH_AREA_CM2[96]


@lru_cache(maxsize=1)
def tabled_culture() -> Mapping[str, float]:
    """Values of the model's parameters in a well of 96, without any compound."""
    return MappingProxyType(load_parameters(CONTEXT, drugs=()).model_values())


@lru_cache(maxsize=16)
def _compiled(names: tuple[str, ...]) -> tuple[PatientModel, CompiledModel]:
    model = load_patient_model(model_name=CONTEXT, drugs=names)
    return model, compile_model(model.model, OUTPUTS)
