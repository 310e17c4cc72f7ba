"""Published curve fits are reproduced: lettuce (hormesis) and ryegrass."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from estradyn.assay.curves.choice import choose_curve, extra_sum_of_squares
from estradyn.assay.curves.families import (
    BRAIN_COUSENS_4,
    CEDERGREEN_A,
    LOG_LOGISTIC_3,
    LOG_LOGISTIC_4,
)
from estradyn.assay.curves.fit import CurveFit, curve_jacobian, fit_curve
from estradyn.assay.curves.landmarks import LANDMARKS
from estradyn.assay.curves.observations import Observations, observations
from estradyn.assay.curves.profile import profile_intervals

SHARED = Path(os.environ.get("ESTRADYN_SHARED", Path(__file__).parents[3] / "shared"))

LETTUCE_DOSE = np.repeat([0.0, 0.32, 1.0, 3.2, 10.0, 32.0, 100.0], 2)
LETTUCE_WEIGHT = np.array(
    [
        1.126,
        0.833,
        1.096,
        1.106,
        1.163,
        1.336,
        0.985,
        0.754,
        0.716,
        0.683,
        0.56,
        0.488,
        0.375,
        0.344,
    ]
)


@pytest.fixture(scope="module")
def lettuce() -> Observations:
    return observations(LETTUCE_DOSE, LETTUCE_WEIGHT)


@pytest.fixture(scope="module")
def brain_cousens(lettuce: Observations) -> CurveFit:
    return fit_curve(BRAIN_COUSENS_4, lettuce)


def test_brain_cousens_parameters(brain_cousens: CurveFit) -> None:
    control, stimulation, log_slope, log_dose = brain_cousens.theta[0]
    reference = brain_cousens.data.reference_dose
    assert np.exp(log_slope) == pytest.approx(1.28272, abs=2e-5)
    assert control == pytest.approx(0.967177, abs=2e-6)
    assert np.exp(log_dose) * reference == pytest.approx(0.845934, abs=5e-6)
    assert stimulation / reference == pytest.approx(1.62453, abs=2e-5)
    assert np.sqrt(brain_cousens.variance[0]) == pytest.approx(0.111792, abs=1e-6)
    assert brain_cousens.residual_df[0] == 10


def test_three_parameter_log_logistic(lettuce: Observations) -> None:
    fit = fit_curve(LOG_LOGISTIC_3, lettuce)
    control, log_slope, log_dose = fit.theta[0]
    assert np.exp(log_slope) == pytest.approx(0.779515, abs=5e-6)
    assert control == pytest.approx(1.10912, abs=5e-6)
    assert np.exp(log_dose) * lettuce.reference_dose == pytest.approx(28.6064, abs=2e-4)


def test_extra_sum_of_squares(lettuce: Observations, brain_cousens: CurveFit) -> None:
    test = extra_sum_of_squares(fit_curve(LOG_LOGISTIC_3, lettuce), brain_cousens)
    assert test.statistic == pytest.approx(9.3817, abs=1e-4)
    assert (test.numerator_df, test.denominator_df) == (1, 10)
    assert test.p_value == pytest.approx(0.0120, abs=5e-5)


def test_wald_t_of_the_stimulation_misleads(brain_cousens: CurveFit) -> None:
    from scipy.stats import t

    jacobian = curve_jacobian(BRAIN_COUSENS_4, brain_cousens.data, brain_cousens.theta)[1][0]
    normal = jacobian.T @ (brain_cousens.data.weight[0][:, None] * jacobian)
    error = np.sqrt(np.linalg.inv(normal)[1, 1] * brain_cousens.variance[0])
    p_value = 2.0 * t.sf(brain_cousens.theta[0, 1] / error, 10)
    assert p_value == pytest.approx(0.208, abs=5e-4)


@pytest.mark.slow
def test_bootstrap_p_of_stimulation(lettuce: Observations) -> None:
    choice = choose_curve(
        lettuce, monotone=(LOG_LOGISTIC_3,), biphasic=(BRAIN_COUSENS_4,), simulations=4999, seed=2
    )
    # 0.011 was found independently; four Monte-Carlo standard errors around it.
    spread = 4.0 * np.sqrt(0.011 * 0.989 / choice.simulated)
    assert choice.bootstrap_p == pytest.approx(0.011, abs=spread)
    assert choice.biphasic


def test_landmarks_and_profile_intervals(lettuce: Observations, brain_cousens: CurveFit) -> None:
    nested = fit_curve(LOG_LOGISTIC_3, lettuce)
    intervals = {
        interval.landmark.name: interval
        for interval in profile_intervals(
            brain_cousens, LANDMARKS[:4], no_stimulation=nested.sum_of_squares
        )
    }
    expected = {
        "peak_percent": (122.16, 100.9, 153.5),
        "limiting_dose": (2.931, 0.56, 7.04),
        "ed50": (35.05, 15.3, 121.9),
    }
    for name, (value, lower, upper) in expected.items():
        interval = intervals[name]
        assert interval.value[0] == pytest.approx(value, rel=2e-4)
        assert interval.lower[0] == pytest.approx(lower, rel=0.02)
        assert interval.upper[0] == pytest.approx(upper, rel=0.02)
    # The Wald interval of the peak, 94.5 to 149.8, would deny the stimulation.
    assert intervals["peak_percent"].lower[0] > 100.0
    assert intervals["peak_dose"].value[0] == pytest.approx(0.5985, abs=5e-5)


def test_peak_dose_interval_ends_where_the_threshold_is_met(brain_cousens: CurveFit) -> None:
    """An independent constrained fit, with the stimulation solved from the peak condition."""
    from scipy.optimize import least_squares
    from scipy.stats import f

    def cost(peak: float) -> float:
        def residuals(parameters: np.ndarray) -> np.ndarray:
            control, slope, dose = parameters[0], np.exp(parameters[1]), np.exp(parameters[2])
            at_peak = (peak / dose) ** slope
            divisor = peak * (1.0 - (slope - 1.0) * at_peak)
            if divisor <= 0:
                return np.full(14, 1e3)
            stimulation = control * slope * at_peak / divisor
            ratio = (LETTUCE_DOSE / dose) ** slope
            return (control + stimulation * LETTUCE_DOSE) / (1.0 + ratio) - LETTUCE_WEIGHT

        starts = [[1.0, np.log(b), np.log(e)] for b in (1.2, 1.6, 2.5) for e in (0.3, 1.0, 5.0)]
        return min(2.0 * least_squares(residuals, start).cost for start in starts)

    interval = profile_intervals(brain_cousens, LANDMARKS[:1])[0]
    least = float(brain_cousens.sum_of_squares[0])
    threshold = least * (1.0 + f.ppf(0.95, 1, 10) / 10.0)
    for limit in (interval.lower[0], interval.upper[0]):
        assert cost(float(limit)) == pytest.approx(threshold, rel=0.005)


def test_cedergreen_with_alpha_1_collapses_to_a_monotone_curve() -> None:
    data = observations(LETTUCE_DOSE, LETTUCE_WEIGHT, reference_dose=1.0)
    trapped, monotone = fit_curve(CEDERGREEN_A, data), fit_curve(LOG_LOGISTIC_3, data)
    assert trapped.sum_of_squares[0] == pytest.approx(monotone.sum_of_squares[0], rel=1e-4)
    assert trapped.theta[0, 1] == pytest.approx(0.0, abs=0.01)
    brain_cousens = fit_curve(BRAIN_COUSENS_4, data)
    assert brain_cousens.sum_of_squares[0] < 0.6 * trapped.sum_of_squares[0]


@pytest.mark.parametrize("factor", [1e-12, 1e-6, 1e6])
def test_units_of_dose_do_not_matter(factor: float, brain_cousens: CurveFit) -> None:
    fit = fit_curve(BRAIN_COUSENS_4, observations(LETTUCE_DOSE * factor, LETTUCE_WEIGHT))
    assert fit.sum_of_squares[0] == pytest.approx(brain_cousens.sum_of_squares[0], rel=1e-9)
    np.testing.assert_allclose(fit.theta, brain_cousens.theta, rtol=1e-4)


@pytest.mark.skipif(not SHARED.is_dir(), reason="reference data are not available")
def test_ryegrass_four_parameter_log_logistic() -> None:
    table = pd.read_csv(SHARED / "data" / "ryegrass.csv")
    data = observations(table["conc"], table["rootl"])
    fit = fit_curve(LOG_LOGISTIC_4, data)
    control, floor, log_slope, log_dose = fit.theta[0]
    assert np.exp(log_slope) == pytest.approx(2.98223, abs=2e-5)
    assert floor == pytest.approx(0.48141, abs=1e-5)
    assert control == pytest.approx(7.79296, abs=1e-5)
    assert np.exp(log_dose) * data.reference_dose == pytest.approx(3.05796, abs=1e-5)
    assert np.sqrt(fit.variance[0]) == pytest.approx(0.5196256, abs=1e-7)


@pytest.mark.skipif(not SHARED.is_dir(), reason="reference data are not available")
def test_viability_curves_fit_as_well_as_the_published_ones() -> None:
    folder = SHARED / "data"
    points = pd.read_csv(folder / "viability_ctrp_mcf7_t47d.csv").dropna(
        subset=["relative_viability"]
    )
    fits = pd.read_csv(folder / "viability_ctrp_mcf7_t47d_fits.csv")
    falling = fits[fits["regulation"] == "down"]
    assert len(falling) == 6
    for row in falling.itertuples():
        own = points[points["curve"] == row.curve]
        data = observations(own["dose_uM"] * 1e-6, own["relative_viability"])
        square = float(fit_curve(LOG_LOGISTIC_4, data).sum_of_squares[0])
        assert np.sqrt(square / len(own)) <= row.rmse * 1.001
