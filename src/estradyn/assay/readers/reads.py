"""The table every reader returns, and the choice of one read from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from estradyn.errors import InputError

READ_COLUMNS = (
    "file",
    "plate",
    "read",
    "read_label",
    "mode",
    "wavelength_nm",
    "excitation_nm",
    "well",
    "time_s",
    "value",
    "flag",
)
"""Columns of a table of reads.

`read` counts the reads of a plate from 1; `time_s` is the time of a kinetic read and NaN for an
end point; `value` is NaN where `flag` holds what the file says instead of a number.
"""


@dataclass(frozen=True)
class WellRead:
    """One number, or what stands in its place, of one well."""

    plate: str
    read: int
    read_label: str
    mode: str
    well: str
    value: float
    flag: str = ""
    wavelength_nm: float = np.nan
    excitation_nm: float = np.nan
    time_s: float = np.nan


def table_of_reads(path: Path, reads: Iterable[WellRead]) -> pd.DataFrame:
    """Put the reads of one file in a table with `READ_COLUMNS`.

    Raises
    ------
    InputError
        If there is no read, or a well of a plate is read twice at the same time.
    """
    table = pd.DataFrame([asdict(read) for read in reads])
    if table.empty:
        raise InputError("no well was read; export the raw data of at least one plate", source=path)
    table.insert(0, "file", path.name)
    key = ["plate", "read", "well", "time_s"]
    repeated = table.duplicated(key)
    if repeated.any():
        row = table[repeated].iloc[0]
        raise InputError(
            f"well {row['well']} of plate {row['plate']!r} is read twice; give every plate its own "
            "name",
            source=path,
        )
    return table.loc[:, list(READ_COLUMNS)]


def select_read(
    reads: pd.DataFrame, *, read: str | None = None, kinetic: str | None = None
) -> pd.DataFrame:
    """Keep one value per well.

    Parameters
    ----------
    reads
        Table with `READ_COLUMNS`.
    read
        Number, label or wavelength of the read to keep; may be left out where each plate has one.
    kinetic
        For kinetic reads: `first`, `last`, `mean`, or a time in seconds.

    Returns
    -------
    pandas.DataFrame
        Columns `file`, `plate`, `well`, `signal`, `flag`.

    Raises
    ------
    InputError
        If a plate has several reads or times and the choice between them is not given.
    """
    kept = [
        _one_time(_one_read(plate, read), kinetic)
        for _, plate in reads.groupby(["file", "plate"], sort=False)
    ]
    table = pd.concat(kept, ignore_index=True)
    return table.rename(columns={"value": "signal"})[["file", "plate", "well", "signal", "flag"]]


def _one_read(plate: pd.DataFrame, wanted: str | None) -> pd.DataFrame:
    labels = plate.drop_duplicates("read")[["read", "read_label", "wavelength_nm"]]
    name, source = plate["plate"].iloc[0], plate["file"].iloc[0]
    known = "; ".join(f"{row.read} = {row.read_label}" for row in labels.itertuples())
    if wanted is None:
        if len(labels) > 1:
            raise InputError(
                f"plate {name!r} has {len(labels)} reads ({known}); name one with --read",
                source=source,
            )
        return plate
    wavelengths = labels["wavelength_nm"].map(lambda value: f"{value:g}")
    for matches in (
        labels["read_label"] == wanted,
        labels["read"].astype(str) == wanted,
        wavelengths == wanted,
    ):
        if matches.sum() == 1:
            return plate[plate["read"] == labels.loc[matches, "read"].iloc[0]]
    raise InputError(f"plate {name!r} has no single read {wanted!r}; it has {known}", source=source)


def _one_time(plate: pd.DataFrame, kinetic: str | None) -> pd.DataFrame:
    times = np.unique(plate["time_s"].dropna())
    if len(times) <= 1:
        return plate
    name, source = plate["plate"].iloc[0], plate["file"].iloc[0]
    allowed = "first, last, mean or a time in seconds"
    if kinetic is None:
        raise InputError(
            f"plate {name!r} is read at {len(times)} times ({times[0]:g} to {times[-1]:g} s); "
            f"choose with --kinetic: {allowed}",
            source=source,
        )
    if kinetic == "mean":
        # A well without a number at some time has no honest mean.
        grouped = plate.groupby("well", sort=False)
        mean = grouped["value"].mean().where(grouped["value"].count() == len(times))
        first = plate.drop_duplicates("well").set_index("well")
        flags = plate[plate["flag"] != ""].drop_duplicates("well").set_index("well")["flag"]
        first["value"] = mean
        first["flag"] = flags.reindex(first.index).fillna("")
        return first.reset_index()
    if kinetic in ("first", "last"):
        wanted = times[0] if kinetic == "first" else times[-1]
    else:
        try:
            wanted = float(kinetic)
        except ValueError:
            raise InputError(f"--kinetic {kinetic!r} is none of {allowed}") from None
        if not np.isclose(times, wanted).any():
            raise InputError(
                f"plate {name!r} has no read at {wanted:g} s; its times are "
                + ", ".join(f"{time:g}" for time in times),
                source=source,
            )
    return plate[np.isclose(plate["time_s"], wanted)]
