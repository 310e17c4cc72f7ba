"""The files a trial leaves."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from estradyn.trial.simulation import Array

ENDPOINTS = "endpoints.csv"
PATIENTS = "patients.parquet"
ASSESSMENTS = "assessments.parquet"
TRAJECTORIES = "trajectories.parquet"
MANIFEST = "manifest.json"
REPORT = "report.html"

TABLES = (ENDPOINTS, PATIENTS, ASSESSMENTS, TRAJECTORIES)
"""Files that the same study and seed give bit for bit."""

FILES = (*TABLES, MANIFEST, REPORT)
"""Everything a trial leaves in its folder."""

_COMPRESSION = "zstd"


def write_endpoints(endpoints: pd.DataFrame, path: Path) -> None:
    """Write the endpoint table as CSV; every number reads back as itself."""
    endpoints.to_csv(path, index=False, lineterminator="\n")


def with_arm(table: pa.Table, arm_index: int, arms: Sequence[str]) -> pa.Table:
    """Say of every row of a table which of the arms it belongs to."""
    indices = pa.array(np.full(table.num_rows, arm_index, dtype=np.int8))
    column = pa.DictionaryArray.from_arrays(indices, pa.array(list(arms), pa.string()))
    return table.set_column(table.schema.get_field_index("arm"), "arm", column)


class TableWriter:
    """Appends tables of one schema to a Parquet file, a chunk of patients at a time.

    Parameters
    ----------
    path
        File to write; the same content in the same chunks gives the same bytes.
    """

    def __init__(self, path: Path):
        self._path = path
        self._writer: parquet.ParquetWriter | None = None

    def append(self, table: pa.Table) -> None:
        """Append the rows of a table."""
        if self._writer is None:
            self._writer = parquet.ParquetWriter(self._path, table.schema, compression=_COMPRESSION)
        self._writer.write_table(table.cast(self._writer.schema))

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.close()


class TrajectoryWriter:
    """Appends trajectories to one Parquet file, a chunk of patients at a time.

    Columns are `patient_id`, `arm`, `time_day` and one per model output, in single precision: its
    seven digits are more than the solver's tolerance.

    Parameters
    ----------
    path
        File to write.
    arms
        Names of all arms.
    outputs
        Names of the model outputs.
    """

    def __init__(self, path: Path, arms: Sequence[str], outputs: Sequence[str]):
        self._arms = pa.array(list(arms), pa.string())
        self._outputs = tuple(outputs)
        self._schema = pa.schema(
            [
                ("patient_id", pa.int64()),
                ("arm", pa.dictionary(pa.int8(), pa.string())),
                ("time_day", pa.float32()),
                *((name, pa.float32()) for name in outputs),
            ]
        )
        self._writer = parquet.ParquetWriter(path, self._schema, compression=_COMPRESSION)

    def append(
        self,
        arm_index: int,
        patient_ids: NDArray[np.int64],
        days: Array,
        trajectories: NDArray[np.float32],
    ) -> None:
        """Append patients.

        Parameters
        ----------
        arm_index
            Position of their arm.
        patient_ids
            Shape (patients,).
        days
            Shape (times,).
        trajectories
            Shape (patients, times, outputs).
        """
        patients, times = trajectories.shape[:2]
        indices = pa.array(np.full(patients * times, arm_index, dtype=np.int8))
        columns = [
            pa.array(np.repeat(patient_ids, times)),
            pa.DictionaryArray.from_arrays(indices, self._arms),
            pa.array(np.tile(days.astype(np.float32), patients)),
            *(pa.array(trajectories[:, :, place].ravel()) for place in range(len(self._outputs))),
        ]
        self._writer.write_table(pa.Table.from_arrays(columns, schema=self._schema))

    def __enter__(self) -> TrajectoryWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()


def file_hash(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal text."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
