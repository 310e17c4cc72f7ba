"""Speed beside other solvers on the reference case, at equal error, in one run.

The case is `reference_case.py`: bone and calcium with an oral drug, 34 states, a dose a day, five
outputs a day, ten parameters that vary. Error is the largest of the judged outputs at any time and
any judged patient, relative to its size, against libRoadRunner at its tightest; an output below a
thousandth of its largest size is judged against that. All times are processor time of one core.
Other solvers get the same equations: libRoadRunner the same SBML, SciPy's LSODA and, where the
package scikit-sundae is installed, CVODE of SUNDIALS the engine's compiled right-hand side, called
through Python. AMICI, which needs a compiler, and sundials4py, which has no wheels, are left out.

Run with: python benchmarks/solver_comparison.py [--patients N] [--days N]
"""

from __future__ import annotations

import argparse
import ctypes
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from estradyn.engine import CompiledModel, Solution, SolverOptions, compile_model, solve
from estradyn.engine.compiled import assemble, link, natural_width
from estradyn.engine.kernel import write_kernel
from estradyn.engine.program import build_program
from estradyn.engine.reference import LaneFunctions
from estradyn.engine.solve import DEFAULT_RELATIVE_TOLERANCE, prepare_population
from estradyn.engine.tableau import METHODS
from estradyn.model import load_patient_model
from reference_case import DOSE, DOSE_STATE, ReferenceCase
from roadrunner_oracle import RoadRunnerPatient

try:
    from sksundae.cvode import CVODE
except ImportError:
    CVODE = None

Array = NDArray[np.float64]

OUTPUTS = (
    *("concentration", "plasma_calcium", "parathyroid_hormone", "lumbar_spine_bmd"),
    *("total_hip_bmd", "ctx", "p1np", "bone_alkaline_phosphatase"),
)
JUDGED = 3
"""Patients that the other solvers solve too."""
TOLERANCES = (1e-3, 3e-4, 1e-4, 3e-5, 1e-5, DEFAULT_RELATIVE_TOLERANCE, 1e-6, 1e-7)
OTHER_TOLERANCES = (1e-5, 1e-6, 1e-7, 1e-8, 1e-9)
FLOATING_POINT = re.compile(r"= (fadd|fsub|fmul|fdiv) ")
REPEATS = 3
HELP = "import sys; from estradyn.cli import main; sys.argv = ['estradyn', '--help']; main()"


@dataclass(frozen=True)
class Point:
    """What a solver reached at one tolerance: largest error, and seconds per patient-year."""

    solver: str
    tolerance: float
    error: float
    seconds: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=64)
    parser.add_argument("--days", type=int, default=365)
    arguments = parser.parse_args()
    case = ReferenceCase(arguments.patients, arguments.days)
    print_start_up(case)
    compiled = compile_model(case.model, OUTPUTS)
    print_engine_rates(case, compiled)

    references = [road_runner(case, patient, 1e-12)[0] for patient in range(JUDGED)]

    def judged(name: str, way: Callable[[int, float], tuple[Array, float]]) -> list[Point]:
        points = []
        for tolerance in OTHER_TOLERANCES:
            results = [way(patient, tolerance) for patient in range(JUDGED)]
            error = largest_error([values for values, _ in results], references)
            seconds = sum(spent for _, spent in results) / JUDGED / case.years
            points.append(Point(name, tolerance, error, seconds))
            print_point(points[-1])
        return points

    print(f"\n{'solver':<15}{'tolerance':>10}{'error':>10}{'ms a patient-year':>19}")
    road_runner_points = judged("libRoadRunner", lambda patient, t: road_runner(case, patient, t))
    others = {"libRoadRunner": road_runner_points}
    for name, piece in {"SciPy LSODA": lsoda, "CVODE": cvode if CVODE else None}.items():
        if piece is None:
            print(f"{name:<15} not installed (scikit-sundae)")
            continue

        def way(patient: int, t: float, piece: Piece = piece) -> tuple[Array, float]:
            return through_python(case, compiled, patient, t, piece)

        others[name] = judged(name, way)
    print(f"{'':<54}" + "".join(f"{'times ' + name:>22}" for name in others))
    for tolerance in TOLERANCES:
        solution, seconds = engine(case, compiled, tolerance)
        error = largest_error(list(solution.values[:JUDGED]), references)
        point = Point("engine", tolerance, error, seconds / case.patients / case.years)
        ratios = [at_error(points, error) / point.seconds for points in others.values()]
        print_point(point, "".join(f"{ratio:>22.0f}" for ratio in ratios))
    print("ratios: time of the other at the engine's error, interpolated, over the engine's time")


