"""Linear mixed models by restricted maximum likelihood, also where the optimum is on the boundary.

The model of animal i is y_i = X_i beta + Z_i b_i + e_i with b_i ~ N(0, sigma^2 L L') and
e_i ~ N(0, sigma^2 I). As in Bates et al. 2015 (doi:10.18637/jss.v067.i01), beta and sigma are
profiled out and the restricted likelihood is maximised over the lower triangular L alone, whose
diagonal may become zero: a variance that is estimated as zero is an answer, not a failure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

Array = NDArray[np.float64]

_SINGULAR = 1e-4
"""A scaled standard deviation of the random effects below this share of the residual is zero."""

_NO_SCATTER = 1e-10
"""Residual variance, relative to that of the response, below which nothing can be estimated."""

_TRIANGLES = {size: np.tril_indices(size) for size in range(1, 6)}

_STARTS = (1.0, 0.3, 3.0)
"""Relative standard deviations from which the optimum is sought."""


class MixedModelError(ValueError):
    """The data do not determine the model; the message says why."""


@dataclass(frozen=True)
class Estimate:
    """A linear combination of coefficients with a small-sample interval.

    Attributes
    ----------
    value, standard_error
        In the unit of the response per unit of the regressor.
    degrees_of_freedom
        Satterthwaite approximation.
    lower, upper
        Limits of the interval at the level asked for.
    p_value
        Two-sided p of the t test against zero.
    """

    value: float
    standard_error: float
    degrees_of_freedom: float
    lower: float
    upper: float
    p_value: float


@dataclass(frozen=True)
class MixedModel:
    """A fitted linear mixed model.

    Attributes
    ----------
    names
        Regressors, in the order of `coefficients`.
    coefficients, covariance
        Fixed effects, shape (p,), and their covariance, shape (p, p).
    random_names
        Columns with an effect per animal.
    random_covariance
        Covariance of these effects between animals, shape (q, q).
    residual_sd
        Standard deviation within an animal.
    log_likelihood
        Restricted log likelihood (in the convention of nlme and lme4).
    groups
        Animals, in the order of the rows of `random_effects`.
    random_effects
        Predicted effect of each animal, shape (animals, q).
    fitted
        Prediction for each observation, with the effects of its animal.
    residuals
        Observation minus `fitted`.
    singular
        Whether a variance (or a combination of them) is estimated as zero.
    """

    names: tuple[str, ...]
    coefficients: Array
    covariance: Array
    random_names: tuple[str, ...]
    random_covariance: Array
    residual_sd: float
    log_likelihood: float
    groups: tuple[str, ...]
    random_effects: Array
    fitted: Array
    residuals: Array
    singular: bool
    _data: _Sums = field(repr=False)
    _variance: Array = field(repr=False)
    """Lower triangle of L, then log sigma."""
    _variance_covariance: Array = field(repr=False)

    def estimate(self, contrast: ArrayLike, *, level: float = 0.95) -> Estimate:
        """Estimate a linear combination of the coefficients.

        Degrees of freedom after Satterthwaite: twice the squared variance of the combination over
        the variance of that variance, by the delta method (Fai & Cornelius 1996,
        doi:10.1080/00949659608811740; as in lmerTest, doi:10.18637/jss.v082.i13).

        Parameters
        ----------
        contrast
            Weights of the coefficients, shape (p,).
        level
            Coverage of the interval, between 0 and 1.
        """
        weights = np.asarray(contrast, dtype=np.float64)
        value = float(weights @ self.coefficients)
        variance = float(weights @ self.covariance @ weights)
        gradient = self._data.variance_gradient(self._variance, weights)
        spread = float(gradient @ self._variance_covariance @ gradient)
        freedom = 2.0 * variance**2 / spread if spread > 0 else np.inf
        # Never more freedom than observations left, never less than one animal's worth.
        freedom = float(np.clip(freedom, 1.0, self._data.rows - len(self.names)))
        error = float(np.sqrt(variance))
        half = float(stats.t.ppf(0.5 + level / 2.0, freedom)) * error
        p_value = 2.0 * float(stats.t.sf(abs(value) / error, freedom)) if error > 0 else np.nan
        return Estimate(value, error, freedom, value - half, value + half, p_value)

    def coefficient(self, name: str, *, level: float = 0.95) -> Estimate:
        """Estimate one coefficient by its name."""
        weights = np.zeros(len(self.names))
        weights[self.names.index(name)] = 1.0
        return self.estimate(weights, level=level)


@dataclass(frozen=True)
class _Sums:
    """Cross products of each animal, all that the likelihood needs of the data.

    W = (X, y) stands for regressors and response side by side.
    """

    zz: Array
    zw: Array
    ww: Array
    rows: int

    @property
    def random_size(self) -> int:
        return int(self.zz.shape[1])

    @property
    def fixed_size(self) -> int:
        return int(self.ww.shape[0]) - 1

    def solve(self, factor: Array) -> _Profile:
        """Solve for the fixed effects with the relative factor L of the random effects."""
        q, width = self.random_size, self.ww.shape[0]
        middle = np.eye(q) + factor.T @ self.zz @ factor
        half = np.linalg.solve(np.linalg.cholesky(middle), factor.T @ self.zw)
        flat = half.reshape(-1, width)
        # The last row of this factor holds what is left of y: one factorisation gives all.
        root = np.linalg.cholesky(self.ww - flat.T @ flat)
        diagonal = np.diagonal(root)
        inverse = np.linalg.inv(root[:-1, :-1])
        beta = inverse.T @ root[-1, :-1]
        _, log_middle = np.linalg.slogdet(middle)
        log_determinant = float(log_middle.sum() + 2.0 * np.log(diagonal[:-1]).sum())
        rss = float(diagonal[-1] ** 2)
        return _Profile(factor, middle, inverse.T @ inverse, beta, rss, log_determinant)

    def slopes(self, profile: _Profile, residual_variance: float) -> Array:
        """Gradient matrix M with d(deviance) = trace(M dG), G = L L', at a residual variance."""
        factor, q = profile.factor, self.random_size
        inner = factor @ np.linalg.solve(profile.middle, factor.T @ self.zz)
        shrink = np.eye(q) - np.swapaxes(inner, 1, 2)
        zvz = shrink @ self.zz
        zvw = shrink @ self.zw
        zvx, zvy = zvw[:, :, :-1], zvw[:, :, -1]
        zvr = zvy - zvx @ profile.beta
        scaled = zvx @ profile.inverse_xvx
        left = np.swapaxes(zvx, 0, 1).reshape(q, -1)
        right = np.swapaxes(scaled, 0, 1).reshape(q, -1)
        gradient: Array = zvz.sum(axis=0) - left @ right.T - zvr.T @ zvr / residual_variance
        return gradient

    def profiled_deviance(self, theta: Array) -> tuple[float, Array]:
        """Restricted deviance with sigma profiled out, and its gradient."""
        profile = self.solve(_triangle(theta, self.random_size))
        freedom = self.rows - self.fixed_size
        deviance = profile.log_determinant + freedom * float(np.log(profile.rss))
        slopes = self.slopes(profile, profile.rss / freedom)
        full = 2.0 * slopes @ profile.factor
        return deviance, full[_TRIANGLES[self.random_size]]

    def gradient_of_deviance(self, variance: Array) -> Array:
        """Gradient of the deviance in (lower triangle of L, log sigma)."""
        theta, log_sigma = variance[:-1], float(variance[-1])
        profile = self.solve(_triangle(theta, self.random_size))
        sigma2 = float(np.exp(2.0 * log_sigma))
        full = 2.0 * self.slopes(profile, sigma2) @ profile.factor
        by_sigma = 2.0 * (self.rows - self.fixed_size) - 2.0 * profile.rss / sigma2
        return np.append(full[_TRIANGLES[self.random_size]], by_sigma)

    def variance_gradient(self, variance: Array, weights: Array) -> Array:
        """Gradient of the variance of a combination of coefficients, by central differences."""
        gradient = np.zeros_like(variance)
        for place in range(variance.size):
            step = 1e-5 * max(abs(variance[place]), 0.1)
            ends = []
            for sign in (1.0, -1.0):
                moved = variance.copy()
                moved[place] += sign * step
                inverse = self.solve(_triangle(moved[:-1], self.random_size)).inverse_xvx
                ends.append(float(np.exp(2.0 * moved[-1]) * (weights @ inverse @ weights)))
            gradient[place] = (ends[0] - ends[1]) / (2.0 * step)
        return gradient


