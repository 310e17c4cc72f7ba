"""Simulated studies of known truth, and the shared reference data where they are present."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from estradyn.xenograft import Host, SimulatedArm, SimulatedStudy, Treatment, Visits, simulate_study

SHARED = Path(os.environ.get("ESTRADYN_SHARED", Path(__file__).parents[3] / "shared"))
TWICE_WEEKLY = tuple(float(day) for day in sorted({*range(0, 57, 7), *range(3, 57, 7)}))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip("reference data are not available (set ESTRADYN_SHARED)")
    return folder


@pytest.fixture(scope="session")
def study() -> SimulatedStudy:
    arms = [
        SimulatedArm("vehicle", 10),
        SimulatedArm("SERM", 10, (Treatment("toremifene", 10.0),)),
    ]
    visits = Visits(
        TWICE_WEEKLY, blood_days=TWICE_WEEKLY[::2], light_days=TWICE_WEEKLY, histology_days=(56.0,)
    )
    host = Host(
        estradiol_pellet_mg=0.05, ovariectomized=True, in_bone=True, baseline_volume_mm3=60.0
    )
    return simulate_study(arms, visits, 5, host=host)


@pytest.fixture
def frame(study: SimulatedStudy) -> pd.DataFrame:
    return study.measurements.drop(columns=["length_mm", "width_mm"])
