"""Calibration against closed forms, and problems that other tools can read."""

from __future__ import annotations

import csv
import importlib.util
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from estradyn.calibration import (
    CalibrationProblem,
    Predictor,
    experiment_sbml,
    fit,
    load_problem,
    profile_likelihood,
    write_fitted_values,
)
from estradyn.cli.application import application
from estradyn.engine import compile_model, solve
from estradyn.errors import InputError, ParameterError
from estradyn.evidence import evidence_rows
from estradyn.model import export_sbml, load_parameters
from estradyn.model.assays import assay_parameters
from estradyn.model.co_medication import read_co_medication
from estradyn.model.sbml import model_from_sbml
from estradyn.model.sources import models_directory
from estradyn.trial.people import known_people

CALIBRATION = Path(__file__).parents[2] / "calibration"
SHIPPED = sorted(path.parent for path in CALIBRATION.glob("**/problem.yaml"))
CLEARANCE, VOLUME, DOSE = 2.0, 10.0, 100.0
TIMES = (1.0, 2.0, 4.0, 8.0, 12.0)
SPREAD = 0.1

MODEL = """
model one_compartment()
  clearance = 1; central_volume = 1; silent = 1; dose = 0;
  amount = dose;
  amount' = -clearance / central_volume * amount;
  concentration := amount / central_volume;
end
"""


def write_problem(folder: Path, *, free: tuple[str, ...] = ("clearance", "central_volume")) -> Path:
    """A bolus into one compartment, with data that lie on the closed form."""
    folder.mkdir(exist_ok=True)
    (folder / "model.ant").write_text(MODEL)
    (folder / "model.xml").write_text(export_sbml(folder / "model.ant"))
    table = {
        "conditions.tsv": ["conditionId\tdose", f"bolus\t{DOSE}"],
        "observables.tsv": [
            "observableId\tobservableFormula\tnoiseFormula",
            "level\tconcentration\tnoiseParameter1_level",
        ],
        "measurements.tsv": [
            "observableId\tsimulationConditionId\tmeasurement\ttime\tnoiseParameters",
            *(
                f"level\tbolus\t{DOSE / VOLUME * np.exp(-CLEARANCE / VOLUME * t)}\t{t}\t{SPREAD}"
                for t in TIMES
            ),
        ],
        "parameters.tsv": [
            "parameterId\tparameterScale\tlowerBound\tupperBound\tnominalValue\testimate",
            *(f"{name}\tlog10\t0.1\t100\t1\t1" for name in free),
        ],
    }
    for name, lines in table.items():
        (folder / name).write_text("\n".join(lines) + "\n")
    path = folder / "problem.yaml"
    path.write_text(
        "format_version: 1\nparameter_file: parameters.tsv\nproblems:\n"
        "  - sbml_files: [model.xml]\n    condition_files: [conditions.tsv]\n"
        "    observable_files: [observables.tsv]\n    measurement_files: [measurements.tsv]\n"
    )
    return path


@pytest.fixture(scope="module")
def bolus(tmp_path_factory: pytest.TempPathFactory) -> CalibrationProblem:
    return load_problem(write_problem(tmp_path_factory.mktemp("bolus")))


def test_prediction_is_the_closed_form(bolus: CalibrationProblem) -> None:
    vectors = np.array([[2.0, 10.0], [1.0, 20.0], [5.0, 4.0]])
    found = Predictor(bolus)(vectors)
    for row, (clearance, volume) in zip(found, vectors, strict=True):
        exact = DOSE / volume * np.exp(-clearance / volume * np.array(TIMES))
        np.testing.assert_allclose(row, exact, rtol=1e-4, atol=1e-5)


def test_fit_finds_the_truth_from_every_start(bolus: CalibrationProblem) -> None:
    fitted = fit(Predictor(bolus), starts=4, seed=3)
    np.testing.assert_allclose(fitted.values, [CLEARANCE, VOLUME], rtol=1e-3)
    assert fitted.misfit < 1e-2
    assert sum(start.misfit < 1e-2 for start in fitted.starts) >= 3


def test_profile_interval_agrees_with_a_grid(bolus: CalibrationProblem) -> None:
    predictor = Predictor(bolus)
    fitted = fit(predictor, starts=1)
    profile = profile_likelihood(predictor, fitted, 0)

    def misfit(clearance: float) -> float:
        volumes = np.geomspace(8, 12.5, 4001)[:, None]
        levels = DOSE / volumes * np.exp(-clearance / volumes * np.array(TIMES))
        return float(np.min(np.sum(((levels - bolus.targets) / SPREAD) ** 2, axis=1)))

    grid = np.linspace(1.8, 2.2, 801)
    inside = grid[[misfit(value) < 3.841 for value in grid]]
    assert profile.lower == pytest.approx(inside[0], rel=5e-3)
    assert profile.upper == pytest.approx(inside[-1], rel=5e-3)
    assert profile.verdict == "identifiable"


