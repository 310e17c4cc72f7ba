"""Coverage of growth rates and recovery of flare responders on simulated studies of known truth.

    python benchmarks/xenograft_classification.py [--studies 1000] [--others 300] [--out FILE]

Each study has a vehicle arm and an arm under a SERM on the mechanistic mouse (`simulate_study`),
with little estradiol, so that tumors grow and can flare, in a laboratory whose tumors depend on
estradiol more than the median of the table (`DEPENDENCE`): there flares end in responses and not in
standstill alone. The analysis is the planned one; nothing is tuned to a study. Four things are
counted:

- coverage: how often the 95 % interval of a growth rate, or of its difference from vehicle, holds
  the truth, which is the least-squares line in each phase through the mean true log volume on the
  visits of the study;
- recovery: of the true flare responders that mRECIST calls SD or PD, the share that the
  flare-aware class calls CR or PR;
- false flares: of the true progressors, the share that the flare-aware class calls CR or PR, and
  the share that the verdict of rule and score calls flare;
- speed: 60 animals measured daily for 60 days, analysed and reported.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from estradyn.xenograft.analysis import analyze_study
from estradyn.xenograft.analysis_files import write_analysis
from estradyn.xenograft.flare_score import score_flares
from estradyn.xenograft.growth import AFTER, WINDOW, fit_growth
from estradyn.xenograft.measurement import Measurement
from estradyn.xenograft.mice import Host, Treatment
from estradyn.xenograft.response import RESPONDED, flare_aware, mrecist
from estradyn.xenograft.simulated_study import (
    FLARES,
    Course,
    SimulatedArm,
    SimulatedStudy,
    Visits,
    simulate_study,
)
from estradyn.xenograft.simulation_files import study_file
from estradyn.xenograft.study_table import read_study

ARMS = ("vehicle", "SERM")
TREATMENT = (Treatment("toremifene", 10.0),)
HOST = Host(estradiol_pellet_mg=0.05, ovariectomized=True)
DEPENDENCE = {"tumor_trial_growth_dependence_shift": 0.8}
"""Two standard deviations of what differs between laboratories."""

ANIMALS = 15
"""Per arm."""

SEED = 1
SCORED_STUDIES = 100
TRUTH_ANIMALS = 4000


@dataclass(frozen=True)
class Scenario:
    """How the tumors are measured."""

    label: str
    days: tuple[float, ...]
    observer_difference: float


def scenarios() -> list[Scenario]:
    twice = tuple(sorted({*range(0, 57, 7), *range(3, 57, 7)}))
    weekly, fortnightly = tuple(range(0, 57, 7)), tuple(range(0, 57, 14))
    return [
        Scenario("twice weekly, one observer (recommended)", twice, 0.0),
        Scenario("weekly, one observer", weekly, 0.0),
        Scenario("fortnightly, one observer", fortnightly, 0.0),
        Scenario("twice weekly, three observers, 15 % apart", twice, 0.15),
        Scenario("weekly, three observers, 15 % apart", weekly, 0.15),
        Scenario("fortnightly, three observers, 15 % apart", fortnightly, 0.15),
    ]


def true_rates(days: tuple[float, ...]) -> dict[tuple[str, str], float]:
    """Least-squares growth rates through the mean true log volume of a large group."""
    time_ = np.asarray(days[1:], dtype=float)
    regressors = np.column_stack(
        [np.ones_like(time_), np.minimum(time_, 21.0), np.maximum(time_ - 21.0, 0.0)]
    )
    rates = {}
    for arm, treatments in zip(ARMS, ((), TREATMENT), strict=True):
        group = draw([SimulatedArm(arm, TRUTH_ANIMALS, treatments)], days, 0.0, 10_000_000 + SEED)
        mean = group.log_change.mean(axis=0)[1:]
        _, early, late = np.linalg.lstsq(regressors, mean, rcond=None)[0]
        rates[arm, WINDOW], rates[arm, AFTER] = float(early), float(late)
    return rates


def draw(
    arms: list[SimulatedArm],
    days: tuple[float, ...],
    observer_difference: float,
    first_animal: int,
    with_truth: bool = False,
) -> SimulatedStudy:
    """Draw a study of the benchmark's laboratory."""
    return simulate_study(
        arms,
        days,
        SEED,
        host=HOST,
        measurement=Measurement(observer_difference=observer_difference),
        first_animal=first_animal,
        with_truth=with_truth,
        values=DEPENDENCE,
    )


