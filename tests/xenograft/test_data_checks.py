"""Faults in measurements that would change conclusions."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from estradyn.errors import InputError
from estradyn.xenograft import Severity, check_study, find_alerts, study_from_frame
from estradyn.xenograft.checks import checked


def findings(frame: pd.DataFrame, check: str) -> list[tuple[Severity, str, float]]:
    return [
        (item.severity, item.animal, item.day)
        for item in check_study(study_from_frame(frame))
        if item.check == check
    ]


def test_a_clean_study_has_no_findings(frame: pd.DataFrame) -> None:
    assert check_study(study_from_frame(frame)) == ()


def with_padding(frame: pd.DataFrame) -> pd.DataFrame:
    rows = frame[(frame["animal"] == "M001") & (frame["day"] == 56)]
    assert len(rows) == 1
    changed = frame.copy()
    changed.loc[rows.index, "volume_mm3"] = 0.0
    return changed


def with_unit_mix_up(frame: pd.DataFrame) -> pd.DataFrame:
    changed = frame.copy()
    chosen = (changed["animal"] == "M002") & (changed["day"] == 28)
    changed.loc[chosen, "volume_mm3"] /= 1000.0
    return changed


def with_second_row(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame, frame.iloc[[3]]], ignore_index=True)


def with_second_arm(frame: pd.DataFrame) -> pd.DataFrame:
    changed = frame.copy()
    changed.loc[changed.index[5], "arm"] = "SERM"
    return changed


def with_volume_after_death(frame: pd.DataFrame) -> pd.DataFrame:
    changed = frame.copy()
    chosen = (changed["animal"] == "M003") & (changed["day"] == 14)
    changed.loc[chosen, "reason_left"] = "found dead"
    return changed


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (with_padding, "padding"),
        (with_unit_mix_up, "factor of 1000"),
        (with_second_row, "second row"),
        (with_second_arm, "one arm"),
        (with_volume_after_death, "after it left"),
        (lambda f: f.assign(volume_mm3=f["volume_mm3"] / 1000.0), "looks like cm3"),
        (
            lambda f: f.assign(calcium_mmol_per_L=f["calcium_mmol_per_L"] * 4.008),
            "looks like the other unit",
        ),
        (lambda f: f.assign(weight_g=f["weight_g"] / 10.0), "body weights"),
    ],
)
def test_errors_stop_the_analysis_and_say_where(
    frame: pd.DataFrame, damage: Callable[[pd.DataFrame], pd.DataFrame], word: str
) -> None:
    with pytest.raises(InputError, match=word) as caught:
        checked(study_from_frame(damage(frame)))
    assert caught.value.line is not None
    assert "allowed" in str(caught.value)


def test_columns_without_values_are_checked_in_silence() -> None:
    days = [0, 3, 7, 10, 14, 21, 28, 35]
    table = pd.DataFrame(
        [
            {"animal": f"{arm}{i}", "arm": arm, "day": day, "volume_mm3": 100.0 + day + i}
            for arm in ("vehicle", "SERM")
            for i in range(3)
            for day in days
        ]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check_study(study_from_frame(table)) == ()


def test_a_tumor_that_melts_away_is_not_padding() -> None:
    days = np.arange(0, 43, 7)
    volume = [100.0, 80.0, 50.0, 25.0, 8.0, 0.0, 0.0]
    frame = pd.DataFrame({"animal": "m1", "arm": "a", "day": days, "volume_mm3": volume})
    assert not findings(frame, "padding")


def test_an_isolated_jump_is_left_out_and_a_lasting_one_kept(frame: pd.DataFrame) -> None:
    changed = frame.copy()
    spike = (changed["animal"] == "M004") & (changed["day"] == 21)
    changed.loc[spike, "volume_mm3"] *= 40.0
    lasting = (changed["animal"] == "M005") & (changed["day"] >= 28)
    changed.loc[lasting, "volume_mm3"] *= 30.0
    found = findings(changed, "impossible jump")
    assert (Severity.EXCLUDED, "M004", 21.0) in found
    assert (Severity.WARNING, "M005", 28.0) in found
    table = checked(study_from_frame(changed)).measurements.set_index(["animal", "day"])
    assert np.isnan(table.loc[("M004", 21.0), "volume_mm3"])
    assert table.loc[("M005", 28.0), "volume_mm3"] > 0


def test_the_floor_value_of_a_real_study_is_found(shared_data: object) -> None:
    from estradyn.xenograft import read_study

    study = read_study(shared_data / "lung_xenograft_volumes.csv")  # type: ignore[operator]
    excluded = [f for f in check_study(study) if f.severity is Severity.EXCLUDED]
    assert [(f.animal, f.day, f.line) for f in excluded] == [("28", 18.0, 351)]


def test_sparse_sampling_carried_values_and_missing_baselines_are_noted(
    frame: pd.DataFrame,
) -> None:
    sparse = frame[frame["day"].isin([0, 14, 28, 42, 56])].copy()
    late = sparse["animal"].eq("M001") & (sparse["day"] == 0)
    sparse = sparse[~late]
    same = sparse["animal"].eq("M002") & (sparse["day"] >= 28)
    sparse.loc[same, "volume_mm3"] = 321.0
    assert findings(sparse, "sparse sampling")
    assert findings(sparse, "no baseline")[0][1] == "M001"
    assert findings(sparse, "carried forward")[0][1] == "M002"


def test_alerts_name_animal_day_and_limit() -> None:
    frame = pd.DataFrame(
        {
            "animal": ["m1", "m1", "m2", "m2"],
            "arm": "a",
            "day": [0, 7, 0, 7],
            "volume_mm3": [100.0, 2300.0, 100.0, 120.0],
            "weight_g": [22.0, 22.0, 22.0, 18.5],
            "calcium_mmol_per_L": [2.2, 2.8, 2.2, 3.4],
        }
    )
    alerts = find_alerts(study_from_frame(frame).measurements)
    found = {
        (row.animal, row.day, row.quantity, row.action) for row in alerts.itertuples(index=False)
    }
    assert found == {
        ("m1", 7.0, "tumor burden", "humane endpoint"),
        ("m1", 7.0, "serum calcium", "watch"),
        ("m2", 7.0, "weight loss", "watch"),
        ("m2", 7.0, "serum calcium", "humane endpoint"),
    }
