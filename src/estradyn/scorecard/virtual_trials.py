"""Predictions that come from arms of virtual trials.

A scenario is `<file>: <arm>`: a study file in `scenarios/` and an arm of it, or two arms joined by
`against`, the first compared with the second. Every arm is run once for all that is asked of it.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from estradyn.errors import InputError
from estradyn.evidence.times import When, parse_time
from estradyn.model import Output
from estradyn.scorecard.prediction import Change, Prediction, Progress, unchanged
from estradyn.scorecard.targets import Target
from estradyn.scorecard.time_to_event import in_one_arm, in_two_arms
from estradyn.trial import statistics
from estradyn.trial.endpoints import (
    DAYS_PER_MONTH,
    GEOMETRIC_MEAN_ENDPOINTS,
    MEDIAN_ENDPOINTS,
    time_text,
)
from estradyn.trial.occult_disease import EVENT_COLUMNS
from estradyn.trial.patients import PatientSimulation, patient_model_of
from estradyn.trial.result import TrialResult
from estradyn.trial.run import run_trial
from estradyn.trial.setting_endpoints import event_times
from estradyn.trial.statistics import Estimate
from estradyn.trial.study import Setting, Study, load_study, with_overrides

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

SCENARIOS = Path(__file__).parent / "scenarios"

AGAINST = " against "

MILLIGRAMS_PER_DECILITRE_OF_CALCIUM = 4.008
"""mg/dL in one mmol/L of calcium, molar mass 40.08 g/mol."""

_PER_YEAR = "_per_year"
_GROUPS: Mapping[str, Callable[[TrialArm], Flags]] = {
    "_in_responders": lambda arm: arm.responded,
    "_in_others": lambda arm: ~arm.responded,
}
"""Ends of the name of an endpoint that is read in some patients of a metastatic arm."""

_CHANGE = "_change"


class VirtualTrials:
    """Runs arms of scenarios as they are asked for and reads predictions from them.

    Parameters
    ----------
    workers
        Threads of the solver.
    progress
        Told as patients are simulated.
    patients
        Patients per arm, in place of the scenario's.
    change
        What is done to each model after it is loaded.
    """

    def __init__(
        self,
        workers: int,
        progress: Progress | None,
        patients: int | None,
        change: Change = unchanged,
    ):
        self._workers = workers
        self._progress = progress
        self._patients = patients
        self._change = change

    def predictions(self, targets: Iterable[Target]) -> Mapping[str, Prediction]:
        """Predict what is asked, by id of the target; the order decides what is run when."""
        by_scenario: dict[str, list[Target]] = {}
        for target in targets:
            by_scenario.setdefault(target.scenario, []).append(target)
        arms: dict[str, TrialArm] = {}
        found: dict[str, Prediction] = {}
        for scenario, asked in by_scenario.items():
            study, _, text = scenario.partition(": ")
            treated = [arms_of(f"{study}: {name}", arms, self._run) for name in text.split(AGAINST)]
            for target in asked:
                found[target.id] = predict_in_arms(target, treated)
        return found

    def _run(self, scenario: str) -> TrialArm:
        name, _, arm_name = scenario.partition(": ")
        study = one_arm(name, arm_name)
        study = with_overrides(study, patients=self._patients)
        model = self._change(patient_model_of(study))
        simulation = PatientSimulation(study, workers=self._workers, patient_model=model)
        with tempfile.TemporaryDirectory() as folder:
            result = run_trial(
                study,
                Path(folder) / "trial",
                workers=self._workers,
                progress=self._progress,
                simulation=simulation,
            )
            assert result.trajectories_path is not None
            assert result.assessments_path is not None
            trajectories = pd.read_parquet(result.trajectories_path)
            assessments = pd.read_parquet(result.assessments_path)
        outputs = {output.endpoint: output for output in model.outputs}
        return TrialArm(result, trajectories, assessments, outputs)


def arms_of(scenario: str, arms: dict[str, TrialArm], run: Callable[[str], TrialArm]) -> TrialArm:
    """Return an arm that has been run, running it where it has not."""
    if scenario not in arms:
        arms[scenario] = run(scenario)
    return arms[scenario]


def one_arm(scenario: str, arm: str) -> Study:
    """Return the study of a scenario with one of its arms alone.

    Raises
    ------
    InputError
        If there is no such scenario or arm.
    """
    path = SCENARIOS / f"{scenario}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in SCENARIOS.glob("*.yaml")))
        raise InputError(f"found the scenario '{scenario}', allowed is one of: {known}")
    study = load_study(path)
    chosen = tuple(one for one in study.arms if one.name == arm)
    if not chosen:
        names = ", ".join(one.name for one in study.arms)
        raise InputError(f"found the arm '{arm}', allowed is one of: {names}", source=path)
    return study.model_copy(update={"arms": chosen})


@dataclass(frozen=True)
class TrialArm:
    """One arm that has been run.

    Attributes
    ----------
    result
        Its tables.
    trajectories
        Model outputs by patient and day.
    assessments
        Scans by patient.
    outputs
        Description of the model outputs, by name of endpoint.
    """

    result: TrialResult
    trajectories: pd.DataFrame
    assessments: pd.DataFrame
    outputs: Mapping[str, Output]

    @cached_property
    def patients(self) -> pd.DataFrame:
        """Patients whose simulation succeeded."""
        frame = self.result.patients
        return frame[frame[EVENT_COLUMNS[self.setting][1]].notna()].reset_index(drop=True)

    @property
    def setting(self) -> Setting:
        """Setting of its study."""
        return self.result.study.setting

    @cached_property
    def days(self) -> Array:
        """Days of the trajectories."""
        return np.unique(self.trajectories["time_day"].to_numpy(dtype=np.float64))

    def levels(self, output: str, day: float, chosen: Flags | None = None) -> Array:
        """An output on the day kept that is nearest, one value per patient.

        With `chosen`, flags in the order of `patients`, of those patients alone.
        """
        nearest = self.days[np.argmin(np.abs(self.days - day))]
        frame = self.trajectories
        on_day = np.isclose(frame["time_day"].to_numpy(dtype=np.float64), nearest)
        values = frame.loc[on_day].set_index("patient_id")[output]
        if chosen is not None:
            values = values.reindex(self.patients["patient_id"][chosen])
        return values.to_numpy(dtype=np.float64)

    def endpoint(self, name: str, time: str) -> tuple[Estimate, str] | None:
        """An estimate of the trial's own table and its unit; None where it has no such row."""
        table = self.result.endpoints
        rows = table[(table["endpoint"] == name) & (table["time"] == time)]
        if len(rows) != 1:
            return None
        one = rows.iloc[0]
        value, lower, upper = (float(one[end]) for end in ("value", "lower", "upper"))
        return Estimate(value, lower, upper, int(one["n"])), str(one["unit"])

    def flags(self, column: str) -> Flags:
        """A column of the patient table that is true or false."""
        return self.patients[column].to_numpy(dtype=np.bool_)

    def numbers(self, column: str) -> Array:
        """A column of the patient table that holds numbers."""
        return self.patients[column].to_numpy(dtype=np.float64)

    @property
    def responded(self) -> Flags:
        """Whether the best response was complete or partial."""
        return self.patients["best_response"].isin(("CR", "PR")).to_numpy(dtype=np.bool_)


