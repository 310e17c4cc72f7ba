"""Bad input: one sentence on standard error, exit code 2, nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from estradyn.cli.application import application

GOOD = """\
title: A trial
question: Does it run?
population:
  model: patient
  setting: Postmenopausal women
arms:
  - name: low
    regimens:
      - {drug: toremifene, dose: 60 mg, interval: 1 day}
  - name: high
    regimens:
      - {drug: toremifene, dose: 200 mg, interval: 1 day}
duration: 24 week
patients_per_arm: 8
seed: 1
scans: {every: 8 week, diameter_error: 6 percent}
"""


def run(text: str, folder: Path, *options: str) -> Result:
    study = folder / "study.yaml"
    study.write_text(text, encoding="utf-8")
    command = ["trial", "run", str(study), "--out", str(folder / "results"), *options]
    return CliRunner().invoke(application, command)


@pytest.mark.parametrize(
    ("found", "replacement", "line", "named", "allowed"),
    [
        ("drug: toremifene, dose: 60", "drug: toremifen, dose: 60", 9, "toremifen", "toremifene"),
        ("dose: 60 mg", "dose: 60", 9, "60", "mg"),
        ("dose: 60 mg", "dose: -60 mg", 9, "-60", "mg"),
        ("name: high", "name: low", 10, "low", "once"),
        ("every: 8 week", "every: 30 week", 16, "210 day", "168 day"),
        ("title: A trial", "title: !!python/object/apply:os.system [touch x]", 1, "tag", "plain"),
        ("seed: 1", "sede: 1", 15, "sede", "seed"),
    ],
)
def test_a_fault_in_the_study_is_told_with_its_line(
    found: str, replacement: str, line: int, named: str, allowed: str, tmp_path: Path
) -> None:
    assert found in GOOD
    result = run(GOOD.replace(found, replacement, 1), tmp_path)
    assert result.exit_code == 2
    assert result.stdout == ""
    message = result.stderr
    assert message.count("\n") == 1
    assert "Traceback" not in message
    assert f"study.yaml:{line}: " in message
    assert named in message
    assert allowed in message
    assert [entry.name for entry in tmp_path.iterdir()] == ["study.yaml"]


def test_a_missing_study_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing.yaml"
    result = CliRunner().invoke(application, ["trial", "run", str(missing)])
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert str(missing) in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("options", [("--patients", "0"), ("--patients", "-3"), ("--seed", "-1")])
def test_overrides_are_checked_like_the_file(options: tuple[str, str], tmp_path: Path) -> None:
    result = run(GOOD, tmp_path, *options)
    assert result.exit_code == 2
    assert options[1] in result.stderr
    assert not (tmp_path / "results").exists()


def test_a_folder_with_other_content_is_never_replaced(tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    (results / "thesis.txt").write_text("years of work", encoding="utf-8")
    result = run(GOOD, tmp_path)
    assert result.exit_code == 2
    assert "thesis.txt" in result.stderr
    assert (results / "thesis.txt").read_text(encoding="utf-8") == "years of work"


def test_a_folder_that_is_no_trial_cannot_be_verified(tmp_path: Path) -> None:
    result = CliRunner().invoke(application, ["trial", "verify", str(tmp_path)])
    assert result.exit_code == 2
    assert "manifest" in result.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["trial", "run"],
        ["trial", "run", "study.yaml", "--workers", "0"],
        ["trial", "run", "study.yaml", "--no-such-option"],
        ["model", "export", "bone"],
        ["model", "export", "bone", "--format", "pdf"],
        ["no-such-command"],
    ],
)
def test_wrong_usage_exits_with_2(command: list[str]) -> None:
    result = CliRunner().invoke(application, command)
    assert result.exit_code == 2
    assert "Usage:" in result.stderr


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Toremifene", "did you mean 'toremifene'"),
        ("arimidex", "another name of 'anastrozole'"),
        ("lipid", "did you mean 'lipids'"),
        ("xyz", "'xyz', allowed"),
    ],
)
def test_an_unknown_name_is_answered_with_what_was_meant(name: str, hint: str) -> None:
    result = CliRunner().invoke(application, ["model", "show", name])
    assert result.exit_code == 2
    assert hint in result.stderr
    assert "`estradyn model list`" in result.stderr


def test_an_unknown_model_to_export_is_answered_with_the_known_ones() -> None:
    result = CliRunner().invoke(application, ["model", "export", "nix", "--format", "sbml"])
    assert result.exit_code == 2
    assert "'nix'" in result.stderr
    assert "bone" in result.stderr
