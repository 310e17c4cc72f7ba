"""A trial pays for the drugs of its arms, and arms may combine drugs or give them in sequence."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from estradyn.trial.patients import PatientSimulation
from estradyn.trial.result import TrialResult
from estradyn.trial.run import run_trial
from estradyn.trial.study import Study, given_drugs, load_study, study_from_content

SHIPPED = Path(__file__).parents[2] / "studies" / "letrozole_against_tamoxifen.yaml"
ARMS = {
    "together": [
        {"drug": "tamoxifen", "dose": "20 mg", "interval": "1 day"},
        {"drug": "anastrozole", "dose": "1 mg", "interval": "1 day"},
    ],
    "in sequence": [
        {"drug": "tamoxifen", "dose": "20 mg", "interval": "1 day", "stop": "8 week"},
        {"drug": "anastrozole", "dose": "1 mg", "interval": "1 day", "start": "8 week"},
    ],
    "untreated": [],
}


def study_of(arms: dict[str, list[dict[str, str]]]) -> Study:
    return study_from_content(
        {
            "title": "Several drugs",
            "question": "Do they run together and one after the other?",
            "population": {
                "model": "patient",
                "setting": "Postmenopausal women",
                "same_patients_in_every_arm": True,
            },
            "arms": [{"name": name, "regimens": regimens} for name, regimens in arms.items()],
            "duration": "16 week",
            "patients_per_arm": 6,
            "seed": 4,
            "visits": [
                {
                    "name": "visits",
                    "at": ["0 week", "8 week", "16 week"],
                    "measure": {"drug_concentration": "1 percent", "estradiol": "1 percent"},
                }
            ],
            "scans": {"every": "8 week", "diameter_error": "5 percent"},
        },
        "test",
    )


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> TrialResult:
    return run_trial(study_of(ARMS), tmp_path_factory.mktemp("several") / "out", workers=2)


def test_only_the_drugs_of_the_arms_are_in_the_model() -> None:
    study = study_of(ARMS)
    assert given_drugs(study) == ("anastrozole", "tamoxifen")
    simulation = PatientSimulation(study)
    assert tuple(simulation.drugs) == ("anastrozole", "tamoxifen")
    assert not [output.name for output in simulation.outputs if "letrozole" in output.name]


def test_an_untreated_trial_needs_no_drug() -> None:
    simulation = PatientSimulation(study_of({"untreated": []}))
    assert dict(simulation.drugs) == {}


def test_drugs_are_given_together_and_one_after_the_other(result: TrialResult) -> None:
    columns = ["arm", "time_day", "tamoxifen_concentration", "anastrozole_concentration"]
    table = pd.read_parquet(result.trajectories_path, columns=[*columns, "estradiol_concentration"])
    median = table.groupby(["arm", "time_day"], observed=True).median()
    for name in columns[2:]:
        assert median.loc[("together", 112.0), name] > 0.0
        assert (median.loc["untreated"][name] == 0.0).all()
    sequence = median.loc["in sequence"]
    assert sequence.loc[56.0, "anastrozole_concentration"] == 0.0
    assert sequence.loc[112.0, "anastrozole_concentration"] > 0.02
    tamoxifen = sequence["tamoxifen_concentration"]
    assert tamoxifen.loc[112.0] < 0.1 * tamoxifen.loc[56.0]
    estradiol = sequence["estradiol_concentration"]
    assert estradiol.loc[56.0] == pytest.approx(estradiol.loc[0.0], rel=1e-3)
    assert estradiol.loc[112.0] < 0.3 * estradiol.loc[0.0]


def test_levels_of_several_drugs_are_rows_of_their_own(result: TrialResult) -> None:
    table = result.endpoints
    assert not table[["arm", "endpoint", "time"]].duplicated().any()
    names = set(table.loc[table.arm == "together", "endpoint"])
    assert {"tamoxifen_concentration", "anastrozole_concentration"} <= names
    assert "drug_concentration" not in names


def test_the_shipped_comparison_reads_and_names_its_drugs() -> None:
    assert given_drugs(load_study(SHIPPED)) == ("letrozole", "tamoxifen")
