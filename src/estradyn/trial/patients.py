"""Simulating the arms of a study with the population and the engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from estradyn.engine import (
    CompiledModel,
    DoseSchedule,
    PatientStatus,
    SolverOptions,
    compile_model,
    model_hash,
    solve,
)
from estradyn.errors import ModelError
from estradyn.model import (
    Output,
    ParameterTable,
    PatientModel,
    load_parameters,
    load_patient_model,
    modules_giving,
)
from estradyn.population import Population, stream_population
from estradyn.trial.drugs import Drugs, known_drugs
from estradyn.trial.occult_disease import with_occult_lesions
from estradyn.trial.outputs import needed_outputs
from estradyn.trial.schedule import HOURS_PER_DAY, dose_schedule
from estradyn.trial.simulation import Array, SimulatedPatients
from estradyn.trial.study import Setting, Study, given_drugs

GROUP_SIZE = 250
"""Most patients solved at a time; what bounds the memory of a run."""

SMALLEST_GROUP = 50
"""Groups below this waste the lanes of the solver."""


class PatientSimulation:
    """Draws the patients of a study, solves the model for each and hands them over in groups.

    Arms of different patients are cut from one population in the order of the arms: the first
    `patients_per_arm` accepted candidates are the first arm, the next are the second, so values
    that differ between trials are the same in every arm. With the same patients in every arm, each
    arm draws that first cut again.

    Parameters
    ----------
    study
        The study.
    workers
        Threads of the solver; the results do not depend on it.
    options
        Accuracy of the solver.
    patient_model
        Model of a patient; by default the shipped one that the study names, with the drugs of its
        arms and the optional modules that its visits measure, and no others.

    Raises
    ------
    ModelError
        If the model cannot be read, or lacks an output that the study reads.
    """

    def __init__(
        self,
        study: Study,
        *,
        workers: int = 1,
        options: SolverOptions | None = None,
        patient_model: PatientModel | None = None,
    ):
        self._study = study
        self._workers = workers
        self._options = options or SolverOptions()
        self._model = patient_model or patient_model_of(study)
        _check_outputs(study, self._model)
        self._compiled: CompiledModel = compile_model(
            self._model.model, [output.name for output in self._model.outputs]
        )
        self._one_population: Iterator[Population] | None = None
        self._reports: dict[int, Counter[str]] = {}

    @property
    def outputs(self) -> tuple[Output, ...]:
        """Model outputs, in the order of the last axis of the trajectories."""
        return self._model.outputs

    @property
    def drugs(self) -> Drugs:
        """Drug records by name."""
        return self._model.drugs

    def arm(self, arm_index: int, days: Array) -> Iterator[SimulatedPatients]:
        """Yield the patients of an arm in groups, with outputs on the given days.

        Arms of different patients must be asked for in their order, each to its end.
        """
        report = self._reports[arm_index] = Counter(drawn=0, accepted=0)
        left = self._study.patients_per_arm
        population = self._population(arm_index)
        while left > 0:
            group = next(population)
            left -= len(group)
            report["drawn"] += group.drawn
            report["accepted"] += len(group)
            report.update(group.rejected)
            yield self._solve(arm_index, group, days)

    def population_report(self, arm_index: int) -> Mapping[str, int]:
        """Candidates drawn, accepted, and rejected by reason, once the arm has been simulated."""
        return self._reports[arm_index]

    def provenance(self) -> Mapping[str, Any]:
        """Hashes of model and tables, and the tolerances of the solver."""
        tolerance = self._options.absolute_tolerance
        return {
            "model": self._model.model.name,
            "model_hash": model_hash(self._model.model),
            "models_folder_hash": self._model.digest,
            "relative_tolerance": self._options.relative_tolerance,
            "absolute_tolerance": "by size of state" if tolerance is None else tolerance,
        }

    def _population(self, arm_index: int) -> Iterator[Population]:
        study = self._study
        same = study.population.same_patients_in_every_arm
        if same or arm_index == 0 or self._one_population is None:
            if not same and arm_index > 0:
                raise ValueError("the arms must be simulated in their order")
            self._one_population = stream_population(
                self._model,
                study.patients_per_arm * (1 if same else len(study.arms)),
                study.seed,
                group_size(study.patients_per_arm),
                trial_effects=study.population.trial_effects.value,
                workers=self._workers,
            )
        return self._one_population

    def _solve(self, arm_index: int, group: Population, days: Array) -> SimulatedPatients:
        arm = self._study.arms[arm_index]
        doses: DoseSchedule = dose_schedule(
            self._study, arm, arm_index, group.patient_ids, self._model.drugs
        )
        solution = solve(
            self._compiled,
            group.parameters,
            days * HOURS_PER_DAY,
            doses,
            initial_states=group.initial_states,
            options=self._options,
            workers=self._workers,
        )
        patients = SimulatedPatients(
            patient_ids=group.patient_ids,
            traits=group.traits,
            parameters=group.parameters,
            status=np.array([PatientStatus(code).name.lower() for code in solution.status]),
            succeeded=solution.succeeded,
            trajectories=solution.values,
        )
        names = [output.name for output in self._model.outputs]
        return with_occult_lesions(self._study, patients, days, names)


def parameters_of(study: Study) -> ParameterTable:
    """Read the value tables that stand behind the patients of a study."""
    return load_parameters(
        study.population.model,
        drugs=given_drugs(study),
        modules=_modules(study),
        setting=_values_of(study.setting),
    )


def _modules(study: Study) -> tuple[str, ...]:
    return modules_giving(needed_outputs(study, known_drugs()), study.population.model)


def _values_of(setting: Setting) -> str | None:
    """Name of the table whose values replace those of the metastatic patient, if any."""
    return None if setting is Setting.METASTATIC else setting.value


def patient_model_of(study: Study) -> PatientModel:
    """Load the shipped model that a study names, with what its arms and visits ask for."""
    return load_patient_model(
        model_name=study.population.model,
        drugs=given_drugs(study),
        modules=_modules(study),
        setting=_values_of(study.setting),
    )


def group_size(patients: int) -> int:
    """Return the size of the groups in which the patients of an arm are solved.

    The largest divisor of the arm's size up to `GROUP_SIZE`, so that no group holds patients of
    two arms; the whole arm where it has no divisor of useful size.
    """
    divisors = (size for size in range(min(GROUP_SIZE, patients), 0, -1) if patients % size == 0)
    largest = next(divisors)
    return largest if largest >= min(SMALLEST_GROUP, patients) else patients


def _check_outputs(study: Study, patient_model: PatientModel) -> None:
    known = [output.name for output in patient_model.outputs]
    missing = [name for name in needed_outputs(study, patient_model.drugs) if name not in known]
    if missing:
        raise ModelError(
            f"the model '{patient_model.model.name}' reports no '{missing[0]}', which this study "
            f"measures; it reports {', '.join(known)}"
        )
