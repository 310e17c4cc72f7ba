"""What the model says a published number should have been."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from estradyn.model import PatientModel
from estradyn.scorecard.targets import Target

Progress = Callable[[str, int, int], None]
"""Called with what is being simulated, how many of it are done, and how many are planned."""

Change = Callable[[PatientModel], PatientModel]
"""What is done to each model after it is loaded, say by a fit that tries other values."""


def unchanged(model: PatientModel) -> PatientModel:
    """Return the model as it is shipped."""
    return model


@dataclass(frozen=True)
class Prediction:
    """A simulated number.

    Attributes
    ----------
    value
        The number; NaN where the simulation gives none, say a median that is never reached.
    lower, upper
        95 % interval of the simulation, that is of the finite number of patients drawn; NaN where
        there is none. It is shown and decides nothing.
    unit
        Unit of the numbers.
    """

    value: float
    lower: float = math.nan
    upper: float = math.nan
    unit: str = ""


class Predictor(Protocol):
    """Simulates what the targets of one context ask for."""

    def __call__(
        self,
        targets: Sequence[Target],
        *,
        workers: int,
        progress: Progress | None,
        patients: int | None = None,
    ) -> Mapping[str, Prediction]:
        """Return predictions by id of the target.

        Parameters
        ----------
        targets
            What is asked for; all are modelled.
        workers
            Threads to use; the numbers do not depend on it.
        progress
            Told as the simulation goes on.
        patients
            Size of each simulated group, in place of the context's own.
        """
        ...
