"""Error reached and work done over tolerances, for both methods of the engine.

Five models: three classic stiff problems with published end values (`stiff_problems.py`), the bone
model with daily doses (`reference_case.py`), and the full patient model with a drug every day for
half a year. The error is the largest relative error of any state at any output time (five a day of
the bone model, weekly ones of the patient model); of the last two it is against libRoadRunner at
its tightest, and a state below a thousandth of its largest size, or below 1e-9, is judged against
that instead.

Run with: python benchmarks/work_precision.py [--models NAME ...]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from estradyn.engine import (
    CompiledModel,
    DoseSchedule,
    Solution,
    SolverOptions,
    compile_model,
    solve,
)
from estradyn.engine.solve import DEFAULT_RELATIVE_TOLERANCE
from estradyn.engine.tableau import METHODS
from estradyn.model import OdeModel, export_sbml, load_patient_model
from reference_case import DOSE, DOSE_STATE, ReferenceCase
from roadrunner_oracle import RoadRunnerPatient
from stiff_problems import STIFF_PROBLEMS, StiffProblem

Array = NDArray[np.float64]

TOLERANCES = (1e-3, 1e-4, 1e-5, DEFAULT_RELATIVE_TOLERANCE, 1e-6, 1e-7, 1e-8)
PATIENTS = 16
DAYS = 56
WEEKS = 26
DRUG = "toremifene"
TIGHT = 1e-11


def main() -> None:
    """Print a table for each model."""
    models: dict[str, Callable[[], None]] = {
        **{problem.name: partial(stiff, problem) for problem in STIFF_PROBLEMS},
        "bone": bone,
        "patient": patient,
    }
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="*", choices=list(models), default=list(models))
    for name in parser.parse_args().models:
        print(f"\n{name}")
        print(f"{'method':<10}{'tolerance':>10}{'error':>10}{'steps':>8}{'rejected':>10}{'us':>9}")
        models[name]()


def table(
    model: OdeModel,
    run: Callable[[CompiledModel, float], Solution],
    error: Callable[[Array], float],
) -> None:
    """Print error, steps and processor time per patient over tolerances."""
    for method in METHODS:
        compiled = compile_model(model, model.state_names, method=method)
        for tolerance in TOLERANCES:
            begin = time.process_time()
            solution = run(compiled, tolerance)
            seconds = (time.process_time() - begin) / len(solution.values)
            print(
                f"{method:<10}{tolerance:>10.0e}{error(solution.values[0]):>10.1e}"
                f"{solution.accepted_steps[0]:>8}{solution.rejected_steps[0]:>10}"
                f"{1e6 * seconds:>9.0f}",
                flush=True,
            )


def stiff(problem: StiffProblem) -> None:
    """One of the classic problems."""
    table(
        problem.model(),
        lambda compiled, tolerance: solve(
            compiled,
            {},
            [problem.end],
            patients=PATIENTS,
            options=problem.options(tolerance),
        ),
        lambda values: problem.error(values[0]),
    )


def bone() -> None:
    """The bone model with an oral drug."""
    case = ReferenceCase(PATIENTS, DAYS)
    own = {name: float(array[0]) for name, array in case.parameters.items()}
    runner = RoadRunnerPatient(case.sbml, own, case.model.state_names, TIGHT, TIGHT * 1e-6)
    reference = runner.simulate(list(case.times), {DOSE_STATE: DOSE}, list(case.dose_times))
    table(
        case.model,
        lambda compiled, tolerance: solve(
            compiled,
            case.parameters,
            case.times,
            case.doses,
            options=SolverOptions(relative_tolerance=tolerance),
        ),
        lambda values: relative_error(values, reference, case.model, DOSE_STATE, DOSE),
    )


def patient() -> None:
    """The full patient model."""
    loaded = load_patient_model(drugs=(DRUG,))
    drug, model, dose = loaded.drugs[DRUG], loaded.model, 60.0
    times = 168.0 * np.arange(WEEKS + 1)
    dose_times = 24.0 * np.arange(7 * WEEKS)
    sbml = export_sbml("patient", drugs=(DRUG,))
    runner = RoadRunnerPatient(sbml, {}, model.state_names, TIGHT, TIGHT * 1e-6)
    reference = runner.simulate(list(times), {drug.dose_state: dose}, list(dose_times))
    doses = DoseSchedule.repeated(
        PATIENTS, drug.dose_state, dose, interval=24.0, count=len(dose_times)
    )
    table(
        model,
        lambda compiled, tolerance: solve(
            compiled,
            {},
            times,
            doses,
            patients=PATIENTS,
            options=SolverOptions(relative_tolerance=tolerance),
        ),
        lambda values: relative_error(values, reference, model, drug.dose_state, dose),
    )


def relative_error(
    values: Array, reference: Array, model: OdeModel, dose_state: str, dose: float
) -> float:
    """Largest error of any state; the dosed one is as large as the dose between outputs."""
    typical = np.where(np.array(model.state_names) == dose_state, dose, 0.0)
    floor = 1e-3 * np.maximum(np.abs(reference).max(axis=0), typical) + 1e-9
    return float((np.abs(values - reference) / np.maximum(np.abs(reference), floor)).max())


if __name__ == "__main__":
    main()
