"""Reads the text files of a model: models, tables and drug records."""

from __future__ import annotations

from pathlib import Path

from estradyn.errors import InputError

LARGEST_FILE = 50_000_000
"""Bytes; a file beyond this is no model that could be solved, and is not read into memory."""


def read_text(path: Path, error_class: type[InputError]) -> str:
    """Read a text file of sensible size.

    Parameters
    ----------
    path
        The file.
    error_class
        Error to raise.

    Raises
    ------
    InputError
        Of the given class, if the file is too large or cannot be read as UTF-8 text.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise error_class(
                f"has {size / 1e6:.0f} MB, allowed are up to {LARGEST_FILE / 1e6:.0f} MB",
                source=path,
            )
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise error_class(f"cannot be read as UTF-8 text ({error})", source=path) from error
