"""A made-up drug, a study, and a simulation with known answers in place of the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from estradyn.model import DrugRecord, Output
from estradyn.population import Drawn, Population
from estradyn.trial.simulation import Array, SimulatedPatients
from estradyn.trial.study import Study, load_study

STUDY_TEXT = """\
title: A made-up trial
question: Does it add up?
population:
  model: patient
  setting: nobody
arms:
  - name: low
    regimens:
      - drug: blockine
        dose: 60 mg
        interval: 1 day
  - name: high
    regimens:
      - drug: blockine
        dose: 200 mg
        interval: 1 day
duration: 48 week
patients_per_arm: 40
seed: 7
visits:
  - name: weekly
    every: 1 week
    until: 8 week
    measure:
      calcium: 0 percent
  - name: quarterly
    at: [0 week, 12 week, 24 week]
    window: 3 day
    measure:
      drug_concentration: 0 percent
      lipids: 0 percent
      ki67: 0 percent
      tumor_volume: 0 percent
scans:
  every: 8 week
  window: 0 day
  diameter_error: 0 percent
  target_lesions: 2
"""

OUTPUTS = {
    "blockine_concentration": ("mg/L", "drug_concentration", "absolute"),
    "estradiol_concentration": ("pmol/L", "estradiol", "absolute"),
    "ki67": ("percent", "ki67_change", "percent"),
    "soft_tissue_tumor_volume": ("mL", "tumor_volume_change", "percent"),
    "bone_tumor_volume": ("mL", "bone_tumor_volume_change", "percent"),
    "flare_signal": ("dimensionless", "flare_signal", "absolute"),
    "plasma_calcium": ("mmol/L", "plasma_calcium", "absolute"),
    "total_cholesterol": ("mmol/L", "total_cholesterol_change", "percent"),
    "ldl": ("mmol/L", "ldl_change", "percent"),
    "hdl": ("mmol/L", "hdl_change", "percent"),
    "triglycerides": ("mmol/L", "triglycerides_change", "percent"),
    "lipoprotein_a": ("dimensionless", "lipoprotein_a_change", "percent"),
    "apolipoprotein_a1": ("dimensionless", "apolipoprotein_a1_change", "percent"),
    "apolipoprotein_b": ("dimensionless", "apolipoprotein_b_change", "percent"),
}


DRUGS = {
    name: DrugRecord(
        name=name,
        dose_state=f"{name}_gut",
        dose_unit="mg",
        concentration_output=f"{name}_concentration",
        fields={"largest_dose": 1000, "brand_names": [brand]},
        body="",
        path=Path(f"{name}.md"),
    )
    for name, brand in (("blockine", "Blockex"), ("otherine", "Otherex"))
}


class FakeSimulation:
    """Patients of four kinds, told apart by their number modulo four.

    0: flares (signal up on day 5 to day 15), grows by half until day 56, then shrinks for good.
    1: shrinks for good. 2: grows for good. 3: stays as she is, has bone disease and calcium above
    the threshold from day 10 to day 20.
    """

    def __init__(self, study: Study, *, failing: int = 0):
        self.study = study
        self.outputs = tuple(Output(name, name, *rest) for name, rest in OUTPUTS.items())
        self.drugs = DRUGS
        self.failing = failing

    def draw(self, patients: int, chunk_size: int, after: Drawn) -> Iterator[Population]:
        for start in range(0, patients, chunk_size):
            count = min(chunk_size, patients - start)
            # Every fifth candidate is not plausible, the rest are numbered without gaps.
            ids = after.accepted + start + np.arange(count)
            kind = ids % 4
            rejected = int(((ids + 1) % 5 == 0).sum())
            yield Population(
                patient_ids=ids.astype(np.int64),
                parameters={"tumor_growth": kind.astype(float)},
                traits=pd.DataFrame({"flare_threshold": 2.0, "has_bone_metastases": kind == 3}),
                initial_states=np.empty((count, 0)),
                drawn=count + rejected,
                rejected={"implausible calcium": rejected} if rejected else {},
                followed=0,
            )

    def solve(self, arm_index: int, population: Population, days: Array) -> SimulatedPatients:
        ids = population.patient_ids
        kind = ids % 4
        volume = 20.0 * np.exp(
            np.select(
                [kind[:, None] == number for number in range(4)],
                [
                    np.where(days <= 56, np.log(1.8) * days / 56, np.log(1.8) - 0.03 * (days - 56)),
                    -0.02 * days,
                    0.03 * days,
                    0.0 * days,
                ],
            )
        )
        output = {name: np.ones((ids.size, days.size)) for name in OUTPUTS}
        output["soft_tissue_tumor_volume"] = volume
        output["bone_tumor_volume"] = np.where(kind == 3, 10.0, 0.0)[:, None] + 0.0 * days
        flares, early = (kind == 0)[:, None], (days >= 5) & (days <= 15)
        output["flare_signal"] = np.where(flares & early, 3.0, 1.0)
        high = (kind == 3)[:, None] & (days >= 10) & (days <= 20)
        output["plasma_calcium"] = np.where(high, 3.0, 2.4)
        dose = (60.0, 200.0)[arm_index]
        output["blockine_concentration"] = np.full_like(volume, dose / 60.0)
        output["ldl"] = 3.0 * (1.0 - 0.1 * (days > 0)) + np.zeros_like(volume)
        output["ki67"] = 20.0 * np.where(days > 0, 0.5, 1.0) + np.zeros_like(volume)
        trajectories = np.stack([output[name] for name in OUTPUTS], axis=2)
        succeeded = ids % self.study.patients_per_arm >= self.failing
        trajectories[~succeeded] = np.nan
        return SimulatedPatients(
            patient_ids=ids,
            traits=population.traits,
            parameters=population.parameters,
            status=np.where(succeeded, "solved", "step limit"),
            succeeded=succeeded,
            trajectories=trajectories,
        )

    def provenance(self) -> Mapping[str, Any]:
        return {"model_hash": "0" * 64, "relative_tolerance": 1e-6}


@pytest.fixture(scope="session")
def drugs() -> dict[str, DrugRecord]:
    return DRUGS


@pytest.fixture(scope="session")
def study_text() -> str:
    return STUDY_TEXT


@pytest.fixture(scope="session")
def make_study(
    tmp_path_factory: pytest.TempPathFactory, drugs: dict[str, DrugRecord]
) -> Callable[..., Study]:
    """Load the study with pieces of its text replaced."""

    def make(*replacements: tuple[str, str]) -> Study:
        text = STUDY_TEXT
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path_factory.mktemp("study") / "study.yaml"
        path.write_text(text, encoding="utf-8")
        return load_study(path, drugs=drugs)

    return make


@pytest.fixture(scope="session")
def make_simulation() -> Callable[..., FakeSimulation]:
    return FakeSimulation
