"""One color per arm in every figure and table, legible to color-blind readers and in grey."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ARM_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
"""Okabe & Ito (2008), "Color Universal Design", without the yellow that is lost on paper."""

INK = "#222222"
"""Text, axes and reference lines."""

MUTED = "#c4c8cc"
"""Data that stand behind the data of interest."""


@dataclass(frozen=True)
class ArmPalette:
    """The arms of a trial in the order of the study file, each with its color.

    Attributes
    ----------
    arms
        Names of the arms.
    """

    arms: tuple[str, ...]

    @property
    def colors(self) -> tuple[str, ...]:
        """One color per arm; colors repeat when there are more arms than colors."""
        return tuple(ARM_COLORS[i % len(ARM_COLORS)] for i in range(len(self.arms)))

    def color(self, arm: str) -> str:
        """Color of one arm."""
        return self.colors[self.arms.index(arm)]


def palette_of(arms: Sequence[str]) -> ArmPalette:
    """Palette for arms in the order given."""
    return ArmPalette(tuple(arms))
