"""Turns a figure into the drawing that stands in a page."""

from __future__ import annotations

from markupsafe import Markup

from estradyn.report.figures.figure import Figure
from estradyn.report.svg import inline_svg
from estradyn.report.templates import DrawnFigure


def draw_figure(figure: Figure, number: int, *, spoken_title: str | None = None) -> DrawnFigure:
    """Draw a figure.

    Parameters
    ----------
    figure
        What to draw.
    number
        Its number in the page.
    spoken_title
        What a screen reader calls it; its title without it.
    """
    svg = inline_svg(
        figure.chart,
        identifier=figure.identifier,
        title=figure.title if spoken_title is None else spoken_title,
        description=figure.caption,
    )
    return DrawnFigure(number, figure.identifier, figure.title, figure.caption, Markup(svg))
