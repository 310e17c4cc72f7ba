"""Curves, landmarks, fits and intervals against independent calculation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, least_squares, minimize_scalar
from scipy.stats import f as f_distribution

from estradyn.assay.curves.bootstrap import bootstrap_draws, curve_band, percentile_interval
from estradyn.assay.curves.choice import choose_curve, limb_fault, simulated_data
from estradyn.assay.curves.families import (
    BELL,
    BRAIN_COUSENS_4,
    FAMILIES,
    FLAT,
    LOG_LOGISTIC_3,
    LOG_LOGISTIC_4,
    CurveFamily,
)
from estradyn.assay.curves.fit import CurveFit, bounds, curve_values, fit_curve
from estradyn.assay.curves.landmarks import (
    HALF_DOSE,
    LIMITING_DOSE,
    PEAK_DOSE,
    PEAK_PERCENT,
    DoseWindow,
    landmarks_of,
)
from estradyn.assay.curves.observations import joined, observations, stacked
from estradyn.assay.curves.profile import profile_intervals
from estradyn.errors import InputError

DOSES = np.array([0.0, 1e-11, 1e-10, 1e-9, 1e-8, 3e-8, 1e-7, 3e-7, 1e-6, 3e-6])
WINDOW = DoseWindow(-12.0, 14.0)


def some_parameters(family: CurveFamily, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    values = {
        "control": 100.0,
        "floor": generator.uniform(0, 30),
        "stimulation": generator.uniform(10, 80) * (20 if family.rise == "linear" else 1),
        "log_slope": np.log(generator.uniform(1.6, 3)),
        "log_dose": generator.uniform(2, 4),
        "log_rise_slope": np.log(generator.uniform(0.8, 2)),
        "log_rise_dose": generator.uniform(-5, -1),
    }
    return np.array([[values[name] for name in family.parameters]])


@pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
def test_jacobian_is_the_derivative(family: CurveFamily) -> None:
    theta = some_parameters(family, 3)
    log_dose = np.array([-np.inf, -6.0, -1.0, 0.0, 1.0, 4.0])
    response, jacobian = family.jacobian(theta[:, None, :], log_dose)
    np.testing.assert_allclose(response, family.evaluate(theta[:, None, :], log_dose))
    for place in range(len(family.parameters)):
        step = 1e-6 * max(1.0, abs(theta[0, place]))
        up, down = theta.copy(), theta.copy()
        up[0, place] += step
        down[0, place] -= step
        slope = family.evaluate(up[:, None, :], log_dose) - family.evaluate(
            down[:, None, :], log_dose
        )
        np.testing.assert_allclose(jacobian[..., place], slope / (2 * step), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("family", [BRAIN_COUSENS_4, BELL], ids=["BC.4", "bell"])
@pytest.mark.parametrize("seed", range(4))
def test_landmarks_against_scipy(family: CurveFamily, seed: int) -> None:
    theta = some_parameters(family, seed)

    def curve(x: float) -> float:
        return float(family.evaluate(theta, np.array([x]))[0])

    grid = np.linspace(-12, 14, 2000)
    top = grid[int(np.argmax([curve(x) for x in grid]))]
    peak = minimize_scalar(
        lambda x: -curve(x),
        bounds=(top - 0.1, top + 0.1),
        method="bounded",
        options={"xatol": 1e-9},
    ).x
    assert PEAK_DOSE.value(family, theta, WINDOW)[0] == pytest.approx(peak, abs=1e-4)
    percent = np.exp(PEAK_PERCENT.value(family, theta, WINDOW)[0])
    assert percent == pytest.approx(curve(peak), rel=1e-9)
    for landmark, level in ((LIMITING_DOSE, 100.0), (HALF_DOSE, 50.0)):
        root = brentq(lambda x, level=level: curve(x) - level, peak, 14.0)
        assert landmark.value(family, theta, WINDOW)[0] == pytest.approx(root, abs=1e-6)


@pytest.mark.parametrize("name", ["BC.4", "BC.5", "bell", "CRS.4b", "LL.4"])
def test_landmark_gradients_are_derivatives(name: str) -> None:
    family = FAMILIES[name]
    theta = some_parameters(family, 1)
    for landmark in landmarks_of(family):
        value = landmark.value(family, theta, WINDOW)
        if not np.isfinite(value[0]):
            continue
        gradient = landmark.gradient(family, theta, WINDOW, value)[0]
        for place in range(theta.shape[1]):
            up, down = theta.copy(), theta.copy()
            step = 1e-4 * max(1.0, abs(theta[0, place]))
            up[0, place] += step
            down[0, place] -= step
            change = landmark.value(family, up, WINDOW) - landmark.value(family, down, WINDOW)
            assert gradient[place] == pytest.approx(change[0] / (2 * step), rel=2e-2, abs=2e-4)


def test_monotone_and_flat_curves_have_no_zone() -> None:
    assert np.isnan(LIMITING_DOSE.value(LOG_LOGISTIC_3, np.array([[100.0, 0.0, 1.0]]), WINDOW)[0])
    never = np.array([[100.0, 60.0, 0.0, 1.0]])
    assert np.isnan(HALF_DOSE.value(LOG_LOGISTIC_4, never, WINDOW)[0])
    assert landmarks_of(FLAT) == ()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_no_start_beats_the_grid_search(seed: int) -> None:
    generator = np.random.default_rng(seed)
    data = observations(
        np.repeat(DOSES, 2),
        100 + generator.normal(0, 20, 2 * len(DOSES)) - 30 * (np.repeat(DOSES, 2) > 1e-8),
    )
    fit = fit_curve(BRAIN_COUSENS_4, data)
    lower, upper = bounds(BRAIN_COUSENS_4, data)
    root = np.sqrt(data.weight[0])

    def residuals(theta: np.ndarray) -> np.ndarray:
        return root * (BRAIN_COUSENS_4.evaluate(theta, data.log_dose) - data.mean[0])

    for _ in range(4):
        start = np.array([100.0, generator.uniform(0, 50), *generator.uniform(-1, 2, 2)])
        other = least_squares(residuals, start, bounds=(lower, upper), x_scale="jac")
        assert fit.sum_of_squares[0] <= (2 * other.cost + data.pure_error[0]) * 1.00001


def biphasic_data(seed: int = 1, replicates: int = 4) -> CurveFit:
    generator = np.random.default_rng(seed)
    theta = np.array([[100.0, 300.0, np.log(1.8), -1.5]])
    shape = observations(np.repeat(DOSES, replicates), np.zeros(len(DOSES) * replicates))
    mean = BRAIN_COUSENS_4.evaluate(theta[:, None, :], shape.log_dose)[0]
    dose = np.repeat(DOSES, replicates)
    response = np.repeat(mean, replicates) + generator.normal(0, 6, len(dose))
    return fit_curve(BRAIN_COUSENS_4, observations(dose, response))


def test_a_data_set_does_not_depend_on_its_neighbours() -> None:
    fits = [biphasic_data(seed) for seed in range(3)]
    together = fit_curve(BRAIN_COUSENS_4, stacked([fit.data for fit in fits]))
    for i, fit in enumerate(fits):
        np.testing.assert_allclose(together.theta[i], fit.theta[0], rtol=1e-6)
    own = profile_intervals(fits[1], landmarks_of(BRAIN_COUSENS_4))
    batch = profile_intervals(together, landmarks_of(BRAIN_COUSENS_4))
    for one, many in zip(own, batch, strict=True):
        assert many.lower[1] == pytest.approx(one.lower[0], rel=2e-3)
        assert many.upper[1] == pytest.approx(one.upper[0], rel=2e-3)


def test_stimulation_is_never_negative_and_a_dip_is_denied_by_the_scatter() -> None:
    dose = np.repeat(DOSES, 3)
    response = 100.0 - 40.0 * np.exp(-((np.log10(dose + 1e-13) + 9) ** 2))
    fit = fit_curve(BRAIN_COUSENS_4, observations(dose, response))
    assert fit.theta[0, 1] >= 0
    choice = choose_curve(observations(dose, response + np.sin(np.arange(30))), simulations=99)
    assert choice.lack_of_fit.p_value < 0.01
    assert "denies this curve" in choice.reason


def test_a_clear_zone_is_called_and_a_flat_line_is_not() -> None:
    choice = choose_curve(biphasic_data().data, simulations=199)
    assert choice.biphasic
    assert choice.bootstrap_p == pytest.approx(1 / 200, abs=0.011)
    assert "Stimulation is supported" in choice.reason
    assert sum(choice.weights.values()) == pytest.approx(1.0)
    generator = np.random.default_rng(0)
    flat = observations(np.repeat(DOSES, 3), 100 + generator.normal(0, 5, 30))
    assert choose_curve(flat, simulations=199).chosen.family is FLAT


def test_of_curves_that_are_as_good_the_simplest_is_reported() -> None:
    generator = np.random.default_rng(8)
    theta = np.array([[100.0, 150.0, np.log(2.0), 0.0]])
    with np.errstate(divide="ignore"):
        mean = BRAIN_COUSENS_4.evaluate(theta, np.log(DOSES / 3e-8))
    as_good = better = 0
    for _ in range(15):
        response = np.repeat(mean, 3) + generator.normal(0.0, 4.0, 3 * len(DOSES))
        data = observations(np.repeat(DOSES, 3), response)
        found = choose_curve(data, simulations=19, level=0.2)
        least = min(found.aicc[name] for name in ("BC.4", "BC.5", "bell"))
        if found.aicc["BC.4"] <= least + 4.0:
            as_good += 1
            better += found.aicc["BC.4"] > least
            assert found.chosen.family is BRAIN_COUSENS_4
        else:
            assert found.chosen.family is not BRAIN_COUSENS_4
    assert as_good > 10
    assert better > 0


def test_too_few_doses_on_a_limb_are_named() -> None:
    dose = np.repeat([0.0, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6], 4)
    generator = np.random.default_rng(2)
    rising = 100 + 40 * (dose > 5e-8) - 80 * (dose > 5e-7) + generator.normal(0, 2, len(dose))
    fit = fit_curve(
        BELL if len(np.unique(dose)) > 6 else BRAIN_COUSENS_4, observations(dose, rising)
    )
    assert "above" in limb_fault(fit)
    choice = choose_curve(observations(dose, rising), simulations=19)
    assert not choice.biphasic
    assert choice.refusal and choice.refusal in choice.reason
    few = observations(np.repeat(DOSES[:4], 3), np.arange(12.0))
    assert "3 doses are too few" in choose_curve(few, simulations=19).refusal


def test_joint_fit_shares_doses_and_keeps_heights() -> None:
    generator = np.random.default_rng(4)
    curves = []
    for stimulation in (300.0, 150.0):
        theta = np.array([[100.0, stimulation, np.log(1.8), -1.5]])
        shape = observations(np.repeat(DOSES, 4), np.zeros(40))
        mean = BRAIN_COUSENS_4.evaluate(theta[:, None, :], shape.log_dose)[0]
        curves.append(
            observations(np.repeat(DOSES, 4), np.repeat(mean, 4) + generator.normal(0, 5, 40))
        )
    joint = fit_curve(BRAIN_COUSENS_4, joined(curves, [25.0, 25.0]))
    first, second = joint.local(0)[0], joint.local(1)[0]
    np.testing.assert_array_equal(first[2:], second[2:])
    assert first[1] > 1.5 * second[1]
    intervals = profile_intervals(joint, [PEAK_PERCENT])
    alone = profile_intervals(fit_curve(BRAIN_COUSENS_4, curves[1]), [PEAK_PERCENT])[0]
    assert [interval.group for interval in intervals] == [0, 1]
    width = intervals[1].upper[0] - intervals[1].lower[0]
    assert width < alone.upper[0] - alone.lower[0]


def test_interval_reaches_curves_of_another_valley() -> None:
    mean = [100.0, 105.0, 121.0, 126.0, 127.0, 133.0, 133.0, 104.0, 21.0, 4.0, 2.0, 4.0, 3.0]
    dose = [0.0, 1e-11, 1e-10, *(x * 10.0**k for k in range(-10, -5) for x in (3.0, 10.0))]
    data = observations(
        np.repeat(dose, 4), np.repeat(mean, 4) + np.tile([5.0, -5.0, 3.0, -3.0], len(mean))
    )
    fit = fit_curve(BELL, data)
    # The limbs of the best curve ran into each other; one with limbs far apart fits nearly as well.
    apart = np.array([[100.04, 32.66, 0.886, np.log(5.09e-8), -0.033, np.log(5.92e-11)]])
    apart[:, [3, 5]] -= np.log(data.reference_dose)
    square = np.sum(data.weight * (curve_values(BELL, data, apart) - data.mean) ** 2)
    excess = square + data.pure_error - fit.sum_of_squares
    assert (excess < 0.7 * fit.variance * f_distribution.ppf(0.95, 1, fit.residual_df)).all()
    window = DoseWindow.around(data)
    peak = data.reference_dose * np.exp(PEAK_DOSE.value(BELL, apart, window))
    interval = profile_intervals(fit, [PEAK_DOSE])[0]
    assert (interval.lower < peak).all()


def test_bootstrap_agrees_with_the_profile_where_the_curve_is_well_known() -> None:
    fit = biphasic_data(replicates=12)
    draws = bootstrap_draws(fit, 800, seed=1)
    profile = profile_intervals(fit, [LIMITING_DOSE])[0]
    percentile = percentile_interval(fit, draws, LIMITING_DOSE)
    assert percentile.share == 1.0
    assert percentile.lower == pytest.approx(profile.lower[0], rel=0.1)
    assert percentile.upper == pytest.approx(profile.upper[0], rel=0.1)
    low, high = curve_band(fit, draws, np.array([1e-8]))
    value = fit.family.evaluate(fit.theta, np.log(1e-8 / fit.data.reference_dose))
    assert low[0] < value[0] < high[0]
    np.testing.assert_array_equal(draws, bootstrap_draws(fit, 800, seed=1))


def test_simulated_data_have_the_scatter_of_the_fit() -> None:
    fit = biphasic_data()
    data = simulated_data(fit, 4000, np.random.default_rng(1))
    refit = data.mean - fit.fitted()
    np.testing.assert_allclose(refit.var(axis=0), fit.variance[0] / fit.data.weight[0], rtol=0.12)


@pytest.mark.parametrize(
    ("dose", "response", "words"),
    [
        ([0.0, 1.0], [1.0, 2.0], "at least two doses"),
        ([-1.0, 1.0, 2.0], [1.0, 2.0, 3.0], "negative"),
        ([0.0, 1.0, 2.0], [1.0, np.nan, 3.0], "not a finite number"),
    ],
)
def test_unusable_observations(dose: list[float], response: list[float], words: str) -> None:
    with pytest.raises(InputError, match=words):
        observations(dose, response)
