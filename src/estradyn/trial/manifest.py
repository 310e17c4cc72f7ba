"""The manifest: what made these numbers, and whether it makes them again."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from estradyn import __version__
from estradyn.errors import StudyError
from estradyn.trial.files import MANIFEST, TABLES, file_hash
from estradyn.trial.study import Study

FORMAT = 1
"""Version of the layout of the manifest."""

PACKAGES = (
    "llvmlite",
    "numpy",
    "pandas",
    "pyarrow",
    "scipy",
    "lifelines",
    "pint",
    "pydantic",
    "symengine",
    "antimony",
    "python-libsbml",
)
"""Packages that the numbers depend on."""


def build_manifest(
    study: Study,
    *,
    provenance: Mapping[str, Any],
    population: Mapping[str, Mapping[str, int]],
    statuses: Mapping[str, Mapping[str, int]],
    tables: Path,
    wall_time_seconds: float,
    workers: int,
) -> dict[str, Any]:
    """Collect what a reader needs to trust the numbers and to make them again.

    Parameters
    ----------
    study
        The study as it was run.
    provenance
        Hashes of model and inputs, tolerances.
    population, statuses
        Counts by arm.
    tables
        Folder that holds the finished tables.
    wall_time_seconds
        Time the run took.
    workers
        Threads used; the numbers do not depend on it.
    """
    content = study.content()
    return {
        "format": FORMAT,
        "estradyn": __version__,
        "use": "research use only",
        "study": content,
        "study_hash": _content_hash(content),
        "seed": study.seed,
        **provenance,
        "population": {arm: dict(counts) for arm, counts in population.items()},
        "statuses": {arm: dict(counts) for arm, counts in statuses.items()},
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "workers": workers,
        "wall_time_seconds": round(wall_time_seconds, 3),
        "tables": {name: file_hash(tables / name) for name in TABLES},
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
    return manifest


def _content_hash(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
