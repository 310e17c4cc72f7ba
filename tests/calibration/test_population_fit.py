"""Least squares over virtual arms: it finds what targets say and admits what they do not."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "calibration"


@pytest.fixture(scope="module")
def population_fit():
    sys.path.insert(0, str(FOLDER))
    try:
        spec = importlib.util.spec_from_file_location(
            "population_fit", FOLDER / "population_fit.py"
        )
        module = importlib.util.module_from_spec(spec)
        sys.modules["population_fit"] = module
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(FOLDER))
        sys.modules.pop("population_fit", None)
        sys.modules.pop("cohort", None)


def test_finds_values_that_reach_the_targets_and_leaves_the_rest(population_fit):
    parameters = (
        population_fit.Parameter("rate", 1.0, 1.0),
        population_fit.Parameter("share", 0.5, 1.0, "logit"),
        population_fit.Parameter("idle", 0.0, 1.0, "identity"),
    )

    def terms_at(rows):
        rate, share = rows["rate"].value, rows["share"].value
        return (
            population_fit.Term("product", rate * share, 1.2, 0.01),
            population_fit.Term("sum", rate + share, 2.6, 0.01),
        )

    fit = population_fit.gauss_newton(parameters, terms_at, iterations=8, penalty=0.05)
    assert fit.changes["rate"].value == pytest.approx(2.0, rel=0.02)
    assert fit.changes["share"].value == pytest.approx(0.6, rel=0.02)
    assert fit.changes["idle"].value == 0.0
    left = fit.penalty * fit.deviation
    assert left[0] < 0.1
    assert left[2] == pytest.approx(1.0)
    assert fit.objective[1] < fit.objective[0]


def test_the_tumor_can_be_had_alone_with_any_drug(population_fit):
    cohort = sys.modules["cohort"]
    model = cohort.tumor_model(*cohort.drug_records(cohort.models_directory()))
    assert "tumor_sensitive" in model.state_names
    assert not [name for name in model.state_names if name.startswith(("bone_", "lipids_"))]


@pytest.mark.parametrize(
    ("limit", "shown", "residual"),
    [("", 3.0, 2.0), ("upper", 0.0, 0.0), ("upper", 3.0, 2.0), ("lower", 3.0, 0.0)],
)
def test_a_limit_counts_on_one_side_only(population_fit, limit, shown, residual):
    assert population_fit.Term("one", shown, 2.0, 0.5, limit).residual == residual


def test_what_nobody_shows_counts_as_far_off(population_fit):
    assert population_fit.Term("none", np.nan, 2.0, 0.5).residual == 3.0
