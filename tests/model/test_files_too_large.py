"""A text of 10 GB is refused by its size, wherever a model has it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from estradyn.errors import InputError
from estradyn.model import load_patient_model

SMALL = Path(__file__).parent / "data" / "small"
TEN_GIGABYTES = 10**10


@pytest.mark.parametrize(
    "name", ["patient.ant", "oral.ant", "body.tsv", "outputs.tsv", "drugs/inhibitor.md"]
)
def test_a_file_of_a_patient_model(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "models"
    shutil.copytree(SMALL, folder)
    # Without a disk full of zeros: the file has a size and no content.
    os.truncate(folder / name, TEN_GIGABYTES)
    with pytest.raises(InputError, match=rf"{name}: has 10000 MB"):
        load_patient_model(folder)
