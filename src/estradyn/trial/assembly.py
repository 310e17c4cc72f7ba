"""From the finished chunks of a trial to its tables, one chunk in memory at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from estradyn.errors import SimulationError
from estradyn.model import Output
from estradyn.population import Drawn
from estradyn.trial.chunk_file import ChunkFile, StoredVisits
from estradyn.trial.endpoint_row import ArmTables
from estradyn.trial.files import (
    ASSESSMENTS,
    PATIENTS,
    TRAJECTORIES,
    TableWriter,
    TrajectoryWriter,
    with_arm,
)
from estradyn.trial.recording import KNOWN_OF_THE_SIMULATED
from estradyn.trial.schedule import trajectory_days
from estradyn.trial.study import Study

LARGEST_FAILED_SHARE = 0.01
"""Share of an arm's patients that may fail before the trial is not reported at all."""

_COLUMN_TYPES = {
    pa.bool_(): pd.BooleanDtype(),
    pa.int8(): pd.Int8Dtype(),
    pa.string(): pd.StringDtype(),
    pa.large_string(): pd.StringDtype(),
}
"""Columns in which a patient who failed has no value."""


@dataclass(frozen=True)
class ArmChunks:
    """The finished chunks of one arm, in the order of its patients.

    Attributes
    ----------
    arm_index
        Position of the arm in the study.
    chunks
        Their files.
    """

    arm_index: int
    chunks: Sequence[ChunkFile]

    def population(self) -> dict[str, int]:
        """Count candidates drawn, accepted, and rejected by reason."""
        total = Drawn()
        for chunk in self.chunks:
            total += chunk.drawn
        return {"drawn": total.candidates, "accepted": total.accepted, **total.rejected}

    def processors(self) -> Counter[str]:
        """Count the chunks that each kind of processor has simulated."""
        return Counter(chunk.processor for chunk in self.chunks)


def read_outcomes(study: Study, arms: Sequence[ArmChunks]) -> pd.DataFrame:
    """Read the outcomes of all patients: the patient table without the values drawn for each."""
    names = [arm.name for arm in study.arms]
    tables = [
        with_arm(chunk.outcomes(), arm.arm_index, names) for arm in arms for chunk in arm.chunks
    ]
    whole = pa.concat_tables(tables, promote_options="permissive")
    return whole.to_pandas(types_mapper=_COLUMN_TYPES.get, split_blocks=True, self_destruct=True)


def evaluable(study: Study, arms: Sequence[ArmChunks], outcomes: pd.DataFrame) -> list[ArmTables]:
    """Leave out the patients who failed, unless they are too many to leave out quietly.

    Raises
    ------
    SimulationError
        If more than `LARGEST_FAILED_SHARE` of an arm could not be simulated.
    """
    tables = []
    for arm, chunks in zip(study.arms, arms, strict=True):
        patients = outcomes[outcomes["arm"] == arm.name].reset_index(drop=True)
        succeeded = patients[KNOWN_OF_THE_SIMULATED[study.setting]].notna().to_numpy()
        failed = int(np.count_nonzero(~succeeded))
        if failed > LARGEST_FAILED_SHARE * succeeded.size:
            counts = Counter(patients["status"][~succeeded].tolist())
            reasons = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
            raise SimulationError(
                f"{failed} of {succeeded.size} patients of '{arm.name}' could not be simulated "
                f"({reasons}), allowed {100 * LARGEST_FAILED_SHARE:g} percent; nothing was written"
            )
        visits = StoredVisits(chunks.chunks, succeeded)
        tables.append(ArmTables(arm, patients[succeeded].reset_index(drop=True), visits))
    return tables


def count_statuses(study: Study, outcomes: pd.DataFrame) -> Mapping[str, Mapping[str, int]]:
    """Count the patients of each arm by how their simulation ended."""
    return {
        arm.name: dict(Counter(outcomes["status"][outcomes["arm"] == arm.name].tolist()))
        for arm in study.arms
    }


def write_patient_tables(
    study: Study, arms: Sequence[ArmChunks], outputs: Sequence[Output], directory: Path
) -> None:
    """Write patients, assessments and trajectories as Parquet, chunk after chunk."""
    names = [arm.name for arm in study.arms]
    days = trajectory_days(study)
    with ExitStack() as files:
        patients = files.enter_context(TableWriter(directory / PATIENTS))
        assessments = files.enter_context(TableWriter(directory / ASSESSMENTS))
        trajectories = files.enter_context(
            TrajectoryWriter(directory / TRAJECTORIES, names, [output.name for output in outputs])
        )
        for arm in arms:
            for chunk in arm.chunks:
                table = chunk.patients()
                patients.append(with_arm(table, arm.arm_index, names))
                assessments.append(with_arm(chunk.assessments(), arm.arm_index, names))
                trajectories.append(
                    arm.arm_index, table["patient_id"].to_numpy(), days, chunk.trajectories()
                )
