"""What the clinical mapping asks for can be simulated, and is read right from what is."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from estradyn.errors import InputError
from estradyn.evidence import EvidenceRow, MappingRow, Status, Use, mapping
from estradyn.evidence.mapping import Comparison
from estradyn.model import Output, load_patient_model
from estradyn.scorecard import Target, cycles, regimens, targets_of
from estradyn.scorecard.clinical import predict
from estradyn.scorecard.course import Course
from estradyn.scorecard.regimen_text import Regimen, read_regimen
from estradyn.scorecard.regimens import PEOPLE, predict_levels
from estradyn.scorecard.targets import targets_of_row
from estradyn.scorecard.virtual_trials import (
    AGAINST,
    SCENARIOS,
    TrialArm,
    one_arm,
    predict_in_arms,
)
from estradyn.trial.occult_disease import EVENT_COLUMNS
from estradyn.trial.result import TrialResult
from estradyn.trial.study import Setting, load_study

REPOSITORY = Path(__file__).parents[2]


def clinical_arms() -> list[str]:
    scenarios = {target.scenario for target in targets_of("clinical")}
    return sorted(
        f"{scenario.partition(': ')[0]}: {arm}"
        for scenario in scenarios
        if scenario.partition(": ")[0] not in {*PEOPLE, *cycles.PEOPLE}
        for arm in scenario.partition(": ")[2].split(AGAINST)
    )


@pytest.mark.parametrize("scenario", sorted(set(clinical_arms())))
def test_every_arm_that_the_mapping_names_is_in_a_scenario(scenario: str) -> None:
    file, _, arm = scenario.partition(": ")
    study = one_arm(file, arm)
    assert [one.name for one in study.arms] == [arm]


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.yaml")), ids=lambda path: path.stem)
def test_an_arm_is_named_for_what_it_gives(path: Path) -> None:
    for arm in load_study(path).arms:
        for regimen in arm.regimens:
            assert f"{regimen.drug} {regimen.dose:g} mg" in arm.name
        if not arm.regimens:
            assert arm.name == "no treatment"


def test_an_unknown_scenario_or_arm_says_what_is_allowed() -> None:
    with pytest.raises(InputError, match=r"'surgical', allowed is one of: .*early, .*metastatic"):
        one_arm("surgical", "tamoxifen 20 mg/day")
    with pytest.raises(InputError, match="'aspirin', allowed is one of: no treatment"):
        one_arm("early", "aspirin")


@pytest.mark.parametrize(
    "path",
    sorted((REPOSITORY / "calibration").glob("**/measurements.tsv")),
    ids=lambda path: path.parent.name,
)
def test_what_a_fit_used_is_marked_as_calibration(path: Path) -> None:
    with path.open(encoding="utf-8") as stream:
        used = {line["datasetId"] for line in csv.DictReader(stream, delimiter="\t")}
    assert used
    clinical = mapping("clinical")
    assert {name for name in used if clinical[name].use is not Use.CALIBRATION} == set()


def target(endpoint: str, scenario: str, time: str = "", **cells: str) -> Target:
    names = EvidenceRow.__dataclass_fields__
    printed = {"id": "X1", "value": "1", "unit": "%", **cells}
    row = EvidenceRow(**{name: printed.get(name, "") for name in names})
    item = MappingRow(
        row,
        "lipids",
        Status.MODELLED,
        Use.CHECK,
        scenario,
        (endpoint,),
        time,
        Comparison.VALUE,
        "",
    )
    return targets_of_row(item)[0]


def course(once: bool = True) -> Course:
    """10 mg into 5 L, cleared at 0.5 L/h, absorbed at once; a day between doses."""
    hours = np.linspace(0.0, 240.0, 4801)
    doses = 1 if once else 20
    left = np.exp(-0.1 * 24.0)
    # The sum of what is left of all doses, a geometric series.
    at_last = 2.0 * (1 - left**doses) / (1 - left)
    troughs = np.array([2.0 * left * (1 - left**n) / (1 - left) for n in range(1, doses + 1)])
    return Course(10.0, 24.0, 0.0, troughs, hours, at_last * np.exp(-0.1 * hours))


def test_statistics_of_one_dose_are_those_of_a_compartment() -> None:
    one = course()
    assert one.peak == pytest.approx(2.0)
    assert one.time_of_peak == 0.0
    assert one.half_life == pytest.approx(np.log(2.0) / 0.1, rel=1e-6)
    assert one.whole_area == pytest.approx(20.0, rel=1e-4)
    assert one.clearance == pytest.approx(0.5, rel=1e-4)
    assert one.volume == pytest.approx(5.0, rel=1e-4)


def test_statistics_of_repeated_doses_are_those_of_a_compartment() -> None:
    many = course(once=False)
    # At steady state the area of an interval is that of one dose to infinity.
    assert many.area(24.0) == pytest.approx(20.0, rel=1e-4)
    assert many.average == pytest.approx(20.0 / 24.0, rel=1e-4)
    assert many.clearance == pytest.approx(0.5, rel=1e-4)
    # 90.9 % of the plateau after the first interval: the level falls 11-fold in a day.
    assert many.hours_to_steady_state == 24.0


def test_a_variable_that_does_not_decline_has_no_half_life() -> None:
    steady = course()
    flat = Course(10.0, 24.0, 1.0, np.array([1.0]), steady.hours, np.ones_like(steady.hours))
    assert np.isnan(flat.half_life)
    assert flat.remaining == pytest.approx(100.0)


def test_a_depot_may_peak_long_after_a_single_dose_but_not_after_the_next() -> None:
    hours = np.linspace(0.0, 480.0, 481)
    values = hours * np.exp(-hours / 168.0)
    single = Course(1.0, 24.0, 0.0, np.array([values[24]]), hours, values)
    assert single.time_of_peak == 168.0
    repeated = Course(1.0, 24.0, 0.0, np.array([1.0, values[24]]), hours, values)
    assert repeated.time_of_peak == 24.0


def test_what_remains_is_read_when_the_next_dose_is_due() -> None:
    falling = Course(1.0, 24.0, 10.0, np.array([4.0]), np.array([0.0, 24.0]), np.array([10.0, 4.0]))
    assert falling.remaining == 40.0


def test_levels_of_women_are_predicted_in_the_unit_that_is_asked() -> None:
    scenario = "women: anastrozole 1 mg/day for 14 day"
    asked = [
        target("average of anastrozole_concentration", scenario, unit="ng/mL", id="level"),
        target("half-life of anastrozole_concentration", scenario, unit="d", id="half-life"),
        target("fall of estradiol_concentration", scenario, id="fall"),
        target("remaining of estradiol_concentration", scenario, id="remaining"),
    ]
    found = predict_levels(asked, workers=1, progress=None, patients=8)
    # 1 mg a day over an apparent clearance near 1.4 L/h.
    assert found["level"].unit == "mg/L"
    assert 0.02 < found["level"].value < 0.045
    assert found["half-life"].unit == "day"
    assert 1.2 < found["half-life"].value < 2.6
    assert found["fall"].value == pytest.approx(100.0 - found["remaining"].value)
    assert found["fall"].value > 70.0


def test_levels_of_men_are_predicted_in_moles_and_in_mass() -> None:
    regimen = "men: letrozole 2.5 mg once"
    asked = [
        target("trough of testosterone_concentration", regimen, unit=unit, id=unit)
        for unit in ("nmol/L", "ng/dL")
    ]
    found = predict_levels(asked, workers=1, progress=None, patients=3)
    assert 5.0 < found["nmol/L"].value < 60.0
    # 288.42 g/mol
    assert found["ng/dL"].value == pytest.approx(28.842 * found["nmol/L"].value, rel=1e-6)


def test_co_medication_is_compared_within_each_woman() -> None:
    scenario = "women: exemestane 25 mg once with cyp3a4 inducer"
    asked = [
        target("relative area of exemestane_concentration", scenario, id="relative"),
        target("loss of area of exemestane_concentration", scenario, id="loss"),
    ]
    found = predict_levels(asked, workers=1, progress=None, patients=6)
    # Rifampicin makes elimination 2.17 times as fast.
    assert found["relative"].value == pytest.approx(100.0 / 2.17, rel=0.01)
    assert found["loss"].value == pytest.approx(100.0 - found["relative"].value)


def test_a_state_is_compared_with_another_one() -> None:
    asked = [
        target(
            "fold average of endoxifen_concentration",
            f"women: tamoxifen 20 mg/day for 60 day with cyp2d6 {states}",
            unit="ratio",
            id=states,
        )
        for states in ("inhibitor", "weak_inhibitor", "inhibitor rather than weak_inhibitor")
    ]
    predicted = predict_levels(asked, workers=1, progress=None, patients=1)
    found = [predicted[one.id].value for one in asked]
    assert found[0] < found[1] < 1.0
    assert found[2] == pytest.approx(found[0] / found[1], rel=1e-6)


def test_who_does_not_take_the_drug_keeps_her_own_level() -> None:
    scenario = "women: letrozole 2.5 mg/day for 30 day"
    share = "share with estradiol_concentration >= 0.627 pg/mL"
    asked = [target(share, f"{scenario}{end}", id=end) for end in ("", " taken by 70 percent")]
    found = predict_levels(asked, workers=1, progress=None, patients=40)
    # Before treatment hardly a woman is below the limit.
    expected = 30.0 + 0.7 * found[""].value
    assert found[" taken by 70 percent"].value == pytest.approx(expected, abs=5.0)


def test_courses_may_follow_each_other_and_come_in_cycles() -> None:
    loading = read_regimen(
        "x", "women: fulvestrant 500 mg once then 250 mg every 14 day for 28 day from day 14"
    )
    np.testing.assert_array_equal(loading.hours, 24.0 * np.array([0, 14, 28]))
    np.testing.assert_array_equal(loading.milligrams, [500, 250, 250])
    assert loading.interval == 14 * 24.0
    np.testing.assert_array_equal(loading.first_dose.milligrams, [500])
    cycles = read_regimen("x", "women: clomiphene 50 mg/day for 2 day in 3 cycles of 28 day")
    np.testing.assert_array_equal(cycles.hours, 24.0 * np.array([0, 1, 28, 29, 56, 57]))
    np.testing.assert_array_equal(cycles.cycles, 24.0 * np.array([0, 28, 56]))
    changed = read_regimen("x", "women: letrozole 2.5 mg once with cyp2a6 slow")
    assert changed.co_medication == {"cyp2a6": "slow"}
    assert not changed.usual.co_medication
    potent = read_regimen(
        "x", "women: tamoxifen 20 mg once with cyp2d6 inhibitor rather than weak_inhibitor"
    )
    assert potent.co_medication == {"cyp2d6": "inhibitor"}
    assert potent.usual.co_medication == {"cyp2d6": "weak_inhibitor"}
    assert read_regimen("x", "women: letrozole 2.5 mg once").takers == 100.0
    assert read_regimen("x", "women: letrozole 2.5 mg once taken by 90 percent").takers == 90.0
    with pytest.raises(InputError, match="at most 100"):
        read_regimen("x", "women: letrozole 2.5 mg once taken by 120 percent")
    with pytest.raises(InputError, match="begins before"):
        read_regimen("x", "women: letrozole 2.5 mg/day for 9 day then 5 mg once from day 3")


def test_levels_are_read_after_the_first_dose_and_per_kilogram() -> None:
    scenario = "women: raloxifene 60 mg/day for 21 day"
    asked = [
        target("single peak of raloxifene_concentration", scenario, unit="ng/mL", id="single"),
        target("peak of raloxifene_concentration", scenario, unit="ng/mL", id="last"),
        target(
            "clearance per kilogram of raloxifene_concentration", scenario, unit="L/kg/h", id="cl"
        ),
        target("share below 1 g/L of peak of raloxifene_concentration", scenario, id="all"),
        target("share below 0 g/L of peak of raloxifene_concentration", scenario, id="none"),
    ]
    found = predict_levels(asked, workers=1, progress=None, patients=8)
    assert 1.5 < found["last"].value / found["single"].value < 4.0
    assert 25.0 < found["cl"].value < 75.0
    assert found["all"].value == 100.0
    assert found["none"].value == 0.0


def test_what_stays_from_cycle_to_cycle_accumulates() -> None:
    one = course()
    starts = np.array([2.0, 2.5, 3.0])
    cycled = replace(one, cycle_starts=starts)
    assert cycled.accumulation == pytest.approx(50.0)


@pytest.mark.parametrize(
    ("how", "value"), [("usual peak", 2.0), ("fold peak", 0.5), ("excess of peak", 100.0)]
)
def test_what_is_changed_is_compared_with_what_is_usual(
    monkeypatch: pytest.MonkeyPatch, how: str, value: float
) -> None:
    class Women:
        model = load_patient_model(drugs=("exemestane",), modules=())

        def courses(self, regimen: Regimen) -> dict[str, list[Course | None]]:
            level = 1.0 if regimen.co_medication else 2.0
            return {"exemestane_concentration": [replace(course(), values=np.full(4801, level))]}

    monkeypatch.setattr(regimens, "_Patients", lambda *_: Women())
    scenario = "women: exemestane 25 mg once with meal fasting"
    unit = "ug/mL" if "usual" in how else "ratio" if "fold" in how else "%"
    asked = target(f"{how} of exemestane_concentration", scenario, unit=unit, id="asked")
    found = predict_levels([asked], workers=1, progress=None, patients=1)
    assert found["asked"].value == pytest.approx(value)


@pytest.mark.parametrize(
    ("endpoint", "scenario", "message"),
    [
        ("average of x", "women: anastrozole daily", "'women: <drug> <dose> mg'"),
        ("sum of x", "women: anastrozole 1 mg once", "allowed is one of peak"),
        ("peak of x", "women: anastrozole 1 mg once", "asks for 'x'"),
        ("peak of anastrozole_concentration", "women: anastrozole 1 mg once", "percent"),
    ],
)
def test_what_cannot_be_predicted_names_the_row(endpoint: str, scenario: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        predict_levels([target(endpoint, scenario)], workers=1, progress=None, patients=2)


def trial_arm() -> TrialArm:
    """Four women at 0, 180 and 360 days; the last was not simulated."""
    days = [0.0, 180.0, 360.0]
    ldl = {1: [4.0, 3.0, 2.0], 2: [4.0, 4.0, 4.0], 3: [2.0, 1.0, 1.0], 4: [np.nan] * 3}
    volume = {1: [8.0, 1.0, 1.0], 2: [8.0, 7.0, 6.0], 3: [8.0, 2.7, 2.7], 4: [np.nan] * 3}
    trajectories = pd.DataFrame(
        [
            (name, day, ldl[name][place], volume[name][place])
            for name in ldl
            for place, day in enumerate(days)
        ],
        columns=["patient_id", "time_day", "ldl", "soft_tissue_tumor_volume"],
    )
    patients = pd.DataFrame(
        {
            "patient_id": [1, 2, 3, 4],
            "best_response": ["CR", "SD", "PR", None],
            "progressed": pd.array([True, True, True, None], dtype="boolean"),
            "progression_free_days": [304.375, 60.0, 200.0, np.nan],
            "has_bone_metastases": [True, False, False, True],
            "symptomatic_flare": pd.array([True, False, False, None], dtype="boolean"),
            "clinical_benefit": pd.array([True, False, True, None], dtype="boolean"),
            "flare_end_day": [40.0, np.nan, np.nan, np.nan],
        }
    )
    assessments = pd.DataFrame(
        {
            "patient_id": [1, 1, 3, 3],
            "actual_day": [56.0, 112.0, 56.0, 140.0],
            "response": ["SD", "PR", "PR", "PR"],
            "on_study": True,
        }
    )
    endpoints = pd.DataFrame(
        {
            "endpoint": ["objective_response_rate", "objective_response_rate_caliper"],
            "time": ["", "12 week"],
            "value": [66.0, 40.0],
            "lower": [20.0, 10.0],
            "upper": [93.0, 80.0],
            "unit": ["percent", "percent"],
            "n": [3, 3],
        }
    )
    study = load_study(SCENARIOS / "metastatic.yaml")
    nothing: dict[str, dict[str, int]] = {}
    result = TrialResult(
        study, patients, None, None, endpoints, pd.DataFrame(), nothing, nothing, {}
    )
    outputs = {
        "ldl_change": Output("ldl", "LDL", "mmol/L", "ldl_change", "percent"),
        "tumor_volume_change": Output(
            "soft_tissue_tumor_volume", "Volume", "mL", "tumor_volume_change", "percent"
        ),
    }
    return TrialArm(result, trajectories, assessments, outputs)


@pytest.mark.parametrize(
    ("endpoint", "time", "unit", "expected"),
    [
        ("objective_response_rate", "", "%", 66.0),
        ("complete_response_rate", "", "%", 100.0 / 3),
        ("objective_response_rate_bone_metastases", "", "%", 100.0),
        ("objective_response_rate_without_bone_metastases", "", "%", 50.0),
        ("clinical_benefit_rate_with_flare", "", "%", 100.0),
        ("symptomatic_flare_end", "", "days", 40.0),
        ("progression_free_survival_median_bone_metastases", "", "months", 10.0),
        # From the first scan with a response, day 112 and day 56, to progression.
        ("duration_of_response_median", "", "months", 144.0 / (365.25 / 12)),
        # -25, 0 and -50 %.
        ("ldl_change", "180 day", "%", -25.0),
        ("ldl_change_per_year", "360 day", "%", -100.0 / 3 / (360.0 / 365.25)),
        # From day 180 on: -33, 0 and 0 %.
        ("ldl_change", "from 180 day to 360 day", "%", -100.0 / 9),
        # Skewed volumes: the median of -87.5, -12.5 and -66.25 %.
        ("tumor_volume_change", "180 day", "%", -66.25),
        # What is no course of an output is read from the table of the trial.
        ("objective_response_rate_caliper", "84 day", "%", 40.0),
    ],
)
def test_endpoints_are_read_from_an_arm(
    endpoint: str, time: str, unit: str, expected: float
) -> None:
    asked = target(endpoint, "early: no treatment", time, unit=unit)
    found = predict_in_arms(asked, [trial_arm()])
    assert found.value == pytest.approx(expected)
    assert found.unit == asked.unit


def test_an_endpoint_that_no_trial_has_names_the_row() -> None:
    with pytest.raises(InputError, match="evidence 'X1': a trial has no endpoint 'luck'"):
        predict_in_arms(target("luck", "early: no treatment"), [trial_arm()])


def arm_of_events(setting: str, days: list[float], event: list[bool], positive: float) -> TrialArm:
    """An arm of women with events of the setting at given days."""
    columns = EVENT_COLUMNS[Setting(setting)]
    patients = pd.DataFrame({columns[0]: days, columns[1]: event, "tumor_er_positive": 1.0})
    patients.loc[0, "tumor_er_positive"] = positive
    study = load_study(SCENARIOS / f"{setting}.yaml")
    nothing: dict[str, dict[str, int]] = {}
    tables = (pd.DataFrame(), pd.DataFrame())
    result = TrialResult(study, patients, None, None, *tables, nothing, nothing, {})
    return TrialArm(result, pd.DataFrame(), pd.DataFrame(), {})


YEAR = 365.25


@pytest.mark.parametrize(
    ("setting", "endpoint", "time", "unit", "expected"),
    [
        # One of four in year 1; three women at risk all of year 2, in which another recurs.
        ("adjuvant", "recurrence_free_survival", "1 year", "%", 75.0),
        ("adjuvant", "recurrence_free_survival", "2 year", "%", 50.0),
        ("prevention", "breast_cancer_incidence", "1 year", "per 1000", 25.0),
        # Two cancers in 0.5 + 1.5 + 3 + 3 years.
        ("prevention", "breast_cancer_rate", "3 year", "%/y", 25.0),
        ("prevention", "breast_cancer_rate", "from 1 year to 3 year", "%/y", 100.0 / 4.5),
    ],
)
def test_events_of_one_arm_are_counted_up_to_a_time(
    setting: str, endpoint: str, time: str, unit: str, expected: float
) -> None:
    days = [0.5 * YEAR, 1.5 * YEAR, 3 * YEAR, 3 * YEAR]
    arm = arm_of_events(setting, days, [True, True, False, False], 1.0)
    found = predict_in_arms(target(endpoint, f"{setting}: any", time, unit=unit), [arm])
    assert found.value == pytest.approx(expected)


@pytest.mark.parametrize(
    ("endpoint", "time", "unit", "expected"),
    [
        # One event in 10.5 years of the arm, two in 8 of the other.
        ("breast_cancer_rate_ratio", "3 year", "RR", (1 / 10.5) / (2 / 8)),
        ("breast_cancer_rate_ratio", "from 1 year", "HR", (1 / 6.5) / (1 / 4.5)),
        # The first woman of the other arm has a cancer without receptors.
        ("receptor_positive_breast_cancer_rate_change", "3 year", "%", 100 * (8 / 10.5 - 1)),
    ],
)
def test_events_of_two_arms_are_compared_within_a_period(
    endpoint: str, time: str, unit: str, expected: float
) -> None:
    own = arm_of_events(
        "prevention", [1.5 * YEAR, *[3 * YEAR] * 3], [True, False, False, False], 1.0
    )
    other = arm_of_events(
        "prevention", [0.5 * YEAR, 1.5 * YEAR, *[3 * YEAR] * 2], [True, True, False, False], 0.0
    )
    asked = target(endpoint, "prevention: one against another", time, unit=unit)
    found = predict_in_arms(asked, [own, other])
    assert found.value == pytest.approx(expected)
    assert found.unit == asked.unit


def test_arms_are_not_compared_in_what_one_of_them_has() -> None:
    arm = arm_of_events("adjuvant", [YEAR] * 4, [True] * 4, 1.0)
    asked = target("recurrence_free_survival", "adjuvant: one against another", "1 year")
    with pytest.raises(InputError, match="X1': two arms have no endpoint 'recurrence_free_surv"):
        predict_in_arms(asked, [arm, arm])


@pytest.mark.slow
def test_everything_that_is_modelled_is_predicted_in_its_unit() -> None:
    targets = targets_of("clinical")
    found = predict(targets, workers=2, progress=None, patients=6)
    assert set(found) == {one.id for one in targets}
    assert {one.id for one in targets if one.unit and found[one.id].unit != one.unit} == set()