def test_a_parameter_without_effect_is_called_not_identifiable(tmp_path: Path) -> None:
    problem = load_problem(
        write_problem(tmp_path / "silent", free=("clearance", "central_volume", "silent"))
    )
    predictor = Predictor(problem)
    profile = profile_likelihood(predictor, fit(predictor, starts=1), 2)
    assert profile.verdict == "not identifiable"
    assert np.isnan(profile.lower)
    assert np.isnan(profile.upper)


def test_command_writes_tables_and_report(tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["calibrate", str(write_problem(tmp_path / "p")), "--out", str(out)]
    result = CliRunner().invoke(application, [*arguments, "--starts", "2"])
    assert result.exit_code == 0, result.output
    with (out / "parameters.tsv").open() as file:
        rows = {row["name"]: row for row in csv.DictReader(file, delimiter="\t")}
    assert float(rows["clearance"]["value"]) == pytest.approx(CLEARANCE, rel=1e-3)
    assert "identifiable" in (out / "report.html").read_text()


def test_command_profiles_the_named_parameters_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["calibrate", str(write_problem(tmp_path / "p")), "--out", str(out)]
    options = ["--starts", "1", "--profile", "clearance"]
    result = CliRunner().invoke(application, [*arguments, *options])
    assert result.exit_code == 0, result.output
    with (out / "parameters.tsv").open() as file:
        rows = {row["name"]: row for row in csv.DictReader(file, delimiter="\t")}
    assert rows["clearance"]["verdict"] == "identifiable"
    assert rows["central_volume"]["verdict"] == "not profiled"
    assert "not profiled" in (out / "report.html").read_text()
    wrong = CliRunner().invoke(application, [*arguments, "--profile", "mass"])
    assert wrong.exit_code != 0
    assert "'mass' is not fitted" in wrong.output


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("parameters.tsv", "log10", "cubic", "cubic"),
        ("parameters.tsv", "0.1\t100", "100\t0.1", "lowerBound"),
        ("observables.tsv", "concentration\t", "__import__('os')\t", "observableFormula"),
        ("observables.tsv", "concentration\t", "concentration +\t", "observableFormula"),
        ("measurements.tsv", "bolus", "infusion", "infusion"),
        ("measurements.tsv", f"\t{SPREAD}\n", "\t0\n", "standard deviation"),
        ("conditions.tsv", "dose", "doze", "doze"),
        ("problem.yaml", "format_version: 1", "format_version: 2", "format_version"),
        ("problem.yaml", "model.xml", "other.xml", "other.xml"),
    ],
)
def test_faults_are_told_in_one_sentence(
    tmp_path: Path, file: str, old: str, new: str, said: str
) -> None:
    path = write_problem(tmp_path / "p")
    broken = path.parent / file
    broken.write_text(broken.read_text().replace(old, new, 1))
    with pytest.raises(InputError, match=said) as caught:
        load_problem(path)
    assert file.split(".", maxsplit=1)[0] in str(caught.value) or "problem" in str(caught.value)


