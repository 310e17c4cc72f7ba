"""Which reader understands a file."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from estradyn.assay.readers.delimited import split_delimited
from estradyn.assay.readers.gen5 import is_gen5, read_gen5
from estradyn.assay.readers.plater import is_plater
from estradyn.assay.readers.softmax import is_softmax, read_softmax
from estradyn.assay.readers.text import read_text
from estradyn.assay.readers.tidy import read_plater, read_tidy


def read_measurements(path: str | Path) -> pd.DataFrame:
    """Read the signals of a plate file.

    Parameters
    ----------
    path
        BioTek Gen5 or SoftMax Pro text export, tidy CSV (`well`, `signal`, optionally `plate`) or
        plate-shaped CSV in the plater format; in UTF-8, UTF-16 or Latin-1.

    Returns
    -------
    pandas.DataFrame
        Table with `READ_COLUMNS`.

    Raises
    ------
    InputError
        One sentence with file, line and well if the file cannot be read whole.
    """
    path = Path(path)
    text = read_text(path)
    if is_softmax(text):
        return read_softmax(text, path)
    if is_gen5(text):
        return read_gen5(text, path)
    table = split_delimited(text, path)
    return read_plater(table) if is_plater(table) else read_tidy(table)
