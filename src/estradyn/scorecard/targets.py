"""What the scorecard asks of the model: one number for each number that is printed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from estradyn.errors import ParameterError
from estradyn.evidence import (
    Comparison,
    MappingRow,
    PrintedNumber,
    Status,
    mapping,
    printed_numbers,
)
from estradyn.evidence.mapping import NO_ENDPOINT

IN_WORDS = (Comparison.INCREASE, Comparison.DECREASE)
"""Comparisons that need no printed number."""


@dataclass(frozen=True)
class Target:
    """A published number and the simulated number it is held against.

    Attributes
    ----------
    id
        Id of the evidence; with the place of the number, as in `pk126.2`, where a row prints
        several.
    item
        The mapping of the row.
    number
        The printed number; None for a direction in words.
    endpoint
        Which simulated number.
    """

    id: str
    item: MappingRow
    number: PrintedNumber | None
    endpoint: str

    @property
    def scenario(self) -> str:
        """Who is given what, in words of the context's predictor."""
        return self.item.scenario

    @property
    def time(self) -> str:
        """When, in words of the context's predictor; empty where the endpoint has no time."""
        return self.item.time

    @property
    def comparison(self) -> Comparison:
        """How the two are compared."""
        assert self.item.comparison is not None
        return self.item.comparison

    @property
    def unit(self) -> str:
        """Unit that the prediction must have; empty for a direction in words."""
        return "" if self.number is None else self.number.unit


def chosen_rows(context: str, only: Collection[str] = ()) -> Sequence[MappingRow]:
    """Return rows of a context's mapping, in its order.

    Parameters
    ----------
    context
        Whose mapping.
    only
        Groups and ids of rows to return; all of them where it is empty.
    """
    rows = mapping(context).values()
    return [item for item in rows if not only or item.group in only or item.row.id in only]


def targets_of(context: str, only: Collection[str] = ()) -> tuple[Target, ...]:
    """Return the targets of a context, or of some groups and rows, in the order of its mapping.

    Raises
    ------
    ParameterError
        If a row that is modelled prints no number, or another count of numbers than it has
        endpoints.
    """
    modelled = (item for item in chosen_rows(context, only) if item.status is Status.MODELLED)
    return tuple(target for item in modelled for target in targets_of_row(item))


def targets_of_row(item: MappingRow) -> Sequence[Target]:
    """Return one target for each printed number of a row that is modelled."""
    row, endpoints = item.row, item.endpoints
    if item.comparison in IN_WORDS:
        return [Target(row.id, item, None, endpoints[0])]
    numbers = printed_numbers(row)
    if len(numbers) != len(endpoints):
        raise ParameterError(
            f"evidence '{row.id}' prints {len(numbers)} numbers ('{row.value}') and is mapped to "
            f"{len(endpoints)} endpoints; give one for each, '{NO_ENDPOINT}' for none"
        )
    targets = []
    for place, (number, endpoint) in enumerate(zip(numbers, endpoints, strict=True), start=1):
        if endpoint == NO_ENDPOINT:
            continue
        if number is None:
            raise ParameterError(
                f"evidence '{row.id}' is mapped to '{endpoint}', but '{row.value}' in "
                f"'{row.unit}' is no number in a known unit"
            )
        name = row.id if len(numbers) == 1 else f"{row.id}.{place}"
        targets.append(Target(name, item, number, endpoint))
    return targets
