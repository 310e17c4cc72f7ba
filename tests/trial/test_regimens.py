"""Every kind of regimen that a study file can state, and who takes it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from estradyn.errors import StudyError
from estradyn.model import DrugRecord, load_patient_model
from estradyn.model.co_medication import with_co_medication
from estradyn.report.design import arm_text, design_rows
from estradyn.trial.co_medication import known_co_medication
from estradyn.trial.schedule import adherence, dose_days, dose_schedule
from estradyn.trial.study import Study, co_medication_of, study_from_content

MakeStudy = Callable[..., Study]
Drugs = dict[str, DrugRecord]

LOW_ARM = """  - name: low
    regimens:
      - drug: blockine
        dose: 60 mg
        interval: 1 day
"""


def regimens(*lines: str) -> tuple[str, str]:
    """Replace the first arm's regimens by these, each a mapping on one line."""
    return LOW_ARM, "  - name: low\n    regimens:\n" + "".join(f"      - {x}\n" for x in lines)


def given(study: Study, drugs: Drugs) -> list[tuple[float, float]]:
    """Days and amounts of the doses that one patient of the first arm takes, in order."""
    doses = dose_schedule(study, study.arms[0], 0, np.array([3]), drugs)
    pairs = zip(doses.time / 24.0, doses.amount, strict=True)
    return sorted((float(day), float(amount)) for day, amount in pairs)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(
            ["{drug: blockine, dose: 75 mg, interval: 12 hour, start: 1 day, stop: 3 day}"],
            [(1.0, 75.0), (1.5, 75.0), (2.0, 75.0), (2.5, 75.0)],
            id="dose between the tested ones, interval, start and stop",
        ),
        pytest.param(
            [
                "{drug: blockine, dose: 60 mg, interval: 1 day, stop: 2 day}",
                "{drug: otherine, dose: 20 mg, interval: 1 day, stop: 2 day}",
            ],
            [(0.0, 20.0), (0.0, 60.0), (1.0, 20.0), (1.0, 60.0)],
            id="combination",
        ),
        pytest.param(
            [
                "{drug: blockine, dose: 60 mg, interval: 1 day, stop: 2 day}",
                "{drug: blockine, dose: 20 mg, interval: 1 day, start: 2 day, stop: 4 day}",
            ],
            [(0.0, 60.0), (1.0, 60.0), (2.0, 20.0), (3.0, 20.0)],
            id="sequence",
        ),
        pytest.param(
            [
                "{drug: blockine, dose: 60 mg, interval: 1 day, stop: 1 day}",
                "{drug: blockine, dose: 60 mg, interval: 1 day, start: 30 day, stop: 31 day}",
            ],
            [(0.0, 60.0), (30.0, 60.0)],
            id="washout",
        ),
        pytest.param(
            [
                "{drug: blockine, dose: 500 mg, at: [0 day, 14 day, 28 day]}",
                "{drug: blockine, dose: 250 mg, interval: 28 day, start: 56 day, stop: 16 week}",
            ],
            [(0.0, 500.0), (14.0, 500.0), (28.0, 500.0), (56.0, 250.0), (84.0, 250.0)],
            id="loading doses",
        ),
        pytest.param(
            [
                "{drug: blockine, dose: 2 mg, at: [0 day, 2 day, 4 day], "
                "cycle: 1 week, stop: 9.5 day}"
            ],
            [(0.0, 2.0), (2.0, 2.0), (4.0, 2.0), (7.0, 2.0), (9.0, 2.0)],
            id="days of the week",
        ),
        pytest.param(
            [
                "{drug: blockine, dose: 50 mg, interval: 1 day, course: 2 day, cycle: 28 day, "
                "start: 5 day, stop: 40 day}"
            ],
            [(5.0, 50.0), (6.0, 50.0), (33.0, 50.0), (34.0, 50.0)],
            id="a course in every cycle",
        ),
        pytest.param(
            [
                "{drug: blockine, dose: 300 mg, at: [0 day]}",
                "{drug: blockine, dose: 60 mg, interval: 1 day, start: 1 day, stop: 3 day}",
            ],
            [(0.0, 300.0), (1.0, 60.0), (2.0, 60.0)],
            id="one loading dose",
        ),
    ],
)
def test_doses_are_given_as_the_study_file_says(
    make_study: MakeStudy, drugs: Drugs, lines: list[str], expected: list[tuple[float, float]]
) -> None:
    assert given(make_study(regimens(*lines)), drugs) == expected


