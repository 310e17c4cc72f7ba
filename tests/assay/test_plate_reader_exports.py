"""Every export with known values reads back to them; two broken ones are refused."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from estradyn.assay.readers import read_measurements
from estradyn.errors import InputError

SHARED = Path(os.environ.get("ESTRADYN_SHARED", Path(__file__).parents[3] / "shared"))
EXPORTS = SHARED / "data" / "plate_reader_exports"

pytestmark = pytest.mark.skipif(
    not EXPORTS.is_dir(), reason="plate reader exports are not available (set ESTRADYN_SHARED)"
)

NAMES = sorted(path.name for path in EXPORTS.glob("*.txt")) if EXPORTS.is_dir() else []
KEY = ["plate", "read", "well", "time_s"]


@pytest.fixture(scope="module")
def expected() -> pd.DataFrame:
    table = pd.read_csv(EXPORTS / "expected.csv", low_memory=False, float_precision="round_trip")
    table["time_s"] = table["time_s"].astype(float)
    return table


def test_there_are_fifteen_exports() -> None:
    assert len(NAMES) == 15


@pytest.mark.parametrize("name", NAMES)
def test_export_gives_the_expected_values(name: str, expected: pd.DataFrame) -> None:
    reads = read_measurements(EXPORTS / name)
    wanted = expected[expected["file"] == name]
    merged = wanted.merge(reads, on=KEY, how="left", suffixes=("", "_read"), indicator=True)
    assert (merged["_merge"] == "both").all()
    np.testing.assert_array_equal(merged["value_read"], merged["value"])
    assert (merged["flag_read"] == merged["flag"].fillna("")).all()
    for column in ("read_label", "mode"):
        assert (merged[f"{column}_read"] == merged[column].astype(str)).all()
    for column in ("wavelength_nm", "excitation_nm"):
        np.testing.assert_array_equal(
            merged[f"{column}_read"].astype(float), merged[column].astype(float)
        )
    # A well that was not read may be an extra row, but never with a number.
    extra = reads.merge(wanted[KEY], on=KEY, how="left", indicator=True)
    assert extra.loc[extra["_merge"] == "left_only", "value"].isna().all()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gen5_missing_results_error.txt", "no result table"),
        ("softmax_missing_measurement_table_row.txt", "3 rows where 4 are declared"),
    ],
)
def test_broken_export_is_refused(name: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read_measurements(EXPORTS / "malformed" / name)
    assert name in str(caught.value)
