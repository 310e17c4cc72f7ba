"""What every report of the project is rendered with."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from estradyn.report.wording import unbroken


@dataclass(frozen=True)
class DrawnFigure:
    """A figure in its place in a report, with its number and drawing."""

    number: int
    identifier: str
    title: str
    caption: str
    svg: Markup


def page_environment(package: str) -> Environment:
    """Return the templates of a package, with everything that comes from data escaped."""
    return Environment(
        autoescape=True,
        finalize=lambda value: unbroken(value) if isinstance(value, str) else value,
        loader=PackageLoader(package, "template"),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )


def house_style() -> Markup:
    """Return the style sheet that all reports share."""
    source = resources.files("estradyn.report") / "template" / "report.css"
    return Markup(source.read_text(encoding="utf-8"))
