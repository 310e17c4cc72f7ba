"""How good each plate is: separation of controls, scatter, and patterns across the plate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from estradyn.assay.wells import smallest_plate


@dataclass(frozen=True)
class QualityLimits:
    """Limits beyond which a plate is flagged; it is never left out on their account.

    Attributes
    ----------
    z_prime
        Smallest Z' between vehicle and blank (Zhang 1999, doi:10.1177/108705719900400206).
    ssmd
        Smallest strictly standardised mean difference between vehicle and blank (Zhang 2007,
        Genomics 89:552).
    vehicle_cv
        Largest coefficient of variation of the vehicle, in percent.
    pattern_p
        Largest p value at which an edge, row or column pattern is flagged.
    edge_percent
        Smallest edge effect that is flagged, in percent of vehicle.
    """

    z_prime: float = 0.5
    ssmd: float = 3.0
    vehicle_cv: float = 20.0
    pattern_p: float = 0.001
    edge_percent: float = 5.0


def plate_quality(wells: pd.DataFrame, limits: QualityLimits | None = None) -> pd.DataFrame:
    """Quality of every plate.

    Parameters
    ----------
    wells
        What `estradyn.assay.normalise.normalise` returns.
    limits
        When to flag.

    Returns
    -------
    pandas.DataFrame
        One row per plate: `z_prime`, `ssmd` (vehicle against blank), `positive_z_prime` (positive
        control against vehicle), `vehicle_cv`, `edge_effect` (percent of vehicle) and `edge_p`
        (Welch), `row_p`, `column_p` (analysis of variance), `moran_i` and `moran_p` (neighbouring
        wells; Moran 1950, doi:10.1093/biomet/37.1-2.17) of the residuals about treatment means,
        `unreadable` wells and `flags` in words.
    """
    limits = limits or QualityLimits()
    rows = [
        _quality(str(name), plate, limits) for name, plate in wells.groupby("plate", sort=False)
    ]
    return pd.DataFrame(rows)


def treatment_residuals(plate: pd.DataFrame) -> pd.Series:
    """Percent of vehicle of each treated well less the mean of its treatment."""
    treated = plate[plate["role"].isin(["sample", "vehicle", "positive_control"])]
    response = treated["percent_of_vehicle"]
    keys = [treated[c] for c in ("role", "drug", "dose", "agonist_dose")]
    grouped = response.groupby(keys)
    residual = response - grouped.transform("mean")
    # A mean of n wells takes part of each residual with it: undo the shrinkage.
    count = grouped.transform("count")
    return (residual * np.sqrt(count / (count - 1.0).where(count > 1))).dropna()


def _separation(high: pd.Series, low: pd.Series) -> tuple[float, float]:
    if len(high) < 2 or len(low) < 2:
        return np.nan, np.nan
    difference = float(high.mean() - low.mean())
    if difference == 0:
        return np.nan, np.nan
    z_prime = 1.0 - 3.0 * float(high.std() + low.std()) / abs(difference)
    spread = float(np.hypot(high.std(), low.std()))
    return z_prime, difference / spread if spread > 0 else np.inf


def _quality(name: str, plate: pd.DataFrame, limits: QualityLimits) -> dict[str, object]:
    def wells_of(role: str) -> pd.Series:
        return plate.loc[plate["role"] == role, "signal"].dropna()

    vehicle, blank, positive = (wells_of(r) for r in ("vehicle", "blank", "positive_control"))
    z_prime, ssmd = _separation(vehicle, blank)
    positive_z, _ = _separation(positive, vehicle)
    net = plate.loc[plate["role"] == "vehicle", "net"].dropna()
    cv = float(100.0 * net.std() / net.mean()) if len(net) > 1 else np.nan
    residual = treatment_residuals(plate)
    places = plate.loc[residual.index, ["row", "column"]]
    shape = smallest_plate(int(plate["row"].max()) + 1, int(plate["column"].max()) + 1)
    edge, edge_p = _edge(residual, places, shape)
    row_p = _one_way(residual, places["row"])
    column_p = _one_way(residual, places["column"])
    moran, moran_p = _moran(residual, places)
    unreadable = int((plate["signal"].isna() & (plate["role"] != "empty")).sum())
    flags = []
    if z_prime < limits.z_prime:
        flags.append(f"Z' {z_prime:.2f} below {limits.z_prime:g}")
    if ssmd < limits.ssmd:
        flags.append(f"SSMD {ssmd:.1f} below {limits.ssmd:g}")
    if cv > limits.vehicle_cv:
        flags.append(f"vehicle CV {cv:.0f} % above {limits.vehicle_cv:g} %")
    if edge_p < limits.pattern_p and abs(edge) > limits.edge_percent:
        flags.append(f"edge wells {edge:+.0f} % of vehicle (p = {edge_p:.1g})")
    for what, p_value in (("row", row_p), ("column", column_p), ("neighbour", moran_p)):
        if p_value < limits.pattern_p:
            flags.append(f"{what} pattern (p = {p_value:.1g})")
    if unreadable:
        flags.append(f"{unreadable} wells without a number")
    return {
        "plate": name,
        "z_prime": z_prime,
        "ssmd": ssmd,
        "positive_z_prime": positive_z,
        "vehicle_cv": cv,
        "edge_effect": edge,
        "edge_p": edge_p,
        "row_p": row_p,
        "column_p": column_p,
        "moran_i": moran,
        "moran_p": moran_p,
        "unreadable": unreadable,
        "flags": "; ".join(flags),
    }


def _edge(residual: pd.Series, places: pd.DataFrame, shape: tuple[int, int]) -> tuple[float, float]:
    outer = (
        places["row"].isin([0, shape[0] - 1]) | places["column"].isin([0, shape[1] - 1])
    ).to_numpy()
    edge, inner = residual[outer], residual[~outer]
    if len(edge) < 3 or len(inner) < 3 or edge.std() + inner.std() == 0:
        return np.nan, np.nan
    test = stats.ttest_ind(edge, inner, equal_var=False)
    return float(edge.mean() - inner.mean()), float(test.pvalue)


def _one_way(residual: pd.Series, line: pd.Series) -> float:
    groups = [group.to_numpy() for _, group in residual.groupby(line) if len(group) > 1]
    if len(groups) < 2 or residual.std() == 0:
        return np.nan
    return float(stats.f_oneway(*groups).pvalue)


def _moran(residual: pd.Series, places: pd.DataFrame) -> tuple[float, float]:
    """Moran's I over wells that share a side, with its normal approximation (one-sided)."""
    size = len(residual)
    if size < 12 or residual.std() == 0:
        return np.nan, np.nan
    row, column = places["row"].to_numpy(), places["column"].to_numpy()
    distance = np.abs(row[:, None] - row) + np.abs(column[:, None] - column)
    weight = (distance == 1).astype(float)
    total = weight.sum()
    if total == 0:
        return np.nan, np.nan
    z = residual.to_numpy() - residual.mean()
    moran = size / total * float(z @ weight @ z) / float(z @ z)
    expected = -1.0 / (size - 1)
    s1 = 2.0 * total
    s2 = 4.0 * float((weight.sum(axis=1) ** 2).sum())
    variance = (size**2 * s1 - size * s2 + 3 * total**2) / ((size**2 - 1) * total**2)
    variance -= expected**2
    if variance <= 0:
        return moran, np.nan
    return moran, float(stats.norm.sf((moran - expected) / np.sqrt(variance)))
