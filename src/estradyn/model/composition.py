"""Puts people, and the drugs of a trial, into the text of a patient model.

A drug is a record `drugs/<drug>.md` beside a part `drugs/<drug>.ant`: a model without parameters
whose lines belong at the top of the patient. The patient's text marks where drugs act::

    receptor.breast_binding := 0;    // sum over drugs

and every drug whose record names `breast_binding` under `acts_on` adds its variable
`<drug>_breast_binding` there. Without a drug the line stands as it is: 0 for a sum, 1 for a
product. The result is Antimony text like any other. Root models of other contexts (see
`estradyn.model.context`) are composed in the same way, each with the parts that drugs bring for it.

The text also marks modules that are put in on demand::

    endometrium: endometrial_growth(endometrial_thickness);  // optional
    endometrium.estrogen_ratio := uterus_estrogen_ratio;

Left out, the instance goes with every line that begins with its name and a dot.

Other people than the patient's own text describes bring a part `populations/<name>.ant` of the same
form as a drug's. An instance of it may take the place of one of the patient's::

    testis: hypothalamus_pituitary_testis(luteinizing_hormone);  // instead of gonadotropins

an instance of the patient's that they do not have is named on a line of its own::

    // without endometrium

and a line that the patient's text marks as theirs to say is replaced by their line for the same
variable::

    estrogen.androgen_ratio := 1;    // of the population
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from estradyn.errors import ModelError
from estradyn.model.context import PATIENT, Context, context_of
from estradyn.model.drug_record import DrugRecord, read_drug_record
from estradyn.model.people import people_called, people_records
from estradyn.model.text_file import read_text

_SLOT = re.compile(
    r"^(?P<start>\s*(?:\w+\.)?(?P<name>\w+)\s*:=\s*)(?P<neutral>[01])\s*;"
    r"\s*//\s*(?P<how>sum|product) over drugs\s*$"
)
_MODEL = re.compile(r"^model\s+\w+\s*\(\s*\)\s*$")
_END = re.compile(r"^end\s*$")
_IMPORT = re.compile(r'^import\s+"[^"]+"\s*;?\s*$')
_INSTANCE = re.compile(r"^\s*(?P<name>\w+)\s*:\s*\w+\s*\(")
_GIVES = re.compile(r"^\s*\w+\s*:\s*\w+\s*\((?P<gives>[^)]*)\)")
_OPTIONAL = re.compile(r"^\s*(?P<name>\w+)\s*:\s*\w+\s*\([^)]*\)\s*;\s*//\s*optional\s*$")
_MEMBER = re.compile(r"^\s*(?P<instance>\w+)\.\w+\s*:?=")
_INSTEAD = re.compile(
    r"^(?P<text>\s*(?P<name>\w+)\s*:\s*\w+\s*\([^)]*\)\s*;)\s*//\s*instead of (?P<old>\w+)\s*$"
)
_WITHOUT = re.compile(r"^\s*//\s*without (?P<old>\w+)\s*$")
_RULE = re.compile(r"^\s*(?P<left>\w+(?:\.\w+)?)\s*:=")
_OF_THE_POPULATION = re.compile(r"//\s*of the population\s*$")
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
        Module instances that were left out, optional ones and those of drugs; their tables do not
        apply.
    context
        What the drugs act in.
    absent_variables
        What modules of the text that were left out or replaced would have given.
    """

    lines: tuple[Line, ...]
    drugs: Mapping[str, DrugRecord] | None
    absent_instances: frozenset[str]
    context: Context
    absent_variables: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        """The composed Antimony text."""
        return "\n".join(line.text for line in self.lines) + "\n"

    @property
    def instances(self) -> frozenset[str]:
        """Names of the module instances at the top of the model."""
        found = (_INSTANCE.match(line.text) for line in self.lines)
        return frozenset(match["name"] for match in found if match is not None)


@dataclass(frozen=True)
class _Part:
    """The lines that a drug or a kind of people adds."""

    imports: tuple[Line, ...]
    body: tuple[Line, ...]
    instances: tuple[str, ...]


@dataclass(frozen=True)
class _DrugPart(_Part):
    """The part that a drug adds."""

    record: DrugRecord


