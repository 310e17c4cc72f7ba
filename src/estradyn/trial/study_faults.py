"""From what pydantic says is wrong with a study to one sentence a person can act on."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from estradyn.errors import StudyError
from estradyn.trial.quantities import describe
from estradyn.trial.study_text import FieldPath, StudyText, field_name


def first_fault(error: ValidationError, text: StudyText, root: type[BaseModel]) -> StudyError:
    """Name the fault that stands first in the file.

    A field that is missing comes last, for it is mostly one that another line misspells; a list is
    called too short only where nothing inside it is wrong.

    Parameters
    ----------
    error
        What pydantic found.
    text
        The file, which knows the lines.
    root
        Section that describes the whole file; descriptions of its fields say what is allowed.
    """
    faults = [_explain(details, root) for details in error.errors(include_url=False)]
    innermost = [
        fault for fault in faults if not any(_is_inside(other.path, fault.path) for other in faults)
    ]
    first = min(innermost, key=lambda fault: (fault.missing, text.line_of(fault.path) or 0))
    return StudyError(
        f"field {field_name(first.path)}: found {first.found}, allowed {first.allowed}",
        source=text.source,
        line=text.line_of(first.path),
    )


@dataclass(frozen=True)
class _Fault:
    path: FieldPath
    found: str
    allowed: str
    missing: bool = False


def _is_inside(inner: FieldPath, outer: FieldPath) -> bool:
    return len(inner) > len(outer) and inner[: len(outer)] == outer


def _explain(details: ErrorDetails, root: type[BaseModel]) -> _Fault:
    path: FieldPath = details["loc"]
    context = details.get("ctx", {})
    if details["type"] == "study":
        return _Fault((*path, *context["at"]), context["found"], context["allowed"])
    if path[-1:] == ("[key]",):
        allowed = _allowed(path[:-2], root) or details["msg"]
        return _Fault(path[:-1], f"the unknown name {describe(details['input'])}", allowed)
    section = _section_at(path[:-1], root)
    if details["type"] == "extra_forbidden" and section is not None:
        known = sorted(section.model_fields)
        found = f"the unknown field {describe(path[-1])}{nearest(str(path[-1]), known)}"
        return _Fault(path, found, ", ".join(known))
    missing = details["type"] == "missing"
    found = "nothing" if missing else describe(details["input"])
    inside = _section_at(path, root)
    if details["type"] == "model_type" and inside is not None and isinstance(path[-1], int):
        return _Fault(path, found, f"a mapping with {', '.join(inside.model_fields)}")
    return _Fault(path, found, _allowed(path, root) or details["msg"], missing)


def _allowed(path: FieldPath, root: type[BaseModel]) -> str | None:
    """What the field at this path may hold, in words."""
    section = _section_at(path[:-1], root)
    field = None if section is None else section.model_fields.get(str(path[-1]))
    return None if field is None else field.description


def _section_at(path: FieldPath, root: type[BaseModel]) -> type[BaseModel] | None:
    """Model that describes the mapping at this path."""
    section: type[BaseModel] | None = root
    for part in path:
        if isinstance(part, int):
            continue
        field = None if section is None else section.model_fields.get(part)
        section = None if field is None else _model_in(field.annotation)
    return section


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _model_in(argument)
        if found is not None:
            return found
    return None


def nearest(word: str, known: Iterable[str]) -> str:
    """Suggest the known word that is most like this one, as a remark; empty if none is."""
    matches = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean '{matches[0]}'?)" if matches else ""
