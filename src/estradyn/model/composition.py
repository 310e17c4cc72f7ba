"""Puts the drugs of a trial into the text of a patient model.

A drug is a record `drugs/<drug>.md` beside a part `drugs/<drug>.ant`: a model without parameters
whose lines belong at the top of the patient. The patient's text marks where drugs act::

    receptor.breast_binding := 0;    // sum over drugs

and every drug whose record names `breast_binding` under `acts_on` adds its variable
`<drug>_breast_binding` there. Without a drug the line stands as it is: 0 for a sum, 1 for a
product. The result is Antimony text like any other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from estradyn.errors import ModelError
from estradyn.model.drug_record import DrugRecord, read_drug_record
from estradyn.model.text_file import read_text

DRUGS_FOLDER = "drugs"

_SLOT = re.compile(
    r"^(?P<start>\s*(?:\w+\.)?(?P<name>\w+)\s*:=\s*)(?P<neutral>[01])\s*;"
    r"\s*//\s*(?P<how>sum|product) over drugs\s*$"
)
_MODEL = re.compile(r"^model\s+\w+\s*\(\s*\)\s*$")
_END = re.compile(r"^end\s*$")
_IMPORT = re.compile(r'^import\s+"[^"]+"\s*;?\s*$')
_INSTANCE = re.compile(r"^\s*(?P<name>\w+)\s*:\s*\w+\s*\(")
_NEUTRAL = {"sum": "0", "product": "1"}
_OPERATOR = {"sum": " + ", "product": " * "}


@dataclass(frozen=True)
class Line:
    """A line of composed text and where it came from."""

    text: str
    path: Path
    number: int


@dataclass(frozen=True)
class Composition:
    """A patient's text with the drugs in it.

    Attributes
    ----------
    lines
        The text, line by line.
    drugs
        Records of the drugs in it, by name; None for a text that takes no drugs.
    absent_instances
        Module instances of the drugs that were left out; their tables do not apply.
    """

    lines: tuple[Line, ...]
    drugs: Mapping[str, DrugRecord] | None
    absent_instances: frozenset[str]

    @property
    def text(self) -> str:
        """The composed Antimony text."""
        return "\n".join(line.text for line in self.lines) + "\n"


@dataclass(frozen=True)
class _Part:
    """The part that a drug adds."""

    record: DrugRecord
    imports: tuple[Line, ...]
    body: tuple[Line, ...]
    instances: tuple[str, ...]


def compose(path: Path, drugs: Sequence[str] | None = None) -> Composition:
    """Read a model's text and put drugs into it.

    Parameters
    ----------
    path
        Antimony file. A file without a line `// sum over drugs` takes no drugs and stays as it is.
    drugs
        Names of drugs with a record in `drugs/` beside the file, in any order; all by default.

    Raises
    ------
    ModelError
        If a drug has no record, or its part does not fit; names file and line.
    """
    lines = _read_lines(path)
    slots = {
        match["name"]: match for line in lines if (match := _SLOT.match(line.text)) is not None
    }
    if not slots:
        return Composition(lines, None, frozenset())
    known = drug_records(path.parent)
    unknown = sorted(set(drugs or ()) - known.keys())
    if unknown:
        raise ModelError(
            f"there is no drug '{unknown[0]}'; drugs with a record: {', '.join(known) or 'none'}",
            source=path.parent / DRUGS_FOLDER,
        )
    chosen = known if drugs is None else {name: known[name] for name in known if name in drugs}
    parts = [_read_part(record) for record in known.values() if record.part is not None]
    taken = [part for part in parts if part.record.name in chosen]
    for part in taken:
        _check_actions(part, slots)
    left_out = {name for part in parts if part.record.name not in chosen for name in part.instances}
    return Composition(_stitched(lines, taken, path), chosen, frozenset(left_out))


def drug_records(folder: Path) -> dict[str, DrugRecord]:
    """Read every drug record of a folder of models, by name in alphabetical order.

    Raises
    ------
    InputError
        If a record may not be used.
    """
    files = sorted((folder / DRUGS_FOLDER).glob("*.md"))
    return {record.name: record for record in map(read_drug_record, files)}


def _read_lines(path: Path) -> tuple[Line, ...]:
    text = read_text(path, ModelError)
    return tuple(Line(line, path, number) for number, line in enumerate(text.splitlines(), 1))


def _read_part(record: DrugRecord) -> _Part:
    """Take apart a drug's file: comments and imports, then one model without parameters."""
    assert record.part is not None
    path = record.path.parent / record.part
    lines = _read_lines(path)
    starts = [place for place, line in enumerate(lines) if _MODEL.match(line.text)]
    ends = [place for place, line in enumerate(lines) if _END.match(line.text)]
    if len(starts) != 1 or len(ends) != 1 or ends[0] < starts[0]:
        raise ModelError("must hold one model, 'model name()' to 'end'", source=path)
    body = lines[starts[0] + 1 : ends[0]]
    imports = []
    for line in (*lines[: starts[0]], *lines[ends[0] + 1 :]):
        if _IMPORT.match(line.text):
            imports.append(line)
        elif line.text.strip() and not line.text.startswith("//"):
            raise ModelError(
                "only comments and imports may stand outside the model",
                source=path,
                line=line.number,
            )
    instances = []
    for line in body:
        match = _INSTANCE.match(line.text)
        if match is None:
            continue
        name = match["name"]
        if name != record.name and not name.startswith(record.name + "_"):
            raise ModelError(
                f"the instance '{name}' of the drug '{record.name}' must be called "
                f"'{record.name}' or '{record.name}_...', so that drugs share no table",
                source=path,
                line=line.number,
            )
        instances.append(name)
    return _Part(record, tuple(imports), body, tuple(instances))


def _check_actions(part: _Part, slots: Mapping[str, re.Match[str]]) -> None:
    text = "\n".join(line.text.split("//")[0] for line in part.body)
    for name in part.record.acts_on:
        if name not in slots:
            raise ModelError(
                f"acts_on names '{name}'; a drug can act on {', '.join(slots)}",
                source=part.record.path,
            )
        variable = f"{part.record.name}_{name}"
        if re.search(rf"\b{variable}\b", text) is None:
            raise ModelError(
                f"acts_on names '{name}', but {part.record.part} has no '{variable}'",
                source=part.record.path,
            )


def _stitched(lines: tuple[Line, ...], parts: Sequence[_Part], path: Path) -> tuple[Line, ...]:
    """Imports first, the drugs' lines right after the head of the model, then the sums."""
    found: list[Line] = []
    imported = {line.text.strip() for line in lines if _IMPORT.match(line.text)}
    for line in lines:
        if _MODEL.match(line.text) is None:
            found.append(_filled(line, parts))
            continue
        for imports in (item for part in parts for item in part.imports):
            if imports.text.strip() not in imported:
                imported.add(imports.text.strip())
                found.append(imports)
        found.append(line)
        for part in parts:
            found.extend(part.body)
            found.append(Line("", path, line.number))
    return tuple(found)


def _filled(line: Line, parts: Sequence[_Part]) -> Line:
    match = _SLOT.match(line.text)
    if match is None:
        return line
    how = match["how"]
    if match["neutral"] != _NEUTRAL[how]:
        raise ModelError(
            f"a {how} over no drugs is {_NEUTRAL[how]}, not {match['neutral']}",
            source=line.path,
            line=line.number,
        )
    terms = [
        f"{part.record.name}_{match['name']}"
        for part in parts
        if match["name"] in part.record.acts_on
    ]
    if not terms:
        return line
    return Line(f"{match['start']}{_OPERATOR[how].join(terms)};", line.path, line.number)
