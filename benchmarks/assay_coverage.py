"""Coverage of the intervals and false calls of the assay analysis, on assays with known truth.

Each simulated assay has plates with their own brightness, wells in triplicate, eight vehicle wells,
scatter between wells and between plates at each dose. It goes through the same steps as real wells:
percent of vehicle, alignment of plates, choice of the curve, profile-likelihood intervals.

    python benchmarks/assay_coverage.py --assays 500 --monotone 500
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import beta

from estradyn.assay.curves.choice import (
    BIPHASIC,
    MONOTONE,
    Choice,
    choose_curve,
    fit_families,
)
from estradyn.assay.curves.families import (
    BELL,
    BRAIN_COUSENS_4,
    LOG_LOGISTIC_3,
    LOG_LOGISTIC_4,
    CurveFamily,
    nested_monotone,
)
from estradyn.assay.curves.fit import CurveFit
from estradyn.assay.curves.landmarks import LANDMARKS, DoseWindow, landmarks_of
from estradyn.assay.curves.observations import Observations, observations, stacked
from estradyn.assay.curves.profile import profile_intervals
from estradyn.assay.replicates import make_replicates

DOSES = np.array([1e-11, 1e-10, 3e-10, 1e-9, 3e-9, 1e-8, 3e-8, 1e-7, 3e-7, 1e-6, 3e-6, 1e-5])
REFERENCE = float(np.exp(np.mean(np.log(DOSES))))
PLATES, WELLS, VEHICLE_WELLS = 4, 3, 8
PLATE_CV, WELL_SD, PLATE_DOSE_SD = 0.15, 6.0, 3.0

MARKS = landmarks_of(BRAIN_COUSENS_4)
ZONES = {family.name: family for family in (BRAIN_COUSENS_4, BELL)}


@dataclass(frozen=True)
class Truth:
    """A true curve, in percent of vehicle."""

    family: CurveFamily
    theta: NDArray[np.float64]


def draw_biphasic(family: CurveFamily, generator: np.random.Generator) -> Truth:
    """A zone with its peak at 115 to 150 %, somewhere in the middle of the doses."""
    while True:
        log_dose = np.log(10 ** generator.uniform(-8.5, -7.0) / REFERENCE)
        slope = np.log(generator.uniform(1.3, 2.5))
        if family is BELL:
            rise = log_dose - generator.uniform(1.5, 3.0) * np.log(10.0)
            tail = [slope, log_dose, np.log(generator.uniform(0.8, 1.6)), rise]
            stimulation = generator.uniform(20.0, 60.0)
        else:
            tail = [slope, log_dose]
            stimulation = 100.0 * generator.uniform(0.8, 4.0) / np.exp(log_dose)
        theta = np.array([100.0, stimulation, *tail])
        peak = float(np.exp(LANDMARKS[1].value(family, theta[None], WINDOW)[0]))
        limiting = LANDMARKS[2].value(family, theta[None], WINDOW)[0]
        inside = np.log(DOSES[-3] / REFERENCE)
        if 115.0 <= peak <= 150.0 and limiting < inside:
            return Truth(family, theta)


def draw_monotone(generator: np.random.Generator) -> Truth:
    """A log-logistic decline, half of the time to a floor above 0."""
    log_dose = np.log(10 ** generator.uniform(-8.5, -6.0) / REFERENCE)
    slope = np.log(generator.uniform(0.8, 2.5))
    if generator.random() < 0.5:
        return Truth(LOG_LOGISTIC_3, np.array([100.0, slope, log_dose]))
    floor = generator.uniform(5.0, 50.0)
    return Truth(LOG_LOGISTIC_4, np.array([100.0, floor, slope, log_dose]))


def simulate(truth: Truth, generator: np.random.Generator) -> Observations:
    """Wells of one assay, normalised and reduced as the analysis does."""
    doses = np.concatenate([[0.0], DOSES])
    with np.errstate(divide="ignore"):
        mean = truth.family.evaluate(truth.theta[None, :], np.log(doses / REFERENCE))
    frames = []
    for plate in range(PLATES):
        centre = mean + PLATE_DOSE_SD * generator.standard_normal(len(doses))
        count = np.where(doses == 0, VEHICLE_WELLS, WELLS)
        signal = np.repeat(centre, count) + WELL_SD * generator.standard_normal(count.sum())
        signal *= np.exp(PLATE_CV * generator.standard_normal())
        dose = np.repeat(doses, count)
        response = 100.0 * signal / signal[dose == 0].mean()
        frames.append(pd.DataFrame({"plate": str(plate), "dose": dose, "response": response}))
    replicates = make_replicates(pd.concat(frames, ignore_index=True))
    table = replicates.table
    return observations(
        table["dose"],
        table["response"],
        weight=table["weight"],
        lost_df=replicates.lost_df,
        reference_dose=REFERENCE,
    )


WINDOW = DoseWindow(
    float(np.log(DOSES[0] / REFERENCE) - np.log(1e2)),
    float(np.log(DOSES[-1] / REFERENCE) + np.log(1e4)),
)


def judge(fit: CurveFit, nested: CurveFit, truths: list[Truth]) -> dict[str, Counter[str]]:
    """Where each true landmark lies: inside the interval, below, above, or no estimate."""
    result = {}
    for interval in profile_intervals(fit, MARKS, no_stimulation=nested.sum_of_squares):
        landmark = interval.landmark
        scale = REFERENCE if landmark.is_dose else 1.0
        true = scale * np.exp(
            [float(landmark.value(t.family, t.theta[None], WINDOW)[0]) for t in truths]
        )
        place = np.select(
            [np.isnan(interval.value), true < interval.lower, true > interval.upper],
            ["none", "below", "above"],
            "in",
        )
        result[landmark.name] = Counter(place.tolist())
    return result


def percentage(hits: int, total: int) -> str:
    """Percentage with its exact 95 % interval (Clopper-Pearson)."""
    low = beta.ppf(0.025, hits, total - hits + 1) if hits else 0.0
    high = beta.ppf(0.975, hits + 1, total - hits) if hits < total else 1.0
    return f"{100 * hits / total:.1f} ({100 * low:.1f}-{100 * high:.1f})"


def analysed(
    truths: list[Truth], generator: np.random.Generator, simulations: int
) -> tuple[dict[str, CurveFit], list[Choice]]:
    """Fits of all assays side by side, and the choice made for each."""
    data = stacked([simulate(truth, generator) for truth in truths])
    fits = fit_families(MONOTONE + BIPHASIC, data)
    choices = []
    for i in range(len(truths)):
        one = slice(i, i + 1)
        own = {name: fit.subset(one) for name, fit in fits.items()}
        choices.append(choose_curve(data.subset(one), simulations=simulations, seed=i, fits=own))
    return fits, choices


def coverage(family: CurveFamily, options: argparse.Namespace) -> int:
    """Print the coverage of the intervals on zones of a family; return how many were called."""
    generator = np.random.default_rng([options.seed, len(family.parameters)])
    truths = [draw_biphasic(family, generator) for _ in range(options.assays)]
    fits, choices = analysed(truths, generator, options.zone_simulations)
    nested = fits[nested_monotone(family).name]
    tallies = {"true family": judge(fits[family.name], nested, truths)}
    chosen: dict[str, Counter[str]] = {landmark.name: Counter() for landmark in MARKS}
    names = Counter(choice.chosen.family.name for choice in choices)
    for name in {candidate.name for candidate in BIPHASIC} & set(names):
        rows = np.array([i for i, c in enumerate(choices) if c.chosen.family.name == name])
        fit = fits[name].subset(rows)
        nested = fits[nested_monotone(fit.family).name].subset(rows)
        for landmark_name, tally in judge(fit, nested, [truths[i] for i in rows]).items():
            chosen[landmark_name] += tally
    tallies["chosen curve"] = chosen
    for curve, tally_of in tallies.items():
        for landmark in MARKS:
            tally = tally_of[landmark.name]
            total = tally.total() - tally["none"]
            print(
                f"| {family.name} | {curve} | {landmark.name} | "
                f"{percentage(tally['in'], total)} | {tally['below']} | {tally['above']} | "
                f"{tally['none']} |",
                flush=True,
            )
    print(f"curves chosen for truth {family.name}: {dict(names)}")
    return sum(choice.biphasic for choice in choices)


def false_calls(options: argparse.Namespace) -> int:
    """Return how many monotone assays are called biphasic."""
    generator = np.random.default_rng([options.seed, 0])
    truths = [draw_monotone(generator) for _ in range(options.assays)]
    _, choices = analysed(truths, generator, options.simulations)
    return sum(choice.biphasic for choice in choices)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assays", type=int, default=500, help="assays of each kind")
    parser.add_argument("--kinds", nargs="*", default=[*ZONES, "monotone"])
    parser.add_argument("--simulations", type=int, default=199, help="behind p, without a zone")
    parser.add_argument("--zone-simulations", type=int, default=39, help="behind p, with a zone")
    parser.add_argument("--seed", type=int, default=20240501)
    options = parser.parse_args()
    begin = time.perf_counter()
    print("| truth | curve | landmark | covered % (95 % interval) | truth below | above | none |")
    print("|---|---|---|---|---|---|---|")
    calls = [
        (kind, coverage(ZONES[kind], options) if kind in ZONES else false_calls(options))
        for kind in options.kinds
    ]
    print("\n| truth | called biphasic % (95 % interval) |\n|---|---|")
    for name, called in calls:
        print(f"| {name} | {percentage(called, options.assays)} |")
    print(f"\n{options.assays} assays of each kind, {time.perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main()
