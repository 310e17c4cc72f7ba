"""Limits at which an animal is watched more closely or taken off, and who passed them when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

WATCH, TAKE_OFF = "watch", "humane endpoint"


@dataclass(frozen=True)
class HumaneEndpoint:
    """One limit.

    Attributes
    ----------
    quantity
        What is watched; see `_QUANTITIES`.
    watch, take_off
        Values at which to watch and to take the animal off; NaN where there is none.
    unit
        Unit of both.
    source
        Where the limit comes from.
    """

    quantity: str
    watch: float
    take_off: float
    unit: str
    source: str


NUDE_MOUSE_ENDPOINTS: tuple[HumaneEndpoint, ...] = (
    HumaneEndpoint(
        "tumor burden",
        8.0,
        10.0,
        "% of body weight",
        "University of Washington IACUC limits on tumor size (10 %, at 1 mg/mm3); watch assumed",
    ),
    HumaneEndpoint(
        "tumor diameter",
        18.0,
        20.0,
        "mm",
        "University of Washington IACUC limits on tumor size (mean diameter 20 mm); watch assumed",
    ),
    HumaneEndpoint(
        "weight loss", 15.0, 20.0, "% of weight at the start", "assumed, to be set by the licence"
    ),
    HumaneEndpoint(
        "serum calcium",
        2.75,
        3.25,
        "mmol/L",
        "assumed, between 2.20 in nude mice and 3.47 on day 3 of PTHrP 5 µg/day "
        "(Rosol 1988, doi:10.1002/jbmr.5650030616)",
    ),
    HumaneEndpoint(
        "pain score", 2.0, 3.0, "on the scale of the file", "assumed, for a grimace-like scale"
    ),
    HumaneEndpoint(
        "bladder distension",
        np.nan,
        1.0,
        "present",
        "urinary retention under estradiol pellets (doi:10.7150/jca.10890)",
    ),
)
"""Default limits for nude mice. They serve the analysis and replace no licence condition."""

ALERT_COLUMNS = ("animal", "arm", "day", "quantity", "value", "unit", "limit", "action")


def find_alerts(
    measurements: pd.DataFrame,
    endpoints: tuple[HumaneEndpoint, ...] = NUDE_MOUSE_ENDPOINTS,
) -> pd.DataFrame:
    """List every value that passes a limit.

    Parameters
    ----------
    measurements
        `StudyData.measurements`.
    endpoints
        Limits.

    Returns
    -------
    pandas.DataFrame
        Columns `ALERT_COLUMNS`, ordered by animal and day.
    """
    watched = _quantities(measurements)
    frames = []
    for endpoint in endpoints:
        values = watched[endpoint.quantity]
        off = values >= endpoint.take_off
        near = (values >= endpoint.watch) & ~off if np.isfinite(endpoint.watch) else off & False
        for mask, limit, action in (
            (off, endpoint.take_off, TAKE_OFF),
            (near, endpoint.watch, WATCH),
        ):
            if not mask.any():
                continue
            rows = measurements.loc[mask, ["animal", "arm", "day"]].assign(
                quantity=endpoint.quantity,
                value=values[mask],
                unit=endpoint.unit,
                limit=limit,
                action=action,
            )
            frames.append(rows)
    if not frames:
        return pd.DataFrame(columns=list(ALERT_COLUMNS))
    alerts = pd.concat(frames, ignore_index=True)
    return alerts.sort_values(["animal", "day", "quantity"]).reset_index(drop=True)


def _quantities(table: pd.DataFrame) -> dict[str, pd.Series]:
    """Each watched quantity, on the rows of the table."""
    start = table[table["weight_g"] > 0].groupby("animal")["weight_g"].first()
    first_weight = table["animal"].map(start).astype(np.float64)
    weight = table["weight_g"].where(table["weight_g"] > 0)
    known = weight.fillna(first_weight)
    return {
        # 1 mg per mm3: volume in mm3 is mass in mg.
        "tumor burden": 100.0 * table["volume_mm3"] / (1000.0 * known),
        "tumor diameter": (table["length_mm"] + table["width_mm"]) / 2.0,
        "weight loss": 100.0 * (1.0 - weight / first_weight),
        "serum calcium": table["calcium_mmol_per_L"],
        "pain score": table["pain_score"],
        "bladder distension": table["bladder_distension"],
    }
