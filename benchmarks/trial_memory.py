"""Peak memory of a trial that stores only its endpoints, against the number of patients.

Each run is a process of its own. The first table simulates growing arms over a short horizon: what
grows with the patients is the endpoint layer alone, the chunk being simulated stays as it is. The
second part is the largest trial, 100,000 women over 5 years of daily doses: one chunk of it is
simulated in full, and its trajectories stand in for those of the other 399, so that everything but
their simulation is done for each. Measured with one thread; another adds a few MB.

Run with: python benchmarks/trial_memory.py [--largest] [--patients N ...]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

STUDY = {
    "title": "Memory",
    "question": "How much memory does a patient take?",
    "population": {"model": "patient", "setting": "Postmenopausal women"},
    "arms": [
        {
            "name": f"toremifene {dose}/day",
            "regimens": [{"drug": "toremifene", "dose": dose, "interval": "1 day"}],
        }
        for dose in ("60 mg", "200 mg")
    ],
    "seed": 1,
    "visits": [
        {
            "name": "visits",
            "every": "4 week",
            "window": "3 day",
            "measure": {
                "calcium": "2 percent",
                "drug_concentration": "8 percent",
                "estradiol": "8 percent",
                "bone_markers": "10 percent",
                "bone_mineral_density": "1 percent",
                "lipids": "5 percent",
                "ki67": "15 percent",
                "tumor_volume": "15 percent",
            },
        }
    ],
    "scans": {"every": "8 week", "window": "1 week", "diameter_error": "6 percent"},
    "store": "endpoints",
}

RUN = """
import json, sys
from dataclasses import replace
from estradyn.report import write_report
from estradyn.trial.patients import PatientSimulation
from estradyn.trial.run import run_trial
from estradyn.trial.study import study_from_content

content, out, reuse = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3] == "reuse"
study = study_from_content(content, "benchmark")


class Reused(PatientSimulation):
    known = {}

    def solve(self, arm_index, population, days):
        if arm_index not in self.known:
            self.known[arm_index] = super().solve(arm_index, population, days)
        return replace(
            self.known[arm_index],
            patient_ids=population.patient_ids,
            traits=population.traits,
            parameters=population.parameters,
        )


simulation = (Reused if reuse else PatientSimulation)(study, workers=1)
run_trial(study, out, workers=1, simulation=simulation, write_report=write_report)
"""


def peak(patients_per_arm: int, duration: str, *, reuse: bool = False) -> float:
    """Run a trial in a process of its own; return its largest resident memory in MB."""
    content = STUDY | {"duration": duration, "patients_per_arm": patients_per_arm}
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", RUN, json.dumps(content), str(Path(folder) / "out")),
                "reuse" if reuse else "simulate",
            ]
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"the trial of {patients_per_arm} patients per arm failed")
    return used.ru_maxrss / 1024.0


def main() -> None:
    """Run the trials and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, nargs="+", default=[500, 1000, 2000, 4000])
    parser.add_argument("--largest", action="store_true", help="100,000 patients over 5 years")
    arguments = parser.parse_args()
    print("patients per arm   peak MB   bytes per patient more (two arms, 8 weeks)")
    before: tuple[int, float] | None = None
    for patients in arguments.patients:
        used = peak(patients, "8 week")
        more = "" if before is None else f"{_per_patient(before, (patients, used)):8.0f}"
        print(f"{patients:16,} {used:9.0f}   {more}", flush=True)
        before = (patients, used)
    if not arguments.largest:
        return
    print("\n5 years of daily doses, endpoints only, two arms")
    small, large = (250, peak(250, "5 year")), (50_000, peak(50_000, "5 year", reuse=True))
    print(f"     500 patients, each simulated:        {small[1]:6.0f} MB")
    print(f" 100,000 patients, one chunk of each arm: {large[1]:6.0f} MB")
    print(f" bytes per patient more: {_per_patient(small, large):.0f}")


def _per_patient(few: tuple[int, float], many: tuple[int, float]) -> float:
    return (many[1] - few[1]) * 1024**2 / (2 * (many[0] - few[0]))


if __name__ == "__main__":
    main()
