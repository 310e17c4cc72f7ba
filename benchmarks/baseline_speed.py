"""Drug-free baselines by Newton's method and by following the model in time, side by side.

Prints processor time per candidate, how many of them each finds, and how far the two are from a
tight integration over the same horizon.

Run with: python benchmarks/baseline_speed.py [--candidates N]
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from numpy.typing import NDArray

from estradyn.engine import SolverOptions, compile_model, find_equilibria, solve
from estradyn.model import load_patient_model
from estradyn.population import draw_candidates
from estradyn.population.baseline import HORIZON, SMALLEST_SIZE, states_behind

REPEATS = 5


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--candidates", type=int, default=512)
    count = parser.parse_args().candidates
    patient = load_patient_model()
    compiled = compile_model(patient.model, [])
    candidates = draw_candidates(patient.parameters, 1, np.arange(count)).parameters
    parameters = {**candidates, **{item.name: item.value for item in patient.baseline}}
    matter = states_behind(patient.model, [output.name for output in patient.outputs])
    relevant = np.array([name in matter for name in patient.model.state_names])

    def newton() -> NDArray[np.float64]:
        return find_equilibria(compiled, parameters, HORIZON, relevant=relevant).states

    def followed(tolerance: float = SolverOptions.relative_tolerance) -> NDArray[np.float64]:
        options = SolverOptions(retry=False, relative_tolerance=tolerance)
        return solve(compiled, parameters, [HORIZON], options=options).final_states

    reference = followed(1e-10)
    print(f"{len(relevant)} states, {relevant.sum()} of which matter; {count} candidates")
    for name, way in (("Newton", newton), ("followed in time", followed)):
        seconds = []
        for _ in range(REPEATS):
            begin = time.process_time()
            states = way()
            seconds.append(time.process_time() - begin)
        found = np.isfinite(states).all(axis=1)
        size = np.maximum(np.abs(reference), SMALLEST_SIZE)
        error = (np.abs(states - reference) / size)[:, relevant][found].max()
        print(
            f"{name:<17}{1e3 * min(seconds) / count:8.3f} ms each, {found.sum()} found, "
            f"largest relative difference from tight integration {error:.1e}"
        )


if __name__ == "__main__":
    main()
