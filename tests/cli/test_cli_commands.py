"""The commands, each from its arguments to what it prints and writes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import libsbml
import pytest
from typer.testing import CliRunner

from estradyn import __version__
from estradyn.cli.application import application
from estradyn.cli.output import write_whole
from estradyn.cli.progress import arm_progress
from estradyn.errors import InputError
from estradyn.model.parameter_table import EvidenceClass
from estradyn.model.patient_model import load_parameters
from estradyn.trial.working_folder import finished_chunks

STUDY = """\
title: A short trial
question: Does it run?
population: {model: patient, setting: Postmenopausal women}
arms:
  - name: low
    regimens: [{drug: toremifene, dose: 60 mg, interval: 1 day}]
  - name: high
    regimens: [{drug: toremifene, dose: 200 mg, interval: 1 day}]
duration: 16 week
patients_per_arm: 200
seed: 1
visits:
  - {name: visits, every: 8 week, measure: {calcium: 2 percent, lipids: 5 percent}}
scans: {every: 8 week, diameter_error: 6 percent}
"""
FILES = {
    "endpoints.csv",
    "patients.parquet",
    "trajectories.parquet",
    "assessments.parquet",
    "manifest.json",
    "report.html",
}


def invoke(*arguments: str) -> str:
    result = CliRunner().invoke(application, list(arguments))
    assert result.exit_code == 0, result.output
    return result.stdout


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from estradyn.cli import main; main()", *arguments]


def test_version_and_help() -> None:
    assert invoke("--version") == f"estradyn {__version__}\n"
    text = invoke("--help")
    assert "trial" in text
    assert "model" in text
    assert "research use only" in text


def test_help_does_not_load_what_only_commands_need() -> None:
    code = (
        "import sys; from estradyn.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'pandas', 'altair', 'llvmlite', 'libsbml', 'antimony', 'pydantic'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"


def test_models_and_drugs_are_listed_with_what_they_are() -> None:
    lines = invoke("model", "list").splitlines()
    assert any(line.startswith("bone") and "parathyroid hormone" in line for line in lines)
    assert any(line.startswith("toremifene") and "drug" in line for line in lines)


def test_a_module_shows_every_value_with_class_and_source() -> None:
    text = invoke("model", "show", "lipids")
    rows = load_parameters("lipids").rows
    for row in rows:
        line = next(line for line in text.splitlines() if line.startswith(row.name + " "))
        assert row.evidence_class.value in line
    assert {row.evidence_class for row in rows} <= set(EvidenceClass)


def test_a_drug_shows_its_record() -> None:
    text = invoke("model", "show", "toremifene")
    assert "last reviewed" in text
    assert "selective estrogen receptor modulator" in text
    assert "rifampin" in text
    rows = load_parameters(drugs=("toremifene",)).rows
    shown = [line.split()[0] for line in text.splitlines() if line.startswith("toremifene_")]
    assert "toremifene_low_dose_clearance" in shown
    assert len(shown) == sum(row.path.stem.startswith("toremifene") for row in rows)


def test_what_a_drug_is_in_other_contexts_is_shown_as_text() -> None:
    lines = invoke("model", "show", "tamoxifen").splitlines()
    text = "\n".join(lines[: lines.index("")])
    for context in ("mouse", "well"):
        assert any(line.startswith(f"in {context} ") for line in lines)
        assert f"tamoxifen_{context}.ant" in text
    assert "receptor_loss, cytotoxicity" in text
    assert "{" not in text
    assert "[" not in text


@pytest.mark.parametrize(("day", "overdue"), [("2026-11-23", False), ("2030-01-01", True)])
def test_an_overdue_review_of_a_drug_warns(day: str, overdue: bool) -> None:
    result = CliRunner().invoke(application, ["model", "show", "letrozole", "--today", day])
    assert result.exit_code == 0
    assert ("Warning: The record of letrozole" in result.stderr) == overdue


def test_export_goes_to_standard_output_or_whole_into_a_file(tmp_path: Path) -> None:
    out = tmp_path / "lipids.xml"
    assert str(out) in invoke("model", "export", "lipids", "--format", "sbml", "--out", str(out))
    assert [entry.name for entry in tmp_path.iterdir()] == ["lipids.xml"]
    assert libsbml.readSBMLFromFile(str(out)).getNumErrors() == 0
    assert invoke("model", "export", "lipids", "--format", "sbml") == out.read_text("utf-8")


def test_a_patient_is_exported_with_the_drugs_that_are_named() -> None:
    both = invoke("model", "export", "patient", "--format", "sbml", "--drug", "letrozole")
    assert "letrozole_gut" in both
    assert "tamoxifen" not in both


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        write_whole(tmp_path / "missing" / "out.xml", "text")
    (tmp_path / "taken").mkdir()
    with pytest.raises(InputError, match="taken"):
        write_whole(tmp_path / "taken", "text")
    assert [entry.name for entry in tmp_path.iterdir()] == ["taken"]


def test_progress_is_quiet_where_nobody_watches() -> None:
    with arm_progress() as progress:
        assert progress is None


def test_progress_shows_every_arm_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    with arm_progress() as progress:
        assert progress is not None
        progress("low", 5, 10)
        progress("low", 10, 10)
        progress("high", 10, 10)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "low" in shown.err
    assert "10/10" in shown.err


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("trial")
    study = folder / "short.yaml"
    study.write_text(STUDY, encoding="utf-8")
    out = folder / "deep" / "results"
    text = invoke("trial", "run", str(study), "--out", str(out), "--patients", "6", "--seed", "3")
    return out, text


@pytest.mark.slow
def test_a_trial_leaves_its_six_files_and_says_so_in_one_line(trial: tuple[Path, str]) -> None:
    out, text = trial
    assert {entry.name for entry in out.iterdir()} == FILES
    assert text.count("\n") == 1
    assert str(out / "report.html") in text
    assert "12 patients" in text
    assert "A short trial" in (out / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_only_endpoints_are_left_when_asked_for_and_a_finished_trial_is_not_run_again(
    trial: tuple[Path, str], tmp_path: Path
) -> None:
    whole, _ = trial
    study, out = tmp_path / "short.yaml", tmp_path / "lean"
    study.write_text(STUDY, encoding="utf-8")
    arguments = ("trial", "run", str(study), "--out", str(out), "--patients", "6", "--seed", "3")
    assert "Wrote endpoints and" in invoke(*arguments, "--store", "endpoints")
    assert {entry.name for entry in out.iterdir()} == {
        "endpoints.csv",
        "manifest.json",
        "report.html",
    }
    assert (out / "endpoints.csv").read_bytes() == (whole / "endpoints.csv").read_bytes()
    assert "bit for bit" in invoke("trial", "verify", str(out))
    written = (out / "manifest.json").read_bytes()
    again = invoke(*arguments, "--store", "endpoints", "--resume")
    assert "holds this trial already" in again
    assert (out / "manifest.json").read_bytes() == written


@pytest.mark.slow
def test_a_finished_trial_verifies_until_a_table_is_touched(trial: tuple[Path, str]) -> None:
    out, _ = trial
    assert "bit for bit" in invoke("trial", "verify", str(out), "--workers", "1")
    endpoints = out / "endpoints.csv"
    endpoints.write_text(endpoints.read_text("utf-8").replace("low", "lower"), encoding="utf-8")
    result = CliRunner().invoke(application, ["trial", "verify", str(out)])
    assert result.exit_code == 1
    assert "endpoints.csv" in result.stdout


def start(arguments: list[str], folder: Path) -> subprocess.Popen[str]:
    """Start a command that hears Ctrl-C, even where these tests run in a shell's background."""
    listen = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
        "os.execvp(sys.argv[1], sys.argv[1:])"
    )
    return subprocess.Popen(
        [sys.executable, "-c", listen, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_an_interrupted_trial_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "short.yaml").write_text(STUDY, encoding="utf-8")
    process = start(command("trial", "run", "short.yaml", "--out", "results"), tmp_path)
    deadline = time.monotonic() + 60.0
    while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60.0)
    assert process.returncode == 130
    assert stdout == ""
    assert "Traceback" not in stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["short.yaml"]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_a_trial_interrupted_later_says_what_it_keeps(tmp_path: Path) -> None:
    (tmp_path / "short.yaml").write_text(STUDY, encoding="utf-8")
    run = command("trial", "run", "short.yaml", "--out", "results", "--patients", "500")
    process = start(run, tmp_path)
    deadline = time.monotonic() + 120.0
    while not finished_chunks(tmp_path / "results") and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60.0)
    assert process.returncode == 130
    assert stdout == ""
    assert "Traceback" not in stderr
    assert "are kept in .results.unfinished; with --resume" in stderr
    refused = subprocess.run(
        [*run, "--resume", "--seed", "5"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "that differs in seed, allowed" in refused.stderr
    ended = subprocess.run(
        [*run, "--resume"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "of 4 parts were there" in ended.stdout
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["results", "short.yaml"]
