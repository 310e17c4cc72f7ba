"""How the modules of a composed model are joined: which quantity goes from which to which."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from estradyn.model.composition import Composition

_INSTANCE = re.compile(r"^\s*(?P<name>\w+)\s*:\s*(?P<module>\w+)\s*\((?P<interface>[^)]*)\)")
_RULE = re.compile(r"^\s*(?:(?P<instance>\w+)\.)?(?P<name>\w+)\s*:?=\s*(?P<formula>[^;]+);")
_WORD = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class Instance:
    """A module as it stands in a model.

    Attributes
    ----------
    name
        Name in the model; its values stand in the table of this name.
    module
        Name of the module's text.
    gives
        Quantities it gives to the rest of the model.
    """

    name: str
    module: str
    gives: tuple[str, ...]


@dataclass(frozen=True)
class Connection:
    """Quantities that one instance reads from another."""

    source: str
    target: str
    quantities: tuple[str, ...]


@dataclass(frozen=True)
class Wiring:
    """Instances in the order of the text, and what goes between them."""

    instances: tuple[Instance, ...]
    connections: tuple[Connection, ...]


def wiring(composition: Composition) -> Wiring:
    """Read the instances of a composed text and the rules that join them.

    Parameters
    ----------
    composition
        See `estradyn.model.composition.compose`.
    """
    texts = [line.text.split("//")[0] for line in composition.lines]
    found = [match for text in texts if (match := _INSTANCE.match(text)) is not None]
    rules = [match for text in texts if (match := _RULE.match(text)) is not None]
    formulas = {rule["name"]: rule["formula"] for rule in rules if rule["instance"] is None}
    interfaces = {
        match["name"]: [name.strip() for name in match["interface"].split(",") if name.strip()]
        for match in found
    }
    instances = tuple(
        Instance(
            match["name"],
            match["module"],
            # What the model assigns itself is taken by the instance and not given.
            tuple(name for name in interfaces[match["name"]] if name not in formulas),
        )
        for match in found
    )
    giver = {name: instance.name for instance in instances for name in instance.gives}
    taken = [(rule["instance"], rule["formula"]) for rule in rules if rule["instance"]]
    taken += [
        (instance, formulas[name])
        for instance, names in interfaces.items()
        for name in names
        if name in formulas
    ]
    return Wiring(instances, _connections(taken, giver, formulas))


def _connections(
    taken: Sequence[tuple[str, str]], giver: Mapping[str, str], formulas: Mapping[str, str]
) -> tuple[Connection, ...]:
    between: dict[tuple[str, str], list[str]] = {}
    for target, formula in taken:
        for name in _sources(formula, giver, formulas):
            names = between.setdefault((giver[name], target), [])
            if giver[name] != target and name not in names:
                names.append(name)
    return tuple(
        Connection(source, target, tuple(names))
        for (source, target), names in between.items()
        if names
    )


def _sources(formula: str, giver: Mapping[str, str], formulas: Mapping[str, str]) -> list[str]:
    """Given quantities that a formula reads, also by way of the model's own variables."""
    found: list[str] = []
    pending = _WORD.findall(formula)
    seen: set[str] = set()
    while pending:
        name = pending.pop(0)
        if name in seen:
            continue
        seen.add(name)
        if name in giver:
            found.append(name)
        elif name in formulas:
            pending += _WORD.findall(formulas[name])
    return found
