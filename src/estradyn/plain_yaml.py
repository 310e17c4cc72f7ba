"""Reads YAML from outside: plain values only, and a fault is one sentence."""

from __future__ import annotations

from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from estradyn.errors import InputError

DEEPEST_NESTING = 20

MOST_OPEN_BRACKETS = 100
"""More would keep the YAML parser busy for hours before it gives up."""


def load_plain_yaml(text: str, source: Path, *, first_line: int = 1) -> object:
    """Read YAML; tags that build objects are refused.

    Parameters
    ----------
    text
        What to read.
    source
        The file it stands in, for errors.
    first_line
        Line of the file on which the text begins.

    Raises
    ------
    InputError
        If it is not plain YAML; names the file and, where it is known, the line.
    """
    refuse_deep_brackets(text, source, InputError)
    try:
        content: object = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        raise InputError(
            f"is not valid YAML ({yaml_problem(error)})",
            source=source,
            line=yaml_line(error, first_line),
        ) from None
    return content


def yaml_problem(error: Exception) -> str:
    """What a YAML parser complains of, on one line."""
    if isinstance(error, RecursionError):
        return "lists or mappings nested too deeply"
    found = getattr(error, "problem", None) or getattr(error, "context", None) or error
    return " ".join(str(found).split())


def yaml_line(error: Exception, first_line: int = 1) -> int | None:
    """Line of the file that a YAML parser complains of; None where it does not say."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    return None if mark is None else int(mark.line) + first_line


def refuse_deep_brackets(text: str, source: str | Path, error_class: type[InputError]) -> None:
    """Refuse a text with more open brackets than any file has, before a parser sees it."""
    open_brackets = 0
    for line, content in enumerate(text.splitlines(), start=1):
        for character in content:
            open_brackets += (character in "[{") - (character in "]}")
            if open_brackets > MOST_OPEN_BRACKETS:
                raise error_class(
                    f"found more than {MOST_OPEN_BRACKETS} open brackets, allowed lists and "
                    f"mappings nested up to {DEEPEST_NESTING} levels deep",
                    source=source,
                    line=line,
                )
