"""What a calibration problem predicts, for many values of its parameters at once."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from estradyn.calibration.problem import CalibrationProblem
from estradyn.engine import CompiledModel, SolverOptions, compile_model, solve
from estradyn.population.baseline import HORIZON, follow_to_rest, states_behind

Array = NDArray[np.float64]

TOLERANCE = 1e-6
"""Error of a step; the differences that become derivatives are ten thousand times larger."""


@dataclass(frozen=True)
class Predictor:
    """Solves every experiment for every vector of parameters, each pair in a lane of its own.

    Attributes
    ----------
    problem
        What is fitted to what.
    workers
        Threads of the solver; the results do not depend on it.
    """

    problem: CalibrationProblem
    workers: int = 1
    _options: SolverOptions = field(
        default=SolverOptions(relative_tolerance=TOLERANCE, retry=False), repr=False
    )

    @cached_property
    def _compiled(self) -> CompiledModel:
        return compile_model(self.problem.model, self.problem.observables)

    @cached_property
    def _states(self) -> CompiledModel:
        return compile_model(self.problem.model, self.problem.model.state_names)

    @cached_property
    def _observed(self) -> NDArray[np.bool_]:
        """Whether an observable depends on a state, which then must be at rest at the start."""
        model = self.problem.model
        behind = states_behind(model, list(self.problem.observables))
        return np.array([name in behind for name in model.state_names])

    def __call__(self, vectors: Array) -> Array:
        """Predict the measurements.

        Parameters
        ----------
        vectors
            Values of the fitted parameters in the model's units, shape (vectors, parameters).

        Returns
        -------
        numpy.ndarray
            Predicted measurements, shape (vectors, measurements); NaN where an experiment could
            not be solved or has no steady state to start from.
        """
        problem = self.problem
        predicted = np.full((len(vectors), len(problem.measurements)), np.nan)
        starts: dict[int, Array] = {}
        for experiments in self._together():
            times = sorted(
                {item.time for item in problem.measurements if item.experiment in experiments}
            )
            lanes = [(place, row) for place in experiments for row in range(len(vectors))]
            initial = np.vstack([self._start(place, vectors, starts) for place in experiments])
            solution = solve(
                self._compiled,
                self._parameters(lanes, vectors, before=False),
                np.array([0.0, *times]) if times[0] > 0 else np.array(times),
                patients=len(lanes),
                initial_states=np.nan_to_num(initial),
                options=self._options,
                workers=self.workers,
            )
            bad = np.asarray(np.isnan(initial).any(axis=1))
            for number, item in enumerate(problem.measurements):
                if item.experiment not in experiments:
                    continue
                first = experiments.index(item.experiment) * len(vectors)
                where = slice(first, first + len(vectors))
                column = int(np.searchsorted(solution.times, item.time))
                values = solution[item.observable][where, column]
                predicted[:, number] = np.where(bad[where], np.nan, values)
        return predicted

    def _together(self) -> list[list[int]]:
        """Experiments that end at the same time share a call of the solver."""
        end: dict[int, float] = defaultdict(float)
        for item in self.problem.measurements:
            end[item.experiment] = max(end[item.experiment], item.time)
        groups: dict[float, list[int]] = defaultdict(list)
        for place, time in end.items():
            groups[time].append(place)
        return list(groups.values())

    def _start(self, place: int, vectors: Array, known: dict[int, Array]) -> Array:
        """State each vector's experiment starts at, shape (vectors, states)."""
        experiment = self.problem.experiments[place]
        # Without a condition before it an experiment starts at its own initial values.
        key = place if experiment.before is None else id(experiment.before)
        if key in known:
            return known[key]
        lanes = [(place, row) for row in range(len(vectors))]
        parameters = self._parameters(lanes, vectors, before=experiment.before is not None)
        if experiment.before is None:
            run = solve(
                self._states,
                parameters,
                np.array([0.0]),
                patients=len(lanes),
                options=self._options,
                workers=self.workers,
            )
            known[key] = run.values[:, 0]
        else:
            known[key], _ = follow_to_rest(
                self._states,
                parameters,
                len(lanes),
                HORIZON,
                relevant=self._observed,
                options=self._options,
                workers=self.workers,
            )
        return known[key]

    def _parameters(
        self, lanes: list[tuple[int, int]], vectors: Array, *, before: bool
    ) -> dict[str, Array]:
        own = {item.name: item.value for item in self.problem.model.parameters}
        fitted = {item.name: column for column, item in enumerate(self.problem.free)}
        tables = [
            (item.before or {}) if before else item.values for item in self.problem.experiments
        ]
        names = {*fitted, *(name for table in tables for name in table)}
        parameters = {}
        for name in names:
            values = np.full(len(lanes), own[name])
            for lane, (place, row) in enumerate(lanes):
                given = tables[place].get(name, name if name in fitted else own[name])
                values[lane] = vectors[row, fitted[given]] if isinstance(given, str) else given
            parameters[name] = values
        return parameters
