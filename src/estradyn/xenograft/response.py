"""Response of one animal: mRECIST, and a class that waits out the flare window."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from estradyn.xenograft.smoothed_course import smoothed_change

Array = NDArray[np.float64]

FIRST_JUDGED_DAY = 10.0
"""Days after the start of the comparison from which a change counts."""

_WIDEST_GAP = 14.0
"""Days between two visits over which a volume may be interpolated."""

_HALF, _GROWN = np.log(0.5), np.log(1.35)
"""Change of log volume of a partial response (-50 %) and of progression (+35 %), as mRECIST."""

_LIMITS = (("CR", -95.0, -40.0), ("PR", -50.0, -20.0), ("SD", 35.0, 30.0))
"""Class, best change and best average change (percent) that it stays below."""


class ResponseClass(StrEnum):
    """Response class of an animal, best first."""

    COMPLETE = "CR"
    PARTIAL = "PR"
    STABLE = "SD"
    PROGRESSION = "PD"
    UNCONFIRMED_PROGRESSION = "uPD"
    NOT_EVALUABLE = "NE"


RESPONDED = (ResponseClass.COMPLETE, ResponseClass.PARTIAL)

_ORDER = {c: place for place, c in enumerate(ResponseClass)}


@dataclass(frozen=True)
class Response:
    """Best change of a tumor and its class.

    Attributes
    ----------
    response
        Class by the modified RECIST criteria of Gao 2015.
    best_change, best_change_day
        Smallest change from the reference volume in percent, and its day; NaN when not evaluable.
    best_average
        Smallest running average of the changes, percent.
    """

    response: ResponseClass
    best_change: float
    best_change_day: float
    best_average: float


@dataclass(frozen=True)
class FlareRule:
    """When an early rise counts and when it is judged; days and percent.

    Attributes
    ----------
    window_end
        End of the flare window; volumes are re-based here.
    early_rise
        Rise over baseline within the window that counts as apparent progression. Set below the
        35 % of mRECIST so that a caliper error does not hide a rise (assumed).
    recheck_after
        Days after the first such rise from which progression may be confirmed.
    rebase_half_width
        Measurements this close to `window_end` are averaged (on the log scale) to re-base mRECIST.
    response_probability
        Probability that the tumor fell to half of its volume at the end of the window from which
        the class is a response. Below one half, since a class that waits out a flare is there not
        to lose responses: at 0.25 one that is missed weighs as three called wrongly (chosen).
    growth_probability
        Probability that the tumor grew by 35 % or more from the end of the window to the last
        visit from which a rise in the window is progression (chosen: more likely than not).
    """

    window_end: float = 21.0
    early_rise: float = 20.0
    recheck_after: float = 28.0
    rebase_half_width: float = 3.5
    response_probability: float = 0.25
    growth_probability: float = 0.5


@dataclass(frozen=True)
class FlareAwareResponse:
    """Response that waits out the flare window.

    Attributes
    ----------
    response
        The better of mRECIST from baseline and `after_window`, but progression when a rise in the
        window was followed by growth after it; `uPD` while a rise in the window has not been
        rechecked.
    flare
        Whether the tumor rose in the window and responded after it.
    early_rise
        Whether a rise was measured in the window.
    largest_rise, first_rise_day
        Largest change in the window in percent, and the first day above the limit (NaN if none).
    after_window
        Class from the end of the window, by the smoothed course.
    fall_probability
        Probability that the tumor fell to half of its volume at the end of the window, on a visit
        10 or more days after it; NaN without such a visit.
    growth_probability
        Probability that it grew by 35 % or more from there to the last visit.
    rebased
        mRECIST from the volume at the end of the window, from the readings as they stand.
    rechecked
        Whether the tumor was measured `recheck_after` or more days after the first rise.
    """

    response: ResponseClass
    flare: bool
    early_rise: bool
    largest_rise: float
    first_rise_day: float
    after_window: ResponseClass
    fall_probability: float
    growth_probability: float
    rebased: Response
    rechecked: bool


_NOT_EVALUABLE = Response(ResponseClass.NOT_EVALUABLE, np.nan, np.nan, np.nan)


def mrecist(days: ArrayLike, volumes: ArrayLike) -> Response:
    """Classify by modified RECIST (Gao 2015, doi:10.1038/nm.3954).

    The change of each volume from the first is taken; the best change is the smallest at 10 or
    more days, the best average the smallest mean of all changes (the first, 0, included) up to a
    day, at 10 or more days. CR: best < -95 and average < -40 %; PR: < -50 and < -20 %; SD: < 35
    and < 30 %; else PD.

    Parameters
    ----------
    days
        Days, ascending; the first is the reference. Shape (visits,).
    volumes
        Volumes on these days, in any unit; the first above zero.
    """
    time = np.asarray(days, dtype=np.float64)
    volume = np.asarray(volumes, dtype=np.float64)
    if time.size < 2 or not volume[0] > 0:
        return _NOT_EVALUABLE
    change = 100.0 * (volume / volume[0] - 1.0)
    average = np.cumsum(change) / np.arange(1, change.size + 1)
    judged = np.flatnonzero(time - time[0] >= FIRST_JUDGED_DAY)
    if judged.size == 0:
        return _NOT_EVALUABLE
    place = judged[int(np.argmin(change[judged]))]
    best, best_average = float(change[place]), float(average[judged].min())
    found = "PD"
    for name, change_limit, average_limit in _LIMITS:
        if best < change_limit and best_average < average_limit:
            found = name
            break
    return Response(ResponseClass(found), best, float(time[place]), best_average)


def flare_aware(
    days: ArrayLike,
    volumes: ArrayLike,
    rule: FlareRule | None = None,
    *,
    left_for_size: bool = False,
    without_error: bool = False,
) -> FlareAwareResponse:
    """Classify with progression in the flare window left open until it is rechecked.

    Response and growth after the window are judged by the smoothed course (`smoothed_change`): near
    -50 % one caliper reading of a small tumor is wrong by a quarter, and the smallest of many is
    below half by chance, while a reference read too low hides a response.

    Parameters
    ----------
    days
        Days since the start of treatment, ascending; the first is the baseline. Shape (visits,).
    volumes
        Volumes on these days in mm3, on which the caliper error depends.
    rule
        Limits; the default ends the window at day 21 and rechecks after 28 days.
    left_for_size
        Whether the animal was taken off for the size of its tumor. Growth since the end of the
        window then counts as progression although no recheck was possible.
    without_error
        Whether the volumes are true ones, which are judged as they stand.
    """
    rule = rule or FlareRule()
    time = np.asarray(days, dtype=np.float64)
    volume = np.asarray(volumes, dtype=np.float64)
    first = mrecist(time, volume)
    if time.size < 2 or not volume[0] > 0:
        none = ResponseClass.NOT_EVALUABLE
        return FlareAwareResponse(
            none, False, False, np.nan, np.nan, none, np.nan, np.nan, _NOT_EVALUABLE, False
        )
    change = 100.0 * (volume / volume[0] - 1.0)
    window = (time > time[0]) & (time <= rule.window_end)
    largest = float(change[window].max()) if window.any() else np.nan
    risen = np.flatnonzero(window & (change >= rule.early_rise))
    first_rise = float(time[risen[0]]) if risen.size else np.nan
    rechecked = bool(risen.size and time[-1] >= first_rise + rule.recheck_after)
    rebased = _rebased(time, volume, rule)
    fell, grew = _chances(time, volume, rule, rebased, without_error)
    after = _class_after_window(rebased, fell, grew, rule)
    grown = after is ResponseClass.PROGRESSION
    settled = rechecked or (left_for_size and grown)
    response = min((first.response, after), key=_ORDER.__getitem__)
    if risen.size and first.response not in RESPONDED:
        if not settled:
            response = ResponseClass.UNCONFIRMED_PROGRESSION
        elif grown:
            response = ResponseClass.PROGRESSION
    flare = bool(risen.size and rechecked and after in RESPONDED)
    return FlareAwareResponse(
        response,
        flare,
        bool(risen.size),
        largest,
        first_rise,
        after,
        fell,
        grew,
        rebased,
        rechecked,
    )


def _chances(
    time: Array, volume: Array, rule: FlareRule, rebased: Response, without_error: bool
) -> tuple[float, float]:
    """Probabilities of a fall to half and of growth since the end of the window."""
    if rebased.response is ResponseClass.NOT_EVALUABLE:
        return np.nan, np.nan
    if without_error:
        end = np.interp(rule.window_end, time, np.log(volume))
        return float(rebased.response in RESPONDED), float(np.log(volume[-1]) - end >= _GROWN)
    judged = time[time >= rule.window_end + FIRST_JUDGED_DAY]
    change = smoothed_change(time, volume, rule.window_end, judged)
    return change.chance_of_fall(_HALF), change.chance_of_growth(_GROWN)


def _class_after_window(
    rebased: Response, fell: float, grew: float, rule: FlareRule
) -> ResponseClass:
    if rebased.response is ResponseClass.NOT_EVALUABLE:
        return ResponseClass.NOT_EVALUABLE
    if fell >= rule.response_probability:
        complete = rebased.response is ResponseClass.COMPLETE
        return ResponseClass.COMPLETE if complete else ResponseClass.PARTIAL
    if grew >= rule.growth_probability or rebased.response is ResponseClass.PROGRESSION:
        return ResponseClass.PROGRESSION
    return ResponseClass.STABLE


def _rebased(time: Array, volume: Array, rule: FlareRule) -> Response:
    near = (np.abs(time - rule.window_end) <= rule.rebase_half_width) & (time > time[0])
    later = time > rule.window_end + rule.rebase_half_width
    before = np.flatnonzero((time <= rule.window_end) & (time > time[0]))
    if not later.any() or not before.size:
        return _NOT_EVALUABLE
    if not near.any():
        # Visits too far apart for an average: the straight line between the two around the end.
        near = np.isin(np.arange(time.size), [before[-1], np.flatnonzero(later)[0]])
        if np.diff(time[near])[0] > _WIDEST_GAP:
            return _NOT_EVALUABLE
    if (volume[near] <= 0).any():
        return _NOT_EVALUABLE
    logs = np.log(volume[near])
    apart = np.ptp(time[near]) > 2.0 * rule.rebase_half_width
    log_reference = np.interp(rule.window_end, time[near], logs) if apart else logs.mean()
    return mrecist(
        np.concatenate([[rule.window_end], time[later]]),
        np.concatenate([[float(np.exp(log_reference))], volume[later]]),
    )