def compose(
    path: Path,
    drugs: Sequence[str] | None = None,
    modules: Sequence[str] | None = None,
    population: str | None = None,
) -> Composition:
    """Read a model's text and put people, drugs and optional modules into it.

    Parameters
    ----------
    path
        Antimony file. A file without a line `// sum over drugs` takes no drugs and stays as it is.
    drugs
        Names of drugs with a record for the model's context, in any order; all by default.
    modules
        Names of optional modules of the text; all by default.
    population
        Name of the people with a record whom the text is to describe; those it describes as it
        stands by default.

    Raises
    ------
    ModelError
        If people or a drug have no record, or a part does not fit; names file and line. If the
        text marks no such optional module.
    """
    context = context_of(path)
    lines, of_others = _with_people(path, population)
    optional = _optional_modules(lines)
    without = {} if modules is None else {k: v for k, v in optional.items() if k not in modules}
    unmarked = sorted(set(modules or ()) - optional.keys())
    if unmarked:
        raise ModelError(
            f"there is no optional module '{unmarked[0]}'; there are: "
            f"{', '.join(optional) or 'none'}",
            source=path,
        )
    kept = tuple(line for line in lines if not _is_of_instance(line, without))
    given = {name for line in kept for name in _given_by(line)}
    variables = frozenset(
        name for line in _read_lines(path) for name in _given_by(line) if name not in given
    )
    missing = frozenset(without) | of_others
    slots = {
        match["name"]: match for line in lines if (match := _SLOT.match(line.text)) is not None
    }
    if not slots:
        return Composition(kept, None, missing, context, variables)
    known = drug_records(context.folder, context.name)
    unknown = sorted(set(drugs or ()) - known.keys())
    if unknown:
        raise ModelError(
            f"there is no drug '{unknown[0]}'; drugs with a record"
            + ("" if context.is_patient else f" for the context '{context.name}'")
            + f": {', '.join(known) or 'none'}",
            source=context.drug_folders[0],
        )
    chosen = known if drugs is None else {name: known[name] for name in known if name in drugs}
    parts = [_drug_part(record) for record in known.values() if record.part is not None]
    taken = [part for part in parts if part.record.name in chosen]
    for part in taken:
        _check_actions(part, slots)
    left_out = {name for part in parts if part.record.name not in chosen for name in part.instances}
    absent = missing | left_out
    return Composition(_stitched(kept, taken, path), chosen, absent, context, variables)


def optional_modules(path: Path, population: str | None = None) -> dict[str, tuple[str, ...]]:
    """Names of the optional modules of a text, each with the variables that it gives."""
    return _optional_modules(_with_people(path, population)[0])


def _with_people(path: Path, population: str | None) -> tuple[tuple[Line, ...], frozenset[str]]:
    """Lines of a text that describes some people, and the instances that belong to others.

    Those are the instances that theirs replace, and those that the parts of other people bring.
    """
    lines = _read_lines(path)
    if not context_of(path).is_patient:
        if population is not None:
            raise ModelError(f"this model describes no people, so not '{population}'", source=path)
        return lines, frozenset()
    people = people_called(population, path.parent)
    files = {one.part for one in people_records(path.parent).values() if one.part is not None}
    parts = {file: _read_part(file) for file in sorted(files)}
    named = {match["name"] for line in lines if (match := _INSTANCE.match(line.text))}
    named |= {name for part in parts.values() for name in part.instances}
    if people is not None and people.part is not None:
        lines = _replaced(lines, parts[people.part], path)
    held = {match["name"] for line in lines if (match := _INSTANCE.match(line.text))}
    return lines, frozenset(named - held)