def test_each_arm_has_its_own_regimens(make_study: MakeStudy, drugs: Drugs) -> None:
    study = make_study(regimens("{drug: blockine, dose: 60 mg, at: [0 day]}"))
    counts = [
        dose_schedule(study, arm, place, np.array([3]), drugs).time.size
        for place, arm in enumerate(study.arms)
    ]
    assert counts == [1, 336]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{drug: blockine, dose: 6 mg}", "neither 'interval' nor 'at', allowed one of the two"),
        ("{drug: blockine, dose: 6 mg, interval: 1 day, at: [0 day]}", "'interval' and 'at'"),
        ("{drug: blockine, dose: 6 mg, at: [2 day, 1 day]}", "regimens.1.at: found times out of"),
        ("{drug: blockine, dose: 6 mg, at: [0 day, 9 day], cycle: 1 week}", "less than the cycle"),
        (
            "{drug: blockine, dose: 6 mg, interval: 1 day, cycle: 1 week}",
            "'cycle' without 'course'",
        ),
        ("{drug: blockine, dose: 6 mg, interval: 1 day, course: 2 day}", "without 'cycle'"),
        ("{drug: blockine, dose: 6 mg, at: [0 day], course: 2 day, cycle: 9 day}", "beside 'at'"),
        (
            "{drug: blockine, dose: 6 mg, interval: 1 day, course: 9 day, cycle: 1 week}",
            "at most the cycle of 7 day",
        ),
        (
            "{drug: blockine, dose: 6 mg, at: [0 day, 1 hour, 2 hour], cycle: 0.0001 day}",
            "less than the cycle",
        ),
        (
            "{drug: blockine, dose: 6 mg, interval: 1 hour, course: 0.001 day, cycle: 0.001 day}",
            "at most 100000 doses",
        ),
    ],
)
def test_a_pattern_that_makes_no_sense_is_refused(
    make_study: MakeStudy, line: str, words: str
) -> None:
    with pytest.raises(StudyError) as caught:
        make_study(regimens(line))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("line", "words", "daily_dose"),
    [
        (
            "{drug: blockine, dose: 500 mg, at: [0 day, 14 day, 28 day]}",
            "blockine 500 mg on days 0, 14 and 28",
            None,
        ),
        (
            "{drug: blockine, dose: 50 mg, interval: 1 day, course: 5 day, cycle: 28 day}",
            "blockine 50 mg every day for 5 days of every 4 weeks",
            None,
        ),
        ("{drug: blockine, dose: 5 mg, interval: 1 week}", "blockine 5 mg every week", 5.0 / 7.0),
        ("{drug: blockine, dose: 60 mg, interval: 2 day}", "blockine 60 mg every 2 days", 30.0),
    ],
)
def test_patterns_are_told_in_words_and_even_ones_have_a_dose_per_day(
    make_study: MakeStudy, line: str, words: str, daily_dose: float | None
) -> None:
    arm = make_study(regimens(line)).arms[0]
    assert arm_text(arm) == words
    assert arm.regimens[0].daily_dose == daily_dose


def test_regimens_of_an_arm_are_told_one_after_the_other(make_study: MakeStudy) -> None:
    study = make_study(
        regimens(
            "{drug: blockine, dose: 60 mg, interval: 1 day, stop: 2 year}",
            "{drug: otherine, dose: 5 mg, interval: 1 day, start: 8 week}",
        )
    )
    assert arm_text(study.arms[0]) == (
        "blockine 60 mg every day until 2 years; otherine 5 mg every day from 8 weeks"
    )


def with_adherence(share: str, spread: str = "0.0") -> tuple[str, str]:
    lines = f"  setting: nobody\n  adherence: {share}\n  adherence_spread: {spread}"
    return "  setting: nobody", lines


def test_patients_forget_doses_by_their_own_habit(make_study: MakeStudy, drugs: Drugs) -> None:
    study = make_study(with_adherence("80 percent", "1.0"))
    ids = np.arange(400)
    habit = adherence(study, ids)
    assert np.median(habit) == pytest.approx(0.8, abs=0.03)
    assert np.log(habit / (1.0 - habit)).std() == pytest.approx(1.0, abs=0.1)
    doses = dose_schedule(study, study.arms[0], 0, ids, drugs)
    taken = (
        np.bincount(doses.patient, minlength=ids.size)
        / dose_days(study.arms[0].regimens[0], study.duration).size
    )
    assert np.abs(taken - habit).max() < 0.12
    assert np.corrcoef(taken, habit)[0, 1] > 0.97