def predict_in_arms(target: Target, arms: list[TrialArm]) -> Prediction:
    """Read what a target asks for from one arm, or from two that are compared."""
    endpoint, arm = target.endpoint, arms[0]
    if len(arms) == 2:
        return _compared(target, arms[0], arms[1])
    if target.time:
        return _at_a_time(target, arm, parse_time(target.time))
    if endpoint in OF_THE_PATIENTS:
        estimate, unit = OF_THE_PATIENTS[endpoint](arm)
        return _prediction(estimate, unit, target)
    found = arm.endpoint(endpoint, "")
    if found is None:
        raise InputError(f"evidence '{target.id}': a trial has no endpoint '{endpoint}'")
    return _prediction(*found, target)


def _prediction(estimate: Estimate, unit: str, target: Target) -> Prediction:
    factor = 1.0
    if (unit, target.unit) == ("mmol/L", "mg/dL"):
        factor, unit = MILLIGRAMS_PER_DECILITRE_OF_CALCIUM, "mg/dL"
    value, lower, upper = (
        factor * end if math.isfinite(end) else math.nan
        for end in (estimate.value, estimate.lower, estimate.upper)
    )
    return Prediction(value, lower, upper, unit)


def _compared(target: Target, arm: TrialArm, reference: TrialArm) -> Prediction:
    if target.time:
        when = parse_time(target.time)
        found = in_two_arms(target.endpoint, arm.setting, arm.patients, reference.patients, when)
        if found is None:
            raise InputError(
                f"evidence '{target.id}': two arms have no endpoint '{target.endpoint}' of a time"
            )
        return _prediction(*found, target)
    if target.endpoint != "progression_free_survival_hazard_ratio":
        raise InputError(f"evidence '{target.id}': two arms have no endpoint '{target.endpoint}'")
    compared = statistics.compare_survival(
        arm.numbers("progression_free_days"),
        arm.flags("progressed"),
        reference.numbers("progression_free_days"),
        reference.flags("progressed"),
    )
    return _prediction(compared.hazard_ratio, "ratio", target)


