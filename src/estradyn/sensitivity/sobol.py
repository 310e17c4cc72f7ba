"""Sobol indices with intervals: which parameters the spread of an output comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from SALib.analyze import sobol as salib_analyze
from SALib.sample import sobol as salib_sample

from estradyn.errors import InputError, SimulationError

Evaluate = Callable[[Mapping[str, NDArray[np.float64]]], NDArray[np.float64]]
"""Given an array of values for each parameter, returns one output for each."""


@dataclass(frozen=True)
class SobolIndices:
    """Shares of an output's variance.

    Attributes
    ----------
    table
        One row per parameter: `parameter`, `first_order`, `first_order_interval`, `total`,
        `total_interval`; an interval is the half-width of the 95 % bootstrap interval.
    evaluations
        How often the output was evaluated.
    """

    table: pd.DataFrame
    evaluations: int


def sobol_indices(
    evaluate: Evaluate,
    bounds: Mapping[str, tuple[float, float]],
    *,
    samples: int = 1024,
    seed: int = 0,
) -> SobolIndices:
    """Estimate first-order and total Sobol indices of an output.

    Uses SALib's implementation of Saltelli's scheme (A. Saltelli et al., Comput Phys Commun
    181:259, 2010, doi 10.1016/j.cpc.2009.09.018) on a scrambled Sobol sequence.

    Parameters
    ----------
    evaluate
        The output; given all sets of parameters at once, so that a population solver can take
        them side by side.
    bounds
        Lower and upper bound of each parameter, uniform between.
    samples
        Size of the base sample, a power of two; the output is evaluated (parameters + 2) times
        as often.
    seed
        Seed of the scrambling and of the bootstrap.

    Raises
    ------
    InputError
        If the sample size is not a power of two or a lower bound is not below its upper bound.
    SimulationError
        If an output is not a finite number.
    """
    if samples < 2 or samples & (samples - 1):
        raise InputError(f"{samples} samples; the size of a Sobol sample is a power of two")
    for name, (lower, upper) in bounds.items():
        if not lower < upper:
            raise InputError(f"bounds of '{name}' are {lower:g} to {upper:g}; they must ascend")
    problem = {
        "num_vars": len(bounds),
        "names": list(bounds),
        "bounds": [list(pair) for pair in bounds.values()],
    }
    points = salib_sample.sample(problem, samples, calc_second_order=False, seed=seed)
    output = np.asarray(evaluate({name: points[:, place] for place, name in enumerate(bounds)}))
    if not np.isfinite(output).all():
        missing = int((~np.isfinite(output)).sum())
        raise SimulationError(f"{missing} of {output.size} outputs are not finite numbers")
    indices = salib_analyze.analyze(problem, output, calc_second_order=False, seed=seed)
    table = pd.DataFrame(
        {
            "parameter": list(bounds),
            "first_order": indices["S1"],
            "first_order_interval": indices["S1_conf"],
            "total": indices["ST"],
            "total_interval": indices["ST_conf"],
        }
    )
    return SobolIndices(table, output.size)
