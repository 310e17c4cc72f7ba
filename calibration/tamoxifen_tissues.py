"""Fit tamoxifen's agonism at bone and liver to bone turnover, density and LDL cholesterol.

Run from the repository root (seconds)::

    python calibration/tamoxifen_tissues.py

The typical postmenopausal woman (every value at its table's median, no poor metabolizer) takes
20 mg/day for two years from her own steady state. Each tissue has one number to fit, its agonism.
The sizes of the effects on lipids were calibrated for another drug; LDL cannot fall further than
they allow.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from cohort import HOURS_PER_DAY
from scipy.optimize import minimize_scalar

from estradyn.engine import DoseSchedule, compile_model, solve
from estradyn.model import PatientModel, load_patient_model
from estradyn.population import EngineBaseline

DRUG = "tamoxifen"
DOSE = 20.0
LARGEST_AGONISM = 0.9
"""Above it the liver response is saturated and the targets tell nothing apart."""
DAYS = np.array([0.0, 91.0, 183.0, 365.0, 730.0])
OUTPUTS = (
    *("ctx", "p1np", "lumbar_spine_bmd", "total_hip_bmd"),
    *("ldl", "hdl", "triglycerides", "total_cholesterol"),
)

# Output, day, published change in percent, tolerance in percent.
TARGETS: Mapping[str, tuple[tuple[str, float, float, float], ...]] = {
    "bone": (
        ("ctx", 183.0, -33.0, 8.0),  # urinary NTX, BO55
        ("p1np", 183.0, -22.0, 6.0),  # BO58
        ("lumbar_spine_bmd", 365.0, 2.0, 1.0),  # BO53
        ("lumbar_spine_bmd", 730.0, 2.2, 0.7),  # BO03
        ("lumbar_spine_bmd", 730.0, 1.4, 0.7),  # BO40
    ),
    "liver": (
        ("ldl", 91.0, -17.0, 3.0),  # LI12
        ("ldl", 183.0, -23.0, 3.0),  # LI08
        ("ldl", 730.0, -20.0, 2.0),  # LI17
    ),
}


class TypicalPatient:
    """The woman at the median of every table, without bone metastases."""

    def __init__(self, patient: PatientModel) -> None:
        rows = patient.parameters.by_name
        self._state = patient.drugs[DRUG].dose_state
        self._typical = {
            name: np.array([0.0])
            for name in ("has_bone_metastases", f"{DRUG}_poor_metabolizer")
            if name in rows
        }
        self._compiled = compile_model(patient.model, OUTPUTS)
        self._baseline = EngineBaseline(patient)(self._typical, 1).states

    def changes(self, **agonism: float) -> dict[str, np.ndarray]:
        """Percent changes from baseline on `DAYS`, by output."""
        parameters = self._typical | {
            f"{DRUG}_ligand_{tissue}_agonism": np.array([value])
            for tissue, value in agonism.items()
        }
        doses = DoseSchedule.repeated(
            1, self._state, DOSE, interval=HOURS_PER_DAY, count=int(DAYS[-1])
        )
        solution = solve(
            self._compiled,
            parameters,
            DAYS * HOURS_PER_DAY,
            doses,
            patients=1,
            initial_states=self._baseline,
        )
        return {name: 100.0 * (solution[name][0] / solution[name][0, 0] - 1.0) for name in OUTPUTS}

    def fit(self, tissue: str) -> float:
        """Agonism in a tissue that comes nearest to its targets."""

        def misfit(logarithm: float) -> float:
            changes = self.changes(**{tissue: float(np.exp(logarithm))})
            distance = [
                (changes[name][np.searchsorted(DAYS, day)] - published) / tolerance
                for name, day, published, tolerance in TARGETS[tissue]
            ]
            return float(np.sum(np.square(distance)))

        bounds = (np.log(1e-3), np.log(LARGEST_AGONISM))
        return float(np.exp(minimize_scalar(misfit, bounds=bounds, method="bounded").x))


def main() -> None:
    """Fit, print the rows and what they reach."""
    typical = TypicalPatient(load_patient_model(drugs=(DRUG,)))
    fitted = {tissue: typical.fit(tissue) for tissue in TARGETS}
    for tissue, value in fitted.items():
        print(f"{DRUG}_ligand_{tissue}_agonism: value {value:.3g}")
    print("days " + " ".join(f"{day:g}" for day in DAYS[1:]))
    for name, values in typical.changes(**fitted).items():
        print(f"  {name} " + " ".join(f"{value:.2f}" for value in values[1:]))


if __name__ == "__main__":
    main()
