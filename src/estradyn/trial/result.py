"""What a virtual trial leaves behind, before anybody formats it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from estradyn.trial.study import Study


@dataclass(frozen=True)
class TrialResult:
    """Tables of one finished trial.

    Attributes
    ----------
    study
        The study as it was run, defaults filled in.
    patients
        One row per patient: `patient_id`, `arm`, `status`, the traits `flare_threshold` and
        `has_bone_metastases`, and outcomes (`best_response`, `clinical_benefit`,
        `progression_free_days`, `progressed`, `symptomatic_flare`, `flare_onset_day`,
        `flare_end_day`, `hypercalcemia`,
        `hypercalcemia_onset_day`, `hypercalcemia_duration_days`, `hypercalcemia_grade`,
        `calcium_peak`, `best_change_percent`, `true_response_day`, and per off-study rule
        `off_study_day_<rule>` and `later_responder_taken_off_<rule>`). Days are NaN for what did
        not happen; outcomes of a patient whose simulation failed are missing, never false.
        The file beside it holds the values drawn for each patient as well.
    assessments_path
        Parquet file with one row per patient and scan: `patient_id`, `arm`, `scan`,
        `planned_day`, `actual_day`, `sum_of_longest_diameters` (measured, mm; NaN without
        measurable disease), `true_sum_of_longest_diameters` (mm), `non_target_volume` (measured,
        mL), `response` as the study's off-study rule reads it (CR, PR, SD, PD, NE) and `on_study`.
        Scans go on, as treatment does, after the rule would have taken a patient off; `on_study` is
        false there. None where the study stores only endpoints.
    trajectories_path
        Parquet file with `patient_id`, `arm`, `time_day` and one column per model output; None as
        above.
    endpoints
        Columns `arm, endpoint, time, value, lower, upper, unit, n, published, source`.
    progression_free_survival
        Kaplan-Meier curves: `arm`, `time_day`, `survival`, `lower`, `upper`, `at_risk`.
    population
        Candidates drawn, accepted, and rejected by reason, per arm.
    statuses
        Patients per solver status, per arm.
    manifest
        Hashes, versions, seed, tolerances, wall time: what made these numbers.
    """

    study: Study
    patients: pd.DataFrame
    assessments_path: Path | None
    trajectories_path: Path | None
    endpoints: pd.DataFrame
    progression_free_survival: pd.DataFrame
    population: Mapping[str, Mapping[str, int]]
    statuses: Mapping[str, Mapping[str, int]]
    manifest: Mapping[str, Any]
