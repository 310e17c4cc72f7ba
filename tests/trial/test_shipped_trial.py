"""A small run of the shipped study on the shipped model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from estradyn.trial.files import TABLES
from estradyn.trial.result import TrialResult
from estradyn.trial.run import run_trial
from estradyn.trial.study import load_study, with_overrides

STUDY = Path(__file__).parents[2] / "studies" / "toremifene_flare.yaml"

PATIENTS = 24


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> TrialResult:
    study = with_overrides(load_study(STUDY), patients=PATIENTS)
    return run_trial(study, tmp_path_factory.mktemp("trial") / "one", workers=1)


@pytest.mark.slow
def test_patients_differ_between_arms_and_are_all_simulated(result: TrialResult) -> None:
    patients = result.patients
    assert patients["patient_id"].is_unique
    assert len(patients) == 2 * PATIENTS
    assert patients["progressed"].notna().all()
    for counts in result.population.values():
        assert counts["accepted"] == PATIENTS
        assert counts["drawn"] >= PATIENTS


@pytest.mark.slow
def test_drug_is_there_from_the_first_dose_and_more_of_it_in_the_second_arm(
    result: TrialResult,
) -> None:
    table = pd.read_parquet(
        result.trajectories_path, columns=["arm", "time_day", "toremifene_concentration"]
    )
    level = table.pivot_table(
        index="time_day", columns="arm", values="toremifene_concentration", observed=True
    )
    assert (level.loc[0.0] == 0.0).all()
    assert level.loc[84.0, "toremifene 60 mg/day"] == pytest.approx(0.9, rel=0.35)
    ratio = level["toremifene 200 mg/day"] / level["toremifene 60 mg/day"]
    assert 1.5 < ratio.loc[84.0] < 3.5


@pytest.mark.slow
def test_second_worker_changes_no_bit(result: TrialResult, tmp_path: Path) -> None:
    run_trial(result.study, tmp_path / "two", workers=2)
    for name in TABLES:
        again = (tmp_path / "two" / name).read_bytes()
        assert again == (result.trajectories_path.parent / name).read_bytes(), name


@pytest.mark.slow
def test_same_patients_in_every_arm_start_alike(result: TrialResult, tmp_path: Path) -> None:
    population = result.study.population.model_copy(update={"same_patients_in_every_arm": True})
    paired = result.study.model_copy(update={"population": population, "patients_per_arm": 8})
    patients = run_trial(paired, tmp_path / "paired", workers=2).patients
    low, high = (patients[patients.arm == arm.name] for arm in paired.arms)
    assert low["patient_id"].tolist() == high["patient_id"].tolist()
    np.testing.assert_array_equal(low["flare_threshold"], high["flare_threshold"])
