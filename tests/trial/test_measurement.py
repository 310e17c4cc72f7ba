from __future__ import annotations

import numpy as np
import pytest

from estradyn.trial.measurement import (
    at_days,
    diameter_of_sphere,
    number_of_lesions,
    read_laboratory,
    read_tumor,
)
from estradyn.trial.response import assess
from estradyn.trial.schedule import log_error
from estradyn.trial.study import Criteria, Scans

IDS = np.arange(400)


def scans(error: float = 0.0, lesions: int = 3) -> Scans:
    return Scans.model_validate(
        {"every": "8 week", "diameter_error": f"{error} percent", "target_lesions": lesions},
    )


def volume_of(diameter: float) -> float:
    return np.pi / 6.0 * diameter**3 / 1000.0


def read(soft: np.ndarray, bone: np.ndarray, plan: Scans, seed: int = 1):
    return read_tumor(soft, bone, plan, Criteria(), seed=seed, arm=0, patient_ids=IDS[: len(soft)])


def test_sphere_of_one_millilitre_is_12_4_mm_wide() -> None:
    assert diameter_of_sphere(np.array([1.0]))[0] == pytest.approx(12.407, abs=1e-3)


def test_volume_down_by_65_7_percent_is_a_partial_response() -> None:
    volume = np.array([[20.0, 20.0 * (1 - 0.657)], [20.0, 20.0 * (1 - 0.656)]])
    readings = read(volume, np.zeros_like(volume), scans())
    codes = assess(readings.sum_of_diameters, readings.non_target_volume, Criteria())
    assert codes[:, 1].tolist() == [2, 3]


def test_volume_up_by_72_8_percent_is_progression() -> None:
    volume = np.array([[20.0, 20.0 * 1.7281], [20.0, 20.0 * 1.727]])
    readings = read(volume, np.zeros_like(volume), scans())
    codes = assess(readings.sum_of_diameters, readings.non_target_volume, Criteria())
    assert codes[:, 1].tolist() == [4, 3]


def test_sum_is_that_of_equal_spheres() -> None:
    volume = np.array([[30.0, 15.0]])
    readings = read(volume, np.zeros_like(volume), scans())
    expected = 3 * np.cbrt(6.0 / np.pi * np.array([10_000.0, 5_000.0]))
    np.testing.assert_allclose(readings.sum_of_diameters[0], expected)


def test_only_measurable_lesions_are_targets() -> None:
    one, two = volume_of(10.0), 2 * volume_of(10.0)
    volumes = np.array([0.9 * one, one, 1.9 * one, two, 100 * one, 0.0, np.nan])
    assert number_of_lesions(volumes, scans(), Criteria()).tolist() == [0, 1, 1, 2, 3, 0, 0]


def test_patient_without_measurable_disease_has_no_sum() -> None:
    volume = np.array([[0.1, 0.1]])
    readings = read(volume, np.full_like(volume, 10.0), scans())
    assert np.isnan(readings.sum_of_diameters).all()
    assert (readings.non_target_volume > 0).all()


def test_small_lesions_are_recorded_as_5_mm_and_lost_ones_as_0() -> None:
    volume = np.array([[volume_of(20), volume_of(4.9), volume_of(2.1), volume_of(1.9), 0.0]])
    readings = read(volume, np.zeros_like(volume), scans(lesions=1))
    np.testing.assert_allclose(readings.sum_of_diameters[0], [20, 5, 5, 0, 0])


def test_patient_who_failed_has_no_readings() -> None:
    volume = np.array([[20.0, 20.0], [np.nan, np.nan]])
    readings = read(volume, volume, scans(error=5.0))
    assert np.isnan(readings.sum_of_diameters[1]).all()
    assert np.isnan(readings.non_target_volume[1]).all()
    assert np.isfinite(readings.sum_of_diameters[0]).all()


def test_error_of_a_diameter_has_the_stated_spread_and_no_bias() -> None:
    volume = np.full((400, 20), 20.0)
    readings = read(volume, np.full_like(volume, 10.0), scans(error=10.0, lesions=1))
    logs = np.log(readings.sum_of_diameters / readings.true_sum_of_diameters)
    assert logs.std() == pytest.approx(log_error(10.0), rel=0.03)
    assert abs(logs.mean()) < 4 * logs.std() / np.sqrt(logs.size)
    bone = np.log(readings.non_target_volume / readings.true_non_target_volume)
    assert bone.std() == pytest.approx(3 * log_error(10.0), rel=0.03)


def test_error_depends_on_seed_arm_and_patient_alone() -> None:
    volume = np.full((10, 5), 20.0)
    whole = read(volume, volume, scans(error=5.0))
    part = read_tumor(
        volume[4:], volume[4:], scans(error=5.0), Criteria(), seed=1, arm=0, patient_ids=IDS[4:10]
    )
    np.testing.assert_array_equal(part.sum_of_diameters, whole.sum_of_diameters[4:])
    other_seed = read(volume, volume, scans(error=5.0), seed=2)
    assert (other_seed.sum_of_diameters != whole.sum_of_diameters).all()
    other_arm = read_tumor(
        volume, volume, scans(error=5.0), Criteria(), seed=1, arm=1, patient_ids=IDS[:10]
    )
    assert (other_arm.sum_of_diameters != whole.sum_of_diameters).all()


def test_series_of_visits_have_errors_of_their_own() -> None:
    true = np.full((200, 4, 2), 5.0)
    errors = np.array([log_error(8.0), 0.0])
    first = read_laboratory(true, errors, seed=1, arm=0, patient_ids=IDS[:200], series=0)
    second = read_laboratory(true, errors, seed=1, arm=0, patient_ids=IDS[:200], series=1)
    assert (first[:, :, 1] == 5.0).all()
    assert np.log(first[:, :, 0] / 5.0).std() == pytest.approx(log_error(8.0), rel=0.06)
    correlation = np.corrcoef(np.log(first[:, :, 0]).ravel(), np.log(second[:, :, 0]).ravel())
    assert abs(correlation[0, 1]) < 0.15


def test_trajectories_are_read_on_and_between_output_days() -> None:
    days = np.array([0.0, 7.0, 14.0])
    values = np.array([[0.1, 0.3, 0.7], [1.0, np.nan, 2.0]])
    wanted = np.array([[0.0, 3.5, 7.0, 14.0]] * 2)
    read_out = at_days(days, values, wanted)
    assert read_out[0, 0] == 0.1
    assert read_out[0, 1] == pytest.approx(0.2)
    assert read_out[0, 2:].tolist() == [0.3, 0.7]
    assert np.isnan(read_out[1, 1:3]).all()