def test_what_a_patient_takes_depends_on_nobody_else(make_study: MakeStudy, drugs: Drugs) -> None:
    study = make_study(with_adherence("80 percent", "1.0"))
    together = dose_schedule(study, study.arms[1], 1, np.arange(40), drugs)
    alone = dose_schedule(study, study.arms[1], 1, np.array([17]), drugs)
    np.testing.assert_array_equal(alone.time, together.time[together.patient == 17])
    assert adherence(study, np.array([17])) == adherence(study, np.arange(40))[17]


def test_adherence_and_missed_doses_add_up(make_study: MakeStudy, drugs: Drugs) -> None:
    study = make_study(
        with_adherence("80 percent"),
        (
            "interval: 1 day\n  - name",
            "interval: 1 day\n        missed_doses: 50 percent\n  - name",
        ),
    )
    doses = dose_schedule(study, study.arms[0], 0, np.arange(60), drugs)
    assert doses.time.size / (60 * 336) == pytest.approx(0.4, abs=0.02)


def test_full_adherence_takes_every_dose(make_study: MakeStudy, drugs: Drugs) -> None:
    plain, stated = make_study(), make_study(with_adherence("100 percent"))
    for study in (plain, stated):
        doses = dose_schedule(study, study.arms[0], 0, np.arange(3), drugs)
        assert doses.time.size == 3 * 336


def test_an_injection_in_the_clinic_is_not_forgotten(make_study: MakeStudy, drugs: Drugs) -> None:
    record = drugs["blockine"]
    fields = {**record.fields, "given_in_clinic": True}
    injected = {"blockine": DrugRecord(**{**vars(record), "fields": fields})}
    study = make_study(with_adherence("50 percent"))
    assert dose_schedule(study, study.arms[0], 0, np.arange(2), injected).time.size == 2 * 336
    assert dose_schedule(study, study.arms[0], 0, np.arange(2), drugs).time.size < 2 * 336


def test_a_spread_needs_an_adherence_that_can_vary(make_study: MakeStudy) -> None:
    with pytest.raises(StudyError, match="adherence_spread: found 1 with an adherence of 100"):
        make_study(with_adherence("100 percent", "1.0"))


def with_co(population: str, arm: str) -> tuple[tuple[str, str], ...]:
    return (
        ("  setting: nobody", f"  setting: nobody\n  co_medication: {population}"),
        ("  - name: high", f"  - name: high\n    co_medication: {arm}"),
    )


def test_medication_of_an_arm_goes_before_that_of_all(make_study: MakeStudy) -> None:
    study = make_study(*with_co("{cyp3a4: inducer, cyp2d6: inhibitor}", "{cyp3a4: inhibitor}"))
    low, high = (co_medication_of(study, arm) for arm in study.arms)
    assert low == {"cyp3a4": "inducer", "cyp2d6": "inhibitor"}
    assert high == {"cyp3a4": "inhibitor", "cyp2d6": "inhibitor"}
    assert arm_text(study.arms[1]).endswith("beside it: CYP3A4 inhibitor")
    intake = next(row for row in design_rows(study) if row.label == "Intake")
    assert intake.statements == ("CYP3A4 inducer, CYP2D6 inhibitor",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "{cyp3a5: inducer}",
            "'cyp3a5' (did you mean 'cyp3a4'?), allowed cyp2a6, cyp2d6, cyp3a4, meal",
        ),
        ("{cyp3a4: blocker}", "found 'blocker', allowed inducer, inhibitor, reduced"),
        ("[cyp3a4]", "allowed a mapping of enzymes"),
    ],
)
def test_medication_that_is_not_known_is_refused(
    make_study: MakeStudy, text: str, words: str
) -> None:
    with pytest.raises(StudyError) as caught:
        make_study(*with_co("{}", text))
    assert words in str(caught.value)


def test_every_factor_is_of_a_parameter_of_a_drug_and_has_a_source() -> None:
    patient = load_patient_model()
    assert known_co_medication().keys() == {effect.enzyme for effect in patient.co_medication}
    for effect in patient.co_medication:
        assert effect.parameter in patient.model.parameter_names
        assert effect.source
    assert not load_patient_model(drugs=()).co_medication


