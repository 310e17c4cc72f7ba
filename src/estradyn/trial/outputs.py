"""Which model outputs stand behind each measurement."""

from __future__ import annotations

from collections.abc import Mapping

from estradyn.trial.drugs import Drugs
from estradyn.trial.measurements import EXAMINATIONS, MEASURED_OUTPUTS, Measurement
from estradyn.trial.study import Arm, Setting, Study

OUTPUTS_OF_OUTCOMES: Mapping[Setting, tuple[str, ...]] = {
    Setting.METASTATIC: (
        "soft_tissue_tumor_volume",
        "bone_tumor_volume",
        "flare_signal",
        "plasma_calcium",
    ),
    Setting.NEOADJUVANT: ("soft_tissue_tumor_volume",),
    Setting.ADJUVANT: ("soft_tissue_tumor_volume",),
    Setting.PREVENTION: (
        "soft_tissue_tumor_volume",
        "lesion_appearance_rate",
        "lesion_doubling_time",
    ),
}
"""Model outputs that every trial of a setting reads, whatever its visits measure."""


def needed_outputs(study: Study, drugs: Drugs) -> tuple[str, ...]:
    """Return every model output that a study reads."""
    measured = (
        name
        for arm in study.arms
        for visits in study.visits
        for measurement in visits.measure
        for name in measured_outputs(measurement, arm, drugs)
    )
    return tuple(dict.fromkeys((*OUTPUTS_OF_OUTCOMES[study.setting], *measured)))


def measured_outputs(measurement: Measurement, arm: Arm, drugs: Drugs) -> tuple[str, ...]:
    """Return the model outputs that a measurement reads in an arm.

    An examination of a primary tumor reads no output as it is; see `estradyn.trial.neoadjuvant`.
    """
    if measurement in EXAMINATIONS:
        return ()
    if measurement is not Measurement.DRUG_CONCENTRATION:
        return MEASURED_OUTPUTS[measurement]
    given = dict.fromkeys(regimen.drug for regimen in arm.regimens)
    return tuple(drugs[drug].concentration_output for drug in given)