@dataclass(frozen=True)
class _Profile:
    factor: Array
    middle: Array
    inverse_xvx: Array
    beta: Array
    rss: float
    log_determinant: float


def _triangle(theta: Array, size: int) -> Array:
    factor = np.zeros((size, size))
    factor[_TRIANGLES[size]] = theta
    return factor


def fit_mixed_model(
    response: ArrayLike,
    fixed: ArrayLike,
    random: ArrayLike,
    groups: Sequence[object],
    *,
    names: Sequence[str],
    random_names: Sequence[str],
) -> MixedModel:
    """Fit y = X beta + Z b + e by restricted maximum likelihood.

    Parameters
    ----------
    response
        Observations, shape (n,).
    fixed
        Regressors X, shape (n, p), of full rank.
    random
        Regressors Z whose coefficients differ between animals, shape (n, q).
    groups
        Animal of each observation.
    names, random_names
        Names of the columns of `fixed` and `random`.

    Returns
    -------
    MixedModel

    Raises
    ------
    MixedModelError
        When the regressors are collinear, too few observations are left, or there are fewer than
        three animals.
    """
    y = np.asarray(response, dtype=np.float64)
    x = np.asarray(fixed, dtype=np.float64)
    z = np.asarray(random, dtype=np.float64)
    labels, index = np.unique(np.asarray([str(g) for g in groups]), return_inverse=True)
    _check(y, x, z, labels.size, names)

    # Columns of about unit size make one step length fit all; the scales are undone below.
    x_scale = np.sqrt(np.mean(x**2, axis=0))
    z_scale = np.sqrt(np.mean(z**2, axis=0))
    z_scale[z_scale == 0] = 1.0
    y_scale = float(np.std(y)) or 1.0
    sums = _sums(y / y_scale, x / x_scale, z / z_scale, index, labels.size)
    theta = _maximise(sums)
    profile = sums.solve(_triangle(theta, sums.random_size))
    freedom = sums.rows - sums.fixed_size
    sigma2 = profile.rss / freedom
    if sigma2 < _NO_SCATTER:
        raise MixedModelError("the measurements lie on the model without any scatter")
    variance = np.append(theta, 0.5 * np.log(sigma2))

    beta = profile.beta * y_scale / x_scale
    covariance = sigma2 * profile.inverse_xvx * y_scale**2 / np.outer(x_scale, x_scale)
    factor = profile.factor
    remaining = sums.zw[:, :, -1] - sums.zw[:, :, :-1] @ profile.beta
    effects = np.linalg.solve(profile.middle, (factor.T @ remaining[:, :, None]))
    effects = (factor @ effects)[:, :, 0] * y_scale / z_scale
    fitted = x @ beta + np.einsum("nq,nq->n", z, effects[index])
    scaling = float(np.sum(np.log(x_scale)))
    log_likelihood = -0.5 * (
        freedom * (1.0 + np.log(2.0 * np.pi * sigma2 * y_scale**2))
        + profile.log_determinant
        + 2.0 * scaling
    )
    return MixedModel(
        names=tuple(names),
        coefficients=beta,
        covariance=covariance,
        random_names=tuple(random_names),
        random_covariance=sigma2 * factor @ factor.T * y_scale**2 / np.outer(z_scale, z_scale),
        residual_sd=float(np.sqrt(sigma2) * y_scale),
        log_likelihood=float(log_likelihood),
        groups=tuple(str(label) for label in labels),
        random_effects=effects,
        fitted=fitted,
        residuals=y - fitted,
        singular=_is_singular(profile.factor),
        _data=_rescaled(sums, x_scale, y_scale),
        _variance=variance + np.append(np.zeros_like(theta), np.log(y_scale)),
        _variance_covariance=_covariance_of_variances(sums, variance),
    )


