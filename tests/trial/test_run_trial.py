"""The whole trial on patients whose course is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from estradyn.errors import InputError, SimulationError
from estradyn.trial.endpoints import COLUMNS, time_text
from estradyn.trial.files import ASSESSMENTS, FILES, PATIENTS, REPORT, TABLES, TRAJECTORIES
from estradyn.trial.result import TrialResult
from estradyn.trial.run import run_trial
from estradyn.trial.study import Study, study_from_content

MakeStudy = Callable[..., Study]
MakeSimulation = Callable[..., object]


@pytest.fixture(scope="module")
def result(
    tmp_path_factory: pytest.TempPathFactory,
    make_study: MakeStudy,
    make_simulation: MakeSimulation,
) -> TrialResult:
    study, out = make_study(), tmp_path_factory.mktemp("trial") / "out"
    return run_trial(study, out, workers=1, simulation=make_simulation(study))


def value(result: TrialResult, endpoint: str, arm: str = "low", time: str = "") -> pd.Series:
    table = result.endpoints
    rows = table[(table.arm == arm) & (table.endpoint == endpoint) & (table.time == time)]
    assert len(rows) == 1, endpoint
    return rows.iloc[0]


def test_endpoint_table_has_the_agreed_columns(result: TrialResult) -> None:
    assert tuple(result.endpoints.columns) == COLUMNS
    keys = result.endpoints[["arm", "endpoint", "time"]]
    assert not keys.duplicated().any()
    path = result.trajectories_path.parent / "endpoints.csv"
    written = pd.read_csv(path, float_precision="round_trip")
    assert tuple(written.columns) == COLUMNS
    np.testing.assert_array_equal(written["value"], result.endpoints["value"])


@pytest.mark.parametrize(
    ("endpoint", "time", "expected", "unit", "n"),
    [
        ("symptomatic_flare_incidence", "", 25.0, "percent", 40),
        ("symptomatic_flare_onset", "", 4.5, "day", 10),
        ("symptomatic_flare_duration", "", 11.0, "day", 10),
        ("hypercalcemia_incidence", "", 25.0, "percent", 40),
        ("hypercalcemia_incidence_bone_metastases", "", 100.0, "percent", 10),
        ("hypercalcemia_incidence_grade_3_or_4", "", 0.0, "percent", 40),
        ("hypercalcemia_onset", "", 9.0 + 0.35 / 0.6, "day", 10),
        ("peak_calcium_in_hypercalcemia", "", 3.0, "mmol/L", 10),
        ("objective_response_rate", "", 25.0, "percent", 40),
        ("objective_response_rate_with_flare", "", 0.0, "percent", 10),
        ("objective_response_rate_without_flare", "", 100.0 / 3.0, "percent", 30),
        ("disease_control_rate", "", 50.0, "percent", 40),
        ("clinical_benefit_rate", "", 50.0, "percent", 40),
        ("progression_free_survival_median", "", 56.0 / (365.25 / 12), "month", 40),
        ("later_responders_taken_off_first_progression", "", 25.0, "percent", 40),
        ("later_responders_taken_off_first_progression_count", "", 10.0, "patient", 40),
        ("later_responders_taken_off_confirmed_progression", "", 0.0, "percent", 40),
        ("later_responders_taken_off_treat_through_flare", "", 0.0, "percent", 40),
        ("later_responders_taken_off_worsening_signs", "", 50.0, "percent", 40),
        ("plasma_calcium", "2 week", 2.55, "mmol/L", 40),
        # Half the patients have left by week 12.
        ("drug_concentration", "12 week", 1.0, "mg/L", 20),
        ("ldl_change", "24 week", -10.0, "percent", 20),
        ("ki67_change", "24 week", -50.0, "percent", 20),
    ],
)
def test_endpoint_has_the_value_the_patients_were_made_with(
    result: TrialResult, endpoint: str, time: str, expected: float, unit: str, n: int
) -> None:
    row = value(result, endpoint, time=time)
    assert row["value"] == pytest.approx(expected)
    assert row["unit"] == unit
    assert row["n"] == n


def test_arms_alike_have_a_hazard_ratio_of_one(result: TrialResult) -> None:
    ratio = value(result, "progression_free_survival_hazard_ratio", arm="high")
    assert ratio["value"] == pytest.approx(1.0, abs=1e-6)
    assert ratio["lower"] < 1.0 < ratio["upper"]
    low = result.endpoints[result.endpoints.arm == "low"]
    assert "progression_free_survival_hazard_ratio" not in set(low.endpoint)


def test_median_that_is_not_reached_has_no_number(
    tmp_path: Path, make_study: MakeStudy, make_simulation: MakeSimulation
) -> None:
    study = make_study(("seed: 7", "seed: 7\noff_study:\n  rule: confirmed_progression"))
    result = run_trial(study, tmp_path / "out", simulation=make_simulation(study))
    row = value(result, "progression_free_survival_median")
    assert np.isnan(row["value"])
    curve = result.progression_free_survival
    assert curve[curve.arm == "low"].survival.min() == pytest.approx(0.75)


def test_rule_of_the_study_decides_response_and_survival(
    tmp_path: Path, make_study: MakeStudy, make_simulation: MakeSimulation
) -> None:
    study = make_study(("seed: 7", "seed: 7\noff_study:\n  rule: treat_through_flare"))
    result = run_trial(study, tmp_path / "out", simulation=make_simulation(study))
    assert value(result, "objective_response_rate_with_flare")["value"] == 100.0
    assert value(result, "objective_response_rate")["value"] == 50.0


def test_patient_table_has_one_row_per_patient_with_all_outcomes(result: TrialResult) -> None:
    patients = pd.read_parquet(result.trajectories_path.parent / PATIENTS)
    assert len(patients) == 80
    assert patients["arm"].value_counts().to_dict() == {"low": 40, "high": 40}
    assert not patients.duplicated(["patient_id", "arm"]).any()
    first = patients.iloc[0]
    assert first["best_response"] == "PD"
    assert first["off_study_day_first_progression"] == 56.0
    assert first["true_response_day"] == 112.0
    assert first["tumor_growth"] == 0.0
    assert bool(first["later_responder_taken_off_first_progression"])
    outcomes = patients.drop(columns=["tumor_growth"])
    assert list(result.patients.columns) == list(outcomes.columns)
    assert result.patients["calcium_peak"].tolist() == outcomes["calcium_peak"].tolist()
    assert set(patients["hypercalcemia_grade"]) == {0, 2}


def test_assessments_go_on_after_the_patient_has_left(result: TrialResult) -> None:
    assessments = pd.read_parquet(result.assessments_path)
    own = assessments[assessments["patient_id"] == 0]
    assert own["response"].tolist() == ["SD", "PD", "PR", "PR", "PR", "PR", "CR"]
    assert own["on_study"].tolist() == [True, True] + 5 * [False]
    assert own["planned_day"].tolist() == [56.0 * scan for scan in range(7)]


def test_trajectories_hold_every_patient_output_and_day(result: TrialResult) -> None:
    table = pd.read_parquet(result.trajectories_path)
    assert {"patient_id", "arm", "time_day", "plasma_calcium"} <= set(table.columns)
    assert len(table) == 80 * table["time_day"].nunique()
    own = table[(table.patient_id == 3)].set_index("time_day")["plasma_calcium"]
    assert own[15.0] == pytest.approx(3.0)
    assert own[30.0] == pytest.approx(2.4)


def test_survival_starts_with_everybody_at_risk(result: TrialResult) -> None:
    curve = result.progression_free_survival
    low = curve[curve.arm == "low"]
    assert low.iloc[0][["time_day", "survival", "at_risk"]].tolist() == [0.0, 1.0, 40]
    assert low.iloc[1][["time_day", "survival"]].tolist() == pytest.approx([56.0, 0.5])


def test_failed_patients_are_left_out_and_missing_not_false(
    tmp_path: Path, make_study: MakeStudy, make_simulation: MakeSimulation
) -> None:
    study = make_study(("patients_per_arm: 40", "patients_per_arm: 200"))
    result = run_trial(study, tmp_path / "out", simulation=make_simulation(study, failing=2))
    assert result.statuses["low"] == {"step limit": 2, "solved": 198}
    assert value(result, "symptomatic_flare_incidence")["n"] == 198
    failed = result.patients[result.patients["status"] == "step limit"]
    assert len(failed) == 4
    for column in (
        "progressed",
        "symptomatic_flare",
        "best_response",
        "hypercalcemia_grade",
        "progression_free_days",
        "later_responder_taken_off_first_progression",
    ):
        assert failed[column].isna().all(), column
    others = result.patients[result.patients["status"] == "solved"]
    assert others["progressed"].notna().all()


def test_too_many_failures_stop_the_trial_and_leave_nothing(
    tmp_path: Path, make_study: MakeStudy, make_simulation: MakeSimulation
) -> None:
    study = make_study()
    out = tmp_path / "deep" / "out"
    with pytest.raises(SimulationError, match=r"1 of 40 patients of 'low' .*step limit"):
        run_trial(study, out, simulation=make_simulation(study, failing=1))
    assert not out.parent.exists()


def read_tables(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in TABLES}


def test_same_study_gives_the_same_bytes(
    tmp_path: Path, make_study: MakeStudy, make_simulation: MakeSimulation
) -> None:
    study = make_study(("diameter_error: 0 percent", "diameter_error: 8 percent"))
    for name, workers in (("one", 1), ("two", 2)):
        run_trial(study, tmp_path / name, workers=workers, simulation=make_simulation(study))
    assert read_tables(tmp_path / "one") == read_tables(tmp_path / "two")


def test_chunks_do_not_change_what_happens_to_a_patient(
    tmp_path: Path, make_study: MakeStudy, make_simulation: MakeSimulation
) -> None:
    study = make_study(("diameter_error: 0 percent", "diameter_error: 8 percent"))
    results = [
        run_trial(study, tmp_path / str(size), simulation=make_simulation(study), chunk_size=size)
        for size in (7, 40)
    ]
    for name in (PATIENTS, ASSESSMENTS, TRAJECTORIES):
        tables = [pd.read_parquet(tmp_path / size / name) for size in ("7", "40")]
        pd.testing.assert_frame_equal(*tables)
    pd.testing.assert_frame_equal(results[0].patients, results[1].patients)
    pd.testing.assert_frame_equal(results[0].endpoints, results[1].endpoints)


def test_same_patients_in_every_arm_are_still_measured_separately(
    tmp_path: Path, make_study: MakeStudy, make_simulation: MakeSimulation
) -> None:
    study = make_study(
        ("  setting: nobody", "  setting: nobody\n  same_patients_in_every_arm: true"),
        ("diameter_error: 0 percent", "diameter_error: 8 percent"),
    )
    result = run_trial(study, tmp_path / "out", simulation=make_simulation(study))
    assessments = pd.read_parquet(result.assessments_path)
    arms = [assessments[assessments.arm == arm] for arm in ("low", "high")]
    assert arms[0]["patient_id"].tolist() == arms[1]["patient_id"].tolist()
    truth = "true_sum_of_longest_diameters"
    np.testing.assert_array_equal(arms[0][truth], arms[1][truth])
    measured = "sum_of_longest_diameters"
    assert (arms[0][measured].to_numpy() != arms[1][measured].to_numpy()).any()


def test_manifest_says_what_made_the_numbers(result: TrialResult, drugs: dict[str, object]) -> None:
    folder = result.trajectories_path.parent
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["seed"] == 7
    assert manifest["model_hash"] == "0" * 64
    assert manifest["statuses"] == {"low": {"solved": 40}, "high": {"solved": 40}}
    assert manifest["population"]["low"]["implausible calcium"] == 8
    assert set(manifest["tables"]) == set(TABLES)
    assert "numpy" in manifest["packages"]
    assert study_from_content(manifest["study"], "manifest", drugs=drugs) == result.study


def test_progress_counts_patients_arm_by_arm(
    tmp_path: Path, make_study: MakeStudy, make_simulation: MakeSimulation
) -> None:
    study, told = make_study(), []
    run_trial(
        study,
        tmp_path / "out",
        simulation=make_simulation(study),
        chunk_size=20,
        progress=lambda *news: told.append(news),
    )
    assert told == [("low", 20, 40), ("low", 40, 40), ("high", 20, 40), ("high", 40, 40)]


def test_report_is_written_before_the_folder_appears(
    tmp_path: Path, make_study: MakeStudy, make_simulation: MakeSimulation
) -> None:
    study, out = make_study(), tmp_path / "out"

    def write_report(result: TrialResult, directory: Path) -> None:
        assert not out.exists()
        assert result.trajectories_path.is_file()
        assert result.manifest["seed"] == 7
        (directory / REPORT).write_text(result.study.title)

    run_trial(study, out, simulation=make_simulation(study), write_report=write_report)
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)


def test_failure_of_the_report_leaves_the_earlier_trial(
    tmp_path: Path, make_study: MakeStudy, make_simulation: MakeSimulation
) -> None:
    study, out = make_study(), tmp_path / "out"
    run_trial(study, out, simulation=make_simulation(study))
    before = read_tables(out)

    def break_down(result: TrialResult, directory: Path) -> None:
        raise RuntimeError("no ink")

    with pytest.raises(RuntimeError):
        run_trial(study, out, simulation=make_simulation(study), write_report=break_down)
    assert read_tables(out) == before
    # The patients who were simulated are kept for a run that resumes; nothing else is.
    assert sorted(path.name for path in tmp_path.iterdir()) == [".out.unfinished", "out"]


def test_earlier_trial_is_replaced_whole(
    tmp_path: Path, make_study: MakeStudy, make_simulation: MakeSimulation
) -> None:
    study, out = make_study(), tmp_path / "out"
    run_trial(study, out, simulation=make_simulation(study))
    (out / REPORT).write_text("old")
    run_trial(study, out, simulation=make_simulation(study))
    assert not (out / REPORT).exists()


def test_folder_with_other_files_is_never_touched(
    tmp_path: Path, make_study: MakeStudy, make_simulation: MakeSimulation
) -> None:
    study, out = make_study(), tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"thesis\.txt"):
        run_trial(study, out, simulation=make_simulation(study))
    assert (out / "thesis.txt").read_text() == "mine"
    with pytest.raises(InputError, match="allowed a folder"):
        run_trial(study, out / "thesis.txt", simulation=make_simulation(study))


@pytest.mark.parametrize(("day", "text"), [(0.0, "0 week"), (168.0, "24 week"), (10.0, "10 day")])
def test_times_are_named_with_their_unit(day: float, text: str) -> None:
    assert time_text(day) == text
