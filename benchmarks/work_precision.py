"""Error reached and time taken over tolerances, for both methods and libRoadRunner.

The patient model with a dose a day for half a year; the error is the largest relative error of any
state at any weekly output, against libRoadRunner at its tightest. A state below a thousandth of its
largest value, or below 1e-9, is judged against that instead.

Run with: python benchmarks/work_precision.py
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from estradyn.engine import DoseSchedule, SolverOptions, compile_model, solve
from estradyn.engine.tableau import METHODS
from estradyn.model import export_sbml, load_patient_model
from roadrunner_oracle import RoadRunnerPatient

WEEKS = 26
PATIENTS = 64
DRUG = "toremifene"
DOSE = 60.0


def main() -> None:
    """Print the table."""
    patient = load_patient_model(drugs=(DRUG,))
    drug = patient.drugs[DRUG]
    states = list(patient.model.state_names)
    times = 168.0 * np.arange(WEEKS + 1)
    dose_times = 24.0 * np.arange(7 * WEEKS)
    sbml = export_sbml("patient", drugs=(DRUG,))

    def judge(tolerance: float) -> tuple[NDArray[np.float64], float]:
        one = RoadRunnerPatient(sbml, {}, states, tolerance, tolerance * 1e-6)
        begin = time.process_time()
        values = one.simulate(list(times), {drug.dose_state: DOSE}, list(dose_times))
        return values, time.process_time() - begin

    reference, _ = judge(1e-11)
    # The dosed state is large only between the weekly outputs.
    typical = np.where(np.array(states) == drug.dose_state, DOSE, 0.0)
    floor = 1e-3 * np.maximum(np.abs(reference).max(axis=0), typical) + 1e-9

    def error(values: NDArray[np.float64]) -> float:
        return float((np.abs(values - reference) / np.maximum(np.abs(reference), floor)).max())

    years = WEEKS * 7 / 365.25
    print(f"{'solver':<14}{'tolerance':>10}{'error':>12}{'ms per patient-year':>22}")
    for tolerance in (1e-5, 1e-6, 1e-7, 1e-8):
        values, seconds = judge(tolerance)
        print(
            f"{'libRoadRunner':<14}{tolerance:>10.0e}{error(values):>12.1e}"
            f"{1e3 * seconds / years:>22.2f}"
        )
    doses = DoseSchedule.repeated(
        PATIENTS, drug.dose_state, DOSE, interval=24.0, count=len(dose_times)
    )
    for method in METHODS:
        compiled = compile_model(patient.model, states, method=method)
        for tolerance in (1e-4, 1e-5, 1e-6, 1e-7, 1e-8):
            begin = time.process_time()
            solution = solve(
                compiled,
                {},
                times,
                doses,
                patients=PATIENTS,
                options=SolverOptions(relative_tolerance=tolerance),
            )
            seconds = (time.process_time() - begin) / PATIENTS
            print(
                f"{method:<14}{tolerance:>10.0e}{error(solution.values[0]):>12.1e}"
                f"{1e3 * seconds / years:>22.2f}"
            )


if __name__ == "__main__":
    main()
