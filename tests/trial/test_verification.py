from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from estradyn.errors import StudyError
from estradyn.model import DrugRecord
from estradyn.trial.run import run_trial
from estradyn.trial.study import Study
from estradyn.trial.verification import Verification, verify

Drugs = dict[str, DrugRecord]


@pytest.fixture
def finished(
    tmp_path: Path, make_study: Callable[..., Study], make_simulation: Callable[..., object]
) -> Path:
    study = make_study(("diameter_error: 0 percent", "diameter_error: 8 percent"))
    run_trial(study, tmp_path / "out", workers=1, simulation=make_simulation(study))
    return tmp_path / "out"


def check(folder: Path, make_simulation: Callable[..., object], drugs: Drugs) -> Verification:
    return verify(folder, simulate=make_simulation, drugs=drugs)


def test_finished_trial_comes_out_again(
    finished: Path, make_simulation: Callable[..., object], drugs: Drugs
) -> None:
    verification = check(finished, make_simulation, drugs)
    assert verification.identical
    assert verification.text == "All tables came out again, bit for bit."


def test_trial_that_stores_only_endpoints_comes_out_again(
    tmp_path: Path,
    make_study: Callable[..., Study],
    make_simulation: Callable[..., object],
    drugs: Drugs,
) -> None:
    study = make_study(("seed: 7", "seed: 7\nstore: endpoints"))
    run_trial(study, tmp_path / "out", simulation=make_simulation(study), chunk_size=13)
    assert check(tmp_path / "out", make_simulation, drugs).identical
    (tmp_path / "out" / "endpoints.csv").unlink()
    assert check(tmp_path / "out", make_simulation, drugs).altered == ("endpoints.csv",)


def test_table_that_was_edited_is_named(
    finished: Path, make_simulation: Callable[..., object], drugs: Drugs
) -> None:
    table = finished / "endpoints.csv"
    table.write_text(table.read_text().replace("25.0", "24.0"))
    (finished / "patients.parquet").unlink()
    verification = check(finished, make_simulation, drugs)
    assert verification.altered == ("endpoints.csv", "patients.parquet")
    assert verification.differing == ()
    assert "endpoints.csv, patients.parquet changed since" in verification.text


def test_study_that_was_edited_gives_other_numbers_and_versions_are_named(
    finished: Path, make_simulation: Callable[..., object], drugs: Drugs
) -> None:
    manifest = json.loads((finished / "manifest.json").read_text())
    manifest["study"]["seed"] = 8
    manifest["packages"]["numpy"] = "0.1"
    (finished / "manifest.json").write_text(json.dumps(manifest))
    verification = check(finished, make_simulation, drugs)
    assert not verification.identical
    assert "assessments.parquet" in verification.differing
    assert verification.changed["numpy"][0] == "0.1"
    assert verification.changed["seed"] == ("7", "8")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 99, "study": {}, "tables": {}}'])
def test_folder_without_a_usable_manifest_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(StudyError, match=r"manifest\.json"):
        verify(tmp_path)


def test_folder_without_a_trial_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no manifest"):
        verify(tmp_path)
