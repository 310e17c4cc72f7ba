"""RECIST 1.1: from sums of diameters to response, progression and clinical benefit.

Eisenhauer et al. 2009, Eur J Cancer 45:228-247, doi 10.1016/j.ejca.2008.10.026. All functions take
whole arms at once; axis 0 is the patient, axis 1 the scan, and scan 0 is the baseline.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from estradyn.trial.study import Criteria

Array = NDArray[np.float64]
Codes = NDArray[np.int8]
Flags = NDArray[np.bool_]
Days = NDArray[np.float64]

NEVER = np.nan
"""Day of something that did not happen."""


class Response(IntEnum):
    """Response categories, best first; patients with bone disease alone have CR, SD or PD."""

    CR = 1
    PR = 2
    SD = 3
    PD = 4
    NE = 5


def assess(
    sum_of_diameters: Array, non_target_volume: Array, criteria: Criteria, *, reference: int = 0
) -> Codes:
    """Judge each scan: response against the baseline, progression against the smallest so far.

    Parameters
    ----------
    sum_of_diameters
        Measured sum of longest diameters of the target lesions, mm; shape (patients, scans). All
        NaN for a patient without measurable disease, who is then judged by non-target disease
        alone: complete response, neither (kept as SD), or progression.
    non_target_volume
        Measured volume of the non-target (bone) disease, mL; shape (patients, scans). Zero
        throughout for a patient without any.
    criteria
        Thresholds. Non-target disease progresses unequivocally when its volume rises above its
        nadir by `non_target_volume_progression`; RECIST 1.1 names 73 % in volume as the equal of
        20 % in diameter.
    reference
        Position of the scan from which the nadir is taken; nothing is progression up to it.

    Returns
    -------
    numpy.ndarray
        `Response` codes, shape (patients, scans). The baseline is SD by definition; a scan without
        a number is NE.
    """
    sums, volumes = sum_of_diameters, non_target_volume
    non_target_gone = volumes == 0.0
    without_target = np.isnan(sums).all(axis=1, keepdims=True)
    shrunk = sums <= sums[:, :1] * (1.0 - criteria.partial_response / 100.0)
    gone = (without_target | (sums == 0.0)) & non_target_gone

    codes = np.full(sums.shape, Response.SD, dtype=np.int8)
    codes[shrunk] = Response.PR
    codes[gone] = Response.CR
    codes[:, 0] = Response.SD
    codes[_progressed(sums, volumes, criteria, reference)] = Response.PD
    codes[np.isnan(volumes) | (np.isnan(sums) & ~without_target)] = Response.NE
    return codes


def _progressed(sums: Array, volumes: Array, criteria: Criteria, reference: int) -> Flags:
    progressed = np.zeros(sums.shape, dtype=np.bool_)
    later = slice(reference + 1, None)
    nadir = _nadir_before(sums[:, reference:])[:, 1:]
    rise = sums[:, later] - nadir
    target = (rise > 0.0) & (rise >= criteria.progression_absolute)
    target &= rise >= nadir * criteria.progression / 100.0
    volume_nadir = _nadir_before(volumes[:, reference:])[:, 1:]
    volume_rise = volumes[:, later] - volume_nadir
    non_target = volume_rise >= volume_nadir * criteria.non_target_volume_progression / 100.0
    progressed[:, later] = target | (non_target & (volume_rise > 0.0))
    return progressed


def _nadir_before(values: Array) -> Array:
    """Smallest value from the first scan to the one before each; the first itself at position 0."""
    nadir = np.fmin.accumulate(values, axis=1)
    return np.concatenate([values[:, :1], nadir[:, :-1]], axis=1)


def first_scan(flags: Flags) -> NDArray[np.int64]:
    """Position of the first true scan of each patient, or the number of scans if there is none."""
    return np.where(flags.any(axis=1), flags.argmax(axis=1), flags.shape[1])


def best_overall_response(
    codes: Codes, days: Days, criteria: Criteria, last_scan: NDArray[np.int64]
) -> Codes:
    """Best response from the start to the scan a patient leaves the study on.

    A CR or PR counts when the next scan that is at least `confirmation_interval` later shows the
    same or better; an unconfirmed one counts as SD. SD must have been seen at least
    `smallest_stable_disease` after baseline (RECIST 1.1, table 3 and section 4.6).

    Parameters
    ----------
    codes
        From `assess`, shape (patients, scans).
    days
        Days of the scans, shape (patients, scans).
    criteria
        Thresholds and whether confirmation is asked for.
    last_scan
        Position of the last scan that counts, shape (patients,).

    Returns
    -------
    numpy.ndarray
        `Response` codes, shape (patients,).
    """
    scans = codes.shape[1]
    counted = (np.arange(scans) <= last_scan[:, None]) & (np.arange(scans) > 0)
    before_progression = np.arange(scans) < first_scan((codes == Response.PD) & counted)[:, None]
    usable = counted & before_progression
    complete = _confirmed(codes, days, usable, Response.CR, criteria)
    partial = _confirmed(codes, days, usable, Response.PR, criteria)
    stable = usable & (codes <= Response.SD) & (days >= criteria.smallest_stable_disease)
    progressed = counted & (codes == Response.PD)
    best = np.full(codes.shape[0], Response.NE, dtype=np.int8)
    for flags, response in (
        (progressed, Response.PD),
        (stable, Response.SD),
        (partial, Response.PR),
        (complete, Response.CR),
    ):
        best[flags.any(axis=1)] = response
    return best


def _confirmed(
    codes: Codes, days: Days, usable: Flags, response: Response, criteria: Criteria
) -> Flags:
    """Whether each scan shows the response or better and, if asked for, a later one agrees."""
    shown = usable & (codes <= response)
    if not criteria.confirm_response:
        return shown
    confirming = _next_scan_after(days, usable, criteria.confirmation_interval)
    exists = confirming < codes.shape[1]
    again = np.take_along_axis(shown, np.minimum(confirming, codes.shape[1] - 1), axis=1)
    return shown & exists & again


def _next_scan_after(days: Days, usable: Flags, interval: float) -> NDArray[np.int64]:
    """Position of the first usable scan at least `interval` after each, or the number of scans."""
    scans = days.shape[1]
    later = (days[:, None, :] - days[:, :, None] >= interval) & usable[:, None, :]
    return np.where(later.any(axis=2), later.argmax(axis=2), scans)


def progression_confirmed(codes: Codes, days: Days, criteria: Criteria) -> Flags:
    """Whether each progression is seen again on the next scan, if that is late enough.

    A progression is confirmed when the first scan at least `confirmation_interval` later is a
    progression too. One on the last scan can't be.
    """
    progressed = codes == Response.PD
    confirming = _next_scan_after(days, np.ones_like(progressed), criteria.confirmation_interval)
    exists = confirming < codes.shape[1]
    again = np.take_along_axis(progressed, np.minimum(confirming, codes.shape[1] - 1), axis=1)
    return progressed & exists & again


def clinical_benefit(
    best: Codes,
    codes: Codes,
    planned_days: Days,
    criteria: Criteria,
    last_scan: NDArray[np.int64],
) -> Flags:
    """Whether each patient responded, or stayed free of progression for `clinical_benefit` days.

    Freedom from progression is read from the scan planned for that day or the first after it, so
    a scan that falls early in its window does not cost a patient her benefit.

    Parameters
    ----------
    best
        From `best_overall_response`, shape (patients,).
    codes
        From `assess`, shape (patients, scans).
    planned_days
        Planned days of the scans, shape (scans,).
    criteria
        Thresholds.
    last_scan
        Position of the last scan that counts, shape (patients,).
    """
    scans = np.arange(codes.shape[1])
    progression = first_scan((codes == Response.PD) & (scans > 0))
    free = (
        (codes <= Response.SD)
        & (scans < progression[:, None])
        & (scans <= last_scan[:, None])
        & (planned_days >= criteria.clinical_benefit)
    )
    return (best <= Response.PR) | free.any(axis=1)
