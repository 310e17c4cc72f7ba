from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from estradyn.errors import StudyError
from estradyn.model import DrugRecord
from estradyn.trial.study import Study, load_study, study_from_content, with_overrides

Drugs = dict[str, DrugRecord]
MakeStudy = Callable[..., Study]


def refuse(make_study: MakeStudy, old: str, new: str) -> str:
    with pytest.raises(StudyError) as caught:
        make_study((old, new))
    message = str(caught.value)
    assert "\n" not in message
    assert "found" in message
    assert "allowed" in message
    return message


def test_quantities_come_in_days_milligrams_and_percent(make_study: MakeStudy) -> None:
    study = make_study(("dose: 60 mg", "dose: 0.06 g"), ("duration: 48 week", "duration: 2 year"))
    assert study.arms[0].regimens[0].dose == pytest.approx(60.0)
    assert study.arms[0].regimens[0].interval == 1.0
    assert study.duration == 730.5
    assert study.scans.every == 56.0
    assert study.visits[0].until == 56.0


def test_content_of_a_study_builds_the_same_study(make_study: MakeStudy, drugs: Drugs) -> None:
    study = make_study()
    assert study_from_content(study.content(), "memory", drugs=drugs) == study


def test_shipped_study_files_load() -> None:
    folder = Path(__file__).parents[2] / "studies"
    studies = sorted(folder.glob("*.yaml"))
    assert studies
    for path in studies:
        assert len(load_study(path).arms) >= 1


FAULTS = [
    (
        "setting: nobody",
        "setting: nobody\n  people: postmenopausal",
        6,
        "population.people",
        "women",
    ),
    ("drug: blockine", "drug: blokine", 9, "arms.1.regimens.1.drug", "did you mean 'blockine'"),
    ("dose: 60 mg", "dose: 60", 10, "arms.1.regimens.1.dose", "without a unit"),
    ("dose: 60 mg", "dose: -60 mg", 10, "arms.1.regimens.1.dose", "more than 0"),
    ("dose: 60 mg", "dose: 0 mg", 10, "arms.1.regimens.1.dose", "more than 0"),
    ("dose: 60 mg", "dose: .nan", 10, "arms.1.regimens.1.dose", "without a unit"),
    ("dose: 60 mg", "dose: nan mg", 10, "arms.1.regimens.1.dose", "mass"),
    ("dose: 60 mg", "dose: 1e400 mg", 10, "arms.1.regimens.1.dose", "mass"),
    ("dose: 60 mg", "dose: 1500 mg", 10, "arms.1.regimens.1.dose", "largest dose"),
    ("dose: 60 mg", "dose: [60, mg]", 10, "arms.1.regimens.1.dose", "a list"),
    ("dose: 60 mg", "dose: 60 foo", 10, "arms.1.regimens.1.dose", "unknown unit 'foo'"),
    ("interval: 1 day", "interval: 0 day", 11, "arms.1.regimens.1.interval", "more than 0"),
    ("interval: 1 day", "interval: 1 minute", 11, "arms.1.regimens.1.interval", "1 hour"),
    ("interval: 1 day", "intervall: 1 day", 11, "arms.1.regimens.1.intervall", "'interval'"),
    ("drug: blockine", "drug: Blockex", 9, "arms.1.regimens.1.drug", "another name of 'blockine'"),
    ("name: high", "name: low", 12, "arms.2.name", "'low' twice"),
    ("patients_per_arm: 40", "patients_per_arm: 0", 18, "patients_per_arm", "whole number"),
    ("patients_per_arm: 40", "patients_per_arm: many", 18, "patients_per_arm", "whole number"),
    ("seed: 7", "seed: 7.5", 19, "seed", "whole number"),
    ("seed: 7", "seed: .nan", 19, "seed", "whole number"),
    ("seed: 7", "seed: true", 19, "seed", "whole number"),
    ("seed: 7", "sed: 7", 19, "sed", "did you mean 'seed'"),
    ("seed: 7\n", "seed: 7\nseed: 8\n", 20, "seed", "twice"),
    ("  every: 8 week", "  every: 80 week", 35, "scans.every", "duration of the study"),
    ("  window: 0 day", "  window: 4 week", 36, "scans.window", "half the time"),
    ("calcium: 0 percent", "calcum: 0 percent", 25, "visits.1.measure.calcum", "calcium"),
    ("calcium: 0 percent", "calcium: 2", 25, "visits.1.measure.calcium", "without a unit"),
    ("    every: 1 week\n", "", 21, "visits.1", "neither 'at' nor 'every'"),
    ("24 week]", "12 week]", 27, "visits.2.at", "increase"),
    ("24 week]", "60 week]", 27, "visits.2.at.3", "duration of the study"),
    ("title: A made-up trial", "title: !!python/object:os.system ls", 1, "title", "no objects"),
    ("title: A made-up trial", "title: !!python/name:os.system", 1, "title", "no objects"),
    ("title: A made-up trial", "title: &a [*a]", 1, "title", "written out"),
    ("model: patient", "model: {}", 4, "population.model", "a mapping"),
    (
        "      - drug: blockine\n        dose: 60 mg\n        interval: 1 day\n",
        "      - blockine\n",
        9,
        "arms.1.regimens.1",
        "a mapping with drug, dose, interval",
    ),
    (
        "calcium: 0 percent",
        "testosterone: 0 percent",
        25,
        "visits.1.measure.testosterone",
        "does not have of 'postmenopausal_women'",
    ),
]


