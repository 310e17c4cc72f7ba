"""What each class of drug does to estrogens, tumor, bone and lipids, without any switch for it."""

import numpy as np
import pytest
from treated_people import Course, TreatedPeople

from estradyn.model import load_patient_model

DAILY = {
    "tamoxifen": 20.0,
    "toremifene": 60.0,
    "raloxifene": 60.0,
    "anastrozole": 1.0,
    "letrozole": 2.5,
    "exemestane": 25.0,
}
SERMS = ("tamoxifen", "toremifene", "raloxifene")
INHIBITORS = ("anastrozole", "letrozole", "exemestane")
ESTROGENS = ("estradiol_concentration", "estrone_concentration", "estrone_sulfate_concentration")
OUTPUTS = (
    *ESTROGENS,
    *("breast_estrogen_drive", "flare_signal"),
    *("ki67", "lumbar_spine_bmd", "ctx", "ldl", "drug_free_breast_drive"),
)
DAYS = np.array([0.0, 7.0, 14.0, 28.0, 84.0, 364.0])


@pytest.fixture(scope="module")
def treated():
    return TreatedPeople(load_patient_model(), OUTPUTS, DAYS * 24.0, size=40, seed=5)


@pytest.fixture(scope="module")
def untreated(treated):
    return treated()


def daily(drug, start=0, stop=364):
    return Course(drug, DAILY[drug], stop - start, start=start)


@pytest.mark.parametrize("drug", INHIBITORS)
def test_an_aromatase_inhibitor_lowers_estrogens_and_never_stimulates_the_tumor(drug, treated):
    found = treated(daily(drug))
    for name in ESTROGENS:
        # The sulfate is a slow pool: it has fallen by half a week later.
        fallen = 2 if name == "estrone_sulfate_concentration" else 1
        assert (found[name][:, fallen:] < 0.5 * found[name][:, :1]).all()
    assert (found["breast_estrogen_drive"][:, 1:] < found["drug_free_breast_drive"][:, 1:]).all()
    assert np.abs(found["flare_signal"]).max() < 1e-9


@pytest.mark.parametrize("drug", SERMS)
def test_a_serm_leaves_estrogens_alone_and_can_stimulate_the_tumor_at_first(drug, treated):
    found = treated(daily(drug))
    for name in ESTROGENS:
        assert found[name] == pytest.approx(np.repeat(found[name][:, :1], DAYS.size, 1), rel=1e-4)
    assert found["flare_signal"][:, 2:4].max() > 0.1
    assert found["flare_signal"][:, -1].max() < 0.02


@pytest.mark.parametrize("drug", [*SERMS, *INHIBITORS])
def test_every_drug_slows_a_tumor_that_depends_on_the_receptor_and_no_other(drug, treated):
    ki67 = treated(daily(drug))["ki67"]
    dependent = treated.people.parameters["tumor_er_positive"] == 1.0
    change = ki67[:, 3] / ki67[:, 0] - 1.0
    assert np.median(change[dependent]) < -0.15
    assert np.abs(change[~dependent]).max() < 1e-6


def test_bone_is_lost_on_an_inhibitor_and_kept_on_a_serm(treated, untreated):
    alone = np.median(untreated["lumbar_spine_bmd"][:, -1])
    for drug in INHIBITORS:
        found = treated(daily(drug))
        assert np.median(found["lumbar_spine_bmd"][:, -1]) < alone - 0.005
        assert np.median(found["ctx"][:, -1] / found["ctx"][:, 0]) > 1.05
    for drug in SERMS:
        found = treated(daily(drug))
        assert np.median(found["lumbar_spine_bmd"][:, -1]) > alone
        assert np.median(found["ctx"][:, -1] / found["ctx"][:, 0]) < 0.95


def test_ldl_falls_on_a_serm_and_hardly_moves_on_an_inhibitor(treated):
    for drug in SERMS:
        ldl = treated(daily(drug))["ldl"]
        assert np.median(ldl[:, -1] / ldl[:, 0]) < 0.9
    for drug in INHIBITORS:
        ldl = treated(daily(drug))["ldl"]
        assert 1.0 < np.median(ldl[:, -1] / ldl[:, 0]) < 1.05


def test_a_serm_given_with_an_inhibitor_brings_its_own_agonism(treated):
    both = treated(daily("tamoxifen"), daily("anastrozole"))
    serm, inhibitor = treated(daily("tamoxifen")), treated(daily("anastrozole"))
    assert both["estradiol_concentration"][:, -1] == pytest.approx(
        inhibitor["estradiol_concentration"][:, -1], rel=1e-4
    )
    # On the tumor and on bone the pair does what the SERM does, not what the inhibitor does.
    assert both["flare_signal"].max() > 0.1
    density = [np.median(x["lumbar_spine_bmd"][:, -1]) for x in (inhibitor, both, serm)]
    assert density[0] < density[1] <= density[2] + 1e-3


def test_drugs_can_follow_each_other(treated):
    found = treated(daily("exemestane", stop=28), daily("tamoxifen", start=56))
    estradiol = found["estradiol_concentration"]
    assert (estradiol[:, 3] < 0.3 * estradiol[:, 0]).all()
    assert (estradiol[:, 4] > 0.8 * estradiol[:, 0]).all()
    density = [
        np.median(x["lumbar_spine_bmd"][:, -1]) for x in (treated(daily("exemestane")), found)
    ]
    assert density[0] < density[1]
