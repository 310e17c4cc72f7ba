"""Fit toremifene's agonism at bone and liver to bone turnover and LDL cholesterol on 40 mg/day.

Run from the repository root (seconds)::

    python calibration/bone_and_liver.py

The typical postmenopausal woman (every value at its table's median) takes 40 mg/day for a year from
her own steady state. Each tissue has one number to fit, its agonism; the same numbers at 60 mg/day
are a prediction. The module `lipids` was calibrated for the liver signal that this agonism gives,
so the agonism and the size of the effect are not identifiable apart.

Run of 2026-11-22. Reached at 40 mg/day: CTX -14 % at 6 months (-13.6 to -16), bone alkaline
phosphatase -17 % at a year (-25), lumbar density +0.1 % (-0.3), LDL -13.5 % (-13 to -14); the liver
signal is 18 times its own level without drug, 21 times at 60 mg/day.
"""

from __future__ import annotations

import numpy as np
from cohort import Array, treat
from scipy.optimize import minimize_scalar

from estradyn.engine import CompiledModel, compile_model
from estradyn.model import PatientModel, load_patient_model
from estradyn.population import EngineBaseline

DAYS = np.array([0.0, 183.0, 365.0])
OUTPUTS = (
    *("ctx", "bone_alkaline_phosphatase", "lumbar_spine_bmd", "ldl", "hdl", "triglycerides"),
    *("total_cholesterol", "liver_estrogen_ratio", "bone_estrogen_ratio"),
)

# Output, day, published change in percent, tolerance in percent.
BONE_TARGETS = (
    ("ctx", 183.0, -16.0, 5.0),  # urinary NTX, BO56
    ("ctx", 183.0, -13.6, 5.0),  # serum NTX, BO65
    ("bone_alkaline_phosphatase", 365.0, -25.0, 10.0),  # BO64; osteocalcin and P1NP: no change
    ("lumbar_spine_bmd", 365.0, -0.3, 0.5),  # BO54
)
LIVER_TARGETS = (
    ("ldl", 183.0, -13.0, 2.0),  # LI07
    ("ldl", 183.0, -14.0, 2.0),  # LI10
)


class TypicalPatient:
    """The woman at the median of every table, without bone metastases."""

    def __init__(self, patient: PatientModel) -> None:
        self._compiled: CompiledModel = compile_model(patient.model, OUTPUTS)
        self._baseline = EngineBaseline(patient)({}, 1).states

    def changes(self, dose: float, **agonism: float) -> dict[str, Array]:
        """Percent changes from baseline on `DAYS`, by output; ratios as they are."""
        parameters = {
            f"toremifene_ligand_{tissue}_agonism": np.array([value])
            for tissue, value in agonism.items()
        }
        solution = treat(
            self._compiled, parameters, "toremifene", dose, DAYS, initial_states=self._baseline
        )
        found = {name: solution[name][0] for name in OUTPUTS}
        return {
            name: values if name.endswith("_ratio") else 100.0 * (values / values[0] - 1.0)
            for name, values in found.items()
        }

    def fit(self, tissue: str, targets: tuple[tuple[str, float, float, float], ...]) -> float:
        """Agonism in a tissue that comes nearest to the targets at 40 mg/day."""

        def misfit(logarithm: float) -> float:
            changes = self.changes(40.0, **{tissue: float(np.exp(logarithm))})
            distance = [
                (changes[name][np.searchsorted(DAYS, day)] - published) / tolerance
                for name, day, published, tolerance in targets
            ]
            return float(np.sum(np.square(distance)))

        bounds = (np.log(1e-3), np.log(0.95))
        return float(np.exp(minimize_scalar(misfit, bounds=bounds, method="bounded").x))


def main() -> None:
    """Fit, print the rows and what they reach."""
    typical = TypicalPatient(load_patient_model(drugs=("toremifene",)))
    bone = typical.fit("bone", BONE_TARGETS)
    liver = typical.fit("liver", LIVER_TARGETS)
    print(f"toremifene_ligand_bone_agonism: value {bone:.3g}")
    print(f"toremifene_ligand_liver_agonism: value {liver:.3g}")
    for dose in (40.0, 60.0):
        print(f"{dose:g} mg/day, days {DAYS[1]:g} and {DAYS[2]:g}")
        for name, values in typical.changes(dose, bone=bone, liver=liver).items():
            print(f"  {name} {values[1]:.2f} {values[2]:.2f}")


if __name__ == "__main__":
    main()
