"""A picture of how the modules of a model are joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from estradyn.report.model_pages.wiring import Connection, Wiring

_BOX_WIDTH, _BOX_HEIGHT = 150, 34
_COLUMN_GAP, _ROW_GAP = 90, 18
_MARGIN = 24
_TOP = 40


@dataclass(frozen=True)
class _Box:
    name: str
    left: float
    top: float

    @property
    def right(self) -> float:
        return self.left + _BOX_WIDTH

    @property
    def middle(self) -> float:
        return self.top + _BOX_HEIGHT / 2


def schematic_svg(wiring: Wiring, pages: Mapping[str, str], *, title: str) -> Markup:
    """Draw the modules as boxes in columns, each right of what it reads.

    Parameters
    ----------
    wiring
        Instances and connections.
    pages
        Address of the page about each instance.
    title
        What a screen reader says instead of the picture.
    """
    names = [instance.name for instance in wiring.instances]
    columns = _columns(names, wiring.connections)
    boxes = _boxes(names, columns, wiring.connections)
    width = max(box.right for box in boxes.values()) + _MARGIN
    height = max(box.top for box in boxes.values()) + _BOX_HEIGHT + _MARGIN
    drawn = Markup("").join(
        _arrow(boxes[connection.source], boxes[connection.target], connection)
        for connection in wiring.connections
    )
    labels = Markup("").join(_box(box, pages.get(box.name)) for box in boxes.values())
    return Markup(
        '<svg role="img" aria-label="{title}" viewBox="0 0 {width:.0f} {height:.0f}" '
        'style="max-width:{width:.0f}px" xmlns="http://www.w3.org/2000/svg">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="#6b7280"/></marker></defs>'
        "{arrows}{boxes}</svg>"
    ).format(title=title, width=width, height=height, arrows=drawn, boxes=labels)


def _columns(names: Sequence[str], connections: Sequence[Connection]) -> dict[str, int]:
    """Column of each box: one right of what it reads; feedback to an earlier box does not count."""
    order = {name: place for place, name in enumerate(names)}
    column = dict.fromkeys(names, 0)
    for name in names:
        sources = [
            column[item.source]
            for item in connections
            if item.target == name and order[item.source] < order[name]
        ]
        if sources:
            column[name] = 1 + max(sources)
    return column


def _boxes(
    names: Sequence[str], columns: Mapping[str, int], connections: Sequence[Connection]
) -> dict[str, _Box]:
    """Place the boxes of a column in the order of the mean height of what they read."""
    boxes: dict[str, _Box] = {}
    counts = [list(columns.values()).count(place) for place in range(max(columns.values()) + 1)]
    tallest = max(counts)
    for place, count in enumerate(counts):
        members = [name for name in names if columns[name] == place]

        def height(name: str) -> float:
            read = [
                boxes[c.source].top for c in connections if c.target == name and c.source in boxes
            ]
            return sum(read) / len(read) if read else 0.0

        members.sort(key=height)
        top = _TOP + (tallest - count) * (_BOX_HEIGHT + _ROW_GAP) / 2
        left = _MARGIN + place * (_BOX_WIDTH + _COLUMN_GAP)
        for row, name in enumerate(members):
            boxes[name] = _Box(name, left, top + row * (_BOX_HEIGHT + _ROW_GAP))
    return boxes


def _box(box: _Box, page: str | None) -> Markup:
    shape = Markup(
        '<rect x="{:.0f}" y="{:.0f}" width="{}" height="{}" rx="5" fill="#f3f6fa" '
        'stroke="#8fa3bf"/><text x="{:.0f}" y="{:.0f}" text-anchor="middle" font-size="12.5" '
        'fill="#1f2933">{}</text>'
    ).format(
        *(box.left, box.top, _BOX_WIDTH, _BOX_HEIGHT),
        *(box.left + _BOX_WIDTH / 2, box.middle + 4.5, box.name.replace("_", " ")),
    )
    return Markup('<a href="{}">{}</a>').format(page, shape) if page else shape


def _arrow(source: _Box, target: _Box, connection: Connection) -> Markup:
    forward = target.left > source.left
    if forward:
        reach = (target.left - source.right) / 2
        leave, arrive = source.right + reach, target.left - reach
        path = (
            f"M{source.right:.0f} {source.middle:.0f}C{leave:.0f} {source.middle:.0f} "
            f"{arrive:.0f} {target.middle:.0f} {target.left - 2:.0f} {target.middle:.0f}"
        )
    else:
        # Feedback runs above the boxes, dashed.
        above = min(source.top, target.top) - 30
        start, end = source.left + _BOX_WIDTH * 0.6, target.left + _BOX_WIDTH * 0.4
        path = (
            f"M{start:.0f} {source.top:.0f}C{start:.0f} {above:.0f} {end:.0f} {above:.0f} "
            f"{end:.0f} {target.top - 2:.0f}"
        )
    return Markup(
        '<path d="{}" fill="none" stroke="#6b7280" stroke-width="1.2"{} marker-end="url(#tip)">'
        "<title>{} to {}: {}</title></path>"
    ).format(
        path,
        Markup("") if forward else Markup(' stroke-dasharray="4 3"'),
        connection.source.replace("_", " "),
        connection.target.replace("_", " "),
        ", ".join(name.replace("_", " ") for name in connection.quantities),
    )
