"""How outputs depend on parameters: near one patient, and over a range of values."""

from estradyn.sensitivity.gradient import Gradient, gradient
from estradyn.sensitivity.sobol import SobolIndices, sobol_indices

__all__ = ["Gradient", "SobolIndices", "gradient", "sobol_indices"]
