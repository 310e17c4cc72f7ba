"""Fitting a family of curves to one or many data sets of a design."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from estradyn.assay.curves.families import CurveFamily, nested_monotone
from estradyn.assay.curves.least_squares import minimise
from estradyn.assay.curves.observations import Observations
from estradyn.assay.curves.starts import starting_values

Array = NDArray[np.float64]

LOG_SLOPE_BOUNDS = (np.log(0.1), np.log(20.0))
"""A slope of 20 turns within a tenth of a decade: no assay has doses close enough to tell more."""

LOG_RISE_SLOPE_BOUNDS = (np.log(0.3), np.log(5.0))
"""The rising limb of a bell: steeper rises are steps between two doses, which no data can deny."""

DOSE_MARGIN = np.log(1e3)
"""How far outside the tested doses the dose parameters may lie, on the logarithmic scale."""


@dataclass(frozen=True)
class CurveFit:
    """A family fitted to data sets of one design.

    Attributes
    ----------
    family
        The curve.
    data
        What it was fitted to.
    theta
        Parameters; shape (datasets, parameters). The linear parameters of each group come first,
        group after group, then the nonlinear ones, which all groups share.
    sum_of_squares
        Weighted residual sum of squares with pure error; shape (datasets,).
    converged
        Shape (datasets,).
    """

    family: CurveFamily
    data: Observations
    theta: Array
    sum_of_squares: Array
    converged: NDArray[np.bool_]

    @property
    def parameter_count(self) -> int:
        """Number of estimated parameters."""
        return self.theta.shape[1]

    @property
    def residual_df(self) -> NDArray[np.int64]:
        """Residual degrees of freedom; shape (datasets,)."""
        return self.data.size - self.parameter_count

    @property
    def variance(self) -> Array:
        """Residual variance of a replicate of weight 1; shape (datasets,)."""
        return self.sum_of_squares / np.maximum(self.residual_df, 1)

    def local(self, group: int = 0) -> Array:
        """Parameters of one group in the order of `family.parameters`."""
        return self.theta[:, joint_places(self.family, self.data.groups)[group]]

    def fitted(self) -> Array:
        """Response at every level; shape (datasets, levels)."""
        return curve_values(self.family, self.data, self.theta)

    def subset(self, rows: NDArray[np.int64] | slice) -> CurveFit:
        """The fits to some of the data sets."""
        return CurveFit(
            self.family,
            self.data.subset(rows),
            self.theta[rows],
            self.sum_of_squares[rows],
            self.converged[rows],
        )


def joint_places(family: CurveFamily, groups: int) -> NDArray[np.int64]:
    """Positions in the joint vector of each group's parameters; shape (groups, parameters)."""
    linear, nonlinear = len(family.linear), len(family.nonlinear)
    own = np.arange(groups)[:, None] * linear + np.arange(linear)
    shared = np.broadcast_to(groups * linear + np.arange(nonlinear), (groups, nonlinear))
    return np.concatenate([own, shared], axis=1)


def curve_values(family: CurveFamily, data: Observations, theta: Array) -> Array:
    """Response of joint parameter vectors at every level; shape (datasets, levels)."""
    places = joint_places(family, data.groups)
    return family.evaluate(theta[:, places[data.group]], data.log_dose)


def curve_jacobian(family: CurveFamily, data: Observations, theta: Array) -> tuple[Array, Array]:
    """Response and its derivatives by the joint parameters."""
    places = joint_places(family, data.groups)
    response, local = family.jacobian(theta[:, places[data.group]], data.log_dose)
    if data.groups == 1:
        return response, local
    joint = np.zeros((*response.shape, theta.shape[1]))
    for group in range(data.groups):
        levels = np.flatnonzero(data.group == group)
        joint[:, levels[:, None], places[group][None, :]] = local[:, levels]
    return response, joint


def bounds(family: CurveFamily, data: Observations) -> tuple[Array, Array]:
    """Lower and upper bounds of the joint parameters."""
    finite = data.log_dose[data.dose > 0]
    low, high = finite.min() - DOSE_MARGIN, finite.max() + DOSE_MARGIN
    limits = {
        "control": (0.0, np.inf),
        "floor": (0.0, np.inf),
        "stimulation": (0.0, np.inf),
        "log_slope": LOG_SLOPE_BOUNDS,
        "log_rise_slope": LOG_RISE_SLOPE_BOUNDS,
        "log_dose": (low, high),
        "log_rise_dose": (low, high),
    }
    names = [*family.linear * data.groups, *family.nonlinear]
    return np.array([limits[n][0] for n in names]), np.array([limits[n][1] for n in names])


def fit_curve(
    family: CurveFamily,
    data: Observations,
    *,
    starts: int = 12,
    fine: bool = True,
    nested: CurveFit | None = None,
) -> CurveFit:
    """Fit a family by weighted least squares with stimulation and floor held at 0 or more.

    Parameters
    ----------
    family
        Curve to fit.
    data
        Design and data sets.
    starts
        Number of grid points each data set is refined from.
    fine
        Whether the grid is fine; bootstraps use a coarse one.
    nested
        Fit of the family without stimulation, if already known.

    Returns
    -------
    CurveFit
        Best of all starts, and never worse than the nested family without stimulation.
    """
    datasets = len(data.mean)
    begin = starting_values(family, data, count=starts, fine=fine)
    owner = np.repeat(np.arange(datasets), starts)
    root = np.sqrt(data.weight)[owner]
    target = data.mean[owner]

    def residuals(theta: Array, who: NDArray[np.int64]) -> tuple[Array, Array]:
        response, jacobian = curve_jacobian(family, data, theta)
        scale = root[who]
        return scale * (response - target[who]), scale[:, :, None] * jacobian

    lower, upper = bounds(family, data)
    found = minimise(
        residuals,
        begin.reshape(datasets * starts, -1),
        lower,
        upper,
        tolerance=1e-12 if fine else 1e-8,
        steps=600 if fine else 100,
    )
    cost = found.sum_of_squares.reshape(datasets, starts)
    best = np.arange(datasets) * starts + cost.argmin(axis=1)
    theta, square = found.theta[best], found.sum_of_squares[best]
    if family.biphasic:
        if nested is None:
            nested = fit_curve(nested_monotone(family), data, starts=starts, fine=fine)
        # Without stimulation the family is its nested one; the bound itself is a candidate.
        nested_square = nested.sum_of_squares - data.pure_error
        worse = nested_square < square
        theta = np.where(worse[:, None], _embed(nested, family), theta)
        square = np.where(worse, nested_square, square)
    return CurveFit(family, data, theta, square + data.pure_error, found.converged[best])


def _embed(nested: CurveFit, family: CurveFamily) -> Array:
    """Parameters of a biphasic family without stimulation that equal a monotone fit."""
    groups = nested.data.groups
    theta = np.zeros((len(nested.theta), groups * len(family.linear) + len(family.nonlinear)))
    source = joint_places(nested.family, groups)
    target = joint_places(family, groups)
    for place, name in enumerate(nested.family.parameters):
        theta[:, target[:, family.place(name)]] = nested.theta[:, source[:, place]]
    if family.rise == "sigmoid":
        fall = theta[:, target[0, family.place("log_dose")]]
        theta[:, target[0, family.place("log_rise_dose")]] = fall
    return theta
