"""Speed and accuracy of a trial population, side by side with libRoadRunner.

Draws patients, starts each at her own drug-free steady state, gives a dose a day, and prints, from
one run: processor time per patient-year and per step, what compilation costs, how the wall time of
two threads compares with the processor time of one, and the ratio to libRoadRunner at equal
accuracy on patients of the same population. The error is the largest of any state at any weekly
output; a state below a thousandth of its size is judged against that.

Run with: python benchmarks/population_speed.py [--patients N] [--days N]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time

import numpy as np
from numpy.typing import NDArray

from estradyn.engine import DoseSchedule, Solution, SolverOptions, compile_model, solve
from estradyn.engine.solve import DEFAULT_RELATIVE_TOLERANCE
from estradyn.model import export_sbml, load_patient_model
from estradyn.population import stream_population
from roadrunner_oracle import RoadRunnerPatient

DRUG = "toremifene"
DOSE = 60.0
JUDGED = 3
"""Patients that libRoadRunner solves too."""


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--patients", type=int, default=200)
    arguments.add_argument("--days", type=int, default=364)
    options = arguments.parse_args()
    years = options.days / 365.25

    patient = load_patient_model(drugs=(DRUG,))
    model, drug = patient.model, patient.drugs[DRUG]
    states = list(model.state_names)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ESTRADYN_CACHE"] = folder
        begin = time.perf_counter()
        compiled = compile_model(model, states)
        cold = time.perf_counter() - begin
        begin = time.perf_counter()
        compiled = compile_model(model, states)
        cached = time.perf_counter() - begin
    print(f"model: {len(states)} states, {len(model.parameters)} parameters")
    print(f"compile: {cold:.2f} s cold, {1e3 * cached:.1f} ms from the cache")

    begin = time.perf_counter()
    population = next(stream_population(patient, options.patients, seed=1, chunk_size=10_000))
    drawing = time.perf_counter() - begin
    print(
        f"population: {options.patients} patients of {population.drawn} drawn, with baselines, "
        f"{1e3 * drawing / population.drawn:.2f} ms each"
    )
    times = np.unique(np.append(168.0 * np.arange(options.days // 7 + 1), 24.0 * options.days))
    doses = DoseSchedule.repeated(
        options.patients, drug.dose_state, DOSE, interval=24.0, count=options.days
    )

    def timed(workers: int, tolerance: float) -> tuple[Solution, float]:
        clock = time.process_time if workers == 1 else time.perf_counter
        begin = clock()
        solution = solve(
            compiled,
            population.parameters,
            times,
            doses,
            initial_states=population.initial_states,
            options=SolverOptions(relative_tolerance=tolerance),
            workers=workers,
        )
        return solution, clock() - begin

    solution, one = timed(1, DEFAULT_RELATIVE_TOLERANCE)
    steps = int((solution.accepted_steps + solution.rejected_steps).sum())
    per_year = one / options.patients / years
    print(
        f"engine at {DEFAULT_RELATIVE_TOLERANCE:.0e}: {1e3 * per_year:.2f} ms per patient-year, "
        f"{1e6 * one / steps:.2f} us per patient-step, "
        f"{steps / options.patients / options.days:.1f} steps a day, "
        f"{100 * solution.lane_use:.0f} % of lanes busy"
    )
    print(f"two threads: {one / timed(2, DEFAULT_RELATIVE_TOLERANCE)[1]:.2f} times one")

    sbml = export_sbml("patient", drugs=(DRUG,))

    def judge(index: int, tolerance: float) -> tuple[NDArray[np.float64], float]:
        values = {name: float(array[index]) for name, array in population.parameters.items()}
        values |= dict(zip(states, population.initial_states[index].tolist(), strict=True))
        runner = RoadRunnerPatient(sbml, values, states, tolerance, tolerance * 1e-6)
        begin = time.process_time()
        result = runner.simulate(
            list(times), {drug.dose_state: DOSE}, [24.0 * day for day in range(options.days)]
        )
        return result, time.process_time() - begin

    references = [judge(index, 1e-11)[0] for index in range(JUDGED)]

    # The dosed state is large only between the weekly outputs.
    typical = np.where(np.array(states) == drug.dose_state, DOSE, 0.0)

    def error(values: list[NDArray[np.float64]]) -> float:
        worst = 0.0
        for value, reference in zip(values, references, strict=True):
            size = np.maximum(np.abs(reference).max(axis=0), typical)
            floor = 1e-3 * size + 1e-9
            relative = np.abs(value - reference) / np.maximum(np.abs(reference), floor)
            worst = max(worst, float(relative.max()))
        return worst

    print(f"\n{'solver':<16}{'tolerance':>10}{'error':>10}{'ms per patient-year':>21}{'ratio':>8}")
    judged_errors, judged_seconds = [], []
    for tolerance in (1e-5, 1e-6, 1e-7, 1e-8, 1e-9):
        judged = [judge(index, tolerance) for index in range(JUDGED)]
        judged_errors.append(error([values for values, _ in judged]))
        judged_seconds.append(sum(seconds for _, seconds in judged) / JUDGED / years)
        print(
            f"{'libRoadRunner':<16}{tolerance:>10.0e}{judged_errors[-1]:>10.1e}"
            f"{1e3 * judged_seconds[-1]:>21.1f}"
        )
    by_error = np.argsort(judged_errors)
    for tolerance in (1e-4, 1e-5, DEFAULT_RELATIVE_TOLERANCE, 1e-7):
        solution, seconds = timed(1, tolerance)
        own_error = error([solution.values[index] for index in range(JUDGED)])
        per_year = seconds / options.patients / years
        equal = np.interp(
            np.log(own_error), np.log(judged_errors)[by_error], np.log(judged_seconds)[by_error]
        )
        print(
            f"{'engine':<16}{tolerance:>10.0e}{own_error:>10.1e}{1e3 * per_year:>21.2f}"
            f"{np.exp(equal) / per_year:>8.0f}"
        )
    print(
        "ratio: time of libRoadRunner at the engine's error, interpolated, over the engine's time"
    )


if __name__ == "__main__":
    main()