def _check(y: Array, x: Array, z: Array, animals: int, names: Sequence[str]) -> None:
    if not (np.isfinite(y).all() and np.isfinite(x).all() and np.isfinite(z).all()):
        raise MixedModelError("the data hold values that are not finite")
    if animals < 3:
        raise MixedModelError(f"{animals} animals were measured, allowed 3 or more")
    if y.size <= x.shape[1] + z.shape[1]:
        raise MixedModelError(f"{y.size} measurements are too few for {x.shape[1]} coefficients")
    scale = np.sqrt(np.mean(x**2, axis=0))
    if (scale == 0).any() or np.linalg.matrix_rank(x / scale, tol=1e-8 * y.size) < x.shape[1]:
        raise MixedModelError(
            f"the measurements do not determine all coefficients ({', '.join(names)})"
        )


def _sums(y: Array, x: Array, z: Array, index: NDArray[np.int64], animals: int) -> _Sums:
    q, w = z.shape[1], np.column_stack([x, y])
    zz, zw = np.zeros((animals, q, q)), np.zeros((animals, q, w.shape[1]))
    np.add.at(zz, index, z[:, :, None] * z[:, None, :])
    np.add.at(zw, index, z[:, :, None] * w[:, None, :])
    return _Sums(zz, zw, w.T @ w, y.size)