def one_study(
    arguments: tuple[Scenario, int, int, dict[tuple[str, str], float]],
) -> dict[str, tuple[int, int]]:
    """Hits and chances of one study, by what is counted."""
    scenario, animals, seed, rates = arguments
    arms = [SimulatedArm(ARMS[0], animals), SimulatedArm(ARMS[1], animals, TREATMENT)]
    first = seed * 2 * animals
    study = draw(arms, scenario.days, scenario.observer_difference, first, with_truth=True)
    counts: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))

    def count(name: str, hit: bool) -> None:
        hits, chances = counts[name]
        counts[name] = (hits + bool(hit), chances + 1)

    model = fit_growth(study.measurements, ARMS)
    for phase in (WINDOW, AFTER):
        truths = {
            ARMS[0]: (model.slope(ARMS[0], phase), rates[ARMS[0], phase]),
            ARMS[1]: (model.slope(ARMS[1], phase), rates[ARMS[1], phase]),
            "difference": (
                model.slope_difference(ARMS[1], ARMS[0], phase),
                rates[ARMS[1], phase] - rates[ARMS[0], phase],
            ),
        }
        for name, (estimate, truth) in truths.items():
            if estimate is not None:
                count(f"coverage {name} {phase}", estimate.lower <= truth <= estimate.upper)

    course = study.truth.set_index("animal")["course"]
    verdicts = {}
    if seed < SCORED_STUDIES:
        table = study.measurements.assign(calcium_mmol_per_L=np.nan, alp_U_per_L=np.nan)
        verdicts = score_flares(table).animals.set_index("animal")["verdict"].to_dict()
    for animal, rows in study.measurements.groupby("animal"):
        days, volumes = rows["day"].to_numpy(), rows["volume_mm3"].to_numpy()
        left = "size" in " ".join(rows["reason_left"])
        plain = mrecist(days, volumes).response
        aware = flare_aware(days, volumes, left_for_size=left).response
        truth = course[animal]
        if truth == str(Course.FLARE_RESPONSE):
            count("flare responders called SD or PD by mRECIST", plain in ("SD", "PD"))
            if plain in ("SD", "PD"):
                count("recovery", aware in RESPONDED)
        if truth in map(str, FLARES) and verdicts.get(animal, "no early rise") != "no early rise":
            count(f"{truth} with verdict flare", verdicts[animal] == "flare")
            count(f"{truth} with verdict progression", verdicts[animal] == "progression")
        if truth == str(Course.PROGRESSION):
            count("false flare by class", aware in RESPONDED)
            if animal in verdicts:
                count("false flare by verdict", verdicts[animal] == "flare")
    return dict(counts)


def run(scenario: Scenario, studies: int, animals: int, workers: int) -> dict[str, tuple[int, int]]:
    rates = true_rates(scenario.days)
    total: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    with ProcessPoolExecutor(workers) as pool:
        jobs = ((scenario, animals, seed, rates) for seed in range(studies))
        for counts in pool.map(one_study, jobs, chunksize=20):
            for name, (hits, chances) in counts.items():
                total[name] = (total[name][0] + hits, total[name][1] + chances)
    return dict(total)


def percent(counts: tuple[int, int]) -> str:
    """Percentage with its Monte-Carlo standard error."""
    hits, chances = counts
    if chances == 0:
        return "–"
    share = hits / chances
    return f"{100 * share:.1f} ± {100 * np.sqrt(share * (1 - share) / chances):.1f}"


def speed() -> tuple[float, float]:
    """Seconds by the clock and of processor time to read, analyse and report 60 by 60."""
    arms = [
        SimulatedArm("vehicle", 20),
        SimulatedArm("low", 20, (Treatment("toremifene", 3.0),)),
        SimulatedArm("high", 20, TREATMENT),
    ]
    days = tuple(float(day) for day in range(60))
    host = Host(
        estradiol_pellet_mg=0.05, ovariectomized=True, in_bone=True, baseline_volume_mm3=60.0
    )
    study = simulate_study(arms, Visits(days, blood_days=days[::7]), 3, host=host)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "study.csv"
        study_file(study).to_csv(path, index=False)
        clock, processor = time.perf_counter(), time.process_time()
        write_analysis(analyze_study(read_study(path)), Path(folder) / "out")
        return time.perf_counter() - clock, time.process_time() - processor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--others", type=int, default=300, help="studies of each other scenario")
    parser.add_argument("--animals", type=int, default=ANIMALS, help="animals per arm")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    results = {
        one.label: run(
            one, options.others if place else options.studies, options.animals, options.workers
        )
        for place, one in enumerate(scenarios())
    }
    names = sorted({name for counts in results.values() for name in counts})
    lines = ["| " + " | ".join(["percent", *results]) + " |"]
    lines.append("|" + "---|" * (len(results) + 1))
    for name in names:
        cells = [percent(counts.get(name, (0, 0))) for counts in results.values()]
        lines.append("| " + " | ".join([name.replace("_", " "), *cells]) + " |")
    clock, processor = speed()
    lines += [
        "",
        f"60 animals by 60 days, read, analysed and reported: {clock:.1f} s "
        f"({processor:.1f} s of processor time)",
    ]
    text = "\n".join(lines)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
