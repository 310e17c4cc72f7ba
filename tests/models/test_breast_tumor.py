"""Growth, response, resistance and flare of the tumor module."""

import numpy as np
import pytest

from estradyn.engine import compile_model, solve
from estradyn.model import load_model, load_parameters, with_values

OUTPUTS = (
    "soft_tissue_tumor_volume",
    "bone_tumor_volume",
    "ki67",
    "fdg_uptake",
    "flare_signal",
    "osteolysis",
    "tumor_pthrp",
    "tumor_doubling_time",
)
DAYS = np.arange(0.0, 400.0, 2.0)
TYPICAL_DRIVE = 0.036


@pytest.fixture(scope="module")
def tumor():
    model = load_model("tumor")
    rows = load_parameters().by_name
    values = {
        name: (rows.get(f"tumor_{name}") or rows[name]).value
        for name in model.parameter_names
        if f"tumor_{name}" in rows or name in rows
    }
    values |= {"er_positive": 1.0, "has_bone_metastases": 1.0}
    return compile_model(with_values(model, values), OUTPUTS)


def follow(tumor, drive, days=DAYS, *, estradiol_drive=None, **values):
    """Hold the drive, and that of estradiol alone (the same unless said), relative to baseline."""
    estradiol_drive = drive if estradiol_drive is None else estradiol_drive
    inputs = {
        "drug_free_breast_drive": TYPICAL_DRIVE,
        "reference_breast_drive": TYPICAL_DRIVE,
        "breast_estrogen_drive": drive * TYPICAL_DRIVE,
        "estradiol_breast_drive": estradiol_drive * TYPICAL_DRIVE,
        **values,
    }
    solution = solve(tumor, inputs, days * 24.0, patients=1)
    return {name: solution[name][0] for name in OUTPUTS}


def test_untreated_tumor_doubles_in_its_doubling_time(tumor):
    untreated = follow(tumor, 1.0, resistance_rate=0.0, resistant_fitness=1.0)
    doubling_days = untreated["tumor_doubling_time"][0] / 24.0
    volume = untreated["soft_tissue_tumor_volume"]
    measured = DAYS[-1] * np.log(2.0) / np.log(volume[-1] / volume[0])
    assert measured == pytest.approx(doubling_days, rel=1e-4)
    assert 20.0 < doubling_days < 200.0


def test_untreated_tumor_gives_no_signal_and_keeps_its_markers(tumor):
    untreated = follow(tumor, 1.0)
    for signal in ("flare_signal", "osteolysis", "tumor_pthrp"):
        assert np.abs(untreated[signal]).max() < 1e-12
    assert untreated["ki67"] == pytest.approx(untreated["ki67"][0])
    assert untreated["fdg_uptake"] == pytest.approx(1.0)


def test_frozen_tumor_keeps_its_volume_under_any_drive(tumor):
    frozen = follow(tumor, 0.2, growth_activity=0.0)
    assert frozen["soft_tissue_tumor_volume"] == pytest.approx(
        frozen["soft_tissue_tumor_volume"][0]
    )


def test_deprivation_shrinks_a_dependent_tumor_until_resistant_cells_take_over(tumor):
    fit = {"growth_dependence_logit": 3.0, "resistant_logit": -4.0, "resistant_fitness": 0.7}
    deprived = follow(tumor, 0.1, **fit)
    volume = deprived["soft_tissue_tumor_volume"]
    smallest = volume.argmin()
    assert volume[smallest] < 0.3 * volume[0]
    assert 0 < smallest < len(DAYS) - 1
    assert volume[-1] > 1.2 * volume[smallest]
    assert deprived["ki67"][10] < 0.3 * deprived["ki67"][0]


MIXED = {
    "growth_dependence_logit": 3.0,
    "resistant_logit": -9.0,
    "serm_resistant_logit": -2.0,
    "resistance_rate": 0.0,
}


