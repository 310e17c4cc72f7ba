"""One number of the endpoint table, and the tables of an arm that it is taken from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from estradyn.trial.outcomes import VisitReadings
from estradyn.trial.statistics import Estimate
from estradyn.trial.study import Arm


@dataclass(frozen=True)
class ArmTables:
    """Tables of one arm, with the patients whose simulation succeeded.

    Attributes
    ----------
    arm
        The arm.
    patients
        Patient table; one row per evaluable patient.
    visits
        Measurements of each series of visits, of the same patients in the same order.
    """

    arm: Arm
    patients: pd.DataFrame
    visits: Sequence[VisitReadings]


@dataclass(frozen=True)
class EndpointRow:
    """An estimate of one endpoint in one arm; `day` is None where it has no time."""

    arm: Arm
    endpoint: str
    estimate: Estimate
    unit: str
    day: float | None = None
