"""Marginal distributions of the parameter tables, as functions of a standard normal variable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit, ndtr, ndtri

from estradyn.model.parameter_table import Distribution, ParameterRow


@dataclass(frozen=True)
class _Scale:
    """Scale on which a distribution is normal: the way there and the way back."""

    to_normal: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    from_normal: Callable[[NDArray[np.float64]], NDArray[np.float64]]


def _identity(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values


def _log(values: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        return np.log(np.maximum(values, 0.0))


_SCALES = {
    Distribution.NORMAL: _Scale(_identity, _identity),
    Distribution.LOGNORMAL: _Scale(_log, np.exp),
    Distribution.LOGITNORMAL: _Scale(lambda values: logit(np.clip(values, 0.0, 1.0)), expit),
}


def value_at(row: ParameterRow, normal: ArrayLike) -> NDArray[np.float64]:
    """Value of a row where the standard normal variable behind it has a given value.

    Rising in `normal`, so correlated normal variables give correlated values (a normal copula;
    Nelsen, An Introduction to Copulas, 2006, doi 10.1007/0-387-28678-0).

    =============  ===========================================  ===========================
    distribution   value                                        spread
    =============  ===========================================  ===========================
    `fixed`        the value                                    none
    `normal`       mean                                         standard deviation
    `lognormal`    median                                       SD of the natural logarithm
    `logitnormal`  median                                       SD of the logit
    `bernoulli`    probability of 1                             none
    `uniform`      any (between lower and upper)                none
    =============  ===========================================  ===========================

    Bounds truncate normal, lognormal and logitnormal values: the probability between the bounds is
    spread over the whole normal axis, so no draw is repeated and none piles up at a bound.

    Parameters
    ----------
    row
        Row of a parameter table.
    normal
        Standard normal values, any shape.

    Returns
    -------
    numpy.ndarray
        Values in the row's unit, the shape of `normal`.
    """
    values = np.asarray(normal, dtype=np.float64)
    if row.distribution is Distribution.FIXED:
        return np.full(values.shape, row.value)
    if row.distribution is Distribution.BERNOULLI:
        return (ndtr(values) > 1.0 - row.value).astype(np.float64)
    if row.distribution is Distribution.UNIFORM:
        assert row.lower is not None and row.upper is not None
        return row.lower + (row.upper - row.lower) * ndtr(values)
    assert row.spread is not None
    scale = _SCALES[row.distribution]
    center, *bounds = scale.to_normal(
        np.array([row.value, _or(row.lower, -np.inf), _or(row.upper, np.inf)])
    )
    if row.lower is not None or row.upper is not None:
        lower, upper = ((bound - center) / row.spread for bound in bounds)
        below, above = ndtr(lower), ndtr(upper)
        values = ndtri(below + (above - below) * ndtr(values))
    return np.clip(scale.from_normal(center + row.spread * values), row.lower, row.upper)


def _or(bound: float | None, unbounded: float) -> float:
    return unbounded if bound is None else bound
