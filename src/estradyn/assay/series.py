"""Wells grouped into the dose series that are fitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd

from estradyn.assay.curves.choice import FEWEST_DOSES
from estradyn.errors import InputError


@dataclass(frozen=True, order=True)
class SeriesKey:
    """What a dose series is of.

    Attributes
    ----------
    cell_line, readout
        As on the plate map; readouts are never pooled.
    drug
        Substance whose dose varies.
    agonist_dose
        Constant dose of the agonist beside it, 0 if none.
    time_h
        Hours of treatment, NaN if not stated.
    """

    cell_line: str
    readout: str
    drug: str
    agonist_dose: float
    time_h: float

    def over_times(self) -> tuple[str, str, str, float]:
        """The key without its time."""
        return (self.cell_line, self.readout, self.drug, self.agonist_dose)


@dataclass(frozen=True)
class Series:
    """Wells of one dose series with their controls (dose 0).

    Attributes
    ----------
    key
        What it is of.
    wells
        Columns `plate`, `well`, `dose`, `response` (percent of vehicle), `growth_rate`.
    unit
        Unit of the doses.
    """

    key: SeriesKey
    wells: pd.DataFrame
    unit: str


def split_series(wells: pd.DataFrame) -> tuple[list[Series], list[str]]:
    """Split normalised wells into dose series.

    Parameters
    ----------
    wells
        What `estradyn.assay.normalise.normalise` returns.

    Returns
    -------
    series : list of Series
        In the order of cell line, readout, drug, agonist and time.
    notes : list of str
        Series that were left out and why.

    Raises
    ------
    InputError
        If no series has enough doses, or one plate mixes readouts.
    """
    _refuse_mixed_readouts(wells)
    usable = wells[wells["percent_of_vehicle"].notna() & (wells["time_h"] != 0)]
    usable = usable[~usable["role"].isin(["blank", "empty"])]
    series: list[Series] = []
    notes: list[str] = []
    for group, part in usable.groupby(["cell_line", "readout", "time_h"], sort=True, dropna=False):
        cell_line, readout, hours = cast("tuple[str, str, float]", group)
        unit = str(part["unit"].iloc[0])
        vehicle = part[part["role"] == "vehicle"].assign(dose=0.0)
        dosed = part[part["dose"] > 0]
        for pair, treated in dosed.groupby(["drug", "agonist_dose"], sort=True):
            drug, agonist_dose = cast("tuple[str, float]", pair)
            key = SeriesKey(cell_line, readout, drug, float(agonist_dose), float(hours))
            if agonist_dose > 0:
                beside = (part["dose"] == 0) & (part["agonist_dose"] == agonist_dose)
                control = part[beside].assign(dose=0.0)
                if control.empty:
                    notes.append(
                        f"{describe(key, unit)}: no wells with the agonist alone at this dose, so "
                        "the series has no control and was left out"
                    )
                    continue
            else:
                control = vehicle
            _add(series, notes, key, control, treated, unit)
        alone = part[(part["dose"] == 0) & (part["agonist_dose"] > 0)]
        if alone["agonist_dose"].nunique() >= FEWEST_DOSES:
            name = next((name for name in alone["agonist"] if name), "agonist")
            key = SeriesKey(cell_line, readout, name, 0.0, float(hours))
            _add(series, notes, key, vehicle, alone.assign(dose=alone["agonist_dose"]), unit)
    if not series:
        raise InputError(
            "no dose series can be fitted"
            + (f" ({notes[0]})" if notes else "; no well is a sample with a drug and a dose"),
            source=str(wells["file"].iloc[0]) if len(wells) else None,
        )
    return sorted(series, key=lambda item: _order(item.key)), notes


def _order(key: SeriesKey) -> tuple[object, ...]:
    return (*key.over_times(), -1.0 if np.isnan(key.time_h) else key.time_h)


def _add(
    series: list[Series],
    notes: list[str],
    key: SeriesKey,
    control: pd.DataFrame,
    treated: pd.DataFrame,
    unit: str,
) -> None:
    doses = treated["dose"].nunique()
    if doses < FEWEST_DOSES and key.agonist_dose > 0:
        # A few doses of drug beside several of the agonist are the design of a shift.
        return
    if doses < FEWEST_DOSES:
        notes.append(
            f"{describe(key, unit)}: {doses} doses (first well {treated['well'].iloc[0]} of plate "
            f"{treated['plate'].iloc[0]!r}), at least {FEWEST_DOSES} are needed"
        )
        return
    control = control[control["plate"].isin(treated["plate"])]
    both = pd.concat([control, treated], ignore_index=True)
    columns = ["plate", "well", "dose", "percent_of_vehicle", "growth_rate"]
    table = both[columns].rename(columns={"percent_of_vehicle": "response"})
    series.append(Series(key, table, unit))


def _refuse_mixed_readouts(wells: pd.DataFrame) -> None:
    used = wells[~wells["role"].isin(["empty"])]
    for plate, part in used.groupby("plate", sort=False):
        for column in ("readout", "cell_line", "time_h"):
            found = [str(value) for value in part[column].dropna().unique() if str(value)]
            if len(found) > 1:
                raise InputError(
                    f"plate {plate!r} mixes {column} {' and '.join(found[:3])}; a plate has one",
                    source=str(part["file"].iloc[0]),
                )


def describe(key: SeriesKey, unit: str, *, with_time: bool = True) -> str:
    """A series in words, say "toremifene + 0.1 nM agonist, MCF-7, MTT, 48 h"."""
    name = key.drug
    if key.agonist_dose > 0:
        name += f" + {dose_text(key.agonist_dose, unit)} agonist"
    parts = [name, key.cell_line, key.readout]
    if with_time and not np.isnan(key.time_h):
        parts.append(f"{key.time_h:g} h")
    return ", ".join(part for part in parts if part)


def dose_text(dose: float, unit: str) -> str:
    """A dose with three digits in the unit that keeps the number short."""
    if not np.isfinite(dose):
        return "–"
    if unit != "M" or dose == 0:
        return f"{dose:.3g} {unit}"
    for name, size in (("M", 1.0), ("mM", 1e-3), ("µM", 1e-6), ("nM", 1e-9), ("pM", 1e-12)):
        if dose >= 0.9995 * size:
            return f"{dose / size:.3g} {name}"
    return f"{dose / 1e-15:.3g} fM"
