"""Replicates reduced to what least squares needs: a weighted mean per dose, and pure error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from estradyn.errors import InputError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Observations:
    """Dose levels of one curve, or of curves over several times that are fitted jointly.

    The sum of squares of any curve over all replicates is its weighted sum over the means plus
    `pure_error`, so fitting the means loses nothing.

    Attributes
    ----------
    dose
        Dose of each level, 0 for no drug; shape (levels,).
    group
        Curve each level belongs to, counted from 0; shape (levels,).
    weight
        Weight of each mean (number of replicates when all weigh the same); shape
        (datasets, levels).
    mean
        Mean response of each level; shape (datasets, levels). Data sets share the design.
    pure_error
        Weighted sum of squares of the replicates about their means; shape (datasets,).
    pure_error_df
        Its degrees of freedom; shape (datasets,).
    reference_dose
        Dose by which doses are divided before they enter a curve.
    """

    dose: Array
    group: NDArray[np.int64]
    weight: Array
    mean: Array
    pure_error: Array
    pure_error_df: NDArray[np.int64]
    reference_dose: float

    @property
    def groups(self) -> int:
        """Number of curves."""
        return int(self.group.max()) + 1

    @property
    def log_dose(self) -> Array:
        """Natural logarithm of dose over reference dose; minus infinity for no drug."""
        with np.errstate(divide="ignore"):
            return np.log(self.dose / self.reference_dose)

    @property
    def positive(self) -> Array:
        """Doses above 0, each once, in order."""
        return np.unique(self.dose[self.dose > 0])

    @property
    def size(self) -> NDArray[np.int64]:
        """Number of replicates, less those spent on aligning plates; shape (datasets,)."""
        return self.pure_error_df + len(self.dose)

    def repeated(self, mean: Array, pure_error: Array) -> Observations:
        """More data sets with the weights and degrees of freedom of this single one."""
        count = len(mean)
        return replace(
            self,
            mean=mean,
            pure_error=pure_error,
            weight=np.broadcast_to(self.weight, mean.shape),
            pure_error_df=np.broadcast_to(self.pure_error_df, (count,)),
        )

    def subset(self, rows: NDArray[np.int64] | slice) -> Observations:
        """Some of the data sets."""
        return replace(
            self,
            mean=self.mean[rows],
            pure_error=self.pure_error[rows],
            weight=self.weight[rows],
            pure_error_df=self.pure_error_df[rows],
        )


def observations(
    dose: ArrayLike,
    response: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    group: ArrayLike | None = None,
    lost_df: int = 0,
    reference_dose: float | None = None,
) -> Observations:
    """Reduce replicates to means.

    Parameters
    ----------
    dose, response
        One entry per replicate. A dose of 0 is the control.
    weight
        Weight of each replicate; 1 if left out.
    group
        Curve each replicate belongs to, counted from 0.
    lost_df
        Degrees of freedom spent before, on aligning plates.
    reference_dose
        Dose by which doses are divided; their geometric mean if left out.

    Raises
    ------
    InputError
        If there are fewer than two doses, a dose is negative or a number is not finite.
    """
    doses = np.asarray(dose, float)
    responses = np.asarray(response, float)
    weights = np.ones(len(doses)) if weight is None else np.asarray(weight, float)
    groups = np.zeros(len(doses), int) if group is None else np.asarray(group, int)
    if not (np.isfinite(doses).all() and np.isfinite(responses).all()):
        raise InputError("a dose or response is not a finite number; leave such rows out")
    if (doses < 0).any():
        raise InputError(f"a dose is negative ({doses.min():g}); doses are 0 or more")
    if len(np.unique(doses[doses > 0])) < 2:
        raise InputError("a curve needs at least two doses above 0")
    levels, place = np.unique(np.column_stack([groups, doses]), axis=0, return_inverse=True)
    place = place.reshape(-1)
    total = np.asarray(np.bincount(place, weights), float)
    mean = np.bincount(place, weights * responses) / total
    pure_error = float(np.sum(weights * (responses - mean[place]) ** 2))
    positive = doses[doses > 0]
    if reference_dose is None:
        reference_dose = float(np.exp(np.mean(np.log(np.unique(positive)))))
    return Observations(
        dose=levels[:, 1],
        group=levels[:, 0].astype(int),
        weight=total[None, :],
        mean=mean[None, :],
        pure_error=np.array([pure_error]),
        pure_error_df=np.array([max(len(doses) - len(levels) - lost_df, 0)]),
        reference_dose=reference_dose,
    )


def stacked(curves: Sequence[Observations]) -> Observations:
    """Curves of one design as data sets that are fitted side by side, each on its own."""
    return replace(
        curves[0],
        mean=np.concatenate([curve.mean for curve in curves]),
        pure_error=np.concatenate([curve.pure_error for curve in curves]),
        weight=np.concatenate([curve.weight for curve in curves]),
        pure_error_df=np.concatenate([curve.pure_error_df for curve in curves]),
    )


def joined(curves: Sequence[Observations], scale: Sequence[float]) -> Observations:
    """Curves as the groups of one joint fit.

    Parameters
    ----------
    curves
        One data set each, with one reference dose.
    scale
        Residual variance of each curve; weights are divided by it, so that noisy curves count
        less.
    """
    return Observations(
        dose=np.concatenate([curve.dose for curve in curves]),
        group=np.repeat(np.arange(len(curves)), [len(curve.dose) for curve in curves]),
        weight=np.concatenate([c.weight / s for c, s in zip(curves, scale, strict=True)], axis=1),
        mean=np.concatenate([curve.mean for curve in curves], axis=1),
        pure_error=np.sum([c.pure_error / s for c, s in zip(curves, scale, strict=True)], axis=0),
        pure_error_df=np.sum([curve.pure_error_df for curve in curves], axis=0),
        reference_dose=curves[0].reference_dose,
    )