def print_point(point: Point, more: str = "") -> None:
    """Print one line of the table."""
    print(
        f"{point.solver:<15}{point.tolerance:>10.0e}{point.error:>10.1e}"
        f"{1e3 * point.seconds:>19.2f}{more}",
        flush=True,
    )


def at_error(points: list[Point], error: float) -> float:
    """Time a solver takes to reach an error, interpolated between logarithms."""
    by_error = sorted(points, key=lambda point: point.error)
    errors = np.log([point.error for point in by_error])
    seconds = np.log([point.seconds for point in by_error])
    return float(np.exp(np.interp(np.log(error), errors, seconds)))


def largest_error(values: list[Array], references: list[Array]) -> float:
    """Largest relative error of any output at any time."""
    worst = 0.0
    for value, reference in zip(values, references, strict=True):
        size = np.maximum(np.abs(reference), 1e-3 * np.abs(reference).max(axis=0))
        worst = max(worst, float((np.abs(value - reference) / size).max()))
    return worst


def engine(
    case: ReferenceCase, compiled: CompiledModel, tolerance: float
) -> tuple[Solution, float]:
    """Solve all patients; the best time of a few."""
    options, seconds = SolverOptions(relative_tolerance=tolerance), []
    doses = case.doses
    for _ in range(REPEATS):
        begin = time.process_time()
        solution = solve(compiled, case.parameters, case.times, doses, options=options)
        seconds.append(time.process_time() - begin)
    return solution, min(seconds)


def road_runner(case: ReferenceCase, patient: int, tolerance: float) -> tuple[Array, float]:
    """Solve one patient with libRoadRunner (CVODE)."""
    values = {name: float(array[patient]) for name, array in case.parameters.items()}
    runner = RoadRunnerPatient(case.sbml, values, OUTPUTS, tolerance, tolerance * 1e-6)
    begin = time.process_time()
    result = runner.simulate(list(case.times), {DOSE_STATE: DOSE}, list(case.dose_times))
    return result, time.process_time() - begin


Piece = Callable[[LaneFunctions, Array, float, Array, float, Array], Array]
"""Solves from a start to the last of some times; states at these times, one row each.

Takes functions of the model, state, start, times, relative and absolute tolerance.
"""


def through_python(
    case: ReferenceCase, compiled: CompiledModel, patient: int, tolerance: float, piece: Piece
) -> tuple[Array, float]:
    """Solve one patient day by day with a solver that calls the compiled rates through Python."""
    own = {name: array[[patient]] for name, array in case.parameters.items()}
    prepared = prepare_population(compiled, own, [0.0])
    functions = LaneFunctions(compiled, prepared.constants[0])
    state = prepared.initial_states[0].copy()
    absolute = 1e-3 * tolerance * np.where(state > 0, state, DOSE)
    dosed = case.model.state_names.index(DOSE_STATE)
    values = []
    begin = time.process_time()
    for day in range(case.days):
        state[dosed] += DOSE
        times = case.times[(case.times > 24 * day) & (case.times <= 24 * (day + 1))]
        states = piece(functions, state, 24.0 * day, times, tolerance, absolute)
        values += [functions.observe(at, y) for at, y in zip(times, states, strict=True)]
        state = states[-1].copy()
    return np.array(values), time.process_time() - begin


def lsoda(
    functions: LaneFunctions,
    state: Array,
    start: float,
    times: Array,
    tolerance: float,
    absolute: Array,
) -> Array:
    """A `Piece` by SciPy's LSODA."""
    found = solve_ivp(
        functions.rates,
        (start, times[-1]),
        state,
        method="LSODA",
        t_eval=times,
        rtol=tolerance,
        atol=absolute,
    )
    return np.asarray(found.y.T)


def cvode(
    functions: LaneFunctions,
    state: Array,
    start: float,
    times: Array,
    tolerance: float,
    absolute: Array,
) -> Array:
    """A `Piece` by CVODE (backward differences, dense)."""

    def rates(at: float, y: Array, result: Array) -> None:
        result[:] = functions.rates(at, y)

    solver = CVODE(rates, method="BDF", rtol=tolerance, atol=absolute, max_num_steps=100_000)
    found = solver.solve(np.concatenate([[start], times]), state)
    return np.asarray(found.y[1:])


