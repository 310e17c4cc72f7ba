"""How accurately events are simulated, whatever the unit doses are counted in."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from estradyn.engine import SolverOptions

RELATIVE_TOLERANCE = 1e-6
SIZE_SHARE = 1e-4
"""Concentrations are read on a logarithmic scale, far below their peak."""
INITIAL_SHARE = 1e-9
"""Absolute tolerance as a share of a state's initial value ..."""
DOSE_SHARE = 1e-12
"""... and, where that is zero, of the order of magnitude of the smallest dose."""


def order_of_magnitude(amounts: NDArray[np.float64]) -> int:
    """Return the decimal exponent of the smallest amount above zero, at most 0.

    A dose of 2e-7 (mol, say) calls for smaller absolute errors than one of 100 (mg). The exponent
    and not the amount counts, so that most patients have it in common.
    """
    given = amounts[amounts > 0]
    return math.floor(math.log10(min(given.min(), 1.0))) if given.size else 0


def solver_options(
    initial: NDArray[np.float64], dose_exponent: int, relative_tolerance: float = RELATIVE_TOLERANCE
) -> SolverOptions:
    """Return the solver's options for one order of magnitude of doses.

    Parameters
    ----------
    initial
        The model's own initial state, shape (states,).
    dose_exponent
        See `order_of_magnitude`.
    relative_tolerance
        Largest relative error of a step.
    """
    size = np.abs(initial)
    known = np.isfinite(size) & (size > 0)
    dose = DOSE_SHARE * 10.0**dose_exponent
    absolute = np.where(known, INITIAL_SHARE * np.where(known, size, 0.0), dose)
    return SolverOptions(
        relative_tolerance=relative_tolerance,
        size_share=SIZE_SHARE,
        absolute_tolerance=tuple(np.maximum(absolute, np.finfo(float).tiny).tolist()),
    )
