"""Fits a problem, profiles its parameters and writes what came out."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from estradyn.calibration.fit import Fit, fit
from estradyn.calibration.prediction import Predictor
from estradyn.calibration.problem import CalibrationProblem
from estradyn.calibration.profile import Profile, no_profile, profile_likelihood
from estradyn.errors import InputError
from estradyn.output_folder import output_folder

FILES = ("parameters.tsv", "measurements.tsv", "profiles.tsv", "starts.tsv", "report.html")
"""Files of a calibration."""


@dataclass(frozen=True)
class Calibration:
    """A fit with its profiles.

    Attributes
    ----------
    problem, fitted
        What was fitted and what came out.
    profiles
        Profile of each parameter, in the order of the problem.
    """

    problem: CalibrationProblem
    fitted: Fit
    profiles: tuple[Profile, ...]


def calibrate(
    problem: CalibrationProblem,
    out: Path,
    *,
    starts: int = 10,
    seed: int = 1,
    workers: int = 1,
    profiled: Collection[str] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Calibration:
    """Fit a problem, profile its parameters and write tables and a report.

    Parameters
    ----------
    problem
        See `load_problem`.
    out
        Folder to write; appears whole or not at all.
    starts, seed
        See `fit`.
    workers
        Threads of the solver.
    profiled
        Parameters to profile; every fitted one by default.
    progress
        Called with what is done, how much of it, and how much there is.

    Raises
    ------
    SimulationError
        If the experiments cannot be solved.
    InputError
        If the folder holds something else, or a parameter to profile is not fitted.
    """
    from estradyn.calibration.page import calibration_html

    names = [item.name for item in problem.free]
    wanted = names if profiled is None else profiled
    for name in wanted:
        if name not in names:
            raise InputError(f"'{name}' is not fitted; fitted are {', '.join(names)}")
    with output_folder(out, FILES) as folder:
        predictor = Predictor(problem, workers=workers)

        def searching(done: int, planned: int) -> None:
            if progress is not None:
                progress("searching from many starts", done, planned)

        fitted = fit(predictor, starts=starts, seed=seed, progress=searching)
        profiles = []
        for place, name in enumerate(names):
            if progress is not None:
                progress("profiling the parameters", place, len(names))
            chosen = name in wanted
            profiles.append(
                profile_likelihood(predictor, fitted, place) if chosen else no_profile(name)
            )
        found = Calibration(problem, fitted, tuple(profiles))
        for name, text in _tables(found).items():
            (folder / name).write_text(text, encoding="utf-8")
        (folder / "report.html").write_text(calibration_html(found), encoding="utf-8")
    return found


def _tables(found: Calibration) -> dict[str, str]:
    problem, fitted = found.problem, found.fitted
    experiments = problem.experiments
    return {
        "parameters.tsv": _tsv(
            ("name", "value", "lower", "upper", "verdict"),
            [
                (item.name, value, profile.lower, profile.upper, profile.verdict)
                for item, value, profile in zip(
                    problem.free, fitted.values, found.profiles, strict=True
                )
            ],
        ),
        "measurements.tsv": _tsv(
            (
                *("dataset", "experiment", "observable", "time", "published"),
                *("standard_deviation", "fitted", "residual"),
            ),
            [
                (
                    *(item.dataset, experiments[item.experiment].name, item.observable),
                    *(item.time, item.value, item.standard_deviation, value),
                    (value - item.value) / item.standard_deviation,
                )
                for item, value in zip(problem.measurements, fitted.predicted, strict=True)
            ],
        ),
        "profiles.tsv": _tsv(
            ("name", "value", "misfit"),
            [
                (profile.name, value, misfit)
                for profile in found.profiles
                for value, misfit in zip(profile.positions, profile.misfits, strict=True)
            ],
        ),
        "starts.tsv": _tsv(
            ("misfit", *(item.name for item in problem.free)),
            [
                (
                    start.misfit,
                    *(
                        item.from_scale(value)
                        for item, value in zip(problem.free, start.end, strict=True)
                    ),
                )
                for start in fitted.starts
            ],
        ),
    }


def _tsv(columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return text.getvalue()


def _cell(value: object) -> object:
    if not isinstance(value, float | np.floating):
        return value
    return "" if np.isnan(value) else f"{value:.6g}"