def print_start_up(case: ReferenceCase) -> None:
    """Print what it costs to compile, to start from the cache and to ask for help."""
    patient = load_patient_model()
    for name, model in (("reference case", case.model), ("full patient model", patient.model)):
        with tempfile.TemporaryDirectory() as folder:
            os.environ["ESTRADYN_CACHE"] = folder
            begin = time.process_time()
            compile_model(model, model.state_names)
            cold = time.process_time() - begin
            begin = time.process_time()
            compile_model(model, model.state_names)
            cached = time.process_time() - begin
        print(
            f"{name}: {len(model.states)} states, compiled in {cold:.2f} s of processor time, "
            f"{1e3 * cached:.1f} ms from the cache"
        )
    seconds = []
    for _ in range(REPEATS):
        begin = os.times()
        subprocess.run([sys.executable, "-c", HELP], capture_output=True, check=True)
        end = os.times()
        spent = (
            end.children_user - begin.children_user,
            end.children_system - begin.children_system,
        )
        seconds.append(sum(spent))
    print(f"estradyn --help: {min(seconds):.2f} s of processor time")


def print_engine_rates(case: ReferenceCase, compiled: CompiledModel) -> None:
    """Print time per step, share of the peak rate of the core, and what a second thread brings."""
    solution, seconds = engine(case, compiled, DEFAULT_RELATIVE_TOLERANCE)
    steps = int((solution.accepted_steps + solution.rejected_steps).sum())
    flops = flops_per_step(case)
    peak = peak_rate()
    rate = flops * steps / seconds
    print(
        f"engine at {DEFAULT_RELATIVE_TOLERANCE:.0e}: {1e6 * seconds / steps:.2f} us a step, "
        f"{steps / case.patients / case.days:.1f} steps a day, "
        f"{100 * solution.lane_use:.0f} % of lanes busy"
    )
    print(
        f"{flops} floating-point operations a step: {rate / 1e9:.1f} of the core's measured peak "
        f"of {peak / 1e9:.1f} GFLOP/s, {100 * rate / peak:.0f} %"
    )
    walls = []
    for workers in (1, 2):
        begin = time.perf_counter()
        solve(compiled, case.parameters, case.times, case.doses, workers=workers)
        walls.append(time.perf_counter() - begin)
    print(f"two threads: {walls[0] / walls[1]:.2f} times one, by the clock")


def flops_per_step(case: ReferenceCase) -> int:
    """Floating-point operations of one step of one patient: model functions and stage sums.

    Counted in the generated code; branches for rare arguments, step control and outputs are left
    out. A fused multiply-add counts two, a division one.
    """
    program = build_program(case.model, OUTPUTS)
    method = METHODS[compile_model(case.model, OUTPUTS).method]
    counts: dict[str, int] = {}
    function, rare = "", False
    for line in write_kernel(program, method, natural_width()).text.splitlines():
        if line.startswith("define"):
            function, rare = re.search(r'@"?(\w+)', line)[1], False  # type: ignore[index]
        elif line.endswith(":"):
            rare = line.rstrip(":").endswith(".if")
        elif FLOATING_POINT.search(line) and not rare:
            counts[function] = counts.get(function, 0) + 1
    stages = method.stages
    terms = sum(len(row) for row in (*method.position, *method.coupling))
    sums = 2 * terms * len(case.model.states)
    return counts["linearize"] + (stages - 1) * counts["rates"] + stages * counts["solve"] + sums


def peak_rate() -> float:
    """Measured rate of independent fused multiply-adds of whole vectors, operations a second."""
    width, chains, rounds = natural_width(), 16, 20_000_000
    vector = f"<{width} x double>"
    fused = f"@llvm.fma.v{width}f64"
    phis = "\n".join(
        f"%a{i} = phi {vector} [zeroinitializer, %entry], [%b{i}, %head]" for i in range(chains)
    )
    work = "\n".join(
        f"%b{i} = call {vector} {fused}({vector} %a{i}, {vector} %x, {vector} %x)"
        for i in range(chains)
    )
    total = "\n".join(
        f"%s{i} = fadd {vector} {f'%s{i - 1}' if i else 'zeroinitializer'}, %b{i}"
        for i in range(chains)
    )
    text = f"""
declare {vector} {fused}({vector}, {vector}, {vector})
define void @multiply_add(i64 %n, ptr %place) {{
entry:
  %x = load {vector}, ptr %place, align 8
  br label %head
head:
  %i = phi i64 [0, %entry], [%next, %head]
  {phis}
  {work}
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %n
  br i1 %more, label %head, label %done
done:
  {total}
  store {vector} %s{chains - 1}, ptr %place, align 8
  ret void
}}"""
    library = link(assemble(text), ("multiply_add",))
    run = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p)(library["multiply_add"])
    place = np.full(width, 0.5)
    best = np.inf
    for _ in range(REPEATS):
        begin = time.process_time()
        run(rounds, place.ctypes.data)
        best = min(best, time.process_time() - begin)
    return 2.0 * width * chains * rounds / best


if __name__ == "__main__":
    main()
