from __future__ import annotations

from collections.abc import Callable

import numpy as np

from estradyn.model import DrugRecord
from estradyn.trial.random_streams import Purpose
from estradyn.trial.schedule import (
    actual_days,
    dose_schedule,
    output_days,
    planned_scan_days,
    trajectory_days,
    visit_series,
)
from estradyn.trial.study import Study

MakeStudy = Callable[..., Study]
Drugs = dict[str, DrugRecord]


def draw(planned: np.ndarray, window: float, ids: np.ndarray) -> np.ndarray:
    return actual_days(
        planned, window, 336.0, seed=1, purpose=Purpose.SCAN_DAYS, arm=0, patient_ids=ids
    )


def test_scans_fall_on_whole_days_all_over_their_window() -> None:
    planned = np.array([0.0, 56.0, 336.0])
    days = draw(planned, 7.0, np.arange(500))
    assert (days[:, 0] == 0.0).all()
    assert set(days[:, 1]) == set(np.arange(49.0, 64.0))
    assert days[:, 2].max() == 336.0
    assert days[:, 2].min() == 329.0


def test_days_of_a_patient_do_not_depend_on_the_others() -> None:
    planned = np.array([0.0, 56.0, 112.0])
    whole = draw(planned, 7.0, np.arange(20))
    np.testing.assert_array_equal(draw(planned, 7.0, np.array([7, 3])), whole[[7, 3]])


def test_every_appointment_falls_on_an_output(make_study: MakeStudy) -> None:
    study = make_study(("  window: 0 day", "  window: 6 day"))
    outputs = output_days(study)
    scans = draw(planned_scan_days(study), study.scans.window, np.arange(200))
    assert np.isin(scans, outputs).all()
    for series in visit_series(study):
        assert np.isin(draw(series.planned_days, series.window, np.arange(200)), outputs).all()
    assert np.isin(trajectory_days(study), outputs).all()


def test_trajectories_are_daily_for_eight_weeks_then_weekly(make_study: MakeStudy) -> None:
    days = trajectory_days(make_study())
    assert days[:57].tolist() == list(range(57))
    assert set(np.diff(days[56:])) == {7.0}
    assert days[-1] == 336.0


def test_doses_come_in_hours_and_the_unit_of_the_record(
    make_study: MakeStudy, drugs: Drugs
) -> None:
    study = make_study(
        (
            "        interval: 1 day\n  - name",
            "        interval: 12 hour\n        start: 1 day\n        stop: 3 day\n  - name",
        )
    )
    doses = dose_schedule(study, study.arms[0], 0, np.array([4, 9]), drugs)
    assert doses.states == ("blockine_gut",)
    assert doses.time[doses.patient == 1].tolist() == [24.0, 36.0, 48.0, 60.0]
    assert set(doses.amount) == {60.0}


def test_doses_go_on_to_the_end_of_the_study(make_study: MakeStudy, drugs: Drugs) -> None:
    study = make_study()
    doses = dose_schedule(study, study.arms[1], 1, np.array([0]), drugs)
    assert doses.time.size == 336
    assert doses.time[-1] == 335 * 24.0
    assert set(doses.amount) == {200.0}


def test_missed_doses_follow_the_patient(make_study: MakeStudy, drugs: Drugs) -> None:
    study = make_study(("interval: 1 day", "interval: 1 day\n        missed_doses: 25 percent"))
    doses = dose_schedule(study, study.arms[0], 0, np.arange(50), drugs)
    assert abs(doses.time.size / (50 * 336) - 0.75) < 0.02
    alone = dose_schedule(study, study.arms[0], 0, np.array([31]), drugs)
    np.testing.assert_array_equal(alone.time, doses.time[doses.patient == 31])


def test_arm_without_treatment_has_no_doses(make_study: MakeStudy, drugs: Drugs) -> None:
    study = make_study()
    untreated = study.arms[0].model_copy(update={"regimens": ()})
    assert dose_schedule(study, untreated, 0, np.arange(3), drugs).time.size == 0
