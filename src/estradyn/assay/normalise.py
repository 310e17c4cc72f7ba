"""Signals to percent of vehicle and growth rate, each plate by its own blanks and vehicle."""

from __future__ import annotations

from typing import cast

import numpy as np
import pandas as pd

from estradyn.errors import InputError

SMALLEST_GROWTH = 0.1
"""Doublings of the vehicle since time 0 below which growth rates say nothing."""


def normalise(wells: pd.DataFrame, *, blanks: str = "required") -> tuple[pd.DataFrame, list[str]]:
    """Add percent of vehicle and growth rate to each well.

    Parameters
    ----------
    wells
        What `estradyn.assay.layout.join_layout` returns.
    blanks
        `required`, or `none` for signals such as cell counts that have no background.

    Returns
    -------
    wells : pandas.DataFrame
        With the columns `net` (signal less the plate's mean blank), `percent_of_vehicle` and
        `growth_rate`; the latter is GR = 2^(log2(x/x0) / log2(xc/x0)) - 1 (Hafner 2016,
        doi:10.1038/nmeth.3853), with x0 from the plates at time 0 and xc the vehicle of the same
        plate. It is not capped at 1, since stimulation lies above.
    notes : list of str
        Why growth rates are missing, if they are.

    Raises
    ------
    InputError
        If a plate has no usable blank or vehicle, or all its wells are equal.
    """
    table = wells.copy()
    table["net"] = np.nan
    table["percent_of_vehicle"] = np.nan
    for name, plate in table.groupby("plate", sort=False):
        net, vehicle = _net(str(name), plate, blanks)
        table.loc[plate.index, "net"] = net
        table.loc[plate.index, "percent_of_vehicle"] = 100.0 * net / vehicle
    table["growth_rate"] = np.nan
    notes = _add_growth_rate(table)
    return table, notes


def _net(name: str, plate: pd.DataFrame, blanks: str) -> tuple[pd.Series, float]:
    source = str(plate["file"].iloc[0])
    read = plate["signal"].dropna()
    if read.empty:
        raise InputError(f"plate {name!r} has no well with a number", source=source)
    if len(read) > 3 and (read == read.iloc[0]).all():
        raise InputError(
            f"all {len(read)} wells of plate {name!r} read {read.iloc[0]:g}; export the raw data "
            "again",
            source=source,
        )
    background = 0.0
    if blanks != "none":
        blank = plate.loc[plate["role"] == "blank", "signal"].dropna()
        if blank.empty:
            raise InputError(
                f"plate {name!r} has no blank well with a number; mark wells without cells as "
                "blank on the map, or say --blanks none if the signal has no background",
                source=source,
            )
        background = float(blank.mean())
    net = plate["signal"] - background
    vehicle = net[plate["role"] == "vehicle"].dropna()
    if vehicle.empty:
        raise InputError(
            f"plate {name!r} has no vehicle well with a number; mark the wells with vehicle only "
            "on the map",
            source=source,
        )
    mean = float(vehicle.mean())
    if mean <= 0:
        raise InputError(
            f"the vehicle of plate {name!r} is not brighter than its blanks (mean {mean:g} above "
            "blank); check which wells the map calls blank and vehicle",
            source=source,
        )
    return net, mean


def _add_growth_rate(table: pd.DataFrame) -> list[str]:
    notes = []
    for key, assay in table.groupby(["cell_line", "readout"], sort=False):
        what = " ".join(str(part) for part in cast("tuple[str, str]", key) if part) or "the assay"
        begin = assay[(assay["time_h"] == 0) & (assay["role"] == "vehicle")]["net"].dropna()
        if begin.empty or begin.mean() <= 0:
            notes.append(f"{what}: no time-0 plate, so growth rates (GR) cannot be given")
            continue
        start = float(begin.mean())
        later = assay[(assay["time_h"] != 0)]
        for name, plate in later.groupby("plate", sort=False):
            vehicle = float(plate.loc[plate["role"] == "vehicle", "net"].mean())
            doublings = np.log2(vehicle / start)
            if doublings < SMALLEST_GROWTH:
                notes.append(
                    f"{name}: the vehicle grew by {doublings:.2f} doublings since time 0, too "
                    "little for growth rates (GR)"
                )
                continue
            net = plate["net"].where(plate["net"] > 0)
            rate = np.exp2(np.log2(net / start) / doublings) - 1.0
            treated = ~plate["role"].isin(["blank", "empty"])
            table.loc[plate.index, "growth_rate"] = rate.where(treated)
    return notes
