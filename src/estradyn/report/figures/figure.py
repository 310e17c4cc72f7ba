"""What a figure is, before it is numbered and drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """A chart with the words that belong to it.

    Attributes
    ----------
    identifier
        Short name, unique in the report; anchors and drawing ids start with it.
    title
        What is shown, in a few words.
    caption
        How to read it: patients, meaning of bands and marks.
    chart
        The altair chart.
    """

    identifier: str
    title: str
    caption: str
    chart: Any
