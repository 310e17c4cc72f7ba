"""Processor time per patient-year of the patient with all optional modules, beside fewer.

The typical patient is put into every lane, brought to her drug-free steady state and given a dose a
day: without any optional module, with each one alone, with all, and, where `--model` names one, as
another model file describes her (say that of an earlier version, exported as SBML). Rounds are
interleaved and the least time of each is printed, so that a busy machine favours nobody.

Run with: python benchmarks/module_cost.py [--days N] [--rounds N] [--model FILE]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from estradyn.engine import DoseSchedule, SolverOptions, compile_model, solve
from estradyn.engine.solve import DEFAULT_RELATIVE_TOLERANCE
from estradyn.model import OdeModel, load_model, load_patient_model, models_directory
from estradyn.model.composition import optional_modules

DRUG, STATE, DOSE = "toremifene", "toremifene_gut", 60.0
LANES = 64
DRUG_FREE_HOURS = 20 * 365.25 * 24.0


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--days", type=int, default=364)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--model", type=Path, help="another model of the patient")
    options = arguments.parse_args()

    known = optional_modules(models_directory() / "patient.ant")
    models = {"no optional module": patient()}
    models |= {f"with {name}": patient(name) for name in known}
    models["with all"] = patient(*known)
    if options.model:
        models[options.model.name] = load_model(options.model)
    runs = {name: course(model, options.days) for name, model in models.items()}
    seconds = {name: [run() for _ in range(1)] for name, run in runs.items()}
    for _ in range(options.rounds - 1):
        for name, run in runs.items():
            seconds[name].append(run())
    least = {name: min(found) for name, found in seconds.items()}
    base = least[options.model.name if options.model else "no optional module"]
    years = options.days / 365.25
    print(f"{'patient':<32}{'states':>8}{'ms per patient-year':>21}{'ratio':>8}")
    for name, model in models.items():
        cost = 1e3 * least[name] / LANES / years
        ratio = least[name] / base
        print(f"{name:<32}{len(model.state_names):>8}{cost:>21.2f}{ratio:>8.2f}")


def patient(*modules: str) -> OdeModel:
    """Return the patient on one drug with some optional modules."""
    return load_patient_model(drugs=(DRUG,), modules=modules).model


def course(model: OdeModel, days: int) -> Callable[[], float]:
    """Return what simulates daily doses from steady state and tells the processor time."""
    compiled = compile_model(model, list(model.state_names))
    parameters = {item.name: np.full(LANES, item.value) for item in model.parameters}
    start = solve(compiled, parameters, np.array([0.0, DRUG_FREE_HOURS])).values[:, -1]
    times = 168.0 * np.arange(days // 7 + 1)
    doses = DoseSchedule.repeated(LANES, STATE, DOSE, interval=24.0, count=days)
    tolerance = SolverOptions(relative_tolerance=DEFAULT_RELATIVE_TOLERANCE)

    def run() -> float:
        begin = time.process_time()
        solve(
            compiled, parameters, times, doses, initial_states=start, options=tolerance, workers=1
        )
        return time.process_time() - begin

    return run


if __name__ == "__main__":
    main()
