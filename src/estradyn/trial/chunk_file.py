"""The file of one chunk of patients: everything that a trial records of them, read in parts.

A zip archive of tables and arrays. Its directory stands at its end and every part carries a
checksum, so a file that is cut short or damaged is noticed, never read.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from estradyn.errors import InputError
from estradyn.population import Drawn
from estradyn.trial.outcomes import Outcomes, VisitReadings
from estradyn.trial.simulation import Array
from estradyn.trial.study import Storage

_HEADER = "chunk.json"
_PATIENTS = "patients.parquet"
_ASSESSMENTS = "assessments.parquet"
_TRAJECTORIES = "trajectories.npy"


def encode_chunk(
    outcomes: Outcomes, trajectories: Array, *, drawn: Drawn, processor: str, store: Storage
) -> bytes:
    """Write the content of a chunk's file.

    Parameters
    ----------
    outcomes
        What was recorded of the patients.
    trajectories
        Model outputs on the days that are kept, shape (patients, times, outputs).
    drawn
        Candidates that the chunk took.
    processor
        Name of the processor it was simulated on.
    store
        With `endpoints`, what no endpoint reads is left out: assessments, trajectories and the
        values that were drawn for each patient.
    """
    everything = store is Storage.ALL
    patients = outcomes.patients
    if not everything:
        patients = patients.drop(columns=list(outcomes.drawn_columns))
    header = {
        "candidates": drawn.candidates,
        "rejected": dict(drawn.rejected),
        "processor": processor,
        "drawn_columns": list(outcomes.drawn_columns),
        "visits": [
            {"planned_days": series.planned_days.tolist(), "outputs": list(series.outputs)}
            for series in outcomes.visits
        ],
    }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(_HEADER, json.dumps(header))
        archive.writestr(_PATIENTS, _table_bytes(patients))
        for number, series in enumerate(outcomes.visits):
            archive.writestr(_visit_part(number, "days"), _array_bytes(series.days))
            for place, name in enumerate(series.outputs):
                part = _visit_part(number, f"output-{place}")
                archive.writestr(part, _array_bytes(series.measured[name]))
        if everything:
            archive.writestr(_ASSESSMENTS, _table_bytes(outcomes.assessments))
            # Years after it is found an untreated tumor, which the equations let grow without end,
            # may be too large for single precision: infinite, which is no news to anybody.
            with np.errstate(over="ignore"):
                single = trajectories.astype(np.float32)
            archive.writestr(_TRAJECTORIES, _array_bytes(single))
    return content.getvalue()


@dataclass(frozen=True)
class ChunkFile:
    """A chunk's file.

    Attributes
    ----------
    path
        Where it is.

    Raises
    ------
    InputError
        From every method, if the file is damaged.
    """

    path: Path

    @property
    def drawn(self) -> Drawn:
        """Candidates that the chunk took."""
        return Drawn(self._header["candidates"], self._header["rejected"])

    @property
    def processor(self) -> str:
        """Name of the processor it was simulated on."""
        return str(self._header["processor"])

    def outcomes(self) -> pa.Table:
        """Patient table without the columns that were drawn."""
        drawn = set(self._header["drawn_columns"])
        file = parquet.ParquetFile(io.BytesIO(self._part(_PATIENTS)))
        return file.read([name for name in file.schema_arrow.names if name not in drawn])

    def patients(self) -> pa.Table:
        """Patient table."""
        return parquet.read_table(io.BytesIO(self._part(_PATIENTS)))

    def assessments(self) -> pa.Table:
        """Assessment table."""
        return parquet.read_table(io.BytesIO(self._part(_ASSESSMENTS)))

    def trajectories(self) -> NDArray[np.float32]:
        """Trajectories on the days that are kept, shape (patients, times, outputs)."""
        values: NDArray[np.float32] = np.load(io.BytesIO(self._part(_TRAJECTORIES)))
        return values

    def visit_series(self) -> list[tuple[Array, tuple[str, ...]]]:
        """Planned days and outputs of every series of visits."""
        return [
            (np.array(series["planned_days"], dtype=np.float64), tuple(series["outputs"]))
            for series in self._header["visits"]
        ]

    def visit_days(self, series: int) -> Array:
        """Days of the visits of a series, shape (patients, visits)."""
        return self._array(_visit_part(series, "days"))

    def visit_values(self, series: int, output: int) -> Array:
        """Measured values of one output of a series, shape (patients, visits)."""
        return self._array(_visit_part(series, f"output-{output}"))

    @cached_property
    def _header(self) -> dict[str, Any]:
        return dict(json.loads(self._part(_HEADER)))

    def _array(self, name: str) -> Array:
        values: Array = np.load(io.BytesIO(self._part(name)))
        return values

    def _part(self, name: str) -> bytes:
        try:
            with zipfile.ZipFile(self.path) as archive:
                return archive.read(name)
        except (OSError, zipfile.BadZipFile, KeyError):
            raise InputError(
                "found a damaged file of finished patients, allowed the file as the run wrote it; "
                "remove it and the run continues without it",
                source=self.path,
            ) from None


class StoredVisits(Sequence[VisitReadings]):
    """Visits of the patients of one arm, each series and output read when it is asked for.

    Parameters
    ----------
    chunks
        Files of the arm, in the order of its patients.
    patients
        Which of the arm's patients to read, shape (patients of the arm,).
    """

    def __init__(self, chunks: Sequence[ChunkFile], patients: NDArray[np.bool_]):
        self._chunks = chunks
        self._patients = patients
        self._series = chunks[0].visit_series()

    def __len__(self) -> int:
        return len(self._series)

    def __getitem__(self, number: Any) -> Any:
        planned_days, outputs = self._series[number]
        days = np.concatenate([chunk.visit_days(number) for chunk in self._chunks])
        return VisitReadings(
            planned_days,
            days[self._patients],
            _StoredValues(self._chunks, self._patients, number, outputs),
        )


@dataclass(frozen=True)
class _StoredValues(Mapping[str, Array]):
    """Measured values of one series by output, read when they are asked for."""

    chunks: Sequence[ChunkFile]
    patients: NDArray[np.bool_]
    series: int
    outputs: tuple[str, ...]

    def __getitem__(self, output: str) -> Array:
        if output not in self.outputs:
            raise KeyError(output)
        place = self.outputs.index(output)
        values = [chunk.visit_values(self.series, place) for chunk in self.chunks]
        return np.concatenate(values)[self.patients]

    def __iter__(self) -> Iterator[str]:
        return iter(self.outputs)

    def __len__(self) -> int:
        return len(self.outputs)


def _visit_part(series: int, name: str) -> str:
    return f"visits/{series}/{name}.npy"


def _table_bytes(frame: pd.DataFrame) -> bytes:
    content = io.BytesIO()
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    parquet.write_table(table, content, compression="zstd")
    return content.getvalue()


def _array_bytes(values: NDArray[Any]) -> bytes:
    content = io.BytesIO()
    np.save(content, values, allow_pickle=False)
    return content.getvalue()