def test_only_the_parameters_named_for_the_state_change() -> None:
    patient = load_patient_model(drugs=("exemestane",))
    drawn = {
        "exemestane_elimination_rate": np.array([0.5, 0.8]),
        "exemestane_central_volume": np.array([800.0, 900.0]),
    }
    table, model = patient.co_medication, patient.model
    induced = with_co_medication(drawn, 2, {"cyp3a4": "inducer"}, table, model)
    # Exposure falls by 54 % (pk194).
    found = drawn["exemestane_elimination_rate"] / induced["exemestane_elimination_rate"]
    assert found == pytest.approx([0.46, 0.46], rel=0.01)
    np.testing.assert_array_equal(
        induced["exemestane_central_volume"], drawn["exemestane_central_volume"]
    )
    assert (
        with_co_medication(drawn, 2, {"cyp3a4": "inhibitor"}, table, model).keys() == drawn.keys()
    )


def test_a_study_with_medication_can_be_read_back() -> None:
    content = {
        "title": "t",
        "question": "q",
        "population": {"model": "patient", "setting": "s", "adherence": "90 percent"},
        "arms": [
            {
                "name": "a",
                "co_medication": {"cyp3a4": "inducer"},
                "regimens": [{"drug": "fulvestrant", "dose": "500 mg", "at": ["0 day", "14 day"]}],
            }
        ],
        "duration": "1 year",
        "patients_per_arm": 3,
        "seed": 1,
        "scans": {"every": "8 week", "diameter_error": "5 percent"},
    }
    study = study_from_content(content, "test")
    assert study_from_content(study.content(), "again") == study


DAILY = "drug: blockine, dose: 60 mg, interval: 1 day"


@pytest.mark.parametrize(
    ("first", "second", "day"),
    [
        (
            f"{{{DAILY}, stop: 3 month}}",
            "{drug: blockine, dose: 120 mg, interval: 1 day, start: 2 month}",
            60.875,
        ),
        (f"{{{DAILY}}}", f"{{{DAILY}}}", 0),
        ("{drug: blockine, dose: 120 mg, at: [3 day]}", f"{{{DAILY}}}", 3),
        (f"{{{DAILY}, start: 4 week}}", f"{{{DAILY}, stop: 5 week}}", 28),
        (
            f"{{{DAILY}, cycle: 6 week, course: 4 week}}",
            f"{{{DAILY}, start: 3 week, cycle: 6 week, course: 3 week}}",
            21,
        ),
    ],
)
def test_two_courses_of_one_drug_at_once_are_refused(
    make_study: MakeStudy, first: str, second: str, day: float
) -> None:
    with pytest.raises(StudyError) as caught:
        make_study(regimens(first, second))
    message = str(caught.value)
    assert f"field arms.1.regimens.2: found blockine on day {day:g}, " in message
    assert "regimen 1" in message
    assert "'stop'" in message


@pytest.mark.parametrize(
    "second",
    [
        "{drug: blockine, dose: 20 mg, interval: 1 day, start: 12 hour}",
        "{drug: blockine, dose: 120 mg, interval: 1 day, start: 8 week}",
        "{drug: blockine, dose: 120 mg, at: [12 hour, 36 hour]}",
    ],
)
def test_courses_of_one_drug_may_follow_or_fall_between_each_other(
    make_study: MakeStudy, second: str
) -> None:
    study = make_study(regimens(f"{{{DAILY}, stop: 8 week}}", second))
    assert len(study.arms[0].regimens) == 2


def test_a_report_says_when_visits_are_and_what_is_done_about_a_flare(
    make_study: MakeStudy,
) -> None:
    management = """management:
  hypercalcemia:
    treat_above: 2.8 mmol/L
    stop_above: 3.4 mmol/L
    give: [{drug: blockine, dose: 9 mg, at: [0 day]}]
"""
    study = make_study(
        ("scans:\n", management + "scans:\n"),
        ("window: 3 day\n", "window: 3 day\n    assay: radioimmunoassay\n"),
    )
    rows = {row.label: row.statements for row in design_rows(study)}
    assert "at 0, 12 and 24 weeks" in rows["Visits"][1]
    assert "radioimmunoassay" in rows["Visits"][1]
    assert "2.8 mmol/L: blockine 9 mg on day 0" in rows["Management"][0]
    assert "above 3.4 mmol/L" in rows["Management"][1]
