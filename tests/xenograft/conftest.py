"""Simulated studies of known truth, and the shared reference data where they are present."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from estradyn.xenograft import Course, SimulatedArm, simulate_study
from estradyn.xenograft.statistical_mouse import SimulatedStudy

SHARED = Path(os.environ.get("ESTRADYN_SHARED", Path(__file__).parents[3] / "shared"))
TWICE_WEEKLY = tuple(sorted({*range(0, 57, 7), *range(3, 57, 7)}))
MIXTURE = {
    Course.FLARE_RESPONSE: 0.4,
    Course.RESPONSE: 0.2,
    Course.STABLE: 0.15,
    Course.PROGRESSION: 0.25,
}


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip("reference data are not available (set ESTRADYN_SHARED)")
    return folder


@pytest.fixture(scope="session")
def study() -> SimulatedStudy:
    arms = [SimulatedArm("vehicle", 10), SimulatedArm("SERM", 10, MIXTURE)]
    return simulate_study(arms, TWICE_WEEKLY, 5, blood_days=TWICE_WEEKLY[::2], in_bone=True)


@pytest.fixture
def frame(study: SimulatedStudy) -> pd.DataFrame:
    return study.measurements.assign(site="tibia")
