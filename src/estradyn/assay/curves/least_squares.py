"""Bounded Levenberg-Marquardt for many small problems at once.

Marquardt 1963, doi:10.1137/0111030, with steps projected on the box of bounds. All problems of a
batch advance together; one that has converged leaves the batch, so the result of each does not
depend on its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

Residuals = Callable[[Array, NDArray[np.int64]], tuple[Array, Array]]
"""Residuals and their Jacobian from parameters and the positions of these problems in the batch.

Shapes (problems, residuals) and (problems, residuals, parameters); a parameter vector at which
the residuals do not exist gives NaN.
"""


@dataclass(frozen=True)
class Minimum:
    """Where the sums of squares ended.

    Attributes
    ----------
    theta
        Parameters; shape (problems, parameters).
    sum_of_squares
        Sum of squared residuals; shape (problems,).
    converged
        Whether the last step changed the sum of squares by less than the tolerance.
    """

    theta: Array
    sum_of_squares: Array
    converged: NDArray[np.bool_]


def minimise(
    residuals: Residuals,
    start: Array,
    lower: Array,
    upper: Array,
    *,
    tolerance: float = 1e-10,
    steps: int = 80,
) -> Minimum:
    """Minimise sums of squares inside bounds.

    Parameters
    ----------
    residuals
        See `Residuals`.
    start
        Starting parameters; shape (problems, parameters).
    lower, upper
        Bounds; shape (parameters,) or like `start`.
    tolerance
        Relative decrease of the sum of squares below which two steps in a row end the search.
    steps
        Largest number of steps.
    """
    problems, size = start.shape
    who = np.arange(problems)
    low = np.broadcast_to(lower, start.shape)
    high = np.broadcast_to(upper, start.shape)
    theta = np.clip(start, low, high)
    residual, jacobian = residuals(theta, who)
    cost = _square(residual)
    final_theta, final_cost = theta.copy(), np.where(np.isfinite(cost), cost, np.inf)
    converged = np.zeros(problems, bool)
    damping = np.full(problems, 1e-3)
    quiet = np.zeros(problems, int)
    done = ~np.isfinite(cost)
    diagonal = np.arange(size)
    for _ in range(steps):
        if done.any():
            # Problems that are done leave the batch.
            final_theta[who], final_cost[who] = theta, cost
            converged[who[done & np.isfinite(cost)]] = True
            keep = ~done
            who, theta, residual, jacobian = who[keep], theta[keep], residual[keep], jacobian[keep]
            cost, damping, quiet, done = cost[keep], damping[keep], quiet[keep], done[keep]
            low, high = low[keep], high[keep]
        if not len(who):
            break
        transposed = jacobian.transpose(0, 2, 1)
        gradient = np.matmul(transposed, residual[:, :, None])[:, :, 0]
        normal = np.matmul(transposed, jacobian)
        scale = normal[:, diagonal, diagonal]
        scale = np.maximum(scale, 1e-12 * scale.max(axis=1, keepdims=True) + 1e-300)
        fixed = ((theta <= low) & (gradient > 0)) | ((theta >= high) & (gradient < 0))
        root = np.sqrt(scale)
        if fixed.any():
            normal = np.where(fixed[:, :, None] | fixed[:, None, :], 0.0, normal)
            normal[:, diagonal, diagonal] += np.where(fixed, scale, 0.0)
            gradient = np.where(fixed, 0.0, gradient)
        normal /= root[:, :, None] * root[:, None, :]
        normal[:, diagonal, diagonal] += damping[:, None]
        step = np.linalg.solve(normal, -(gradient / root)[:, :, None])[:, :, 0] / root
        trial = np.clip(theta + step, low, high)
        new_residual, new_jacobian = residuals(trial, who)
        new_cost = _square(new_residual)
        better = np.isfinite(new_cost) & (new_cost <= cost)
        small = better & (cost - np.where(better, new_cost, 0.0) <= tolerance * cost + 1e-300)
        quiet = np.where(small, quiet + 1, np.where(better, 0, quiet))
        damping = np.maximum(damping * np.where(better, 0.2, 5.0), 1e-12)
        theta = np.where(better[:, None], trial, theta)
        residual = np.where(better[:, None], new_residual, residual)
        jacobian = np.where(better[:, None, None], new_jacobian, jacobian)
        cost = np.where(better, new_cost, cost)
        done = (quiet >= 2) | (damping > 1e10)
    final_theta[who], final_cost[who] = theta, cost
    converged[who[done]] = True
    return Minimum(final_theta, final_cost, converged)


def _square(residual: Array) -> Array:
    return np.einsum("bn,bn->b", residual, residual)
