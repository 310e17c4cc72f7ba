"""Content of receptor: women whose tumors are rich in it, and the trait behind it."""

import numpy as np

from estradyn.model import load_parameters, load_patient_model
from estradyn.population.draws import draw_candidates

PEOPLE = "women_with_receptor_rich_tumors"


def test_more_tumors_depend_on_the_receptor_and_nothing_else_differs():
    usual = load_parameters(drugs=(), setting="neoadjuvant").by_name
    rich = load_parameters(drugs=(), setting="neoadjuvant", population=PEOPLE).by_name
    assert rich.keys() == usual.keys()
    assert [name for name in usual if usual[name] != rich[name]] == ["tumor_er_positive"]
    assert usual["tumor_er_positive"].value < rich["tumor_er_positive"].value < 1.0


def test_tumors_that_depend_on_the_receptor_hold_fewer_cells_that_grow_without_it():
    table = load_patient_model(drugs=("tamoxifen",), modules=()).parameters
    drawn = draw_candidates(table, 5, np.arange(4000), "typical").parameters
    dependence, resistant, estradiol = (
        drawn[name]
        for name in (
            "tumor_growth_dependence_logit",
            "tumor_resistant_logit",
            "receptor_tumor_estradiol_ratio",
        )
    )
    assert np.corrcoef(dependence, resistant)[0, 1] < -0.3
    assert np.corrcoef(np.log(estradiol), resistant)[0, 1] > 0.2
    assert np.corrcoef(np.log(estradiol), dependence)[0, 1] < -0.5
