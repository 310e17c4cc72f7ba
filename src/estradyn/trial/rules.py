"""When a patient would leave the study under each rule, and what she would have missed.

All rules are applied to the same scans of continued treatment, so what a patient's tumor does after
a rule would have taken her off is known.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from estradyn.trial.response import (
    Codes,
    Flags,
    Response,
    assess,
    first_scan,
    progression_confirmed,
)
from estradyn.trial.study import Criteria, OffStudyRule

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Departure:
    """What one rule does with each patient; arrays of shape (patients,) unless stated.

    Attributes
    ----------
    off_day
        Day she would leave the study for progression; NaN if she stays to its end.
    progression_day
        Day her progression is dated, at most `off_day`; NaN without one.
    last_scan
        Position of the last scan that counts for her.
    codes
        `Response` codes as the rule reads them, shape (patients, scans): a progression that the
        rule does not act on is NE.
    """

    off_day: Array
    progression_day: Array
    last_scan: NDArray[np.int64]
    codes: Codes

    @property
    def progressed(self) -> Flags:
        """Whether each patient leaves for progression."""
        return np.isfinite(self.off_day)


@dataclass(frozen=True)
class ScanRecord:
    """Scans of one group of patients.

    Attributes
    ----------
    planned_days
        Shape (scans,).
    days
        Days the scans took place, shape (patients, scans).
    sum_of_diameters
        Shape (patients, scans), mm.
    non_target_volume
        Shape (patients, scans), mL.
    """

    planned_days: Array
    days: Array
    sum_of_diameters: Array
    non_target_volume: Array


def first_progression(record: ScanRecord, criteria: Criteria) -> Departure:
    """Leave on the day of the first scan that shows progression by RECIST 1.1."""
    codes = assess(record.sum_of_diameters, record.non_target_volume, criteria)
    return _leave_at_first(codes, record.days)


def confirmed_progression(record: ScanRecord, criteria: Criteria) -> Departure:
    """Leave on the day of the scan that confirms a progression.

    The first scan at least `confirmation_interval` after a progression must be a progression too.
    The progression is dated to the scan that showed it first. (The idea of unconfirmed progression
    is that of iRECIST, doi 10.1016/S1470-2045(17)30074-8.)
    """
    codes = assess(record.sum_of_diameters, record.non_target_volume, criteria)
    confirmed = progression_confirmed(codes, record.days, criteria)
    read = np.where((codes == Response.PD) & ~confirmed, np.int8(Response.NE), codes)
    departure = _leave_at_first(read, record.days)
    scans = codes.shape[1]
    later = record.days - departure.progression_day[:, None] >= criteria.confirmation_interval
    confirming = np.minimum(first_scan(later), scans - 1)
    day = np.take_along_axis(record.days, confirming[:, None], axis=1)[:, 0]
    progressed = departure.progressed
    return replace(
        departure,
        off_day=np.where(progressed, day, np.nan),
        last_scan=np.where(progressed, confirming, departure.last_scan),
    )


def treat_through_flare(record: ScanRecord, criteria: Criteria, flare_window: float) -> Departure:
    """Act on no progression within the flare window, then judge against the end of the window.

    The last scan planned within the window becomes the reference: from then on progression is a
    rise above the smallest sum (or non-target volume) since that scan. Response is still judged
    against the baseline before treatment.
    """
    rebased = rebased_codes(record, criteria, flare_window)
    return _leave_at_first(rebased, record.days)


def worsening_signs(record: ScanRecord, criteria: Criteria, signs_day: Array) -> Departure:
    """Leave at the first progression or at the first worsening signs, whichever comes first.

    This is what happens where a symptomatic flare or hypercalcemia is itself read as progression.

    Parameters
    ----------
    record
        Scans.
    criteria
        Thresholds.
    signs_day
        Onset of the first symptomatic flare or hypercalcemia; NaN without either.
    """
    by_scan = first_progression(record, criteria)
    off_day = np.fmin(by_scan.off_day, signs_day)
    with np.errstate(invalid="ignore"):
        seen = record.days <= np.where(np.isnan(off_day), np.inf, off_day)[:, None]
    last = np.maximum(seen.sum(axis=1) - 1, 0)
    return Departure(off_day, off_day, np.minimum(last, by_scan.last_scan), by_scan.codes)


def departures(
    record: ScanRecord, criteria: Criteria, flare_window: float, signs_day: Array
) -> dict[OffStudyRule, Departure]:
    """Apply every rule."""
    return {
        OffStudyRule.FIRST_PROGRESSION: first_progression(record, criteria),
        OffStudyRule.CONFIRMED_PROGRESSION: confirmed_progression(record, criteria),
        OffStudyRule.TREAT_THROUGH_FLARE: treat_through_flare(record, criteria, flare_window),
        OffStudyRule.WORSENING_SIGNS: worsening_signs(record, criteria, signs_day),
    }


def reference_scan(planned_days: Array, flare_window: float) -> int:
    """Position of the last scan planned within the flare window."""
    return int(np.flatnonzero(planned_days <= flare_window)[-1])


def rebased_codes(record: ScanRecord, criteria: Criteria, flare_window: float) -> Codes:
    """Response codes with progression judged from the end of the flare window on.

    A progression before the reference scan, or on it, is NE.
    """
    sums, volumes = record.sum_of_diameters, record.non_target_volume
    reference = reference_scan(record.planned_days, flare_window)
    codes = assess(sums, volumes, criteria, reference=reference)
    during_flare = assess(sums, volumes, criteria)[:, : reference + 1] == Response.PD
    codes[:, : reference + 1][during_flare] = Response.NE
    return codes


def true_response_day(true_record: ScanRecord, criteria: Criteria, flare_window: float) -> Array:
    """Day on which a tumor under continued treatment truly responds or shows benefit.

    The scans are those without error of measurement. Until the tumor progresses from the end of
    the flare window on (`rebased_codes`), the patient is a true responder from the first scan on
    which

    - it has responded (CR or PR) against the baseline before treatment, or
    - it has shrunk by the threshold of PR against the last scan planned within the flare window
      (response re-based at the end of flare), or
    - it has gone `clinical_benefit` days without progression since that scan.

    Returns
    -------
    numpy.ndarray
        Shape (patients,); NaN for a patient who never does.
    """
    codes = rebased_codes(true_record, criteria, flare_window)
    reference = reference_scan(true_record.planned_days, flare_window)
    scans = np.arange(codes.shape[1])
    free = scans < first_scan(codes == Response.PD)[:, None]
    responded = (codes <= Response.PR) & (scans > 0)
    sums = true_record.sum_of_diameters
    with np.errstate(invalid="ignore"):
        shrunk = (scans > reference) & (
            sums <= sums[:, [reference]] * (1.0 - criteria.partial_response / 100.0)
        )
    waited = true_record.planned_days - true_record.planned_days[reference]
    benefit = (codes != Response.NE) & (waited >= criteria.clinical_benefit) & (scans > reference)
    reached = free & (responded | shrunk | benefit)
    at = np.minimum(first_scan(reached), codes.shape[1] - 1)
    day = np.take_along_axis(true_record.days, at[:, None], axis=1)[:, 0]
    return np.where(reached.any(axis=1), day, np.nan)


def later_responder_taken_off(departure: Departure, response_day: Array) -> Flags:
    """Whether a rule takes a patient off study before the day she truly responds."""
    with np.errstate(invalid="ignore"):
        return departure.off_day < response_day


def _leave_at_first(codes: Codes, days: Array) -> Departure:
    progressed = codes == Response.PD
    scans = codes.shape[1]
    at = first_scan(progressed)
    last = np.minimum(at, scans - 1)
    day = np.take_along_axis(days, last[:, None], axis=1)[:, 0]
    day = np.where(at < scans, day, np.nan)
    return Departure(day, day, last, codes)
