"""What a trial records of its patients, by setting."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from estradyn.trial.neoadjuvant import record_neoadjuvant
from estradyn.trial.occult_disease import record_occult
from estradyn.trial.outcomes import Outcomes, record_outcomes
from estradyn.trial.simulation import SimulatedPatients, Simulation
from estradyn.trial.study import Setting, Study

Recorder = Callable[
    [Study, int, SimulatedPatients, NDArray[np.float64], Simulation],
    Outcomes,
]
"""Records a group of patients; parameters as in `estradyn.trial.outcomes.record_outcomes`."""

RECORDERS: Mapping[Setting, Recorder] = {
    Setting.METASTATIC: record_outcomes,
    Setting.NEOADJUVANT: record_neoadjuvant,
    Setting.ADJUVANT: record_occult,
    Setting.PREVENTION: record_occult,
}
"""How each setting records its patients."""

KNOWN_OF_THE_SIMULATED = {
    Setting.METASTATIC: "progressed",
    Setting.NEOADJUVANT: "true_volume_change_percent",
    Setting.ADJUVANT: "recurred",
    Setting.PREVENTION: "breast_cancer",
}
"""Column of the patient table that is missing for those who could not be simulated."""
