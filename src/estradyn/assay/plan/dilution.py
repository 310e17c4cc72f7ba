"""Dilutions and volumes that give every well its doses at one percentage of vehicle.

Each substance is diluted in vehicle to a multiple of its final doses, from there in medium to ten
times the final dose, and a tenth of the well's volume is added of each; wells without a substance
get the same volume of medium with vehicle. So all wells hold the same vehicle.
"""

from __future__ import annotations

import math

import pandas as pd

from estradyn.assay.plan.design import AssayDesign
from estradyn.assay.series import dose_text

_PARTS = 10.0
_EXCESS = 1.2
_SMALLEST_TRANSFER = 2.0
"""Microlitres below which a pipette is not trusted."""


def multiple_of(design: AssayDesign, stock: float, top: float) -> float:
    """Multiple of the final dose that keeps the vehicle at its limit, or what the stock allows."""
    substance_count = 1 if design.agonist is None else 2
    return min(100.0 * substance_count / design.vehicle_limit, stock / top)


def substances(design: AssayDesign) -> list[tuple[str, list[float], float]]:
    """Name, doses from high to low and stock of each substance."""
    result = [(design.drug.name, design.doses(), design.drug.stock)]
    if design.agonist is not None:
        result.append((design.agonist.name, design.agonist_doses(), design.agonist.stock))
    return result


def vehicle_percent(design: AssayDesign) -> float:
    """Percentage of vehicle in every well."""
    return sum(
        100.0 / multiple_of(design, stock, doses[0]) for _, doses, stock in substances(design)
    )


def vehicle_medium(design: AssayDesign, place: int) -> str:
    """Name of the medium that stands in for a substance, with the vehicle its solutions hold."""
    _, doses, stock = substances(design)[place]
    percent = 100.0 * _PARTS / multiple_of(design, stock, doses[0])
    return f"medium + {percent:.3g} % {design.vehicle}"


def dilution_table(design: AssayDesign) -> pd.DataFrame:
    """Steps of every dilution, in the order in which they are made.

    Returns
    -------
    pandas.DataFrame
        Columns `substance`, `tube`, `solvent`, `from`, `transfer_uL`, `add_uL`, `gives` (text) and
        `concentration_M`. Volumes leave enough for all plates and a fifth more.
    """
    rows = []
    plates = design.plates_per_time * len(design.times_h)
    added = design.well_volume / _PARTS
    for place, (name, doses, stock) in enumerate(substances(design)):
        multiple = multiple_of(design, stock, doses[0])
        wells = {
            dose: sum(dose in (drug, agonist) for _, drug, agonist in design.treatments())
            for dose in doses
        }
        working = {dose: wells[dose] * plates * added * _EXCESS for dose in doses}
        ratio = multiple / _PARTS
        need = max([volume / ratio for volume in working.values()] + [_SMALLEST_TRANSFER])
        before, source = stock, "stock"
        for number, dose in enumerate(doses, start=1):
            concentration = dose * multiple
            factor = before / concentration
            # Enough that a tube still holds what it needs after the next one was drawn from it.
            total = need * 2.0 * _EXCESS
            if factor > 1:
                total = max(total, _SMALLEST_TRANSFER * factor)
            next_factor = dose / doses[number] if number < len(doses) else math.inf
            total = max(total, need + total / next_factor)
            rows.append(
                {
                    "substance": name,
                    "tube": f"{name} V{number}",
                    "solvent": design.vehicle,
                    "from": source,
                    "transfer_uL": round(total / factor, 1),
                    "add_uL": round(total - total / factor, 1),
                    "gives": f"{dose_text(concentration, 'M')} ({multiple:g}×)",
                    "concentration_M": concentration,
                }
            )
            before, source = concentration, f"{name} V{number}"
        for number, dose in enumerate(doses, start=1):
            volume = max(working[dose], _SMALLEST_TRANSFER * ratio)
            rows.append(
                {
                    "substance": name,
                    "tube": f"{name} M{number}",
                    "solvent": "medium",
                    "from": f"{name} V{number}",
                    "transfer_uL": round(volume / ratio, 1),
                    "add_uL": round(volume - volume / ratio, 1),
                    "gives": f"{dose_text(dose * _PARTS, 'M')} ({_PARTS:g}×)",
                    "concentration_M": dose * _PARTS,
                }
            )
        without = sum(treatment[1 + place] == 0 for treatment in design.treatments())
        volume = max(without * plates * added * _EXCESS, _SMALLEST_TRANSFER * ratio)
        rows.append(
            {
                "substance": design.vehicle,
                "tube": vehicle_medium(design, place),
                "solvent": "medium",
                "from": design.vehicle,
                "transfer_uL": round(volume / ratio, 1),
                "add_uL": round(volume - volume / ratio, 1),
                "gives": f"in place of {name}",
                "concentration_M": 0.0,
            }
        )
    return pd.DataFrame(rows)


def pipetting_table(design: AssayDesign) -> pd.DataFrame:
    """What goes into each kind of well.

    Returns
    -------
    pandas.DataFrame
        Columns `role`, `drug_dose_M`, `agonist_dose_M`, `wells_per_plate`, `cells_in_medium_uL`,
        `drug_solution`, `drug_uL`, `agonist_solution`, `agonist_uL`, `vehicle_percent`.
    """
    added = design.well_volume / _PARTS
    kinds = substances(design)
    percent = vehicle_percent(design)
    counts: dict[tuple[str, float, float], int] = {}
    for treatment in design.treatments():
        counts[treatment] = counts.get(treatment, 0) + 1

    def solution(place: int, dose: float) -> str:
        name, doses, _ = kinds[place]
        return f"{name} M{doses.index(dose) + 1}" if dose > 0 else vehicle_medium(design, place)

    rows = []
    for (role, drug, agonist), count in counts.items():
        rows.append(
            {
                "role": role,
                "drug_dose_M": drug,
                "agonist_dose_M": agonist,
                "wells_per_plate": count,
                "cells_in_medium_uL": round(design.well_volume - added * len(kinds), 2),
                "drug_solution": solution(0, drug),
                "drug_uL": added,
                "agonist_solution": solution(1, agonist) if len(kinds) > 1 else "",
                "agonist_uL": added if len(kinds) > 1 else 0.0,
                "vehicle_percent": round(percent, 6),
            }
        )
    return pd.DataFrame(rows)