@pytest.mark.parametrize(("old", "new", "line", "field", "hint"), FAULTS)
def test_fault_names_line_field_and_what_is_allowed(
    make_study: MakeStudy, old: str, new: str, line: int, field: str, hint: str
) -> None:
    message = refuse(make_study, old, new)
    assert f"study.yaml:{line}: field {field}: " in message
    assert hint in message


def test_men_have_testosterone_and_no_endometrium(make_study: MakeStudy) -> None:
    men = ("setting: nobody", "setting: nobody\n  people: men")
    assert make_study(men, ("calcium: 0 percent", "testosterone: 0 percent"))
    with pytest.raises(StudyError) as caught:
        make_study(men, ("calcium: 0 percent", "endometrial_thickness: 0 percent"))
    found, allowed = str(caught.value).split("allowed")
    assert "'endometrial_thickness', which the model does not have of 'men'" in found
    assert "testosterone" in allowed
    assert "endometrial_thickness" not in allowed


@pytest.mark.parametrize(
    ("people", "setting"),
    [
        ("men", "prevention"),
        ("elderly_men", "prevention"),
        ("women_with_bone_metastases", "adjuvant"),
    ],
)
def test_people_are_refused_in_settings_that_their_record_does_not_describe(
    make_study: MakeStudy, people: str, setting: str
) -> None:
    with pytest.raises(StudyError) as caught:
        make_study(
            ("setting: nobody", f"setting: nobody\n  people: {people}"),
            ("seed: 7\n", f"seed: 7\nsetting: {setting}\n"),
        )
    message = str(caught.value)
    assert (
        f"study.yaml:6: field population.people: found '{people}' in the setting '{setting}'"
        in message
    )
    assert "metastatic" in message


@pytest.mark.parametrize(
    ("setting", "section"),
    [
        ("metastatic", "follow_up: {periods: [2 year]}"),
        ("adjuvant", "off_study: {rule: worsening_signs}"),
        ("adjuvant", "flare: {onset_window: 4 week}"),
        ("prevention", "hypercalcemia: {threshold: 2.6 mmol/L}"),
    ],
)
def test_a_section_without_meaning_in_the_setting_is_refused(
    make_study: MakeStudy, setting: str, section: str
) -> None:
    message = refuse(make_study, "seed: 7\n", f"seed: 7\nsetting: {setting}\n{section}\n")
    assert f"study.yaml:21: field {section.split(':', maxsplit=1)[0]}: found" in message
    assert f"in the setting '{setting}'" in message


