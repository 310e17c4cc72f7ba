"""What makes the numbers of a run: two runs of one identity give the same bits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import estradyn
from estradyn.trial.study import Study

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


def run_identity(study: Study, provenance: Mapping[str, Any], chunk_size: int) -> dict[str, Any]:
    """Collect everything that the tables of a run depend on, as plain JSON values.

    Parameters
    ----------
    study
        The study as it is run, seed and size of the arms included.
    provenance
        Hashes of model and inputs, tolerances, as `Simulation.provenance` gives them.
    chunk_size
        Patients simulated at a time. No number depends on it; the row groups of the Parquet files,
        and so their bytes, do.
    """
    content = study.content()
    identity = {
        "estradyn": estradyn.__version__,
        "code_hash": code_hash(),
        "study": content,
        "study_hash": _content_hash(content),
        "seed": study.seed,
        **provenance,
        "chunk_size": chunk_size,
        "packages": {name: metadata.version(name) for name in PACKAGES},
    }
    return dict(json.loads(json.dumps(identity, allow_nan=False)))


def differences(
    then: Mapping[str, Any], now: Mapping[str, Any], *, ignored: frozenset[str] = frozenset()
) -> dict[str, tuple[str, str]]:
    """Name what differs between two identities, with both values as text.

    Parameters
    ----------
    then, now
        Identities, or manifests that hold them; what only `then` has is not looked at.
    ignored
        Names to leave out.
    """
    changed: dict[str, tuple[str, str]] = {}
    for name in sorted(now.keys() - ignored):
        before, after = then.get(name), now[name]
        if isinstance(before, dict) and isinstance(after, dict):
            changed |= {
                part: (str(before.get(part)), str(value))
                for part, value in after.items()
                if before.get(part) != value
            }
        elif before != after:
            changed[name] = (str(before), str(after))
    return changed


@cache
def code_hash() -> str:
    """Hash of the Python files of this package: a version that changes keeps its number."""
    root = Path(estradyn.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


def _content_hash(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
