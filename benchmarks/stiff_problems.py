"""Three classic stiff problems as Antimony models, with the end values published for them.

F. Mazzia and C. Magherini, Test Set for Initial Value Problem Solvers, release 2.4 (2008), which
continues the problems of E. Hairer and G. Wanner, Solving Ordinary Differential Equations II (2nd
ed., 1996), section IV.10: ROBER, HIRES and VDPOL.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from estradyn.engine import SolverOptions
from estradyn.model import OdeModel, load_model


@dataclass(frozen=True)
class StiffProblem:
    """A problem and where it ends.

    Attributes
    ----------
    name
        Name in the literature.
    text
        The model in Antimony.
    end
        Time of the end.
    values
        Published values of the states at the end.
    """

    name: str
    text: str
    end: float
    values: tuple[float, ...]

    def model(self) -> OdeModel:
        """Return the model as the engine reads it."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{self.name}.ant"
            path.write_text(self.text, encoding="utf-8")
            return load_model(path)

    def error(self, values: NDArray[np.float64]) -> float:
        """Largest relative error of a state at the end."""
        expected = np.array(self.values)
        return float(np.abs(values / expected - 1.0).max())

    @staticmethod
    def options(tolerance: float) -> SolverOptions:
        """Relative control of every state, down to the 1e-13 that Robertson's problem ends at."""
        return SolverOptions(
            relative_tolerance=tolerance, size_share=0.0, absolute_tolerance=1e-14 * tolerance
        )


ROBERTSON = StiffProblem(
    "robertson",
    """
model robertson()
  species A, B, C in reactor;  compartment reactor = 1;
  A = 1; B = 0; C = 0;
  A -> B; 0.04 * A;
  2 B -> B + C; 3e7 * B^2;
  B + C -> A + C; 1e4 * B * C;
end
""",
    1e11,
    (0.2083340149701255e-07, 0.8333360770334713e-13, 0.9999999791665050),
)

HIRES = StiffProblem(
    "hires",
    """
model hires()
  y1' = -1.71*y1 + 0.43*y2 + 8.32*y3 + 0.0007;
  y2' = 1.71*y1 - 8.75*y2;
  y3' = -10.03*y3 + 0.43*y4 + 0.035*y5;
  y4' = 8.32*y2 + 1.71*y3 - 1.12*y4;
  y5' = -1.745*y5 + 0.43*y6 + 0.43*y7;
  y6' = -280*y6*y8 + 0.69*y4 + 1.71*y5 - 0.43*y6 + 0.69*y7;
  y7' = 280*y6*y8 - 1.81*y7;
  y8' = -280*y6*y8 + 1.81*y7;
  y1 = 1; y2 = 0; y3 = 0; y4 = 0; y5 = 0; y6 = 0; y7 = 0; y8 = 0.0057;
end
""",
    321.8122,
    (
        *(0.7371312573325668e-3, 0.1442485726316185e-3, 0.5888729740967575e-4),
        *(0.1175651343283149e-2, 0.2386356198831331e-2, 0.6238968252742796e-2),
        *(0.2849998395185769e-2, 0.2850001604814231e-2),
    ),
)

VAN_DER_POL = StiffProblem(
    "van_der_pol",
    """
model van_der_pol()
  stiffness = 1000;
  y' = slope;
  slope' = stiffness * (1 - y^2) * slope - y;
  y = 2; slope = 0;
end
""",
    # In the scaled form of the test set, epsilon = 1 / stiffness**2, the end is at 2.
    2000.0,
    (0.1706167732170483e1, -0.8928097010247975e-3),
)

STIFF_PROBLEMS = (ROBERTSON, HIRES, VAN_DER_POL)
