"""Who a patient is: kinds of people whose physiology or values differ from the patient's own text.

A kind is a record `populations/<name>.md`: Markdown with YAML front matter that holds a `title` and
may hold `extends`, the kind that it begins from. Beside it may stand

- `<name>.ant`, lines that take the place of the patient's; see `estradyn.model.composition`;
- `<name>.tsv`, rows by flattened name that replace those of the value tables;
- `<name>_outputs.tsv` and `<name>_plausibility.tsv`, outputs and rules that it adds or replaces.

Where the front matter holds `settings`, a list, the record says nothing of these people in others.
Where it holds `cycle`, these people have no steady state but a cycle; see `Cycle`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from estradyn.errors import InputError, ModelError
from estradyn.model.front_matter import read_front_matter

POPULATIONS_FOLDER = "populations"

POSTMENOPAUSAL_WOMEN = "postmenopausal_women"
"""Whom the patient's own text and tables describe."""


@dataclass(frozen=True)
class Cycle:
    """How a model that cycles without drugs is brought to where a trial begins.

    Attributes
    ----------
    marker
        Variable with one peak in each cycle.
    least_peak
        Least value of a peak, in the unit of the marker.
    regular
        Whether one who has no two such peaks within twelve weeks is no patient.
    entry_day
        Trait that holds the day of the cycle on which each enters, 1 where there is none; day 1 is
        two weeks after a peak.
    means
        Parameters that hold the mean of a variable over each one's own cycle: name of the parameter
        to name of the variable.
    """

    marker: str
    least_peak: float
    regular: bool
    entry_day: str
    means: Mapping[str, str]


@dataclass(frozen=True)
class People:
    """A kind of people.

    Attributes
    ----------
    name
        Stem of the record: what a study file calls them.
    title
        Who they are, in words.
    lineage
        Records from the one that extends no other to this one; a later goes before an earlier.
    body
        Text of the record, Markdown.
    cycle
        How they are brought to their cycle; None for people with a steady state.
    settings
        Settings that the record describes them in; None for all.
    """

    name: str
    title: str
    lineage: tuple[Path, ...]
    body: str
    cycle: Cycle | None = None
    settings: tuple[str, ...] | None = None

    @property
    def part(self) -> Path | None:
        """Antimony file with the lines that take the place of the patient's; None without one."""
        parts = [path for path in self._beside(".ant") if path.is_file()]
        return parts[-1] if parts else None

    @property
    def values(self) -> tuple[Path, ...]:
        """Tables of values, the first to be replaced by the next."""
        return tuple(path for path in self._beside(".tsv") if path.is_file())

    @property
    def outputs(self) -> tuple[Path, ...]:
        """Tables of outputs that they add."""
        return tuple(path for path in self._beside("_outputs.tsv") if path.is_file())

    @property
    def plausibility(self) -> tuple[Path, ...]:
        """Tables of rules that replace those for the same output."""
        return tuple(path for path in self._beside("_plausibility.tsv") if path.is_file())

    def _beside(self, ending: str) -> list[Path]:
        return [record.with_name(record.stem + ending) for record in self.lineage]


def people_records(folder: Path) -> dict[str, People]:
    """Read the kinds of people of a models folder, by name in alphabetical order.

    Raises
    ------
    InputError
        Naming the file and the field of a record that may not be used.
    """
    paths = sorted((folder / POPULATIONS_FOLDER).glob("*.md"))
    records = {path.stem: (path, *read_front_matter(path)) for path in paths}
    return {name: _people(name, records) for name in records}


def people_called(name: str | None, folder: Path) -> People | None:
    """Return a kind of people by name; None for those of the patient's own text.

    Raises
    ------
    ModelError
        If there is no such record.
    InputError
        If a record may not be used.
    """
    if name is None:
        return None
    records = people_records(folder)
    if name not in records:
        raise ModelError(
            f"there is no population '{name}'; there are: {', '.join(records) or 'none'}",
            source=folder / POPULATIONS_FOLDER,
        )
    return records[name]


def _people(name: str, records: Mapping[str, tuple[Path, dict[str, Any], str]]) -> People:
    path, fields, body = records[name]
    title = fields.get("title")
    if not isinstance(title, str) or not title.strip():
        raise InputError("the front matter lacks 'title', a text", source=path)
    lineage = [path]
    while (parent := records[lineage[-1].stem][1].get("extends")) is not None:
        if parent not in records:
            raise InputError(
                f"front matter: 'extends' is {parent!r}, it must be one of {', '.join(records)}",
                source=lineage[-1],
            )
        if records[parent][0] in lineage:
            raise InputError(f"'{parent}' extends itself, through {name}", source=path)
        lineage.append(records[parent][0])
    cycles = [_cycle(records[one.stem][1], one) for one in lineage]
    cycle = next((one for one in cycles if one is not None), None)
    limits = [_settings(records[one.stem][1], one) for one in lineage]
    settings = next((one for one in limits if one is not None), None)
    return People(name, title, tuple(lineage[::-1]), body, cycle, settings)


def _settings(fields: Mapping[str, Any], path: Path) -> tuple[str, ...] | None:
    """Read the settings of a record; None where it names none."""
    given = fields.get("settings")
    if given is None:
        return None
    if not isinstance(given, list) or not given or not all(isinstance(one, str) for one in given):
        raise InputError(f"'settings' is {given!r}, it must be a list of names", source=path)
    return tuple(given)


_CYCLE_FIELDS: Mapping[str, tuple[type, ...]] = {
    "marker": (str,),
    "least_peak": (int, float),
    "regular": (bool,),
    "entry_day": (str,),
    "means": (dict,),
}


def _cycle(fields: Mapping[str, Any], path: Path) -> Cycle | None:
    """Read the cycle of a record; None where it has none."""
    given = fields.get("cycle")
    if given is None:
        return None
    if not isinstance(given, dict) or given.keys() != _CYCLE_FIELDS.keys():
        raise InputError(f"'cycle' must hold {', '.join(_CYCLE_FIELDS)}", source=path)
    for name, kinds in _CYCLE_FIELDS.items():
        if not isinstance(given[name], kinds):
            raise InputError(
                f"front matter: cycle.{name} is {given[name]!r}, it must be a "
                f"{' or '.join(kind.__name__ for kind in kinds)}",
                source=path,
            )
    return Cycle(**{**given, "least_peak": float(given["least_peak"])})
