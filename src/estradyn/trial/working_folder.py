"""The folder beside the results in which a run keeps the patients it has finished."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from estradyn.errors import InputError, SimulationError
from estradyn.population import Drawn
from estradyn.trial.chunk_file import ChunkFile
from estradyn.trial.chunks import ChunkPlace
from estradyn.trial.identity import differences

_IDENTITY = "identity.json"
_LOCK = "lock"
_CHUNK_NAME = re.compile(r"arm-(\d{3})-chunk-(\d{7})\.zip")


def working_path(out: Path) -> Path:
    """Where the run that will write `out` keeps what it has finished."""
    return out.parent / f".{out.name}.unfinished"


def finished_chunks(out: Path) -> int:
    """Count the chunks that an interrupted run into `out` has kept."""
    folder = working_path(out)
    return len([path for path in folder.glob("*.zip") if _CHUNK_NAME.fullmatch(path.name)])


@dataclass(frozen=True)
class WorkingFolder:
    """Finished chunks of one run.

    Attributes
    ----------
    path
        The folder.
    """

    path: Path

    def chunk(self, place: ChunkPlace) -> ChunkFile:
        """Return the file of one chunk, which may not be there yet."""
        return ChunkFile(self.path / f"arm-{place.arm_index:03}-chunk-{place.number:07}.zip")

    def stored(self) -> dict[ChunkPlace, Drawn]:
        """Return the chunks that are there, each with the candidates it took."""
        found: dict[ChunkPlace, Drawn] = {}
        for path in sorted(self.path.iterdir()):
            name = _CHUNK_NAME.fullmatch(path.name)
            if name is not None:
                place = ChunkPlace(int(name[1]), int(name[2]))
                found[place] = ChunkFile(path).drawn
        return found

    def keep(self, place: ChunkPlace, content: bytes) -> None:
        """Write the file of a chunk, whole or not at all, so that not even a power cut halves it.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        _write_whole(self.chunk(place).path, content)


@contextmanager
def working_folder(
    out: Path, identity: Mapping[str, Any], *, resume: bool
) -> Iterator[WorkingFolder]:
    """Give the folder in which a run keeps its finished chunks, and remove it once it has ended.

    It stays where the run is interrupted after its first chunk. A run that fails because of its
    patients would fail again and leaves nothing.

    Parameters
    ----------
    out
        Folder of the results.
    identity
        What makes the numbers of the run.
    resume
        Whether to keep the chunks of an interrupted run; without it they are removed.

    Raises
    ------
    InputError
        If the chunks that are there come from a run of another identity, another run is using the
        folder, or it cannot be written.
    """
    path = working_path(out)
    created = [parent for parent in out.parents if not parent.exists()]
    with _locked(path):
        folder = WorkingFolder(path)
        try:
            if resume and finished_chunks(out):
                _check_identity(folder, identity)
            else:
                _clear(path)
            _clear(path, but_chunks=True)
            _write_whole(path / _IDENTITY, json.dumps(identity).encode())
            yield folder
        except BaseException as error:
            if isinstance(error, SimulationError) or not finished_chunks(out):
                shutil.rmtree(path, ignore_errors=True)
                with suppress(OSError):
                    for parent in created:
                        parent.rmdir()
            raise
        shutil.rmtree(path, ignore_errors=True)


def _check_identity(folder: WorkingFolder, identity: Mapping[str, Any]) -> None:
    """Refuse chunks that another study, model or version has made."""
    try:
        then = json.loads((folder.path / _IDENTITY).read_text(encoding="utf-8"))
        then = {**then, "study": dict(then["study"])}
    except (OSError, ValueError, TypeError, KeyError):
        raise InputError(
            "found finished patients that nothing says the origin of, allowed those of an "
            "interrupted run; without --resume the trial begins anew",
            source=folder.path,
        ) from None
    derived = frozenset({"study_hash", "seed"})
    changed = differences(then, identity, ignored=derived)
    if changed:
        raise InputError(
            f"found an interrupted run that differs in {', '.join(changed)}, allowed one of the "
            "same study, options, model and version; without --resume the trial begins anew",
            source=folder.path,
        )


def _clear(path: Path, *, but_chunks: bool = False) -> None:
    """Remove what the folder holds; the lock stays."""
    for entry in path.iterdir():
        if entry.name == _LOCK or (but_chunks and _CHUNK_NAME.fullmatch(entry.name)):
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the folder for this run alone; the lock goes with the process, however it ends."""
    try:
        handle = _open_lock(path)
    except BlockingIOError:
        raise InputError(
            "found that another run is writing here, allowed one run at a time", source=path
        ) from None
    except OSError as error:
        raise InputError(
            f"found a place that cannot be written ({error.strerror}), allowed a folder you may "
            "write to",
            source=path.parent,
        ) from None
    try:
        yield
    finally:
        os.close(handle)


def _open_lock(path: Path) -> int:
    while True:
        path.mkdir(parents=True, exist_ok=True)
        handle = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        if sys.platform == "win32":
            # An open file cannot be removed there, which is what the lock is for.
            return handle
        import fcntl

        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(handle), (path / _LOCK).stat()):
                return handle
            os.close(handle)  # The run that held it has ended and removed the folder.
        except FileNotFoundError:
            os.close(handle)
        except OSError:
            os.close(handle)
            raise


def _write_whole(path: Path, content: bytes) -> None:
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise InputError(
            f"found a place that cannot be written ({error.strerror}), allowed a folder you may "
            "write to with room in it",
            source=path.parent,
        ) from None
