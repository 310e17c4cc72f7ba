"""Least squares over virtual arms: rows of the tables moved until cohorts show what was published.

What a cohort shows is a mean over women, the same in every step (common random numbers), so it
changes almost smoothly with the values and Gauss-Newton steps from wide differences find the way
where a search without slopes would need hundreds of evaluations. Each value is held near its start
by a penalty, its tolerance, which is how well it was known before: with more values than targets
the penalty decides what the targets leave open, and `Fit.print` says for which values that is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from cohort import Array, RowValues
from scipy.special import expit, logit

STEP = 0.5
"""Step of a difference, in tolerances: wide, because shares of a cohort are steps when seen
closely."""

OPEN_SHARE = 0.8
"""A value whose standard deviation is still this share of that which the penalty alone leaves was
not
found by the targets."""


@dataclass(frozen=True)
class Parameter:
    """A number of a table row that is fitted, on a scale without bounds.

    Attributes
    ----------
    row, number
        Flattened name of the row; `value` or `spread`.
    start
        Where the fit begins, in the unit of the row.
    tolerance
        Standard deviation, on the free scale, of the penalty that holds it near its start.
    scale
        `log`, `logit` or `identity`.
    """

    row: str
    start: float
    tolerance: float
    scale: str = "log"
    number: str = "value"

    def to_free(self) -> float:
        """Starting value on the free scale."""
        if self.scale == "log":
            return float(np.log(self.start))
        return float(logit(self.start)) if self.scale == "logit" else self.start

    def from_free(self, free: float) -> float:
        """Value of the row at a place on the free scale."""
        if self.scale == "log":
            return float(np.exp(free))
        return float(expit(free)) if self.scale == "logit" else float(free)


@dataclass(frozen=True)
class Term:
    """One target: what is shown, what was published, and how near it has to come.

    Attributes
    ----------
    name
        With the rows of evidence.
    shown, published
        Both on the scale on which they are compared.
    tolerance
        One standard deviation of the target.
    limit
        `lower` where only falling short of the published number counts, `upper` where only going
        beyond it does, else empty.
    """

    name: str
    shown: float
    published: float
    tolerance: float
    limit: str = ""

    @property
    def residual(self) -> float:
        """Difference in tolerances; what could not be shown, say in nobody, counts three."""
        if not np.isfinite(self.shown):
            return 3.0
        difference = (self.shown - self.published) / self.tolerance
        if self.limit == "lower":
            return min(difference, 0.0)
        return max(difference, 0.0) if self.limit == "upper" else difference


def changes_at(parameters: Sequence[Parameter], free: Array) -> dict[str, RowValues]:
    """Table rows at a place in the free space."""
    numbers: dict[str, dict[str, float]] = {}
    for parameter, place in zip(parameters, free, strict=True):
        numbers.setdefault(parameter.row, {})[parameter.number] = parameter.from_free(place)
    return {row: RowValues(**values) for row, values in numbers.items()}


@dataclass(frozen=True)
class Fit:
    """Where a fit ended.

    Attributes
    ----------
    parameters
        What was fitted.
    free
        Values on the free scale, shape (parameters,).
    terms
        Targets there.
    deviation
        Standard deviation of each value on the free scale, from the slopes of targets and
        penalties.
    objective
        Sum of squares of targets and penalties at the start and at the end.
    evaluations
        How often the cohorts were treated.
    penalty
        Weight of the penalties.
    """

    parameters: Sequence[Parameter]
    free: Array
    terms: Sequence[Term]
    deviation: Array
    objective: tuple[float, float]
    evaluations: int
    penalty: float

    @property
    def changes(self) -> dict[str, RowValues]:
        """Rows of the tables."""
        return changes_at(self.parameters, self.free)

    def print(self) -> None:
        """Print targets, and which values they found."""
        first, last = self.objective
        print(f"objective {first:.2f} -> {last:.2f} in {self.evaluations} evaluations")
        for term in self.terms:
            print(
                f"  {term.name}: {term.shown:.3g}, {term.limit or 'published'} {term.published:.3g}"
            )
        for parameter, place, deviation in zip(
            self.parameters, self.free, self.deviation, strict=True
        ):
            left = self.penalty * deviation / parameter.tolerance
            found = "not identifiable" if left > OPEN_SHARE else "found"
            print(
                f"  {parameter.row} {parameter.number} {parameter.from_free(place):.3g}: "
                f"{100 * left:.0f} % of what was open before, {found}"
            )


def gauss_newton(
    parameters: Sequence[Parameter],
    terms_at: Callable[[Mapping[str, RowValues]], Sequence[Term]],
    *,
    iterations: int,
    penalty: float = 1.0,
) -> Fit:
    """Move the values until targets and penalties are least.

    Parameters
    ----------
    parameters
        What is fitted.
    terms_at
        Treats the cohorts with rows of the tables changed and returns the targets.
    iterations
        Steps; each costs one evaluation for every parameter and a few more. 0 judges the start.
    penalty
        Weight of the penalties against the targets.
    """
    start = np.array([parameter.to_free() for parameter in parameters])
    tolerance = np.array([parameter.tolerance for parameter in parameters])
    evaluations = 0

    def residuals(scaled: Array) -> tuple[Array, Sequence[Term]]:
        nonlocal evaluations
        evaluations += 1
        terms = terms_at(changes_at(parameters, start + tolerance * scaled))
        return np.array([term.residual for term in terms]), terms

    def total(found: Array, scaled: Array) -> float:
        return float(np.sum(found**2) + np.sum((penalty * scaled) ** 2))

    place = np.zeros(len(parameters))
    found, terms = residuals(place)
    first = best = total(found, place)
    damping = 0.3
    slopes = np.zeros((found.size, place.size))
    for _ in range(iterations):
        for number in range(place.size):
            up, down = place.copy(), place.copy()
            up[number] += STEP
            down[number] -= STEP
            slopes[:, number] = (residuals(up)[0] - residuals(down)[0]) / (2.0 * STEP)
        normal = slopes.T @ slopes + penalty**2 * np.eye(place.size)
        gradient = slopes.T @ found + penalty**2 * place
        improved = False
        for _ in range(5):
            step = np.linalg.solve(normal + damping * np.diag(np.diag(normal)), -gradient)
            there = place + np.clip(step, -1.5, 1.5)
            shown, new_terms = residuals(there)
            if total(shown, there) < best:
                place, found, terms, best = there, shown, new_terms, total(shown, there)
                damping, improved = damping / 3.0, True
                break
            damping *= 3.0
        print(f"  after {evaluations} evaluations {best:.2f}", flush=True)
        if not improved:
            break
    normal = slopes.T @ slopes + penalty**2 * np.eye(place.size)
    deviation = tolerance * np.sqrt(np.diag(np.linalg.inv(normal)))
    return Fit(
        parameters, start + tolerance * place, terms, deviation, (first, best), evaluations, penalty
    )
