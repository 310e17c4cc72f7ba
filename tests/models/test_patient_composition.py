"""The composed patient: names, units, baseline, solvers, and what must emerge."""

import csv

import numpy as np
import pytest

from estradyn.engine import DoseSchedule, compile_model, solve
from estradyn.model import load_patient_model, models_directory, with_fixed_values
from estradyn.population import stream_population

CLEAN_NAMES = {
    *("estradiol_concentration", "breast_estrogen_drive", "ki67", "fdg_uptake"),
    *("soft_tissue_tumor_volume", "bone_tumor_volume", "flare_signal", "plasma_calcium"),
    *("parathyroid_hormone", "glomerular_filtration", "lumbar_spine_bmd", "total_hip_bmd"),
    *("ctx", "p1np", "bone_alkaline_phosphatase", "total_cholesterol", "ldl", "hdl"),
    *("triglycerides", "toremifene_concentration"),
}
SIGNALS = ("flare_signal", "tumor_osteolysis", "tumor_pthrp")


@pytest.fixture(scope="module")
def patient():
    return load_patient_model(drugs=("toremifene",), modules=())


def treated(patient_model, names, *, size, days, dose=60.0, seed=3):
    """Patients of the typical trial, started at their baselines and treated."""
    chunks = stream_population(
        patient_model, size, seed, chunk_size=size, trial_effects="typical", workers=2
    )
    population = next(chunks)
    compiled = compile_model(patient_model.model, names)
    doses = DoseSchedule.repeated(size, "toremifene_gut", dose, interval=24.0, count=int(days[-1]))
    solution = solve(
        compiled,
        population.parameters,
        days * 24.0,
        doses,
        initial_states=population.initial_states,
        workers=2,
    )
    assert solution.succeeded.all()
    return population, solution


def test_gives_every_clean_name_and_reports_it(patient):
    assert set(patient.model.unit_of) >= CLEAN_NAMES
    assert {output.name for output in patient.outputs} >= CLEAN_NAMES


def test_is_small_enough_to_be_fast(patient):
    assert len(patient.model.states) <= 66


def test_every_value_has_a_class_and_a_source_and_only_fits_are_called_fitted(patient):
    for row in patient.parameters.rows:
        assert row.source.strip(), row.name
    fitted = {row.name for row in patient.parameters.rows if row.evidence_class.value == "fitted"}
    assert {"flare_threshold", "tumor_birth_rate"} <= fitted


@pytest.mark.parametrize("name", ["baseline", "plausibility", "outputs", "correlations"])
def test_rule_tables_have_no_empty_cells(name):
    with (models_directory() / f"{name}.tsv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            limit = row.pop("quantification_limit", None), row.pop("limit_source", None)
            assert all(row.values()), row
            assert bool(limit[0]) == bool(limit[1]), row


def test_untreated_patient_is_at_rest_but_for_her_growing_tumor(patient):
    names = [output.name for output in patient.outputs]
    population, solution = treated(
        patient, names, size=40, days=np.array([0.0, 28.0, 56.0]), dose=0.0
    )
    # Bone is lost with age, treated or not, and the tumor grows.
    changing = {
        "soft_tissue_tumor_volume",
        "bone_tumor_volume",
        "lumbar_spine_bmd",
        "total_hip_bmd",
        "femoral_neck_bmd",
    }
    for name in set(names) - changing:
        values = solution[name]
        assert values[:, 2] == pytest.approx(values[:, 0], rel=2e-3, abs=1e-9), name
    volume = solution["soft_tissue_tumor_volume"]
    assert (volume[:, 2] > 1.05 * volume[:, 0]).all()
    assert len(population) == 40


def test_without_partial_agonism_there_is_no_flare(patient):
    silent = with_fixed_values(patient, {"toremifene_ligand_breast_agonism": 0.0})
    _, solution = treated(silent, SIGNALS, size=60, days=np.arange(0.0, 57.0, 2.0))
    for name in SIGNALS:
        assert np.abs(solution[name]).max() < 1e-6


def test_flare_signal_is_transient_and_falls_under_continued_treatment(patient):
    _, solution = treated(patient, SIGNALS, size=60, days=np.arange(0.0, 141.0, 2.0))
    signal = solution["flare_signal"]
    flaring = signal.max(axis=1) > 0.1
    assert flaring.sum() >= 5
    peak = 2.0 * signal.argmax(axis=1)
    assert ((peak[flaring] > 4.0) & (peak[flaring] < 42.0)).mean() > 0.95
    assert (signal[flaring, -1] < 0.1 * signal[flaring].max(axis=1)).all()


@pytest.mark.slow
def test_population_keeps_to_the_published_incidences(patient):
    names = ("flare_signal", "plasma_calcium", "toremifene_concentration")
    days = np.arange(0.0, 85.0)
    population, solution = treated(patient, names, size=1500, days=days)
    above = solution["flare_signal"] > population.traits["flare_threshold"].to_numpy()[:, None]
    flare = above[:, days <= 42].any(axis=1) & ~above[:, -1]
    # 16 % is published; three standard errors of 1,500 patients are 2.8 points
    assert 0.13 < flare.mean() < 0.19
    hypercalcemia = (solution["plasma_calcium"][:, days <= 42] > 2.75).any(axis=1)
    assert 0.01 < hypercalcemia.mean() < 0.04
    assert not hypercalcemia[population.parameters["has_bone_metastases"] < 0.5].any()
    level = solution["toremifene_concentration"][:, -1]
    assert np.median(level) == pytest.approx(0.9, rel=0.15)