def test_a_neoadjuvant_trial_that_measures_nothing_is_refused(
    make_study: MakeStudy, drugs: Drugs
) -> None:
    content = make_study().content() | {"setting": "neoadjuvant", "scans": None, "visits": []}
    with pytest.raises(StudyError, match=r"field visits: found nothing.*ultrasound"):
        study_from_content(content, "memory", drugs=drugs)


def test_defaults_of_a_section_are_no_fault_in_any_setting(
    make_study: MakeStudy, drugs: Drugs
) -> None:
    study = make_study(("seed: 7\n", "seed: 7\nsetting: adjuvant\n"))
    assert study_from_content(study.content(), "memory", drugs=drugs) == study


def test_wrong_dimension_names_both_units(make_study: MakeStudy) -> None:
    message = refuse(make_study, "dose: 60 mg", "dose: 60 day")
    assert "'day'" in message
    assert "'mg'" in message


def test_dose_that_does_not_fit_the_record_names_both_units(
    tmp_path: Path, study_text: str, drugs: Drugs
) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(study_text, encoding="utf-8")
    molar = {"blockine": replace(drugs["blockine"], dose_unit="micromole")}
    with pytest.raises(StudyError, match=r"study.yaml:10: .*'mg'.*'micromole'"):
        load_study(path, drugs=molar)


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"", "empty"),
        (b"# nothing but a remark\n", "empty"),
        (b"- a\n- b\n", "a list"),
        (b"title: \xff\xfe\n", "UTF-8"),
        (b"title: [1, 2\n", "not YAML"),
        (b"a: 1\n---\nb: 2\n", "not YAML"),
        (b"\x00", "not YAML"),
        (b"a: " + b"[" * 5000, "brackets"),
        (b"- " * 20_000, "deeply"),
        (b"a: " + b"[" * 50 + b"]" * 50, "deeply"),
        (b"a: 1\n" * 100_000, "64 kB"),
    ],
)
def test_file_that_is_no_study_is_refused(tmp_path: Path, content: bytes, hint: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_bytes(content)
    with pytest.raises(StudyError, match=hint):
        load_study(path)


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no such file"):
        load_study(tmp_path / "none.yaml")
    with pytest.raises(StudyError, match="cannot be read"):
        load_study(tmp_path)


def test_overrides_are_checked_like_the_file(make_study: MakeStudy) -> None:
    study = make_study()
    assert with_overrides(study, patients=3, seed=0).patients_per_arm == 3
    with pytest.raises(StudyError, match="patients_per_arm: found 0, allowed a whole number"):
        with_overrides(study, patients=0)
    with pytest.raises(StudyError, match="seed"):
        with_overrides(study, seed=-1)


FRAGMENTS = st.one_of(
    st.sampled_from(
        [
            "!!python/object:a",
            "&x",
            "*x",
            "- ",
            ": ",
            "\n  ",
            "?",
            "{",
            "[",
            "|",
            ">",
            "1e999",
            ".nan",
            "~",
            "60 mg",
            "9" * 400,
            "'",
            '"',
            "\t",
            "%",
            "<<: ",
            "null",
            "-1 week",
            "0o9",
            "0x",
            "1_0",
            "2024-01-01",
            "1 mg/day/day",
            "!",
            "!!int x",
            "!!float [1]",
        ]
    ),
    st.text(max_size=8),
)


@settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(start=st.floats(0, 1), cut=st.integers(0, 30), piece=FRAGMENTS)
@example(start=0.0, cut=10_000, piece="? [a]\n: b")
def test_any_damage_to_a_study_gives_a_study_error_or_a_study(
    tmp_path: Path, study_text: str, drugs: Drugs, start: float, cut: int, piece: str
) -> None:
    at = int(start * len(study_text))
    text = study_text[:at] + piece + study_text[at + cut :]
    path = tmp_path / "study.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        study = load_study(path, drugs=drugs)
    except StudyError as error:
        assert "\n" not in str(error)
        assert str(error).startswith(str(path))
    else:
        assert study_from_content(study.content(), "memory", drugs=drugs) == study
