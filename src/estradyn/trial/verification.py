"""Whether a finished trial can be made again, bit for bit."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from estradyn.trial.drugs import Drugs
from estradyn.trial.files import MANIFEST, TABLES, file_hash
from estradyn.trial.identity import differences
from estradyn.trial.manifest import OF_ONE_RUN, read_manifest
from estradyn.trial.patients import PatientSimulation
from estradyn.trial.run import Progress, default_workers, run_trial
from estradyn.trial.simulation import Simulation
from estradyn.trial.study import Study, study_from_content


@dataclass(frozen=True)
class Verification:
    """Result of running a finished trial again.

    Attributes
    ----------
    altered
        Tables in the folder that are not what the manifest says was written.
    differing
        Tables that came out differently from what the manifest says.
    changed
        What made the numbers then and now, where it differs: name to both.
    """

    altered: tuple[str, ...]
    differing: tuple[str, ...]
    changed: dict[str, tuple[str, str]]

    @property
    def identical(self) -> bool:
        """Whether everything in the folder came out again to the last bit."""
        return not (self.altered or self.differing)

    @property
    def text(self) -> str:
        """One sentence for a person to read."""
        if self.identical:
            return "All tables came out again, bit for bit."
        parts = []
        if self.altered:
            parts.append(f"{', '.join(self.altered)} changed since the trial was run")
        if self.differing:
            parts.append(f"{', '.join(self.differing)} came out differently")
        if self.changed:
            changes = (
                f"{name} {then} then, {now} now" for name, (then, now) in self.changed.items()
            )
            parts.append(f"what makes the numbers has changed ({'; '.join(changes)})")
        return "; ".join(parts) + "."


def verify(
    directory: str | Path,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
    simulate: Callable[[Study], Simulation] | None = None,
    drugs: Drugs | None = None,
) -> Verification:
    """Run the trial of a folder again, from its manifest alone, and compare every table.

    Parameters
    ----------
    directory
        Folder of a finished trial; it is not changed.
    workers
        Threads to use.
    progress
        Told after every group of patients.
    simulate
        Makes the simulation of a study; the shipped population and engine by default.
    drugs
        Drugs the study may name; the shipped records by default.

    Raises
    ------
    StudyError
        If the folder holds no manifest that this version can run.
    SimulationError
        As `run_trial`.
    """
    directory = Path(directory)
    manifest = read_manifest(directory)
    study = study_from_content(manifest["study"], directory / MANIFEST, drugs=drugs)
    threads = workers or default_workers()
    simulation = PatientSimulation(study, workers=threads) if simulate is None else simulate(study)
    with tempfile.TemporaryDirectory(prefix="estradyn-verify-") as scratch:
        again = run_trial(
            study,
            Path(scratch) / "trial",
            workers=threads,
            progress=progress,
            simulation=simulation,
            chunk_size=manifest["chunk_size"],
        ).manifest
    written = manifest["tables"]
    return Verification(
        altered=tuple(
            name for name in TABLES if _hash_or_nothing(directory / name) != written.get(name)
        ),
        differing=tuple(name for name in TABLES if again["tables"].get(name) != written.get(name)),
        changed=differences(manifest, again, ignored=OF_ONE_RUN | {"study"}),
    )


def _hash_or_nothing(path: Path) -> str | None:
    return file_hash(path) if path.is_file() else None
