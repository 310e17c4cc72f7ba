"""What a simulated study leaves in its folder."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from estradyn import __version__
from estradyn.output_folder import output_folder
from estradyn.xenograft.analysis_files import write_csv
from estradyn.xenograft.plan_file import Plan
from estradyn.xenograft.power import GENERATOR
from estradyn.xenograft.simulated_study import SimulatedStudy, colony_of

SIMULATION_FILES = ("measurements.csv", "truth.csv", "manifest.json")
"""Names in the folder of a simulated study."""


def study_file(study: SimulatedStudy) -> pd.DataFrame:
    """Return measurements as a study file has them: diameters, and no volume worked out."""
    table = study.measurements.drop(columns="volume_mm3")
    return table.dropna(axis="columns", how="all")


def write_simulation(
    study: SimulatedStudy, plan: Plan, out: str | Path, *, animals_per_arm: int, seed: int
) -> Path:
    """Write measurements and truth into a folder that appears whole or not at all.

    Parameters
    ----------
    study
        What `simulate_plan` gives.
    plan
        The plan it follows.
    out
        Folder; new, empty, or with an earlier simulation, which is replaced.
    animals_per_arm, seed
        As given to `simulate_plan`.

    Returns
    -------
    pathlib.Path
        The measurements, which `read_study` reads.

    Raises
    ------
    InputError
        When the folder holds something else or cannot be written.
    """
    place = Path(out)
    drugs = tuple(sorted({arm.drug for arm in plan.arms if arm.drug is not None}))
    manifest = {
        "estradyn": __version__,
        "title": plan.title,
        "seed": str(seed),
        "animals_per_arm": str(animals_per_arm),
        "generator": GENERATOR,
        "models_folder_hash": colony_of(drugs).model.digest,
    }
    with output_folder(place, SIMULATION_FILES) as folder:
        write_csv(study_file(study), folder / "measurements.csv")
        write_csv(study.truth, folder / "truth.csv")
        (folder / "manifest.json").write_text(
            json.dumps(manifest, indent=2) + "\n", encoding="utf-8"
        )
    return place / "measurements.csv"
