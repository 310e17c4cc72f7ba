"""Counts by arm, and nested values as flat rows, for tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from estradyn.report.wording import label_of


def count_rows(
    counts: Mapping[str, Mapping[str, int]], arms: Sequence[str]
) -> list[tuple[str, list[int]]]:
    """Turn counts by arm and kind into rows: label of the kind, one count per arm."""
    kinds = dict.fromkeys(kind for arm in arms for kind in counts.get(arm, {}))
    return [(label_of(kind), [counts.get(arm, {}).get(kind, 0) for arm in arms]) for kind in kinds]


def flat_rows(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Turn nested mappings into rows of dotted name and text."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flat_rows(value, f"{prefix}{name}.")
        elif isinstance(value, (list, tuple)):
            yield f"{prefix}{name}", ", ".join(str(item) for item in value)
        else:
            yield f"{prefix}{name}", str(value)
