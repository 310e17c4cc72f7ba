"""The manifest: what made these numbers, and whether it makes them again."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from estradyn.errors import StudyError
from estradyn.trial.files import MANIFEST, TABLES, file_hash

FORMAT = 2
"""Version of the layout of the manifest."""

OF_ONE_RUN = frozenset(
    {
        "population",
        "statuses",
        "tables",
        "wall_time_seconds",
        "workers",
        "scheduler",
        "chunks",
        "processors",
    }
)
"""What two runs of the same identity may say differently, or what follows from the identity."""


@dataclass(frozen=True)
class RunRecord:
    """How one run went.

    Attributes
    ----------
    population, statuses
        Counts by arm.
    workers
        Threads used; the numbers do not depend on it.
    scheduler
        Address of the cluster that simulated the patients, None where this machine did.
    chunks, resumed
        Chunks of the trial, and how many of them an interrupted run had finished.
    processors
        Chunks by the name of the processor that simulated them.
    wall_time_seconds
        Time the run took, without the interrupted one.
    """

    population: Mapping[str, Mapping[str, int]]
    statuses: Mapping[str, Mapping[str, int]]
    workers: int
    scheduler: str | None
    chunks: int
    resumed: int
    processors: Mapping[str, int]
    wall_time_seconds: float


def build_manifest(identity: Mapping[str, Any], record: RunRecord, tables: Path) -> dict[str, Any]:
    """Collect what a reader needs to trust the numbers and to make them again.

    Parameters
    ----------
    identity
        What makes the numbers, as `run_identity` gives it.
    record
        How the run went.
    tables
        Folder that holds the finished tables.
    """
    return {
        "format": FORMAT,
        "use": "research use only",
        **identity,
        "population": {arm: dict(counts) for arm, counts in record.population.items()},
        "statuses": {arm: dict(counts) for arm, counts in record.statuses.items()},
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "workers": record.workers,
        "scheduler": record.scheduler,
        "chunks": {"all": record.chunks, "from_interrupted_run": record.resumed},
        "processors": dict(sorted(record.processors.items())),
        "wall_time_seconds": round(record.wall_time_seconds, 3),
        "tables": {name: file_hash(tables / name) for name in TABLES if (tables / name).is_file()},
    }


def write_manifest(manifest: Mapping[str, Any], directory: Path) -> None:
    """Write the manifest as JSON."""
    text = json.dumps(manifest, indent=2, allow_nan=False)
    (directory / MANIFEST).write_text(text + "\n", encoding="utf-8")


def read_manifest(directory: Path) -> dict[str, Any]:
    """Read the manifest of a finished trial.

    Raises
    ------
    StudyError
        If the folder holds none that this version can read.
    """
    path = directory / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StudyError(
            f"found no manifest ({error.strerror}), allowed the folder of a finished trial",
            source=path,
        ) from None
    except (ValueError, RecursionError):
        raise StudyError(
            "found text that is not JSON, allowed the manifest that the trial wrote", source=path
        ) from None
    expected = {"format": int, "study": dict, "tables": dict}
    if not isinstance(manifest, dict) or any(
        not isinstance(manifest.get(name), kind) for name, kind in expected.items()
    ):
        raise StudyError(
            f"found no {', '.join(expected)}, allowed the manifest that the trial wrote",
            source=path,
        )
    if manifest["format"] != FORMAT:
        raise StudyError(f"found format {manifest['format']}, allowed format {FORMAT}", source=path)
    if not isinstance(manifest.get("chunk_size"), int) or manifest["chunk_size"] < 1:
        raise StudyError(
            "found no usable chunk_size, allowed the manifest that the trial wrote", source=path
        )
    return manifest