def _rescaled(sums: _Sums, x_scale: Array, y_scale: float) -> _Sums:
    """Return the sums with regressors in the user's units; the random columns stay scaled."""
    scale = np.append(x_scale, y_scale)
    return _Sums(sums.zz, sums.zw * scale, sums.ww * np.outer(scale, scale), sums.rows)


def _maximise(sums: _Sums) -> Array:
    """Lower triangle of L at the optimum; a second start where the first is in doubt."""
    rows, columns = _TRIANGLES[sums.random_size]
    diagonal = rows == columns
    best, best_value = np.zeros(rows.size), np.inf
    for start in _STARTS:
        try:
            # The sign of a column of L is free, so no bound is needed for a variance of zero.
            result = optimize.minimize(
                sums.profiled_deviance,
                np.where(diagonal, start, 0.0),
                jac=True,
                method="BFGS",
                options={"maxiter": 200, "gtol": 1e-4},
            )
        except np.linalg.LinAlgError:
            continue
        if not np.isfinite(result.fun):
            continue
        agreed = abs(result.fun - best_value) < 1e-5
        if result.fun < best_value:
            best, best_value = np.asarray(result.x, dtype=np.float64), float(result.fun)
        certain = not _is_singular(_triangle(best, sums.random_size))
        if agreed or (certain and np.abs(result.jac).max() < 1e-3):
            break
    if not np.isfinite(best_value):
        raise MixedModelError("the restricted likelihood could not be maximised")
    return _polished(sums, best)


def _polished(sums: _Sums, theta: Array) -> Array:
    """One Newton step, kept only where it improves the fit."""

    def gradient(point: Array) -> Array:
        return sums.profiled_deviance(point)[1]

    value, slope = sums.profiled_deviance(theta)
    values, vectors = np.linalg.eigh(_jacobian(gradient, theta))
    if values[0] <= 1e-6 * values[-1]:
        return theta
    moved: Array = theta - vectors @ ((vectors.T @ slope) / values)
    return moved if sums.profiled_deviance(moved)[0] <= value else theta


def _is_singular(factor: Array) -> bool:
    return bool(np.linalg.svd(factor, compute_uv=False)[-1] < _SINGULAR)


def _covariance_of_variances(sums: _Sums, variance: Array) -> Array:
    """Inverse of half the Hessian of the deviance, without directions on the boundary."""
    values, vectors = np.linalg.eigh(_jacobian(sums.gradient_of_deviance, variance))
    kept = values > 1e-6 * max(float(values.max()), 1e-300)
    inverse: Array = (vectors[:, kept] / values[kept]) @ vectors[:, kept].T
    return 2.0 * inverse


def _jacobian(gradient: Callable[[Array], Array], point: Array) -> Array:
    """Symmetric matrix of second derivatives by central differences of a gradient."""
    matrix = np.zeros((point.size, point.size))
    for place in range(point.size):
        step = 1e-4 * max(abs(point[place]), 0.1)
        up, down = point.copy(), point.copy()
        up[place] += step
        down[place] -= step
        matrix[place] = (gradient(up) - gradient(down)) / (2.0 * step)
    symmetric: Array = 0.5 * (matrix + matrix.T)
    return symmetric
