"""The mixed model against published numbers, nlme, lmerTest and statsmodels."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose

from estradyn.xenograft.mixed_model import MixedModel, MixedModelError, fit_mixed_model

REFERENCE: dict[str, Any] = json.loads(
    (Path(__file__).parent / "reference" / "nlme.json").read_text(encoding="utf-8")
)
ARMS = ("control", "erlotinib_low", "erlotinib_medium", "erlotinib_high")
Design = tuple[np.ndarray, np.ndarray, np.ndarray, list[object], list[str]]


def tumor_growth(folder: Path) -> Design:
    table = pd.read_csv(folder / "tumor_growth_lmm.csv")
    start = table[table["Time"] == 0].set_index("subject")["TumorVolume"]
    table = table[table["Time"] > 0]
    y = np.log(table["TumorVolume"] / table["subject"].map(start)).to_numpy()
    arms = ["Control", "DrugA", "DrugB", "Combination"]
    time = table["Time"].to_numpy(dtype=float)
    x = np.column_stack([(table["Treatment"] == arm) * time for arm in arms])
    names = [f"Time:arm{arm}" for arm in arms]
    return y, x, time[:, None], table["subject"].to_list(), names


def lung(folder: Path, column: str, knot: float, arms: Sequence[str], random: str) -> Design:
    table = pd.read_csv(folder / "lung_xenograft_volumes.csv")
    # One volume at a floor of 0.05 mm3 between 13 and 18 mm3.
    floor = (table["mouse_id"] == 28) & (table["time_d"] == 18)
    table = table[~floor & table["arm"].isin(arms)]
    start = table[table["time_d"] == 0].set_index("mouse_id")[column]
    table = table[(table["time_d"] > 0) & table[column].notna()]
    time = table["time_d"].to_numpy(dtype=float)
    early, late = np.minimum(time, knot), np.maximum(time - knot, 0.0)
    baseline = np.log(table["mouse_id"].map(start)) - np.log(start).mean()
    columns, names = [baseline.to_numpy()], ["b"]
    for arm in arms:
        own = (table["arm"] == arm).to_numpy(dtype=float)
        columns += [own, own * early, own * late]
        names += [f"arm{arm}", f"arm{arm}:early", f"arm{arm}:late"]
    one = np.ones_like(time)
    z = [one, early, late] if random == "both" else [one, time]
    y = np.log(table[column]).to_numpy()
    return y, np.column_stack(columns), np.column_stack(z), table["mouse_id"].to_list(), names


CASES = {
    "tumor_growth": tumor_growth,
    "lung_volume": lambda folder: lung(folder, "volume_cm3", 16, ARMS, "both"),
    "lung_volume_low_dose": lambda folder: lung(folder, "volume_cm3", 9, ARMS[:2], "one"),
    "lung_body_weight": lambda folder: lung(folder, "body_weight_g", 16, ARMS, "both"),
}
FAILING = ("lung_volume_low_dose", "lung_body_weight")
"""Data sets on which MixedLM of statsmodels stops away from the optimum."""


def fitted(design: Design) -> MixedModel:
    y, x, z, groups, names = design
    random_names = [f"z{i}" for i in range(z.shape[1])]
    return fit_mixed_model(y, x, z, groups, names=names, random_names=random_names)


def test_reference_numbers_of_tumor_growth(shared_data: Path) -> None:
    model = fitted(tumor_growth(shared_data))
    assert_allclose(model.coefficients, [0.07855242, 0.07491984, 0.06306986, 0.03487933], atol=5e-9)
    assert_allclose(np.sqrt(np.diag(model.covariance)), 0.00322683, atol=5e-9)
    assert model.residual_sd == pytest.approx(0.2124122, abs=5e-8)
    assert np.sqrt(model.random_covariance[0, 0]) == pytest.approx(0.0083832, abs=5e-8)


@pytest.mark.parametrize("case", CASES)
def test_agrees_with_nlme(case: str, shared_data: Path) -> None:
    model, nlme = fitted(CASES[case](shared_data)), REFERENCE[case]
    # nlme may stop a little below the maximum, never above it.
    assert model.log_likelihood >= nlme["log_likelihood"] - 1e-6
    assert model.log_likelihood == pytest.approx(nlme["log_likelihood"], abs=1e-5)
    place = [model.names.index(term) for term in nlme["terms"]]
    errors = np.asarray(nlme["standard_errors"])
    distance = (model.coefficients[place] - nlme["coefficients"]) / errors
    assert np.abs(distance).max() < 1e-3
    assert_allclose(np.sqrt(np.diag(model.covariance))[place], errors, rtol=1e-3)
    assert model.residual_sd == pytest.approx(nlme["residual_sd"], rel=1e-4)


@pytest.mark.parametrize("case", FAILING)
def test_finds_the_optimum_where_statsmodels_does_not(case: str, shared_data: Path) -> None:
    y, x, z, groups, _ = design = CASES[case](shared_data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = sm.MixedLM(y, x, groups=groups, exog_re=z).fit(reml=True)
    assert other.llf < REFERENCE[case]["log_likelihood"] - 1.0
    model = fitted(design)
    assert model.log_likelihood == pytest.approx(REFERENCE[case]["log_likelihood"], abs=1e-5)


def test_agrees_with_statsmodels_where_it_converges(shared_data: Path) -> None:
    y, x, z, groups, _ = design = tumor_growth(shared_data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = sm.MixedLM(y, x, groups=groups, exog_re=z).fit(reml=True)
    model = fitted(design)
    assert_allclose(model.coefficients, np.asarray(other.fe_params), rtol=1e-6)
    assert model.log_likelihood == pytest.approx(other.llf, abs=1e-6)


def test_degrees_of_freedom_agree_with_lmertest(shared_data: Path) -> None:
    model = fitted(CASES["lung_volume_low_dose"](shared_data))
    reference = REFERENCE["lmerTest"]
    for term, freedom in zip(reference["terms"], reference["degrees_of_freedom"], strict=True):
        found = model.coefficient(term).degrees_of_freedom
        assert found == pytest.approx(freedom, rel=0.01), term


def test_balanced_slopes_have_the_degrees_of_freedom_of_their_animals(shared_data: Path) -> None:
    model = fitted(tumor_growth(shared_data))
    assert model.coefficient("Time:armControl").degrees_of_freedom == pytest.approx(28.0, abs=0.01)


def simulated(slope_sd: float, seed: int) -> Design:
    generator = np.random.default_rng(seed)
    time = np.tile(np.arange(8.0), 10)
    animal = np.repeat(np.arange(10), 8)
    slopes = 0.1 + slope_sd * generator.standard_normal(10)
    y = slopes[animal] * time + 0.2 * generator.standard_normal(80)
    x = np.column_stack([np.ones(80), time])
    return y, x, x, list(animal), ["intercept", "slope"]


def test_a_variance_of_zero_is_an_answer() -> None:
    model = fitted(simulated(0.0, 3))
    assert model.singular
    y, x, *_ = simulated(0.0, 3)
    least_squares = np.linalg.lstsq(x, y, rcond=None)[0]
    assert_allclose(model.coefficients, least_squares, atol=1e-6)
    assert np.isfinite(model.coefficient("slope").standard_error)


@pytest.mark.parametrize("unit", [1e-3, 1e3])
def test_units_of_time_do_not_matter(unit: float) -> None:
    y, x, z, groups, names = simulated(0.05, 4)
    scale = np.array([1.0, unit])
    plain = fitted((y, x, z, groups, names)).coefficient("slope")
    other = fitted((y, x * scale, z * scale, groups, names)).coefficient("slope")
    assert other.value * unit == pytest.approx(plain.value, rel=1e-6)
    assert other.standard_error * unit == pytest.approx(plain.standard_error, rel=1e-4)
    assert other.degrees_of_freedom == pytest.approx(plain.degrees_of_freedom, rel=1e-2)


def test_order_of_rows_does_not_matter() -> None:
    y, x, z, groups, names = simulated(0.05, 5)
    order = np.random.default_rng(1).permutation(y.size)
    shuffled = (y[order], x[order], z[order], [groups[i] for i in order], names)
    assert_allclose(
        fitted(shuffled).coefficients, fitted((y, x, z, groups, names)).coefficients, rtol=1e-8
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda y, x, g: (y, np.column_stack([x, x[:, 1]]), g), "determine"),
        (lambda y, x, g: (y[:12], x[:12], g[:12]), "animals"),
        (lambda y, x, g: (np.where(np.arange(80) == 3, np.nan, y), x, g), "finite"),
    ],
)
def test_refuses_data_that_do_not_determine_the_model(change: Any, words: str) -> None:
    y, x, z, groups, names = simulated(0.05, 6)
    y, x, groups = change(y, x, groups)
    with pytest.raises(MixedModelError, match=words):
        fit_mixed_model(
            y,
            x,
            z[: y.size],
            groups,
            names=[*names, "again"][: x.shape[1]],
            random_names=["a", "b"],
        )


def test_data_without_scatter_are_refused() -> None:
    _, x, z, groups, names = simulated(0.0, 3)
    with pytest.raises(MixedModelError, match=r"scatter|maximised"):
        fitted((x @ np.array([1.0, 0.1]), x, z, groups, names))
