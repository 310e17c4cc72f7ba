"""Read YAML from outside into plain values with line numbers, without building any object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from estradyn.errors import StudyError
from estradyn.plain_yaml import DEEPEST_NESTING, refuse_deep_brackets, yaml_line, yaml_problem

LARGEST_FILE = 64 * 1024
"""Bytes; a study is a page or two of text."""

FieldPath = tuple[str | int, ...]
"""Keys and list positions from the top of the file to one value."""

_TAG = "tag:yaml.org,2002:"
_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True)
class StudyText:
    """Content of one YAML file.

    Attributes
    ----------
    source
        File it was read from.
    content
        Mappings, lists, text, numbers, booleans and nothing else.
    lines
        Line, counted from 1, on which each value stands.
    """

    source: str
    content: dict[str, Any]
    lines: Mapping[FieldPath, int]

    def line_of(self, path: FieldPath) -> int | None:
        """Line of a value, or of the nearest thing around it that is in the file."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return None


def read_study_text(path: str | Path) -> StudyText:
    """Read a YAML mapping.

    Only plain scalars, lists and mappings are read: a tag, an anchor or an alias is refused, so a
    file can neither build an object nor grow when it is read.

    Parameters
    ----------
    path
        File to read.

    Raises
    ------
    StudyError
        If the file is missing, too large, not UTF-8, not YAML, or not one mapping; or if it holds
        a repeated key, a tag or an alias.
    """
    text = _read_text(Path(path))
    return parse_study_text(text, str(path))


def parse_study_text(text: str, source: str) -> StudyText:
    """Parse YAML text as `read_study_text` does; `source` is the name that errors give it."""
    refuse_deep_brackets(text, source, StudyError)
    try:
        root = YAML(typ="safe", pure=True).compose(text)
    except (YAMLError, ValueError, RecursionError) as error:
        raise StudyError(
            f"found text that is not YAML ({yaml_problem(error)}), "
            "allowed plain YAML with one mapping",
            source=source,
            line=yaml_line(error),
        ) from None
    if root is None:
        raise StudyError("found an empty file, allowed a study as YAML", source=source)
    if not isinstance(root, MappingNode):
        raise StudyError(
            "found a list or a single value, allowed a mapping of fields such as 'title: ...'",
            source=source,
            line=_line(root),
        )
    reader = _Reader(source)
    content = reader.mapping(root, ())
    return StudyText(source, content, reader.lines)


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            raw = stream.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise StudyError(
            "found no such file, allowed the path of a study file", source=path
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise StudyError(
            f"found something that cannot be read ({reason}), allowed the path of a study file",
            source=path,
        ) from None
    if len(raw) > LARGEST_FILE:
        raise StudyError(
            f"found more than {LARGEST_FILE // 1024} kB, allowed at most that for a study file",
            source=path,
        )
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise StudyError(
            f"found byte 0x{raw[error.start]:02x}, which is not UTF-8, allowed text in UTF-8",
            source=path,
            line=line,
        ) from None


class _Reader:
    """Turns parsed nodes into plain values and notes the line of each."""

    def __init__(self, source: str):
        self.source = source
        self.lines: dict[FieldPath, int] = {}
        self._seen: set[int] = set()

    def mapping(self, node: MappingNode, path: FieldPath) -> dict[str, Any]:
        self._enter(node, path, "map")
        content: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                raise self._error(key_node, path, "a list or mapping as a key", "a word")
            key = str(key_node.value)
            if key in content:
                raise self._error(key_node, (*path, key), f"the key '{key}' twice", "each key once")
            content[key] = self._value(value_node, (*path, key))
            self.lines[(*path, key)] = _line(key_node)
        return content

    def _value(self, node: Node, path: FieldPath) -> Any:
        if isinstance(node, MappingNode):
            return self.mapping(node, path)
        if isinstance(node, SequenceNode):
            self._enter(node, path, "seq")
            return [self._value(item, (*path, place)) for place, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _scalar(self, node: Node, path: FieldPath) -> str | int | float | bool | None:
        self._enter(node, path, "str", "int", "float", "bool", "null", "timestamp")
        kind, text = str(node.tag).removeprefix(_TAG), str(node.value)
        if kind == "null":
            return None
        if kind == "bool":
            return _TRUTH.get(text.lower(), text)
        if kind in ("int", "float"):
            return _number(kind, text)
        return text

    def _enter(self, node: Node, path: FieldPath, *kinds: str) -> None:
        if str(node.tag) not in {_TAG + kind for kind in kinds}:
            raise self._error(
                node, path, f"the tag '{node.tag}'", "plain values: a study file builds no objects"
            )
        # A node met twice is an alias, with which a short file can unfold without end.
        if node.anchor is not None or id(node) in self._seen:
            raise self._error(node, path, "an anchor or alias", "values written out in full")
        if len(path) > DEEPEST_NESTING:
            raise self._error(
                node, path, "lists or mappings nested too deeply", f"{DEEPEST_NESTING} levels"
            )
        self._seen.add(id(node))
        self.lines[path] = _line(node)

    def _error(self, node: Node, path: FieldPath, found: str, allowed: str) -> StudyError:
        return StudyError(
            f"field {field_name(path)}: found {found}, allowed {allowed}",
            source=self.source,
            line=_line(node),
        )


def field_name(path: FieldPath) -> str:
    """Path of a value as a person would write it; list positions count from 1."""
    parts = [str(part + 1) if isinstance(part, int) else part for part in path]
    return ".".join(parts) if parts else "(top)"


def _number(kind: str, text: str) -> int | float | str:
    """Return the number, or the text where Python reads no number in it."""
    plain = text.replace("_", "").lower()
    if kind == "float" and plain.lstrip("+-") in (".inf", ".nan"):
        plain = plain.replace(".", "")
    try:
        return int(plain, 0) if kind == "int" else float(plain)
    except ValueError:
        return text


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1
