"""What the trial layer needs of whoever simulates its patients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from estradyn.model import Output
from estradyn.population import Drawn, Population
from estradyn.trial.drugs import Drugs

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SimulatedPatients:
    """Some patients of one arm, simulated to the end of the study.

    Attributes
    ----------
    patient_ids
        Shape (patients,).
    traits
        Values that other layers read, such as `flare_threshold`; one row per patient.
    parameters
        Values that were drawn, by flattened name in the model; shape (patients,) each.
    status
        How each simulation ended, as a word; shape (patients,).
    succeeded
        Whether each patient's numbers may be used.
    trajectories
        Model outputs, shape (patients, times, outputs); NaN for a patient who failed.
    managed
        Days on which the management of flare acted on each patient, by name of column, NaN where it
        did not; shape (patients,) each. Empty in a study without it.
    """

    patient_ids: NDArray[np.int64]
    traits: pd.DataFrame
    parameters: Mapping[str, Array]
    status: NDArray[np.str_]
    succeeded: NDArray[np.bool_]
    trajectories: Array
    managed: Mapping[str, Array] = field(default_factory=dict)


class Simulation(Protocol):
    """Draws and simulates the patients of one study, a chunk at a time."""

    @property
    def outputs(self) -> tuple[Output, ...]:
        """Model outputs, in the order of the last axis of `trajectories`."""
        ...

    @property
    def drugs(self) -> Drugs:
        """Drug records by name."""
        ...

    def draw(self, patients: int, chunk_size: int, after: Drawn) -> Iterator[Population]:
        """Yield the patients that follow the candidates drawn before, in chunks.

        All chunks hold `chunk_size` patients but the last, which holds what remains.
        """
        ...

    def solve(self, arm_index: int, population: Population, days: Array) -> SimulatedPatients:
        """Simulate patients in an arm, with outputs on the given days; who is beside whom makes
        no difference to anybody.
        """
        ...

    def provenance(self) -> Mapping[str, Any]:
        """Hashes of model and tables, and the tolerances of the solver."""
        ...
