"""Order and structure of a sparse LU factorisation without pivoting."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Elimination:
    """Which entries a factorisation touches, in which order.

    Attributes
    ----------
    order
        Row and column eliminated at each step.
    steps
        For each step: pivot, rows below it with an entry in its column, and columns to its right
        with an entry in its row (original numbering).
    fill
        Entries that are zero in the matrix and not in its factors.
    """

    order: tuple[int, ...]
    steps: tuple[tuple[int, tuple[int, ...], tuple[int, ...]], ...]
    fill: frozenset[tuple[int, int]]


def plan_elimination(size: int, entries: Iterable[tuple[int, int]]) -> Elimination:
    """Plan an elimination along the diagonal that creates little fill.

    Parameters
    ----------
    size
        Number of rows.
    entries
        Rows and columns that are not zero; the diagonal is added.

    Returns
    -------
    Elimination
        Plan by Markowitz's count: next is the diagonal element with the fewest products of
        entries in its row and column (H. M. Markowitz, Management Science 3:255, 1957).
    """
    original = {(row, column) for row, column in entries} | {(i, i) for i in range(size)}
    rows: list[set[int]] = [set() for _ in range(size)]
    columns: list[set[int]] = [set() for _ in range(size)]
    for row, column in original:
        rows[row].add(column)
        columns[column].add(row)
    left = set(range(size))
    order: list[int] = []
    steps: list[tuple[int, tuple[int, ...], tuple[int, ...]]] = []
    fill: set[tuple[int, int]] = set()
    while left:
        pivot = min(left, key=lambda i: ((len(rows[i]) - 1) * (len(columns[i]) - 1), i))
        left.remove(pivot)
        below = sorted(columns[pivot] & left)
        right = sorted(rows[pivot] & left)
        for row in below:
            for column in right:
                if column not in rows[row]:
                    rows[row].add(column)
                    columns[column].add(row)
                    fill.add((row, column))
            rows[row].discard(pivot)
        for column in right:
            columns[column].discard(pivot)
        order.append(pivot)
        steps.append((pivot, tuple(below), tuple(right)))
    return Elimination(tuple(order), tuple(steps), frozenset(fill))
