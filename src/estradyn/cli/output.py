"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from estradyn.errors import InputError


def write_whole(path: Path, text: str) -> None:
    """Write a text file under a temporary name and move it into place.

    Parameters
    ----------
    path
        File to write; a file of that name is replaced.
    text
        Its content.

    Raises
    ------
    InputError
        If the place cannot be written.
    """
    temporary: Path | None = None
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        # mkstemp makes a file for its owner alone; an export is as readable as any other file.
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise InputError(
            f"found a place that cannot be written ({error.strerror}), allowed a file in a folder "
            "you may write to",
            source=path,
        ) from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def check_place(path: Path) -> None:
    """Refuse a file that cannot be written, before the work that would fill it.

    Raises
    ------
    InputError
        If its folder is not there or may not be written to, or it is a folder itself.
    """
    if path.is_dir():
        raise InputError("found a folder, allowed is the name of a file", source=path)
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise InputError(
            f"found no folder '{path.parent}' that may be written to, allowed a file in one",
            source=path,
        )
