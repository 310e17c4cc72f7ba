"""One look for all figures."""

from __future__ import annotations

import textwrap
from typing import Any

import altair as alt

from estradyn.report.palette import INK, ArmPalette

FULL_WIDTH = 800
"""Inner width in pixels of a figure that fills the page."""

FONT = "Helvetica, Arial, sans-serif"


PANEL_SPACING = {"row": 110, "column": 70}
"""Pixels between the plotting areas of panels: room for axes and a title of two lines."""

_CHARACTER_WIDTH = 7.5
"""Pixels of a character of a panel title, on average."""

THEME: dict[str, Any] = {
    "aria": False,
    "background": "transparent",
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        "domainColor": "#888888",
        "gridColor": "#ececec",
        "labelColor": INK,
        "labelFontSize": 12,
        "labelPadding": 4,
        "tickColor": "#888888",
        "tickSize": 4,
        "titleColor": INK,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 8,
    },
    "legend": {
        "columns": 4,
        "labelColor": INK,
        "labelFontSize": 12,
        "labelLimit": 320,
        "orient": "top",
        "symbolOpacity": 1,
        "symbolStrokeWidth": 0,
        "symbolType": "square",
        "title": None,
    },
    "title": {
        "anchor": "start",
        "color": INK,
        "fontSize": 13,
        "fontWeight": "bold",
        "frame": "group",
        "offset": 8,
    },
}
"""Vega-Lite configuration of every figure: fonts, grid and legend placement."""


def line_legend() -> alt.Legend:
    """Legend whose entries look like lines."""
    return alt.Legend(symbolType="stroke", symbolSize=300, symbolStrokeWidth=3)


def arm_color(palette: ArmPalette, *, legend: alt.Legend | None = None) -> alt.Color:
    """Color channel that gives every arm its color; no legend unless one is given."""
    return alt.Color(
        "arm:N",
        scale=alt.Scale(domain=list(palette.arms), range=list(palette.colors)),
        legend=legend,
    )


def panel_width(panels: int, *, gap: int = 60) -> int:
    """Width in pixels of each of several panels that stand side by side."""
    return (FULL_WIDTH - gap * (panels - 1)) // panels


def panel_grid(panels: int) -> tuple[int, int]:
    """Columns in which that many panels stand, and the width in pixels of each."""
    columns = min(panels, 3)
    return columns, panel_width(columns, gap=PANEL_SPACING["column"])


def panel_title(text: str, width: int) -> list[str]:
    """Break the title of a panel into lines that fit over it."""
    return textwrap.wrap(text, max(12, int(width / _CHARACTER_WIDTH)))