def _at_a_time(target: Target, arm: TrialArm, when: When) -> Prediction:
    endpoint, chosen = target.endpoint, None
    if arm.setting in (Setting.ADJUVANT, Setting.PREVENTION):
        of_events = in_one_arm(endpoint, event_times(arm.setting, arm.patients), when)
        if of_events is not None:
            return _prediction(*of_events, target)
    for end, those in _GROUPS.items():
        if endpoint.endswith(end):
            endpoint, chosen = endpoint.removesuffix(end), those(arm)
    if endpoint in arm.outputs and arm.outputs[endpoint].change == "absolute":
        output = arm.outputs[endpoint]
        day = when.start if when.onwards else when.end
        levels = arm.levels(output.name, day, chosen)
        return _prediction(_middle(target, levels), output.unit, target)
    per_year = endpoint.endswith(_PER_YEAR)
    name = endpoint.removesuffix(_PER_YEAR)
    changing = arm.outputs.get(name) or arm.outputs.get(name.removesuffix(_CHANGE))
    if changing is None:
        # What is no course of an output stands in the table, by the planned day of the visit.
        found = arm.endpoint(endpoint, time_text(when.end))
        if found is None:
            raise InputError(f"evidence '{target.id}': a trial has no endpoint '{endpoint}'")
        return _prediction(*found, target)
    start, final = (arm.levels(changing.name, day, chosen) for day in (when.start, when.end))
    ratio = final / np.where(start == 0.0, np.nan, start)
    years = (when.end - when.start) / 365.25 if per_year else 1.0
    if name in GEOMETRIC_MEAN_ENDPOINTS:
        return _prediction(statistics.geometric_mean_change_percent(ratio), "percent", target)
    change = 100.0 * (ratio - 1.0) / years
    return _prediction(_middle(target, change), "percent", target)


def _middle(target: Target, values: Array) -> Estimate:
    """Mean, or median where one is published or the trial reports one."""
    printed = f"{target.item.row.unit} {target.item.row.quantity}"
    if "median" in printed or target.endpoint in MEDIAN_ENDPOINTS:
        return statistics.median(values)
    return statistics.mean(values)


def _percent(flags: Flags) -> tuple[Estimate, str]:
    return statistics.proportion_percent(flags), "percent"


def _median_months(days: Array, event: Flags) -> tuple[Estimate, str]:
    if not days.size:
        return statistics.NOTHING, "month"
    median = statistics.kaplan_meier(days, event).median_days
    value, lower, upper = (
        end / DAYS_PER_MONTH for end in (median.value, median.lower, median.upper)
    )
    return Estimate(value, lower, upper, median.n), "month"


def _progression_free(arm: TrialArm, chosen: Flags) -> tuple[Estimate, str]:
    return _median_months(
        arm.numbers("progression_free_days")[chosen], arm.flags("progressed")[chosen]
    )


def _duration_of_response(arm: TrialArm) -> tuple[Estimate, str]:
    scans = arm.assessments
    first = scans[scans["on_study"] & scans["response"].isin(("CR", "PR"))]
    began = first.groupby("patient_id", observed=True)["actual_day"].min()
    responders = arm.patients[arm.responded]
    start = began.reindex(responders["patient_id"]).to_numpy(dtype=np.float64)
    days = responders["progression_free_days"].to_numpy(dtype=np.float64) - start
    return _median_months(days, responders["progressed"].to_numpy(dtype=np.bool_))


OF_THE_PATIENTS: Mapping[str, Callable[[TrialArm], tuple[Estimate, str]]] = {
    "complete_response_rate": lambda arm: _percent(
        (arm.patients["best_response"] == "CR").to_numpy(dtype=np.bool_)
    ),
    "objective_response_rate_with_hypercalcemia": lambda arm: _percent(
        arm.responded[arm.flags("hypercalcemia")]
    ),
    "objective_response_rate_bone_metastases": lambda arm: _percent(
        arm.responded[arm.flags("has_bone_metastases")]
    ),
    "objective_response_rate_without_bone_metastases": lambda arm: _percent(
        arm.responded[~arm.flags("has_bone_metastases")]
    ),
    "clinical_benefit_rate_with_flare": lambda arm: _percent(
        arm.flags("clinical_benefit")[arm.flags("symptomatic_flare")]
    ),
    "symptomatic_flare_end": lambda arm: (
        statistics.median(arm.numbers("flare_end_day")),
        "day",
    ),
    "progression_free_survival_median_bone_metastases": lambda arm: _progression_free(
        arm, arm.flags("has_bone_metastases")
    ),
    "progression_free_survival_median_without_bone_metastases": lambda arm: _progression_free(
        arm, ~arm.flags("has_bone_metastases")
    ),
    "duration_of_response_median": _duration_of_response,
}
"""Endpoints of evidence that the table of a trial does not hold, from its patients."""
