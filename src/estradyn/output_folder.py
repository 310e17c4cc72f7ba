"""A folder of results that appears whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from estradyn.errors import InputError


def check_output_folder(out: Path, allowed: Sequence[str]) -> None:
    """Refuse a place that holds anything but earlier results.

    Parameters
    ----------
    out
        Folder to write.
    allowed
        Names that the folder may hold already; they will be replaced.

    Raises
    ------
    InputError
        If the place is a file or holds something else.
    """
    try:
        entries = sorted(entry.name for entry in out.iterdir()) if out.exists() else []
    except OSError:
        raise InputError(
            "found something that is not a folder, allowed a folder for the results", source=out
        ) from None
    foreign = [name for name in entries if name not in allowed]
    if foreign:
        raise InputError(
            f"found '{foreign[0]}' in the output folder, allowed an empty or new folder, or one "
            "that holds earlier results of the same command",
            source=out,
        )


@contextmanager
def output_folder(
    out: Path, allowed: Sequence[str], *, within: Path | None = None
) -> Iterator[Path]:
    """Give a folder to write into that becomes `out` when the block ends without an error.

    Parameters
    ----------
    out
        Folder to write.
    allowed
        Names that the folder may hold already; they will be replaced.
    within
        Folder for what is not finished, on the same disk; by default the one that `out` is in.

    Raises
    ------
    InputError
        If `out` holds something else or cannot be written.
    """
    check_output_folder(out, allowed)
    created = [parent for parent in out.parents if not parent.exists()]
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=within or out.parent))
    except OSError as error:
        raise InputError(
            f"found a place that cannot be written ({error.strerror}), allowed a folder you may "
            "write to",
            source=out,
        ) from None
    try:
        yield temporary
        check_output_folder(out, allowed)
        # mkdtemp makes a folder for its owner alone; results are as readable as any other.
        temporary.chmod(0o755)
        _replace(out, temporary)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        for parent in created:
            parent.rmdir()
        raise


def _replace(out: Path, temporary: Path) -> None:
    if not out.exists():
        temporary.rename(out)
        return
    earlier = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        out.rename(earlier / "results")
        temporary.rename(out)
    except BaseException:
        if not out.exists():
            (earlier / "results").rename(out)
        raise
    finally:
        shutil.rmtree(earlier, ignore_errors=True)
