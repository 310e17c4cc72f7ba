"""Coverage of the intervals and false calls of the assay analysis, on assays with known truth.

Each simulated assay has plates with their own brightness, wells in triplicate, eight vehicle wells,
scatter between wells and between plates at each dose. It goes through the same steps as real wells:
percent of vehicle, alignment of plates, choice of the curve, profile-likelihood intervals. Zones
are not tested before (all of this size are found); assays without a zone are, to count false calls.

    python benchmarks/assay_coverage.py --assays 1000 --kinds BC.4 bell
    python benchmarks/assay_coverage.py --assays 500 --kinds monotone
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
    choose_curve,
    fit_families,
    simplest_supported,
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
BATCH = 250
"""Assays fitted side by side."""
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


def coverage(family: CurveFamily, options: argparse.Namespace) -> None:
    """Print the coverage of the intervals on zones of a family."""
    generator = np.random.default_rng(options.seed)
    tallies = {
        curve: {landmark.name: Counter[str]() for landmark in MARKS}
        for curve in ("true family", "chosen curve")
    }
    names: Counter[str] = Counter()
    for first in range(0, options.assays, BATCH):
        truths = [
            draw_biphasic(family, generator) for _ in range(min(BATCH, options.assays - first))
        ]
        data = stacked([simulate(truth, generator) for truth in truths])
        fits = fit_families(MONOTONE + BIPHASIC, data)
        chosen = [
            simplest_supported([fits[f.name].subset(slice(i, i + 1)) for f in BIPHASIC]).family.name
            for i in range(len(truths))
        ]
        names.update(chosen)
        whole = np.arange(len(truths))
        parts = [("true family", family.name, whole)]
        for name in set(chosen):
            parts.append(("chosen curve", name, np.flatnonzero(np.array(chosen) == name)))
        for curve, name, rows in parts:
            fit = fits[name].subset(rows)
            nested = fits[nested_monotone(fit.family).name].subset(rows)
            for landmark, tally in judge(fit, nested, [truths[i] for i in rows]).items():
                tallies[curve][landmark] += tally
    for curve, tally_of in tallies.items():
        for landmark, tally in tally_of.items():
            total = tally.total() - tally["none"]
            print(
                f"| {family.name} | {curve} | {landmark} | {percentage(tally['in'], total)} | "
                f"{tally['below']} | {tally['above']} | {tally['none']} |",
                flush=True,
            )
    print(f"curves chosen for truth {family.name}: {dict(names)}")


def false_calls(options: argparse.Namespace) -> None:
    """Print how many monotone assays are called biphasic."""
    generator = np.random.default_rng([options.seed, 0])
    truths = [draw_monotone(generator) for _ in range(options.assays)]
    data = stacked([simulate(truth, generator) for truth in truths])
    fits = fit_families(MONOTONE + BIPHASIC, data)
    called = 0
    for i in range(len(truths)):
        one = slice(i, i + 1)
        own = {name: fit.subset(one) for name, fit in fits.items()}
        choice = choose_curve(data.subset(one), simulations=options.simulations, seed=i, fits=own)
        called += choice.biphasic
    print(f"monotone assays called biphasic, %: {percentage(called, options.assays)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assays", type=int, default=500, help="assays of each kind")
    parser.add_argument("--kinds", nargs="*", default=[*ZONES, "monotone"])
    parser.add_argument("--simulations", type=int, default=199, help="behind p of monotone assays")
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args()
    begin = time.perf_counter()
    print("| truth | curve | landmark | covered % (95 % interval) | truth below | above | none |")
    print("|---|---|---|---|---|---|---|")
    for kind in options.kinds:
        if kind in ZONES:
            coverage(ZONES[kind], options)
        else:
            false_calls(options)
    print(f"{options.assays} assays of each kind, {time.perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main()
