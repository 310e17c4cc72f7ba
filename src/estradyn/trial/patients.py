"""Simulating the arms of a study with the population and the engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from estradyn.engine import (
    CompiledModel,
    DoseSchedule,
    PatientStatus,
    Solution,
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
from estradyn.model.co_medication import with_co_medication
from estradyn.population import Drawn, Population, engine_baseline, stream_population
from estradyn.trial.drugs import Drugs, known_drugs
from estradyn.trial.management import Managed, managed, managed_doses
from estradyn.trial.occult_disease import with_occult_lesions
from estradyn.trial.outputs import needed_outputs
from estradyn.trial.schedule import HOURS_PER_DAY, dose_schedule
from estradyn.trial.simulation import Array, SimulatedPatients
from estradyn.trial.study import Setting, Storage, Study, co_medication_of, given_drugs


class PatientSimulation:
    """Draws the patients of a study and solves the model for each.

    A study that stores only its endpoints computes only the outputs it reads.

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
        self._outputs = self._model.outputs
        if study.store is Storage.ENDPOINTS:
            needed = needed_outputs(study, self._model.drugs)
            self._outputs = tuple(output for output in self._outputs if output.name in needed)
        self._compiled: CompiledModel = compile_model(
            self._model.model, [output.name for output in self._outputs]
        )
        self._baseline = engine_baseline(self._model, workers)

    @property
    def outputs(self) -> tuple[Output, ...]:
        """Model outputs, in the order of the last axis of the trajectories."""
        return self._outputs

    @property
    def drugs(self) -> Drugs:
        """Drug records by name."""
        return self._model.drugs

    def draw(self, patients: int, chunk_size: int, after: Drawn) -> Iterator[Population]:
        """Yield the patients that follow the candidates drawn before, in chunks."""
        return stream_population(
            self._model,
            patients,
            self._study.seed,
            chunk_size,
            after=after,
            trial_effects=self._study.population.trial_effects.value,
            baseline_solver=self._baseline,
        )

    def solve(self, arm_index: int, population: Population, days: Array) -> SimulatedPatients:
        """Simulate patients in an arm, with outputs on the given days."""
        arm = self._study.arms[arm_index]
        doses: DoseSchedule = dose_schedule(
            self._study, arm, arm_index, population.patient_ids, self._model.drugs
        )
        parameters = with_co_medication(
            population.parameters,
            len(population),
            co_medication_of(self._study, arm),
            self._model.co_medication,
            self._model.model,
        )
        solution = self._solve(parameters, doses, population.initial_states, days)
        patients = SimulatedPatients(
            patient_ids=population.patient_ids,
            traits=population.traits,
            parameters=population.parameters,
            status=_status_words(solution),
            succeeded=solution.succeeded,
            trajectories=solution.values,
        )
        rules = self._study.management.hypercalcemia
        if rules is not None:
            found = managed(self._study, rules, arm_index, patients, days, self)
            doses = managed_doses(self._study, rules, doses, found, self._model.drugs)
            patients = self._solved_again(
                patients, found, parameters, doses, population.initial_states, days
            )
        names = [output.name for output in self._outputs]
        return with_occult_lesions(self._study, patients, days, names)

    def _solve(
        self,
        parameters: Mapping[str, Any],
        doses: DoseSchedule,
        initial_states: Array | None,
        days: Array,
    ) -> Solution:
        return solve(
            self._compiled,
            parameters,
            days * HOURS_PER_DAY,
            doses,
            initial_states=initial_states,
            options=self._options,
            workers=self._workers,
        )

    def _solved_again(
        self,
        patients: SimulatedPatients,
        found: Managed,
        parameters: Mapping[str, Any],
        doses: DoseSchedule,
        initial_states: Array | None,
        days: Array,
    ) -> SimulatedPatients:
        """Simulate those on whom the management acts with what it gives and ends."""
        again = np.flatnonzero(found.acted)
        columns = {
            "hypercalcemia_treated_day": found.treated_day,
            "drug_stopped_day": found.stopped_day,
        }
        if not again.size:
            return replace(patients, managed=columns)
        size = patients.patient_ids.size
        theirs = {
            name: np.broadcast_to(values, (size,))[again] for name, values in parameters.items()
        }
        states = None if initial_states is None else initial_states[again]
        solution = self._solve(theirs, doses.of_patients(again), states, days)
        status, succeeded = patients.status.astype("U32"), patients.succeeded.copy()
        trajectories = patients.trajectories.copy()
        status[again] = _status_words(solution)
        succeeded[again] = solution.succeeded
        trajectories[again] = solution.values
        return replace(
            patients,
            status=status,
            succeeded=succeeded,
            trajectories=trajectories,
            managed=columns,
        )

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


def _status_words(solution: Solution) -> NDArray[np.str_]:
    return np.array([PatientStatus(code).name.lower() for code in solution.status])


def parameters_of(study: Study) -> ParameterTable:
    """Read the value tables that stand behind the patients of a study."""
    return load_parameters(
        study.population.model,
        drugs=given_drugs(study),
        modules=_modules(study),
        setting=_values_of(study.setting),
        population=study.population.people,
    )


def _modules(study: Study) -> tuple[str, ...]:
    return modules_giving(
        needed_outputs(study, known_drugs()),
        study.population.model,
        population=study.population.people,
    )


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
        population=study.population.people,
    )


def _check_outputs(study: Study, patient_model: PatientModel) -> None:
    known = [output.name for output in patient_model.outputs]
    missing = [name for name in needed_outputs(study, patient_model.drugs) if name not in known]
    if missing:
        raise ModelError(
            f"the model '{patient_model.model.name}' reports no '{missing[0]}', which this study "
            f"measures; it reports {', '.join(known)}"
        )