def test_serm_resistant_cells_escape_a_serm_and_not_the_loss_of_estradiol(tumor):
    blocked = follow(tumor, 0.1, estradiol_drive=1.0, **MIXED)["soft_tissue_tumor_volume"]
    deprived = follow(tumor, 0.1, **MIXED)["soft_tissue_tumor_volume"]
    year = np.searchsorted(DAYS, 360.0)
    assert blocked.min() < blocked[0]
    assert blocked[year] > blocked[0] > 5.0 * deprived[year]


def test_cells_resistant_to_everything_end_both(tumor):
    mixed = MIXED | {"resistant_logit": -2.0, "resistant_fitness": 0.7}
    for estradiol_drive in (0.1, 1.0):
        volume = follow(tumor, 0.1, estradiol_drive=estradiol_drive, **mixed)
        volume = volume["soft_tissue_tumor_volume"]
        assert volume[-1] > 2.0 * volume.min()


def test_under_a_serm_the_cycling_fraction_falls_by_the_sensitive_share(tumor):
    with_escape = follow(tumor, 0.1, estradiol_drive=1.0, **MIXED)["ki67"][7]
    without = follow(tumor, 0.1, estradiol_drive=1.0, **MIXED | {"serm_resistant_logit": -9.0})
    assert without["ki67"][7] < with_escape < without["ki67"][0]


def test_both_sites_keep_their_ratio(tumor):
    treated = follow(tumor, 0.1, estradiol_drive=1.0, **MIXED, bone_volume=7.0)
    ratio = treated["bone_tumor_volume"] / treated["soft_tissue_tumor_volume"]
    assert ratio == pytest.approx(ratio[0])


def test_receptor_negative_tumor_ignores_the_drive(tumor):
    negative = follow(tumor, 0.1, er_positive=0.0)
    untreated = follow(tumor, 1.0, er_positive=0.0)
    assert negative["soft_tissue_tumor_volume"] == pytest.approx(
        untreated["soft_tissue_tumor_volume"]
    )


def test_a_falling_drive_never_gives_flare_or_osteolysis(tumor):
    deprived = follow(tumor, 0.5)
    for signal in ("flare_signal", "osteolysis", "tumor_pthrp"):
        assert np.abs(deprived[signal]).max() < 1e-9


def test_a_rise_of_the_drive_stimulates_growth_pain_and_bone(tumor):
    stimulated = follow(tumor, 3.0, np.arange(0.0, 20.0))
    untreated = follow(tumor, 1.0, np.arange(0.0, 20.0))
    grown = stimulated["soft_tissue_tumor_volume"][-1]
    assert grown > untreated["soft_tissue_tumor_volume"][-1]
    for signal in ("flare_signal", "osteolysis", "tumor_pthrp"):
        assert (np.diff(stimulated[signal]) > 0.0).all()
    assert stimulated["fdg_uptake"][-1] > 1.0
    assert stimulated["ki67"][-1] > stimulated["ki67"][0]


def test_osteolysis_needs_bone_metastases_and_is_bounded(tumor):
    soft_only = follow(tumor, 3.0, np.arange(0.0, 20.0), has_bone_metastases=0.0)
    assert soft_only["osteolysis"] == pytest.approx(0.0)
    assert soft_only["bone_tumor_volume"] == pytest.approx(0.0)
    huge = follow(tumor, 50.0, np.arange(0.0, 60.0), bone_volume=1e5)
    largest = load_parameters().by_name["tumor_osteolysis_maximum"].value
    assert huge["osteolysis"].max() <= largest
    assert huge["osteolysis"].max() > 0.9 * largest


def test_ki67_stays_a_percentage(tumor):
    stimulated = follow(tumor, 100.0, np.arange(0.0, 20.0), baseline_cycling_odds=2.0)
    assert 0.0 < stimulated["ki67"].min() <= stimulated["ki67"].max() < 100.0
