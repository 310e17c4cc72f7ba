"""Marginals, correlations, and what a draw depends on."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from estradyn.errors import InputError
from estradyn.model import Distribution, EvidenceClass, Level, ParameterRow, ParameterTable
from estradyn.model.parameter_table import Correlation
from estradyn.population import draw_candidates
from estradyn.population.distributions import value_at
from estradyn.population.random_streams import standard_normal

MANY = np.arange(20_000)


def row(name="k", value=1.0, distribution="fixed", spread=None, lower=None, upper=None, **other):
    return ParameterRow(
        **{
            "name": name,
            "value": value,
            "unit": "dimensionless",
            "distribution": Distribution(distribution),
            "spread": spread,
            "lower": lower,
            "upper": upper,
            "level": Level.PATIENT,
            "evidence_class": EvidenceClass.ASSUMED,
            "source": "Test",
            "note": "",
            "is_trait": False,
            "path": Path("test.tsv"),
            "line": 2,
            **other,
        }
    )


def correlation(first, second, value):
    return Correlation(first, second, value, EvidenceClass.ASSUMED, "Test", "")


def draw(*rows, seed=1, numbers=MANY, correlations=(), **options):
    table = ParameterTable(tuple(rows), tuple(correlations))
    return draw_candidates(table, seed, numbers, **options).parameters


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (row(value=3, distribution="normal", spread=2), stats.norm(3, 2)),
        (row(value=5, distribution="lognormal", spread=0.7), stats.lognorm(0.7, scale=5)),
        (row(value=4, distribution="uniform", lower=1, upper=7), stats.uniform(1, 6)),
        (
            row(value=3, distribution="normal", spread=2, lower=2, upper=8),
            stats.truncnorm(-0.5, 2.5, loc=3, scale=2),
        ),
        (row(value=0, distribution="normal", spread=1, lower=0), stats.halfnorm()),
    ],
)
def test_marginals_are_those_of_the_table(made, expected):
    values = draw(made)["k"]
    assert stats.kstest(values, expected.cdf).pvalue > 0.01


def test_the_logit_of_a_logitnormal_is_normal():
    values = draw(row(value=0.2, distribution="logitnormal", spread=0.6))["k"]
    logits = np.log(values / (1 - values))
    assert stats.kstest(logits, stats.norm(math.log(0.25), 0.6).cdf).pvalue > 0.01


def test_a_truncated_lognormal_keeps_its_shape_between_the_bounds():
    values = draw(row(value=5, distribution="lognormal", spread=0.7, lower=3, upper=9))["k"]
    free = draw(row(value=5, distribution="lognormal", spread=0.7), seed=2)["k"]
    inside = free[(free >= 3) & (free <= 9)]
    assert values.min() >= 3
    assert values.max() <= 9
    assert stats.ks_2samp(values, inside).pvalue > 0.01
    assert np.mean(values == 3) + np.mean(values == 9) == 0


def test_a_bernoulli_is_one_with_its_probability():
    values = draw(row(value=0.3, distribution="bernoulli"))["k"]
    assert set(values) == {0.0, 1.0}
    assert values.mean() == pytest.approx(0.3, abs=4 * math.sqrt(0.21 / MANY.size))


def test_certain_bernoullis_do_not_vary():
    assert draw(row(value=0.0, distribution="bernoulli"))["k"].max() == 0
    assert draw(row(value=1.0, distribution="bernoulli"))["k"].min() == 1


@settings(deadline=None)
@given(
    kind=st.sampled_from(["normal", "lognormal", "logitnormal", "uniform", "bernoulli"]),
    value=st.floats(0.01, 0.99),
    spread=st.floats(0.01, 5),
    below=st.floats(0, 1),
    above=st.floats(0, 1),
    normals=st.lists(st.floats(-8, 8), min_size=2, max_size=20),
)
def test_values_rise_with_the_normal_and_stay_within_bounds(
    kind, value, spread, below, above, normals
):
    lower, upper = value * below * 0.999, value + (1 - value) * above + 1e-6
    made = row(value=value, distribution=kind, spread=spread, lower=lower, upper=upper)
    if kind == "bernoulli":
        made = replace(made, lower=None, upper=None)
    values = value_at(made, np.sort(normals))
    assert np.isfinite(values).all()
    assert (np.diff(values) >= 0).all()
    if kind != "bernoulli":
        assert values.min() >= lower
        assert values.max() <= upper


def test_correlations_are_recovered():
    rows = [
        row("a", 5, "lognormal", 0.5),
        row("b", 0, "normal", 2.0),
        row("c", 0.4, "logitnormal", 1.0),
        row("free", 1, "normal", 1.0),
    ]
    pairs = [correlation("a", "b", 0.7), correlation("b", "c", -0.5), correlation("a", "c", -0.2)]
    found = draw(*rows, correlations=pairs)
    normals = [np.log(found["a"] / 5) / 0.5, found["b"] / 2, np.log(found["c"] / (1 - found["c"]))]
    matrix = np.corrcoef([*normals, found["free"]])
    expected = [[1, 0.7, -0.2, 0], [0.7, 1, -0.5, 0], [-0.2, -0.5, 1, 0], [0, 0, 0, 1]]
    np.testing.assert_allclose(matrix, expected, atol=4 / math.sqrt(MANY.size))
    assert stats.kstest(found["b"], stats.norm(0, 2).cdf).pvalue > 0.01


def test_a_correlated_bernoulli_follows_its_partner():
    pair = correlation("a", "b", 0.8)
    found = draw(row("a", 0, "normal", 1), row("b", 0.5, "bernoulli"), correlations=[pair])
    assert found["a"][found["b"] == 1].mean() > 0.5
    assert found["b"].mean() == pytest.approx(0.5, abs=0.02)


TABLE = (row("a", 5, "lognormal", 0.5), row("b", 0, "normal", 2.0), row("c", 0.4, "bernoulli"))
PAIRS = (correlation("a", "b", 0.7),)


@settings(deadline=None)
@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=30), st.integers(0, 2**63 - 1))
def test_a_draw_depends_on_seed_and_number_alone(numbers, seed):
    together = draw(*TABLE, seed=seed, numbers=numbers, correlations=PAIRS)
    for index, number in enumerate(numbers):
        alone = draw(*TABLE, seed=seed, numbers=[number], correlations=PAIRS)
        for name, values in together.items():
            assert values[index] == alone[name][0]


def test_blocks_make_no_difference():
    whole = draw(*TABLE, numbers=np.arange(1000), correlations=PAIRS)
    parts = [
        draw(*TABLE, numbers=np.arange(start, start + 125), correlations=PAIRS)
        for start in range(0, 1000, 125)
    ]
    for name, values in whole.items():
        np.testing.assert_array_equal(values, np.concatenate([part[name] for part in parts]))


def test_a_new_row_changes_nobody_else():
    before = draw(*TABLE, correlations=PAIRS)
    after = draw(row("new", 1, "normal", 1), *TABLE, correlations=PAIRS)
    for name, values in before.items():
        np.testing.assert_array_equal(values, after[name])


def test_seeds_and_names_give_independent_streams():
    streams = [standard_normal(seed, name, MANY) for seed in (1, 2) for name in ("a", "b")]
    matrix = np.corrcoef([*streams, np.roll(streams[0], 1)])
    assert np.abs(matrix - np.eye(5)).max() < 4.5 / math.sqrt(MANY.size)
    assert stats.kstest(streams[0], stats.norm.cdf).pvalue > 0.01


def test_draws_are_pinned():
    # Changes whenever a study with the same seed would draw other patients.
    found = standard_normal(2026, "patient:clearance", [0, 1, 1000])
    np.testing.assert_allclose(
        found, [-0.09645455978655193, -0.43850209128550216, 2.854946321312371], rtol=1e-12
    )


def test_trial_effects_are_the_same_for_all_and_change_with_the_seed():
    made = row("shift", 0.5, "normal", 0.4, level=Level.TRIAL)
    values = [draw(made, seed=seed, numbers=[0, 5, 9])["shift"] for seed in range(400)]
    assert all(len(set(array)) == 1 for array in values)
    between = np.array([array[0] for array in values])
    assert stats.kstest(between, stats.norm(0.5, 0.4).cdf).pvalue > 0.01
    typical = draw(made, numbers=[0, 1], trial_effects="typical")["shift"]
    np.testing.assert_array_equal(typical, [0.5, 0.5])


def test_traits_hold_every_row_that_is_not_a_parameter():
    table = ParameterTable(
        (
            row("fixed_trait", 2, is_trait=True),
            row("drawn_trait", 0.5, "bernoulli", is_trait=True),
            row("fixed_parameter", 3),
            row("drawn_parameter", 1, "normal", 1),
        )
    )
    found = draw_candidates(table, 1, np.arange(50))
    assert list(found.traits) == ["fixed_trait", "drawn_trait"]
    assert list(found.parameters) == ["drawn_parameter"]
    assert (found.traits["fixed_trait"] == 2).all()
    assert set(found.traits["drawn_trait"]) == {0, 1}


@pytest.mark.parametrize(("seed", "numbers"), [(-1, [0]), (2**63, [0]), (1, [-1])])
def test_seeds_and_numbers_out_of_range_are_refused(seed, numbers):
    with pytest.raises(InputError):
        draw(*TABLE, seed=seed, numbers=numbers)
