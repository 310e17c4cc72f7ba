"""People drawn from a model, and what drugs do to the same people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from estradyn.engine import DoseSchedule, compile_model, solve
from estradyn.model import PatientModel
from estradyn.population import stream_population

Array = NDArray[np.float64]


class Course(NamedTuple):
    """Doses of one drug, in the unit of its record; start and interval in days."""

    drug: str
    dose: float
    count: int
    interval: float = 1.0
    start: float = 0.0


class TreatedPeople:
    """Outputs of the same people on given courses, each from her or his own baseline.

    Attributes
    ----------
    people
        The people, typical of a trial.
    """

    def __init__(
        self,
        patient: PatientModel,
        outputs: Sequence[str],
        hours: Array,
        *,
        size: int,
        seed: int,
    ) -> None:
        self.people = next(
            stream_population(
                patient, size, seed, chunk_size=size, trial_effects="typical", workers=2
            )
        )
        self._patient = patient
        self._outputs = tuple(outputs)
        self._compiled = compile_model(patient.model, self._outputs)
        self._hours = hours
        self._found: dict[tuple[Course, ...], dict[str, Array]] = {}

    def __call__(self, *courses: Course) -> dict[str, Array]:
        """Outputs by name, shape (people, times); solved once for the same courses."""
        if courses not in self._found:
            doses = [
                DoseSchedule.repeated(
                    len(self.people.patient_ids),
                    self._patient.drugs[course.drug].dose_state,
                    course.dose,
                    start=24.0 * course.start,
                    interval=24.0 * course.interval,
                    count=course.count,
                )
                for course in courses
            ]
            solution = solve(
                self._compiled,
                self.people.parameters,
                self._hours,
                *([DoseSchedule.together(doses)] if doses else []),
                initial_states=self.people.initial_states,
                workers=2,
            )
            assert solution.succeeded.all()
            self._found[courses] = {name: solution[name] for name in self._outputs}
        return self._found[courses]
