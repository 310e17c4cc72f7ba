"""One patient solved by libRoadRunner on the exported SBML: a judge nobody here wrote."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import libsbml
import numpy as np
import roadrunner
from numpy.typing import NDArray


def with_values(sbml: str, values: Mapping[str, float]) -> str:
    """Return SBML in which quantities have other values at time zero.

    Values are put into the text: setting them in a loaded model would leave constants that were
    computed from the old values as they are.
    """
    document = libsbml.readSBMLFromString(sbml)
    model = document.getModel()
    for name, value in values.items():
        model.removeInitialAssignment(name)
        element = model.getElementBySId(name)
        if isinstance(element, libsbml.Species):
            element.unsetInitialConcentration()
            element.setInitialAmount(value)
        else:
            element.setValue(value)
    return libsbml.writeSBMLToString(document)


class RoadRunnerPatient:
    """A patient in libRoadRunner (CVODE), with doses added between stretches of simulation.

    Parameters
    ----------
    sbml
        Exported model.
    values
        The patient's parameters and initial states.
    outputs
        Names of the quantities to return.
    relative_tolerance, absolute_tolerance
        Tolerances of CVODE.
    """

    def __init__(
        self,
        sbml: str,
        values: Mapping[str, float],
        outputs: Sequence[str],
        relative_tolerance: float = 1e-10,
        absolute_tolerance: float = 1e-14,
    ):
        roadrunner.Logger.setLevel(roadrunner.Logger.LOG_ERROR)
        self.runner = roadrunner.RoadRunner(with_values(sbml, values))
        self.runner.integrator.relative_tolerance = relative_tolerance
        self.runner.integrator.absolute_tolerance = absolute_tolerance
        self.runner.integrator.maximum_num_steps = 1_000_000
        self.outputs = list(outputs)
        self.runner.timeCourseSelections = ["time", *self.outputs]

    def simulate(
        self, times: Sequence[float], amounts: Mapping[str, float], dose_times: Sequence[float]
    ) -> NDArray[np.float64]:
        """Return outputs at the times, shape (times, outputs).

        At each dose time, after any output, every state named in `amounts` rises by its amount.
        """
        values = np.full((len(times), len(self.outputs)), np.nan)
        edges = sorted({0.0, *map(float, dose_times), float(max(times))})
        doses = {float(time) for time in dose_times}
        grid = np.asarray(times, dtype=float)
        for begin, end in itertools.pairwise(edges):
            values[grid == begin] = self._now()
            if begin in doses:
                for state, amount in amounts.items():
                    self.runner[state] = self.runner[state] + amount
            inside = grid[(grid > begin) & (grid < end)]
            stops = [begin, *inside, end]
            piece = np.asarray(self.runner.simulate(times=stops))
            for row, time in zip(piece[1:], stops[1:], strict=True):
                values[grid == time] = row[1:]
        return values

    def _now(self) -> list[float]:
        return [self.runner[name] for name in self.outputs]
