"""Writes simulated outputs a group of patients at a time; the file appears whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from estradyn.errors import InputError

CSV_SUFFIX = ".csv"
PARQUET_SUFFIX = ".parquet"
KEY_COLUMNS = ("id", "time")
_COMPRESSION = "zstd"


def check_result_place(path: Path, inputs: Sequence[Path]) -> None:
    """Check that a result can be written, before anything is computed.

    Parameters
    ----------
    path
        File to write.
    inputs
        Files that are read and must not be replaced.

    Raises
    ------
    InputError
        If the file type is not known, the folder does not exist or may not be written to, or the
        file is one of the inputs.
    """
    if path.suffix.lower() not in (CSV_SUFFIX, PARQUET_SUFFIX):
        raise InputError(
            f"has the ending '{path.suffix}', a result is written to {PARQUET_SUFFIX} or "
            f"{CSV_SUFFIX}",
            source=path,
        )
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise InputError(
            "cannot be written, allowed is a file in a folder that exists and you may write to",
            source=path,
        )
    for other in inputs:
        if path.exists() and other.exists() and path.samefile(other):
            raise InputError("is read by this command and may not be replaced", source=path)


class ResultFile:
    """A table with the columns `id`, `time` and one per output.

    Used as a context: the file is moved into place when the context ends without an error. NaN
    stands for a patient who could not be simulated; in CSV it is written `nan`.

    Parameters
    ----------
    path
        `.csv` or `.parquet` file to write; a file of that name is replaced.
    units
        Unit of `time` and of each output, by column in the order of the columns.

    Raises
    ------
    InputError
        If the place cannot be written.
    """

    def __init__(self, path: Path, units: Mapping[str, str]):
        self.path = path
        fields = [pa.field("id", pa.int64())]
        for name, unit in units.items():
            fields.append(pa.field(name, pa.float64(), metadata={"unit": unit}))
        self._schema = pa.schema(fields)

    def __enter__(self) -> ResultFile:
        try:
            descriptor, name = tempfile.mkstemp(
                dir=self.path.parent, prefix=f".{self.path.name}.", suffix=".partial"
            )
        except OSError as error:
            raise InputError(f"cannot be written ({error.strerror})", source=self.path) from None
        self._temporary = Path(name)
        self._file: BinaryIO = os.fdopen(descriptor, "wb")
        self._writer = self._open_writer()
        return self

    def _open_writer(self) -> parquet.ParquetWriter | arrow_csv.CSVWriter:
        if self.path.suffix.lower() == PARQUET_SUFFIX:
            return parquet.ParquetWriter(self._file, self._schema, compression=_COMPRESSION)
        # Arrow quotes the names of columns, which are plain words here.
        self._file.write((",".join(self._schema.names) + "\n").encode())
        options = arrow_csv.WriteOptions(include_header=False)
        return arrow_csv.CSVWriter(self._file, self._schema, write_options=options)

    def append(
        self, ids: NDArray[np.int64], time: NDArray[np.float64], values: NDArray[np.float64]
    ) -> None:
        """Append rows.

        Parameters
        ----------
        ids, time
            Patient and time of each row, shape (rows,).
        values
            Shape (rows, outputs).
        """
        columns = [ids, time, *np.ascontiguousarray(values.T)]
        arrays = [pa.array(column) for column in columns]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._writer.close()
            self._file.close()
            if kind is None:
                # mkstemp makes a file for its owner alone; a result is as readable as any other.
                self._temporary.chmod(0o644)
                self._temporary.replace(self.path)
        except OSError as failure:
            raise InputError(f"cannot be written ({failure.strerror})", source=self.path) from None
        finally:
            self._temporary.unlink(missing_ok=True)
