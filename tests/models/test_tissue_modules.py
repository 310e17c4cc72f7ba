"""One receptor competition in every tissue, and the optional modules that read it."""

import numpy as np
import pytest

from estradyn.engine import DoseSchedule, compile_model, solve
from estradyn.errors import ModelError
from estradyn.model import load_patient_model, modules_giving
from estradyn.population import stream_population

OUTPUTS = (
    *("follicle_stimulating_hormone", "luteinizing_hormone", "sex_hormone_binding_globulin"),
    *("endometrial_thickness", "hot_flash_probability", "qtc_change", "fes_uptake"),
    *("estradiol_concentration", "estrogen_estrone", "breast_estrogen_drive"),
    *("drug_free_breast_drive", "bone_estrogen_ratio", "liver_estrogen_ratio"),
    *("lumbar_spine_bmd", "uterus_estrogen_ratio"),
)
DAYS = np.array([0.0, 5.0, 28.0, 84.0, 364.0])
WOMEN = 40


@pytest.fixture(scope="module")
def treated():
    """Outputs of the same women on a dose a day, each from her own baseline."""
    patient = load_patient_model(drugs=("tamoxifen", "toremifene", "anastrozole"))
    compiled = compile_model(patient.model, OUTPUTS)
    women = next(
        stream_population(patient, WOMEN, 5, chunk_size=WOMEN, trial_effects="typical", workers=2)
    )
    found = {}

    def treat(drug, dose):
        if (drug, dose) not in found:
            doses = DoseSchedule.repeated(
                WOMEN, patient.drugs[drug].dose_state, dose, interval=24.0, count=364
            )
            solution = solve(
                compiled,
                women.parameters,
                DAYS * 24.0,
                doses,
                initial_states=women.initial_states,
                workers=2,
            )
            assert solution.succeeded.all()
            found[drug, dose] = {name: solution[name] for name in OUTPUTS}
        return found[drug, dose]

    return treat


SERMS = (("tamoxifen", 20.0), ("toremifene", 60.0))
INHIBITOR = ("anastrozole", 1.0)


@pytest.mark.parametrize("serm", SERMS)
def test_a_serm_is_an_antagonist_in_breast_where_it_is_an_agonist_in_bone_liver_and_uterus(
    treated, serm
):
    found = treated(*serm)
    late = found["breast_estrogen_drive"][:, -1] / found["drug_free_breast_drive"][:, -1]
    assert np.median(late) < 0.9
    for tissue in ("bone", "liver", "uterus"):
        name = f"{tissue}_estrogen_ratio"
        assert np.median(found[name][:, -1] / found[name][:, 0]) > 1.2


@pytest.mark.parametrize("serm", SERMS)
def test_a_serm_after_menopause_lowers_gonadotropins_and_raises_globulin_and_endometrium(
    treated, serm
):
    found = treated(*serm)
    for name, least, most in (
        ("follicle_stimulating_hormone", 0.35, 0.85),
        ("luteinizing_hormone", 0.35, 0.85),
        ("sex_hormone_binding_globulin", 1.2, 2.2),
    ):
        assert least < np.median(found[name][:, -1] / found[name][:, 0]) < most, name
    assert (
        np.median(found["endometrial_thickness"][:, -1] / found["endometrial_thickness"][:, 0])
        > 1.05
    )


def test_an_inhibitor_does_the_opposite_and_little_of_it(treated):
    found = treated(*INHIBITOR)
    for name, direction in (
        ("follicle_stimulating_hormone", 1),
        ("luteinizing_hormone", 1),
        ("sex_hormone_binding_globulin", -1),
        ("endometrial_thickness", -1),
    ):
        change = direction * (found[name][:, -1] / found[name][:, 0] - 1.0)
        assert (change > 0.0).all(), name
        assert np.median(change) < 0.2, name


def test_bone_and_estrogens_part_the_two_classes(treated):
    serm, inhibitor = treated(*SERMS[0]), treated(*INHIBITOR)
    density = [
        np.median(found["lumbar_spine_bmd"][:, -1] / found["lumbar_spine_bmd"][:, 0])
        for found in (serm, inhibitor)
    ]
    assert density[0] > 1.0
    assert density[1] < 0.99
    for name in ("estradiol_concentration", "estrogen_estrone"):
        left = inhibitor[name][:, 1:] / inhibitor[name][:, :1]
        # It falls in every woman, and far in all but the few whose aromatase anastrozole hardly
        # reaches.
        assert (left < 1.0).all()
        assert np.median(left) < 0.2
        assert (left < 0.5).mean() > 0.9
        assert serm[name] == pytest.approx(np.repeat(serm[name][:, :1], DAYS.size, 1), rel=1e-4)


def test_gonadotropins_fall_in_the_published_order_of_dose_and_drug(treated):
    falls = [
        1.0 - np.median(treated(*arm)["follicle_stimulating_hormone"][:, -1])
        for arm in (("toremifene", 60.0), ("tamoxifen", 20.0), ("toremifene", 200.0))
    ]
    assert falls[0] < falls[1] < falls[2]


def test_in_five_days_lh_falls_more_than_fsh(treated):
    found = treated("toremifene", 60.0)
    lh, fsh = (
        1.0 - np.median(found[name][:, 1])
        for name in ("luteinizing_hormone", "follicle_stimulating_hormone")
    )
    assert lh > 0.05
    assert 0.0 < fsh < 0.5 * lh


def test_receptor_tracer_is_shut_out_by_a_serm_and_not_by_an_inhibitor(treated):
    assert np.median(treated(*SERMS[0])["fes_uptake"][:, 2]) < 0.5
    inhibitor = treated(*INHIBITOR)["fes_uptake"]
    assert (inhibitor[:, 1:] >= inhibitor[:, :1]).all()
    assert np.median(inhibitor[:, -1]) < 1.15


def test_hot_flashes_and_qt_interval_follow_exposure(treated):
    serm, inhibitor = treated("toremifene", 60.0), treated(*INHIBITOR)
    assert serm["hot_flash_probability"][:, 0] == pytest.approx(8.0, abs=0.2)
    assert serm["hot_flash_probability"][:, -1].mean() == pytest.approx(35.0, abs=3.0)
    assert 8.0 < inhibitor["hot_flash_probability"][:, -1].mean() < 12.0
    assert (treated("toremifene", 200.0)["qtc_change"][:, 1] > serm["qtc_change"][:, 1]).all()
    assert (inhibitor["qtc_change"] == 0.0).all()
    assert (serm["qtc_change"][:, 0] == 0.0).all()


def test_what_nobody_asks_for_is_left_out():
    whole = load_patient_model(drugs=("toremifene",))
    bare = load_patient_model(drugs=("toremifene",), modules=())
    one = load_patient_model(drugs=("toremifene",), modules=("endometrium",))
    assert len(bare.model.states) + 4 == len(whole.model.states)
    assert len(bare.model.states) + 1 == len(one.model.states)
    names = {output.name for output in bare.outputs}
    assert names.isdisjoint({"endometrial_thickness", "follicle_stimulating_hormone"})
    assert "endometrial_thickness" in {output.name for output in one.outputs}
    assert not any(row.name.startswith("endometrium_") for row in bare.parameters.rows)


def test_modules_are_found_by_what_they_give():
    assert modules_giving(("ldl",)) == ()
    assert modules_giving(("fes_uptake", "luteinizing_hormone")) == (
        "gonadotropins",
        "receptor_imaging",
    )


def test_an_unknown_module_is_refused_with_those_there_are():
    with pytest.raises(ModelError, match="no optional module 'uterus'; there are: gonadotropins"):
        load_patient_model(modules=("uterus",))
