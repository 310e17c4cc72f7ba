"""What the trial layer needs of whoever simulates its patients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from estradyn.model import Output
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
    """

    patient_ids: NDArray[np.int64]
    traits: pd.DataFrame
    parameters: Mapping[str, Array]
    status: NDArray[np.str_]
    succeeded: NDArray[np.bool_]
    trajectories: Array


class Simulation(Protocol):
    """Simulates the arms of one study, a group of patients at a time."""

    @property
    def outputs(self) -> tuple[Output, ...]:
        """Model outputs, in the order of the last axis of `trajectories`."""
        ...

    @property
    def drugs(self) -> Drugs:
        """Drug records by name."""
        ...

    def arm(self, arm_index: int, days: Array) -> Iterator[SimulatedPatients]:
        """Yield the patients of an arm in groups, with outputs on the given days."""
        ...

    def population_report(self, arm_index: int) -> Mapping[str, int]:
        """Candidates drawn, accepted, and rejected by reason, once the arm has been simulated."""
        ...

    def provenance(self) -> Mapping[str, Any]:
        """Hashes of model and tables, and the tolerances of the solver."""
        ...
