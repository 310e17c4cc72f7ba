"""What drugs do to women whose ovary answers, without any switch for them."""

import numpy as np
import pytest
from treated_people import Course, TreatedPeople

from estradyn.model import load_patient_model

HOURS = np.arange(0.0, 365 * 24.0, 12.0)
DRUGS = ("anastrozole", "goserelin", "letrozole", "tamoxifen")
OUTPUTS = (
    *("estradiol_concentration", "estrone_concentration", "lh_concentration", "fsh_concentration"),
    *("lumbar_spine_bmd", "ctx", "breast_estrogen_drive", "pituitary_estradiol_equivalent"),
)
TAMOXIFEN = Course("tamoxifen", 20.0, 364)
ANASTROZOLE = Course("anastrozole", 1.0, 364)
GOSERELIN = Course("goserelin", 3.6, 13, interval=28.0)
LATE = HOURS > 200 * 24.0


@pytest.fixture(scope="module")
def treated():
    patient = load_patient_model(
        drugs=DRUGS, modules=(), setting="adjuvant", population="premenopausal_women"
    )
    return TreatedPeople(patient, OUTPUTS, HOURS, size=10, seed=7)


def late_mean(found, name):
    return found[name][:, LATE].mean(axis=1)


def test_tamoxifen_costs_bone_where_estradiol_is_high(treated):
    density = treated(TAMOXIFEN)["lumbar_spine_bmd"][:, -1]
    assert np.median(density) < 0.997
    assert np.median(density) < np.median(treated()["lumbar_spine_bmd"][:, -1])


def test_the_pituitary_answers_tamoxifen(treated):
    on_drug, off_drug = treated(TAMOXIFEN), treated()
    sensed = late_mean(on_drug, "pituitary_estradiol_equivalent")
    assert (sensed < late_mean(off_drug, "pituitary_estradiol_equivalent")).all()
    assert np.median(late_mean(on_drug, "lh_concentration")) > np.median(
        late_mean(off_drug, "lh_concentration")
    )


def test_the_pituitary_answers_an_inhibitor_in_a_week(treated):
    first = HOURS <= 168.0
    on_drug, off_drug = treated(Course("letrozole", 2.5, 7)), treated()
    ratio = {
        name: np.median(
            on_drug[name][:, first].mean(axis=1) / off_drug[name][:, first].mean(axis=1)
        )
        for name in ("estradiol_concentration", "lh_concentration", "fsh_concentration")
    }
    assert ratio["estradiol_concentration"] < 0.9
    # How far LH rises is scored (OL48, which is missed); here, that it does.
    assert ratio["lh_concentration"] > 1.02
    assert ratio["fsh_concentration"] > 1.0


def test_goserelin_brings_estradiol_to_levels_after_menopause(treated):
    found = treated(GOSERELIN)
    assert np.median(late_mean(found, "estradiol_concentration")) < 26.0  # pk245
    assert np.median(late_mean(found, "lh_concentration")) < 1.0
    early = HOURS <= 72.0
    assert (found["lh_concentration"][:, early].max(axis=1) > 20.0).all()
    assert np.median(found["lumbar_spine_bmd"][:, -1]) < 0.97


def test_ovaries_are_silenced_as_far_as_pituitaries_are(treated):
    found = treated(GOSERELIN, ANASTROZOLE)
    completeness = treated.people.parameters["ovary_lh_desensitisation"]
    lh = late_mean(found, "lh_concentration")
    estradiol = late_mean(found, "estradiol_concentration")
    assert (np.diff(lh[np.argsort(completeness)]) < 0.0).all()
    assert estradiol[completeness < 0.9].min(initial=np.inf) > np.median(estradiol)
    assert np.median(estradiol) < 9.986  # 2.72 pg/mL, of women who are silenced (OL50)


def test_anastrozole_does_little_to_an_ovary_and_much_beside_goserelin(treated):
    alone, both = treated(ANASTROZOLE), treated(GOSERELIN, ANASTROZOLE)
    untreated = late_mean(treated(), "estradiol_concentration")
    assert np.median(late_mean(alone, "estradiol_concentration") / untreated) > 0.3
    assert np.median(late_mean(both, "estradiol_concentration") / untreated) < 0.01
    assert np.median(both["lumbar_spine_bmd"][:, -1]) < np.median(
        treated(GOSERELIN, TAMOXIFEN)["lumbar_spine_bmd"][:, -1]
    )