def test_fitted_values_replace_one_cell_and_only_in_fitted_rows(tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(models_directory(), models)
    table = load_parameters(directory=models)
    fitted = next(row for row in table.rows if row.evidence_class.value == "fitted")
    before = {path: path.read_text() for path in models.rglob("*.tsv")}
    value = 1.0123456 * fitted.value
    changed = write_fitted_values(table, {fitted.name: value})
    assert changed == [fitted.path]
    again = load_parameters(directory=models).by_name[fitted.name].value
    assert again == float(f"{value:.3g}") != fitted.value
    differing = [
        (old, new)
        for path, text in before.items()
        for old, new in zip(text.splitlines(), path.read_text().splitlines(), strict=True)
        if old != new
    ]
    assert len(differing) == 1
    bounded = next(
        row for row in table.rows if row.evidence_class.value == "fitted" and row.upper is not None
    )
    assert bounded.upper is not None
    with pytest.raises(ParameterError, match="bounds"):
        write_fitted_values(table, {bounded.name: 2 * bounded.upper})
    assumed = next(row for row in table.rows if row.evidence_class.value == "assumed")
    with pytest.raises(ParameterError, match="assumed"):
        write_fitted_values(table, {assumed.name: 1.0})


def test_the_area_under_a_curve_is_that_of_the_closed_form(tmp_path: Path) -> None:
    path = write_problem(tmp_path / "p")
    text = experiment_sbml(str(path.parent / "model.ant"), [], areas=["concentration"])
    whole = model_from_sbml(text, "model.ant")
    compiled = compile_model(whole, ["concentration_area"])
    values = {"clearance": CLEARANCE, "central_volume": VOLUME, "dose": DOSE}
    area = solve(compiled, values, [0.0, 6.0], patients=1)["concentration_area"][0]
    exact = DOSE / CLEARANCE * (1.0 - np.exp(-CLEARANCE / VOLUME * 6.0))
    np.testing.assert_allclose(area, [0.0, exact], rtol=1e-3, atol=1e-9)


def population_of(folder: Path) -> str | None:
    """People whom a problem fits: its folder is called like them, else they are women."""
    return folder.name if folder.name in known_people() else None


def shipped_problem(folder: Path, out: Path) -> Path:
    """The problem of a folder, with its model made anew."""
    copy = out / folder.name
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("model.xml"))
    spec = importlib.util.spec_from_file_location("make_model", CALIBRATION / "make_model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(copy, population_of(folder))
    return copy / "problem.yaml"


@pytest.fixture(scope="module", params=SHIPPED, ids=lambda folder: folder.name)
def shipped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shipped_problem(request.param, tmp_path_factory.mktemp("shipped"))


def test_a_shipped_problem_is_clean_for_the_petab_linter(shipped: Path) -> None:
    petab = pytest.importorskip("petab")
    assert petab.lint_problem(petab.Problem.from_yaml(str(shipped))) is False


def test_a_shipped_problem_quotes_its_evidence_rows(shipped: Path) -> None:
    problem = load_problem(shipped)
    rows = evidence_rows()
    for item in problem.measurements:
        printed = re.findall(r"[+-]?(?<![\d.])\d+(?:\.\d+)?", rows[item.dataset].value)
        # A peak or a lowest point is quoted by its time: uptake and loss are alike then. A range is
        # read by its ends.
        by_time = item.observable.endswith(("peaking", "turning"))
        quoted = item.time if by_time else abs(item.value)
        days = quoted / 24.0
        left = 100.0 - quoted
        found = [abs(float(number)) for number in printed]
        assert any(
            number == pytest.approx(value) for number in found for value in (quoted, days, left)
        ), item.dataset
    own = load_parameters(population=population_of(shipped.parent))
    shipped_rows = (*own.rows, *assay_parameters().rows)
    fitted = {row.name for row in shipped_rows if row.evidence_class.value == "fitted"}
    assert {item.name for item in problem.free} <= fitted


def test_shipped_values_are_those_that_fit(shipped: Path) -> None:
    problem = load_problem(shipped)
    own = load_parameters(population=population_of(shipped.parent)).by_name
    own = own | assay_parameters().by_name
    vector = np.array([[own[item.name].value for item in problem.free]])
    predicted = Predictor(problem)(vector)[0]
    residuals = (predicted - problem.targets) / problem.standard_deviations
    assert np.isfinite(residuals).all()
    assert np.sqrt(np.mean(residuals**2)) < 2.5


@pytest.mark.parametrize("drug", ["tamoxifen", "toremifene"])
def test_a_condition_with_rifampin_has_the_activity_of_the_table(drug: str) -> None:
    with (CALIBRATION / "exposure" / drug / "conditions.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    column = f"{drug}_enzyme_activity"
    stated = {float(row[column]) for row in rows if "rifampin" in row["conditionId"]}
    effects = read_co_medication(models_directory() / "co_medication.tsv")
    assert stated == {
        effect.factor
        for effect in effects
        if effect.parameter == column and effect.state == "inducer"
    }


def test_only_what_the_observables_depend_on_is_solved(tmp_path: Path) -> None:
    problem = load_problem(shipped_problem(CALIBRATION / "exposure" / "anastrozole", tmp_path))
    assert set(problem.model.state_names) == {
        "anastrozole_gut",
        "anastrozole_central_amount",
        "anastrozole_next_dose",
    }


def test_the_typical_woman_predicts_what_the_patient_model_does(tmp_path: Path) -> None:
    problem = load_problem(shipped_problem(CALIBRATION / "typical_woman", tmp_path))
    own = load_parameters().by_name
    vector = np.array([[own[item.name].value for item in problem.free]])
    predicted = dict(zip(problem.measurements, Predictor(problem)(vector)[0], strict=True))
    ldl = [value for item, value in predicted.items() if item.dataset == "LI07"]
    assert -16 < ldl[0] < -11
