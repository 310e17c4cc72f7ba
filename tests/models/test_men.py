"""Men: where their estradiol comes from, what holds LH back, and what drugs do to both."""

import numpy as np
import pytest

from estradyn.engine import DoseSchedule, compile_model, solve
from estradyn.model import load_patient_model
from estradyn.population import stream_population

DRUGS = ("anastrozole", "letrozole", "exemestane", "tamoxifen", "toremifene", "clomiphene")
DOSES = {
    **{"anastrozole": 1.0, "letrozole": 2.5, "exemestane": 25.0},
    **{"tamoxifen": 20.0, "toremifene": 60.0, "clomiphene": 25.0},
}
OUTPUTS = (
    *("estradiol_concentration", "estrone_concentration", "luteinizing_hormone"),
    *("testosterone_concentration", "follicle_stimulating_hormone", "free_androgen_ratio"),
    *("pituitary_estrogen_ratio", "sex_hormone_binding_globulin"),
)
MEN = 16
DAYS = np.array([0.0, 1.0, 84.0])


@pytest.fixture(scope="module")
def men():
    """A model of men with drugs of both classes, and men drawn from it."""
    patient = load_patient_model(drugs=DRUGS, modules=(), population="men")
    (drawn,) = stream_population(patient, MEN, 3, chunk_size=MEN, trial_effects="typical")
    return patient, drawn


@pytest.fixture(scope="module")
def treated(men):
    """Outputs over those before treatment of the same men on a dose a day, shape (men, days)."""
    patient, drawn = men
    compiled = compile_model(patient.model, OUTPUTS)
    found = {}

    def treat(drug):
        if drug not in found:
            doses = DoseSchedule.repeated(
                MEN, patient.drugs[drug].dose_state, DOSES[drug], interval=24.0, count=84
            )
            solution = solve(
                compiled, drawn.parameters, 24.0 * DAYS, doses, initial_states=drawn.initial_states
            )
            assert solution.succeeded.all()
            found[drug] = {name: solution[name] / solution[name][:, :1] for name in OUTPUTS}
        return found[drug]

    return treat


def test_without_drugs_each_man_rests_at_his_own_levels(men):
    patient, drawn = men
    compiled = compile_model(patient.model, OUTPUTS)
    course = solve(
        compiled, drawn.parameters, np.array([0.0, 2000.0]), initial_states=drawn.initial_states
    )
    own = drawn.parameters["estrogen_baseline_estradiol"]
    assert course["estradiol_concentration"] == pytest.approx(
        np.repeat(own[:, None], 2, 1), rel=1e-5
    )
    assert course["luteinizing_hormone"] == pytest.approx(np.ones((MEN, 2)), rel=1e-5)


@pytest.mark.parametrize("inhibitor", ["anastrozole", "letrozole", "exemestane"])
def test_an_inhibitor_lowers_estradiol_and_raises_lh_and_testosterone(treated, inhibitor):
    found = treated(inhibitor)
    assert (found["estradiol_concentration"][:, -1] < 0.95).all()
    assert (found["luteinizing_hormone"][:, -1] > 1.2).all()
    assert (found["testosterone_concentration"][:, -1] > 1.1).all()
    # Far more is left than in a woman after menopause: the testis makes up for it.
    assert np.median(found["estradiol_concentration"][:, -1]) > 0.3
    assert np.median(found["estrone_concentration"][:, -1]) < 0.5


def test_the_steroid_lowers_globulin_and_with_it_the_testosterone_that_is_bound(treated):
    steroid, other = treated("exemestane"), treated("letrozole")
    assert (steroid["sex_hormone_binding_globulin"][:, -1] < 0.85).all()
    assert (other["sex_hormone_binding_globulin"][:, -1] > 0.9).all()
    total = steroid["testosterone_concentration"][:, -1]
    assert (total < steroid["free_androgen_ratio"][:, -1]).all()
    assert np.median(total) < np.median(other["testosterone_concentration"][:, -1])


@pytest.mark.parametrize("serm", ["tamoxifen", "toremifene", "clomiphene"])
def test_a_serm_raises_lh_testosterone_and_estradiol(treated, serm):
    found = treated(serm)
    for name in ("luteinizing_hormone", "testosterone_concentration"):
        assert np.median(found[name][:, -1]) > 1.03, name
    assert np.median(found["pituitary_estrogen_ratio"][:, -1]) < 1.0
    # Globulin holds testosterone in plasma: the total rises more than what is free.
    assert (found["sex_hormone_binding_globulin"][:, -1] > 1.0).all()
    assert (found["testosterone_concentration"][:, -1] > found["free_androgen_ratio"][:, -1]).all()


def equilibrium(**values):
    """Outputs at rest of one man with other values of parameters."""
    patient = load_patient_model(drugs=(), modules=(), population="men")
    compiled = compile_model(patient.model, OUTPUTS)
    overrides = {item.name: item.value for item in patient.baseline} | values
    course = solve(compiled, overrides, np.array([0.0, 5000.0]), patients=1)
    return {name: float(course[name][0, -1] / course[name][0, 0]) for name in OUTPUTS}


def test_castration_takes_testosterone_and_most_of_the_estradiol():
    found = equilibrium(testis_gonadotropin_suppression=0.998)
    assert found["luteinizing_hormone"] < 0.05
    assert found["testosterone_concentration"] < 0.1
    assert 0.1 < found["estradiol_concentration"] < 0.35


def test_testosterone_given_to_a_castrated_man_brings_back_tissue_estradiol_alone():
    castrated = equilibrium(testis_gonadotropin_suppression=0.998)
    replaced = equilibrium(testis_gonadotropin_suppression=0.998, testis_given_testosterone=1.0)
    assert replaced["testosterone_concentration"] == pytest.approx(1.0, abs=0.1)
    assert castrated["estradiol_concentration"] < replaced["estradiol_concentration"] < 1.0


def test_testosterone_given_to_an_intact_man_silences_his_own():
    found = equilibrium(testis_given_testosterone=1.0)
    assert found["luteinizing_hormone"] < 0.8
    assert 1.0 < found["testosterone_concentration"] < 2.0
