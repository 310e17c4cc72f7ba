"""A finished trial made of seeded random numbers that look like one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from estradyn.trial.result import TrialResult
from estradyn.trial.study import study_from_content

ARMS = ("toremifene 60 mg", "toremifene 200 mg")
SCAN_DAYS = np.arange(0, 729, 56.0)


def patient_table(size: int, generator: np.random.Generator) -> pd.DataFrame:
    frames = []
    for place, arm in enumerate(ARMS):
        flare = generator.random(size) < 0.16 + 0.02 * place
        onset = np.where(flare, generator.gamma(4.0, 2.0, size), np.nan)
        hypercalcemia = generator.random(size) < 0.03
        progression = generator.exponential(200.0, size).clip(20.0, 728.0)
        progressed = progression < 728.0
        best = np.where(progressed, generator.normal(-10.0, 40.0, size), -40.0).clip(-100.0, 300.0)
        status = np.where(generator.random(size) < 0.01, "step_limit", "ok")
        frame = pd.DataFrame(
            {
                "patient_id": np.arange(size),
                "arm": arm,
                "status": status,
                "has_bone_metastases": generator.random(size) < 0.65,
                "flare_threshold": generator.lognormal(0.4, 0.2, size),
                "best_response": generator.choice(["CR", "PR", "SD", "PD"], size),
                "progression_free_days": progression,
                "progressed": progressed,
                "symptomatic_flare": flare,
                "flare_onset_day": onset,
                "flare_end_day": onset + generator.gamma(5.0, 3.0, size),
                "hypercalcemia": hypercalcemia,
                "hypercalcemia_onset_day": np.where(hypercalcemia, 9.0, np.nan),
                "hypercalcemia_duration_days": np.where(hypercalcemia, 10.0, np.nan),
                "calcium_peak": generator.normal(2.45, 0.08, size),
                "best_change_percent": best,
            }
        )
        for rule, share in (
            ("first_progression", 0.04),
            ("confirmed_progression", 0.01),
            ("treat_through_flare", 0.005),
            ("worsening_signs", 0.06),
        ):
            frame[f"off_study_day_{rule}"] = progression
            frame[f"later_responder_taken_off_{rule}"] = generator.random(size) < share
        failed = frame["status"] != "ok"
        frame["symptomatic_flare"] = frame["symptomatic_flare"].astype("boolean").mask(failed)
        frame["hypercalcemia"] = frame["hypercalcemia"].astype("boolean").mask(failed)
        frame.loc[failed, ["best_change_percent", "progression_free_days"]] = np.nan
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def assessment_table(patients: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
    frames = []
    for row in patients.itertuples():
        if row.status != "ok":
            continue
        days = SCAN_DAYS[row.progression_free_days + 56 >= SCAN_DAYS]
        growth = generator.normal(0.0, 0.002)
        size = 60.0 * np.exp(growth * days) * generator.lognormal(0.0, 0.06, days.size)
        frames.append(
            pd.DataFrame(
                {
                    "patient_id": row.patient_id,
                    "arm": row.arm,
                    "scan": np.arange(days.size),
                    "planned_day": days,
                    "actual_day": days + generator.integers(-3, 4, days.size),
                    "sum_of_longest_diameters": size,
                    "true_sum_of_longest_diameters": size,
                    "on_study": days <= row.progression_free_days,
                    "response": "SD",
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def trajectory_table(patients: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
    days = np.concatenate([np.arange(0, 57, 1.0), np.arange(63, 729, 7.0)])
    frames = []
    for row in patients.itertuples():
        plateau = {ARMS[0]: 0.9, ARMS[1]: 2.6}[row.arm] * generator.lognormal(0.0, 0.3)
        pulse = (days / 7.0) * np.exp(1.0 - days / 7.0)
        height = row.flare_threshold * generator.lognormal(-0.4, 0.5)
        calcium = (
            2.38
            + generator.normal(0, 0.04)
            + (0.6 if bool(row.hypercalcemia is not pd.NA and row.hypercalcemia) else 0) * pulse
        )
        frame = pd.DataFrame(
            {
                "patient_id": row.patient_id,
                "arm": row.arm,
                "time_day": days,
                "toremifene_concentration": plateau * (1.0 - np.exp(-days / 7.0)),
                "flare_signal": height * pulse,
                "plasma_calcium": calcium,
            }
        )
        for output, change in (
            ("lumbar_spine_bmd", 0.02),
            ("total_hip_bmd", 0.01),
            ("ctx", -0.2),
            ("p1np", -0.15),
            ("total_cholesterol", -0.09),
            ("ldl", -0.12),
            ("hdl", 0.08),
            ("triglycerides", -0.1),
        ):
            level = generator.lognormal(1.0, 0.2)
            effect = generator.normal(change, 0.3 * abs(change))
            frame[output] = level * (1.0 + effect * (1.0 - np.exp(-days / 120.0)))
        if row.status != "ok":
            frame.iloc[:, 3:] = np.nan
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def survival_table(patients: pd.DataFrame) -> pd.DataFrame:
    frames = []
    for arm, rows in patients.dropna(subset=["progression_free_days"]).groupby("arm", sort=False):
        days = np.append(0.0, np.sort(rows["progression_free_days"].unique()))
        at_risk = np.array([(rows["progression_free_days"] >= day).sum() for day in days])
        events = np.array(
            [((rows["progression_free_days"] == day) & rows["progressed"]).sum() for day in days]
        )
        survival = np.cumprod(1.0 - events / at_risk)
        spread = 1.96 * np.sqrt(survival * (1.0 - survival) / at_risk[0])
        frames.append(
            pd.DataFrame(
                {
                    "arm": arm,
                    "time_day": days,
                    "survival": survival,
                    "lower": np.clip(survival - spread, 0, 1),
                    "upper": np.clip(survival + spread, 0, 1),
                    "at_risk": at_risk,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    generator = np.random.default_rng(20)
    patients = patient_table(80, generator)
    path: Path = tmp_path_factory.mktemp("trial") / "trajectories.parquet"
    trajectory_table(patients, generator).to_parquet(path)
    assessments = path.with_name("assessments.parquet")
    assessment_table(patients, generator).to_parquet(assessments)
    return {
        "patients": patients,
        "assessments": assessments,
        "trajectories": path,
        "survival": survival_table(patients),
    }


STUDY = {
    "title": "Toremifene 60 against 200 mg/day in ER+ metastatic breast cancer",
    "question": "Does the higher dose cause more tumor flare, and does it bring more response?",
    "population": {
        "model": "patient",
        "setting": "Postmenopausal women with <bone> & other disease",
    },
    "arms": [
        {
            "name": arm,
            "regimens": [{"drug": "toremifene", "dose": dose, "interval": "1 day"}],
        }
        for arm, dose in zip(ARMS, ("60 mg", "200 mg"), strict=True)
    ],
    "duration": "104 week",
    "patients_per_arm": 80,
    "seed": 7,
    "visits": [
        {
            "name": "safety visits",
            "every": "1 week",
            "until": "8 week",
            "window": "1 day",
            "measure": {"calcium": "2 percent"},
        },
        {
            "name": "treatment visits",
            "at": ["0 week", "12 week", "24 week"],
            "measure": {"lipids": "5 percent", "bone_markers": "10 percent"},
        },
    ],
    "scans": {"every": "8 week", "window": "1 week", "diameter_error": "6 percent"},
}

ENDPOINTS = [
    # endpoint, time, values, half width, unit, published, source
    ("symptomatic_flare_incidence", "", (15.8, 17.4), 3.0, "percent", (16.0, 19.0), "FL13; PMID:1"),
    ("hypercalcemia_incidence", "", (2.1, 2.6), 1.2, "percent", (3.0, 3.0), "FL14"),
    ("objective_response_rate", "", (20.9, 22.1), 3.5, "percent", (21.0, 23.0), "PMID 7595707"),
    ("clinical_benefit_rate", "", (51.0, 52.0), 4.0, "percent", (np.nan, np.nan), ""),
    ("progression_free_survival_median", "", (5.5, 5.6), 0.5, "month", (5.6, np.nan), "PMC1143577"),
    ("ldl_change", "24 week", (-12.0, -13.5), 0.5, "percent", (-13.5, np.nan), "doi:10.1000/x.1"),
    ("ldl_change", "12 week", (-9.0, -10.5), 0.5, "percent", (np.nan, np.nan), ""),
    ("drug_concentration", "12 week", (0.912, 2.58), 0.03, "mg/L", (0.9, np.nan), "pk002"),
]


def endpoint_table() -> pd.DataFrame:
    rows = [
        {
            "arm": arm,
            "endpoint": endpoint,
            "time": time,
            "value": value,
            "lower": value - half,
            "upper": value + half,
            "unit": unit,
            "n": 80,
            "published": published,
            "source": source,
        }
        for endpoint, time, values, half, unit, given, source in ENDPOINTS
        for arm, value, published in zip(ARMS, values, given, strict=True)
    ]
    rows.append(
        {
            "arm": ARMS[1],
            "endpoint": "progression_free_survival_hazard_ratio",
            "time": "",
            "value": 0.97,
            "lower": 0.8,
            "upper": np.nan,
            "unit": "ratio",
            "n": 400,
            "published": np.nan,
            "source": "",
        }
    )
    return pd.DataFrame(rows)


@pytest.fixture(scope="session")
def result(tables: dict[str, object]) -> TrialResult:
    return TrialResult(
        study=study_from_content(STUDY, "study.yaml"),
        patients=tables["patients"],
        assessments_path=tables["assessments"],
        trajectories_path=tables["trajectories"],
        endpoints=endpoint_table(),
        progression_free_survival=tables["survival"],
        population={
            arm: {"drawn": 230, "accepted": 200, "Total calcium outside the reference range": 30}
            for arm in ARMS
        },
        statuses={ARMS[0]: {"ok": 199, "step_limit": 1}, ARMS[1]: {"ok": 200}},
        manifest={"seed": 7, "versions": {"numpy": "2.0"}, "model_hash": "c0ffee"},
    )
