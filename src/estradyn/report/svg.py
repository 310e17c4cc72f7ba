"""Charts as inline SVG that a browser, a printer and a screen reader can all use."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import altair as alt
import vl_convert

from estradyn.report.theme import THEME

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_LONG_DECIMAL = re.compile(r"(\d\.\d\d)\d+")

ElementTree.register_namespace("", _SVG)
ElementTree.register_namespace("xlink", _XLINK)


def inline_svg(chart: alt.TopLevelMixin, *, identifier: str, title: str, description: str) -> str:
    """Draw a chart as an SVG element to stand inside an HTML page.

    Parameters
    ----------
    chart
        What to draw.
    identifier
        Prefix of every `id` inside, so that several drawings share one page.
    title, description
        What a screen reader says instead of the picture: its name, and what it shows.

    Returns
    -------
    str
        An `<svg>` element that scales with its container and asks for nothing outside itself.
    """
    # Whether a chart is valid is settled by the tests, and takes a second to ask.
    specification = chart.to_dict(validate=False)
    root = ElementTree.fromstring(vl_convert.vegalite_to_svg(specification, config=THEME))
    _prefix_identifiers(root, identifier)
    _drop_inner_roles(root)
    for name in ("width", "height"):
        root.attrib.pop(name, None)
    root.set("role", "img")
    root.set("aria-labelledby", f"{identifier}-title {identifier}-description")
    for position, (tag, text) in enumerate((("title", title), ("desc", description))):
        element = ElementTree.Element(f"{{{_SVG}}}{tag}")
        suffix = "title" if tag == "title" else "description"
        element.set("id", f"{identifier}-{suffix}")
        element.text = text
        root.insert(position, element)
    width = float(root.get("viewBox", "0 0 960 0").split()[2])
    root.set("style", f"max-width:{width:.0f}px")
    return ElementTree.tostring(root, encoding="unicode")


def _prefix_identifiers(root: ElementTree.Element, prefix: str) -> None:
    for element in root.iter():
        for name, value in list(element.attrib.items()):
            if name == "id":
                element.set(name, f"{prefix}-{value}")
            elif "url(#" in value:
                element.set(name, _REFERENCE.sub(rf"url(#{prefix}-\1)", value))
            elif name == "d":
                element.set(name, _LONG_DECIMAL.sub(r"\1", value))


def _drop_inner_roles(root: ElementTree.Element) -> None:
    for element in root.iter():
        for name in list(element.attrib):
            if name == "role" or name.startswith("aria-"):
                del element.attrib[name]
