r"""Antagonism of the agonist as a parallel shift of its curve.

The Gaddum/Schild equation in the form of Lazareno & Birdsall 1993 (Br J Pharmacol 109:1110) is
fitted to all wells with agonist A, with or without drug B:

.. math:: y = y_0 + \frac{(y_1 - y_0) A^n}{A^n + [EC_{50}(1 + (B/K_B)^s)]^n}

`s` is 1 for simple competition; whether the data deny that is tested. Wells with drug but no
agonist are left out, since the equation holds no agonism of the drug itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq, least_squares
from scipy.stats import f as f_distribution

from estradyn.assay.replicates import make_replicates
from estradyn.assay.series import dose_text

Array = NDArray[np.float64]

FEWEST_AGONIST_DOSES = 4
"""Doses of the agonist alone that its curve needs."""

FEWEST_COMBINATIONS = 3
"""Pairs of drug and agonist dose that a shift needs."""


NOT_TOXIC = 80.0
"""Response to drug alone, percent of vehicle, below which a dose tells of more than competition."""


@dataclass(frozen=True)
class Antagonism:
    """Shift of the agonist's curve by a drug at one time.

    Attributes
    ----------
    cell_line, readout, drug, time_h
        What was measured.
    unit
        Unit of doses.
    ec50, ec50_lower, ec50_upper
        Dose of agonist for half of its effect without drug.
    slope
        Slope n of the agonist's curve.
    kb, kb_lower, kb_upper
        Dose of drug that doubles the EC50; limits by profile likelihood.
    schild_slope, schild_p
        Slope s if it is left free, and p value of the F test against 1.
    shifts
        Columns `dose`, `dose_ratio`, `lower`, `upper`: how far each tested dose of drug shifts the
        EC50, (1 + B/KB).
    lack_of_fit_p
        F test of the fit against the scatter of replicates.
    """

    cell_line: str
    readout: str
    drug: str
    time_h: float
    unit: str
    ec50: float
    ec50_lower: float
    ec50_upper: float
    slope: float
    kb: float
    kb_lower: float
    kb_upper: float
    schild_slope: float
    schild_p: float
    shifts: pd.DataFrame
    lack_of_fit_p: float


def gaddum_response(
    agonist: Array,
    drug: Array,
    *,
    bottom: float,
    top: float,
    log_ec50: float,
    log_slope: float,
    log_kb: float,
    schild_slope: float = 1.0,
) -> Array:
    """Response to agonist and competitive antagonist (equation of the module)."""
    with np.errstate(divide="ignore"):
        log_drug = np.log(drug)
        log_agonist = np.log(agonist)
    shift = np.logaddexp(0.0, np.clip(schild_slope * (log_drug - log_kb), -700.0, 700.0))
    exponent = np.exp(log_slope) * (log_ec50 + shift - log_agonist)
    return bottom + (top - bottom) / (1.0 + np.exp(np.clip(exponent, -700.0, 700.0)))


def fit_antagonism(
    wells: pd.DataFrame, *, level: float = 0.95
) -> tuple[list[Antagonism], list[str]]:
    """Fit the shift for every drug and time whose design allows it.

    Parameters
    ----------
    wells
        What `estradyn.assay.normalise.normalise` returns.
    level
        Confidence level.

    Returns
    -------
    results : list of Antagonism
    notes : list of str
        Why a shift could not be estimated, for each drug that was combined with the agonist.
    """
    results, notes = [], []
    usable = wells[wells["percent_of_vehicle"].notna() & (wells["time_h"] != 0)]
    usable = usable[~usable["role"].isin(["blank", "empty"])]
    for key, part in usable.groupby(["cell_line", "readout", "time_h"], sort=True, dropna=False):
        cell_line, readout, hours = cast("tuple[str, str, float]", key)
        unit = str(part["unit"].iloc[0])
        combined = part[(part["dose"] > 0) & (part["agonist_dose"] > 0)]
        alone = part[(part["dose"] == 0)]
        for drug, all_pairs in combined.groupby("drug", sort=True):
            name = f"{drug} against the agonist" + ("" if np.isnan(hours) else f", {hours:g} h")
            toxic = _toxic_doses(part[(part["drug"] == drug) & (part["agonist_dose"] == 0)])
            pairs = all_pairs[~all_pairs["dose"].isin(toxic)]
            if len(toxic):
                notes.append(
                    f"{name}: doses from {dose_text(toxic.min(), unit)} up are left out of the "
                    "shift, since the drug alone brings the response below "
                    f"{NOT_TOXIC:g} % of vehicle"
                )
            agonist_doses = alone.loc[alone["agonist_dose"] > 0, "agonist_dose"].nunique()
            pair_count = len(pairs[["dose", "agonist_dose"]].drop_duplicates())
            if agonist_doses < FEWEST_AGONIST_DOSES or pair_count < FEWEST_COMBINATIONS:
                notes.append(
                    f"{name}: no shift (Gaddum/Schild) is given, since it needs "
                    f"{FEWEST_AGONIST_DOSES} doses of the agonist alone (found {agonist_doses}) "
                    f"and {FEWEST_COMBINATIONS} combinations (found {pair_count})"
                )
                continue
            what = {
                "cell_line": cell_line,
                "readout": readout,
                "drug": drug,
                "time_h": float(hours),
                "unit": unit,
            }
            result = _fit(pd.concat([alone, pairs]), level, what)
            if isinstance(result, str):
                notes.append(f"{name}: no shift (Gaddum/Schild) is given, since {result}")
                continue
            results.append(result)
    return results, notes


def _toxic_doses(alone: pd.DataFrame) -> Array:
    """Doses at and above which the drug alone keeps the response below the vehicle."""
    mean = alone.groupby("dose")["percent_of_vehicle"].mean()
    low = mean[mean < NOT_TOXIC].index.to_numpy()
    high = mean[mean >= NOT_TOXIC].index.to_numpy()
    return low if not len(high) else low[low > high.max()]


def _fit(wells: pd.DataFrame, level: float, what: dict[str, Any]) -> Antagonism | str:
    """Shift of one drug at one time, or why there is none; `what` holds the first fields."""
    treatments = wells[["agonist_dose", "dose"]].drop_duplicates().reset_index(drop=True)
    coded = wells.merge(treatments.assign(code=treatments.index), on=["agonist_dose", "dose"])
    replicates = make_replicates(
        pd.DataFrame(
            {
                "plate": coded["plate"],
                "dose": coded["code"].astype(float),
                "response": coded["percent_of_vehicle"],
                "well": coded["well"],
            }
        )
    )
    table = replicates.table
    code = table["dose"].astype(int).to_numpy()
    agonist = treatments["agonist_dose"].to_numpy()[code]
    drug = treatments["dose"].to_numpy()[code]
    response = table["response"].to_numpy()
    root = np.sqrt(table["weight"].to_numpy())

    def residuals(parameters: Array, slope: float | None = 1.0) -> Array:
        bottom, top, log_ec50, log_slope, log_kb = parameters[:5]
        model = gaddum_response(
            agonist,
            drug,
            bottom=bottom,
            top=top,
            log_ec50=log_ec50,
            log_slope=log_slope,
            log_kb=log_kb,
            schild_slope=float(np.exp(parameters[5])) if slope is None else slope,
        )
        return root * (model - response)

    low_a, high_a = np.log(agonist[agonist > 0].min()), np.log(agonist.max())
    low_b, high_b = np.log(drug[drug > 0].min()), np.log(drug.max())
    margin = np.log(1e3)
    lower = np.array([0.0, 0.0, low_a - margin, np.log(0.2), low_b - margin])
    upper = np.array([np.inf, np.inf, high_a + margin, np.log(10.0), high_b + margin])

    def solve(
        fixed: dict[int, float], starts: list[Array], function: Callable[[Array], Array]
    ) -> tuple[float, Array]:
        """Least sum of squares with some parameters held."""
        best, place = np.inf, starts[0]
        for start in starts:
            free = [i for i in range(len(start)) if i not in fixed]

            def reduced(x: Array, free: list[int] = free, start: Array = start) -> Array:
                full = start.copy()
                full[free] = x
                full[list(fixed)] = list(fixed.values())
                return function(full)

            bounds_low = np.append(lower, np.log(0.2))[: len(start)][free]
            bounds_high = np.append(upper, np.log(5.0))[: len(start)][free]
            begin = np.clip(start[free], bounds_low + 1e-9, bounds_high - 1e-9)
            found = least_squares(reduced, begin, bounds=(bounds_low, bounds_high), x_scale="jac")
            if 2.0 * found.cost < best:
                best = 2.0 * found.cost
                place = start.copy()
                place[free] = found.x
                place[list(fixed)] = list(fixed.values())
        return best, place

    starts = [
        np.array([response[agonist == 0].mean(), response[agonist > 0].max(), a, 0.0, b])
        for a in np.linspace(low_a, high_a, 3)
        for b in np.linspace(low_b, high_b, 4)
    ]
    least, best = solve({}, starts, residuals)
    df = len(response) - replicates.lost_df - 5
    if df < 1:
        return "there are fewer replicates than parameters"
    if best[1] <= best[0]:
        return "the agonist does not stimulate"
    allowed = least / df * f_distribution.ppf(level, 1, df)
    free_least, free_best = solve(
        {}, [np.append(best, 0.0)], lambda parameters: residuals(parameters, None)
    )
    statistic = max(least - free_least, 0.0) / max(free_least / max(df - 1, 1), 1e-300)
    kb = _profile(4, best, least, allowed, lambda fixed, at: solve(fixed, [at], residuals))
    ec50 = _profile(2, best, least, allowed, lambda fixed, at: solve(fixed, [at], residuals))
    tested = np.unique(drug[drug > 0])
    shifts = pd.DataFrame(
        {
            "dose": tested,
            "dose_ratio": 1.0 + tested / np.exp(best[4]),
            "lower": 1.0 + tested / kb[1],
            "upper": 1.0 + (tested / kb[0] if kb[0] > 0 else np.inf * tested),
        }
    )
    weights = root**2
    weighted = np.bincount(code, weights * response) / np.maximum(
        np.bincount(code, weights), 1e-300
    )
    mean = weighted[code]
    pure = float(np.sum(weights * (response - mean) ** 2))
    levels = len(np.unique(code))
    pure_df = len(response) - levels - replicates.lost_df
    lack = np.nan
    if pure_df > 0 and levels > 5 and pure > 0:
        ratio = max(least - pure, 0.0) / (levels - 5) / (pure / pure_df)
        lack = float(f_distribution.sf(ratio, levels - 5, pure_df))
    return Antagonism(
        **what,
        ec50=float(np.exp(best[2])),
        ec50_lower=ec50[0],
        ec50_upper=ec50[1],
        slope=float(np.exp(best[3])),
        kb=float(np.exp(best[4])),
        kb_lower=kb[0],
        kb_upper=kb[1],
        schild_slope=float(np.exp(free_best[5])),
        schild_p=float(f_distribution.sf(statistic, 1, max(df - 1, 1))),
        shifts=shifts,
        lack_of_fit_p=lack,
    )


def _profile(
    place: int,
    best: Array,
    least: float,
    allowed: float,
    solve: Callable[[dict[int, float], Array], tuple[float, Array]],
) -> tuple[float, float]:
    """Limits of exp(parameter); 0 or infinity where a thousandfold change still fits."""
    limits = []
    for side in (-1.0, 1.0):
        current = best

        def excess(value: float) -> float:
            nonlocal current
            cost, current = solve({place: value}, current)
            return cost - least - allowed

        inner, step = best[place], 0.3
        outer = inner + side * step
        while excess(outer) < 0 and abs(outer - best[place]) < np.log(1e3):
            inner, step = outer, step * 1.6
            outer = inner + side * step
        if abs(outer - best[place]) >= np.log(1e3):
            limits.append(0.0 if side < 0 else np.inf)
            continue
        limits.append(float(np.exp(brentq(excess, inner, outer, xtol=1e-3))))
    return limits[0], limits[1]
