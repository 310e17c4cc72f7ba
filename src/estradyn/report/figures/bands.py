"""Median line and quantile bands over time, the shape most figures share."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from estradyn.report.figures.time_axis import TimeAxis
from estradyn.report.palette import ArmPalette
from estradyn.report.theme import arm_color

OUTER = (0.05, 0.5, 0.95)
"""Quantiles of a plain band: 5 %, median, 95 %."""

NESTED = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Quantiles of two nested bands."""


def band_layers(
    bands: pd.DataFrame,
    axis: TimeAxis,
    palette: ArmPalette,
    *,
    y_title: str | None,
    y_scale: alt.Scale,
    legend: bool = True,
) -> list[Any]:
    """Bands and median of every arm as layers of one panel.

    Parameters
    ----------
    bands
        What `quantile_bands` returns.
    axis
        Time axis; `time_day` is converted to its unit.
    palette
        Colors of the arms.
    y_title
        Title of the vertical axis.
    y_scale
        Scale of the vertical axis.
    legend
        Whether the panel names the arms.
    """
    data = bands.assign(time=(bands["time_day"] / axis.days).round(3)).drop(
        columns=["time_day", "n"]
    )
    levels = data.columns.difference(["arm", "time"], sort=False)
    data[levels] = _to_digits(data[levels].to_numpy())
    base = alt.Chart(data).encode(
        x=axis.channel(), color=arm_color(palette, legend=alt.Legend() if legend else None)
    )
    pairs = [("q5", "q95", 0.16)]
    if "q25" in data:
        pairs.append(("q25", "q75", 0.28))
    layers: list[Any] = [
        base.mark_area(opacity=opacity, clip=True).encode(
            y=alt.Y(f"{low}:Q", title=y_title, scale=y_scale), y2=f"{high}:Q"
        )
        for low, high, opacity in pairs
    ]
    layers += [
        base.mark_line(strokeWidth=0.7, opacity=0.6, clip=True).encode(
            y=alt.Y(f"{edge}:Q", title=y_title, scale=y_scale)
        )
        for edge in ("q5", "q95")
    ]
    layers.append(
        base.mark_line(strokeWidth=2, clip=True).encode(
            y=alt.Y("q50:Q", title=y_title, scale=y_scale)
        )
    )
    return layers


def _to_digits(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values rounded to five significant digits, of levels of a microgram as of a gram."""
    sizes = np.where(values == 0.0, 1.0, np.abs(values))
    unit = 10.0 ** (np.floor(np.log10(sizes)) - 4.0)
    return np.round(values / unit) * unit
