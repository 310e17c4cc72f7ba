"""Quantiles over patients, read from the trajectory table one column at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyarrow import parquet

LARGEST_NUMBER_OF_TIMES = 160
"""Times drawn per curve: more cannot be told apart on a page."""


@dataclass(frozen=True)
class ArmTrajectories:
    """One model output of all patients of one arm.

    Attributes
    ----------
    patient_ids
        Patients, in the order of the rows of `levels`.
    time_day
        Times in days, in the order of the columns of `levels`.
    levels
        Shape (patients, times); NaN where a patient has no value.
    """

    patient_ids: NDArray[np.int64]
    time_day: NDArray[np.float64]
    levels: NDArray[np.float64]

    def percent_change(self) -> ArmTrajectories:
        """Change from each patient's first value, in percent of it."""
        baseline = self.levels[:, :1]
        change = 100.0 * (self.levels / baseline - 1.0)
        return ArmTrajectories(self.patient_ids, self.time_day, change)


def output_columns(path: Path) -> tuple[str, ...]:
    """Names of the model outputs that the table holds."""
    names = parquet.read_schema(path).names
    return tuple(name for name in names if name not in ("patient_id", "arm", "time_day"))


def read_output(
    path: Path, output: str, *, from_day: float = 0.0, until_day: float = np.inf
) -> dict[str, ArmTrajectories]:
    """Read one output of all patients, arm by arm.

    Parameters
    ----------
    path
        Parquet file with `patient_id`, `arm`, `time_day` and the outputs.
    output
        Column to read.
    from_day, until_day
        First and last time to read.

    Returns
    -------
    dict
        Trajectories by arm, thinned to at most `LARGEST_NUMBER_OF_TIMES` times.
    """
    limit = [("time_day", ">=", float(from_day)), ("time_day", "<=", float(until_day))]
    table = parquet.read_table(
        path, columns=["patient_id", "arm", "time_day", output], filters=limit
    )
    frame = table.to_pandas()
    return {
        str(arm): _as_matrix(rows, output)
        for arm, rows in frame.groupby("arm", sort=False, observed=True)
    }


def _as_matrix(rows: pd.DataFrame, output: str) -> ArmTrajectories:
    patients, patient_index = np.unique(rows["patient_id"].to_numpy(), return_inverse=True)
    times, time_index = np.unique(rows["time_day"].to_numpy(), return_inverse=True)
    values = np.full((patients.size, times.size), np.nan)
    values[patient_index, time_index] = rows[output].to_numpy()
    kept = _evenly_spaced(times.size)
    return ArmTrajectories(patients, times[kept].astype(float), values[:, kept])


def _evenly_spaced(size: int) -> NDArray[np.int64]:
    if size <= LARGEST_NUMBER_OF_TIMES:
        return np.arange(size)
    return np.unique(np.linspace(0, size - 1, LARGEST_NUMBER_OF_TIMES).round().astype(np.int64))


def quantile_bands(
    trajectories: dict[str, ArmTrajectories],
    quantiles: Sequence[float],
    *,
    transform: Callable[[ArmTrajectories], ArmTrajectories] = lambda arm: arm,
) -> pd.DataFrame:
    """Quantiles over the patients of each arm at each time.

    Parameters
    ----------
    trajectories
        One output by arm.
    quantiles
        Probabilities, each becoming a column `q<percent>`, say `q50` for the median.
    transform
        Applied to each arm before the quantiles are taken.

    Returns
    -------
    pandas.DataFrame
        `arm`, `time_day`, `n` (patients with a value then) and the quantiles.
    """
    columns = [f"q{100 * probability:g}".replace(".", "_") for probability in quantiles]
    frames = []
    for arm, raw in trajectories.items():
        shown = transform(raw)
        present = np.isfinite(shown.levels)
        used = present.any(axis=0)
        values = np.where(present, shown.levels, np.nan)[:, used]
        frame = pd.DataFrame(np.nanquantile(values, quantiles, axis=0).T, columns=columns)
        frame.insert(0, "arm", arm)
        frame.insert(1, "time_day", shown.time_day[used])
        frame.insert(2, "n", present[:, used].sum(axis=0))
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)
