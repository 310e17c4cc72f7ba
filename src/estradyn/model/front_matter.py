"""Markdown records with YAML front matter, and what that of a drug must say of itself."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from estradyn.errors import InputError
from estradyn.model.text_file import read_text
from estradyn.plain_yaml import load_plain_yaml

_FENCE = "---"

STATUSES = ("draft", "current", "withdrawn")
"""What a record may be: being written, valid, or no longer to be relied on."""

FREQUENCY = re.compile(r"(?P<count>[1-9]\d{0,2}) (?P<unit>day|week|month|year)s?")
"""How often a record is reviewed."""


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_list_of_texts(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_text, value))


def _is_address(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"https?://\S+", value) is not None


def _is_language(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[a-z]{2,3}", value) is not None


def _is_date(value: object) -> bool:
    return isinstance(value, datetime.date) and not isinstance(value, datetime.datetime)


def _is_frequency(value: object) -> bool:
    return isinstance(value, str) and FREQUENCY.fullmatch(value) is not None


def _is_version(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


_Rule = tuple[Callable[[object], bool], str]
_TEXT: _Rule = (_is_text, "a text")
_TEXTS: _Rule = (_is_list_of_texts, "a list of texts, as in [one, two]")

RECORD_FIELDS: Mapping[str, _Rule] = {
    "title": _TEXT,
    "class": _TEXT,
    "audience": _TEXT,
    "licence": _TEXT,
    "language": (_is_language, "a language code such as 'en'"),
    "last_reviewed": (_is_date, "a date such as 2026-11-22"),
    "review_frequency": (_is_frequency, "a time such as '12 months'"),
    "status": (lambda value: value in STATUSES, "one of " + ", ".join(STATUSES)),
    "version": (_is_version, "a whole number from 1"),
}
"""Fields of every record: whether a value will do, and what is allowed in words."""

MEDICINE_FIELDS: Mapping[str, _Rule] = {
    "brand_names": _TEXTS,
    "approved_use": _TEXT,
    "source": _TEXT,
    "url": (_is_address, "an address that begins with https:// or http://"),
    "tags": _TEXTS,
}
"""Further fields of a drug that people take; a reagent of a culture well has none of them."""


def read_front_matter(path: Path) -> tuple[dict[str, Any], str]:
    """Read a record; YAML tags that build objects are refused.

    Parameters
    ----------
    path
        Markdown file with front matter.

    Returns
    -------
    tuple
        The fields of the front matter, and the text below it.

    Raises
    ------
    InputError
        Naming the file and the line, if the front matter is missing or is not plain YAML.
    """
    text = read_text(path, InputError)
    parts = text.split(_FENCE + "\n", 2)
    if len(parts) != 3 or parts[0].strip():
        raise InputError("must begin with YAML front matter between two lines '---'", source=path)
    # Line 1 of the front matter is line 2 of the file.
    fields = load_plain_yaml(parts[1], path, first_line=2)
    if not isinstance(fields, dict):
        raise InputError("the front matter must be a list of 'name: value' lines", source=path)
    return fields, parts[2].lstrip("\n")


def check_front_matter(fields: Mapping[str, Any], path: Path, *, medicine: bool = True) -> None:
    """Refuse front matter that lacks a field or holds something else in it.

    Parameters
    ----------
    fields
        The front matter.
    path
        The record, for messages.
    medicine
        Whether the record is that of a drug that people take.

    Raises
    ------
    InputError
        Naming the file, the field, what was found and what is allowed.
    """
    rules = {**RECORD_FIELDS, **(MEDICINE_FIELDS if medicine else {})}
    for name, (fits, allowed) in rules.items():
        if name not in fields:
            raise InputError(f"the front matter lacks '{name}', {allowed}", source=path)
        if not fits(fields[name]):
            raise InputError(
                f"front matter: '{name}' is {fields[name]!r}, it must be {allowed}", source=path
            )