def _replaced(lines: tuple[Line, ...], part: _Part, path: Path) -> tuple[Line, ...]:
    """Put the lines of people into a text, in place of the instances and rules that they name."""
    own = {match["name"] for line in lines if (match := _INSTANCE.match(line.text))}
    old = {
        match["old"]: line
        for line in part.body
        if (match := _INSTEAD.match(line.text) or _WITHOUT.match(line.text))
    }
    for name in old.keys() - own:
        raise ModelError(
            f"'{name}' is no module instance of {path.name}",
            source=old[name].path,
            line=old[name].number,
        )
    kept = [line for line in lines if not _is_of_instance(line, old)]
    assigned = {match["left"]: line for line in kept if (match := _RULE.match(line.text))}
    rules: dict[str, Line] = {}
    further: list[Line] = []
    for line in part.body:
        rule = _RULE.match(line.text)
        if rule is None or rule["left"] not in assigned:
            further.append(Line(_INSTEAD.sub(r"\g<text>", line.text), line.path, line.number))
            continue
        if not _OF_THE_POPULATION.search(assigned[rule["left"]].text):
            raise ModelError(
                f"'{rule['left']}' is assigned in {path.name}, which does not mark it "
                "'of the population'",
                source=line.path,
                line=line.number,
            )
        rules[rule["left"]] = line
    found: list[Line] = []
    imported = {line.text.strip() for line in lines if _IMPORT.match(line.text)}
    for line in kept:
        rule = _RULE.match(line.text)
        if _MODEL.match(line.text):
            found += [item for item in part.imports if item.text.strip() not in imported]
        if _END.match(line.text):
            found += further
        found.append(line if rule is None else rules.get(rule["left"], line))
    return tuple(found)


def _is_of_instance(line: Line, instances: Collection[str]) -> bool:
    """Whether a line is one of some instances, or sets something inside it."""
    match = _INSTANCE.match(line.text)
    if match is not None:
        return match["name"] in instances
    member = _MEMBER.match(line.text)
    return member is not None and member["instance"] in instances


def _given_by(line: Line) -> tuple[str, ...]:
    """Variables that the instance of a line gives."""
    match = _GIVES.match(line.text)
    return () if match is None else tuple(name.strip() for name in match["gives"].split(","))


def _optional_modules(lines: Sequence[Line]) -> dict[str, tuple[str, ...]]:
    return {
        match["name"]: _given_by(line)
        for line in lines
        if (match := _OPTIONAL.match(line.text)) is not None
    }


def drug_records(folder: Path, context: str = PATIENT) -> dict[str, DrugRecord]:
    """Read the records of the drugs that can act in a context, by name in alphabetical order.

    Outside the patient they are the patient's records that name the context, and those in the
    context's own folder, of compounds that are of use there alone.

    Parameters
    ----------
    folder
        Folder of the models.
    context
        Name of the context.

    Raises
    ------
    InputError
        If a record may not be used.
    """
    *shared, own = Context(context, folder).drug_folders
    records = {}
    for path in (path for folder in shared for path in folder.glob("*.md")):
        record = read_drug_record(path).within(context)
        if record is not None:
            records[record.name] = record
    for path in own.glob("*.md"):
        record = read_drug_record(path, medicine=context == PATIENT)
        if record.name in records:
            raise ModelError(
                f"{records[record.name].path} is a record of '{record.name}' for this context too",
                source=path,
            )
        records[record.name] = record
    return dict(sorted(records.items()))


def _read_lines(path: Path) -> tuple[Line, ...]:
    text = read_text(path, ModelError)
    return tuple(Line(line, path, number) for number, line in enumerate(text.splitlines(), 1))


def _drug_part(record: DrugRecord) -> _DrugPart:
    """Read a drug's part, whose instances bear its name."""
    assert record.part is not None
    part = _read_part(record.path.parent / record.part)
    for line in part.body:
        match = _INSTANCE.match(line.text)
        if match is None:
            continue
        name = match["name"]
        if name != record.name and not name.startswith(record.name + "_"):
            raise ModelError(
                f"the instance '{name}' of the drug '{record.name}' must be called "
                f"'{record.name}' or '{record.name}_...', so that drugs share no table",
                source=line.path,
                line=line.number,
            )
    return _DrugPart(part.imports, part.body, part.instances, record)


def _read_part(path: Path) -> _Part:
    """Take apart a part's file: comments and imports, then one model without parameters."""
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
    instances = (match["name"] for line in body if (match := _INSTANCE.match(line.text)))
    return _Part(tuple(imports), body, tuple(instances))


def _check_actions(part: _DrugPart, slots: Mapping[str, re.Match[str]]) -> None:
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


def _stitched(lines: tuple[Line, ...], parts: Sequence[_DrugPart], path: Path) -> tuple[Line, ...]:
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


def _filled(line: Line, parts: Sequence[_DrugPart]) -> Line:
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
