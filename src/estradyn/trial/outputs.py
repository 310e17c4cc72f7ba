"""Which model outputs stand behind each measurement."""

from __future__ import annotations

from collections.abc import Mapping

from estradyn.trial.drugs import Drugs
from estradyn.trial.study import EXAMINATIONS, Arm, Measurement, Setting, Study

MEASURED_OUTPUTS: Mapping[Measurement, tuple[str, ...]] = {
    Measurement.CALCIUM: ("plasma_calcium",),
    Measurement.ESTRADIOL: ("estradiol_concentration",),
    Measurement.ESTRONE: ("estrone_concentration", "estrone_sulfate_concentration"),
    Measurement.BONE_MARKERS: ("ctx", "p1np", "bone_alkaline_phosphatase", "osteocalcin"),
    Measurement.BONE_MINERAL_DENSITY: ("lumbar_spine_bmd", "total_hip_bmd", "femoral_neck_bmd"),
    Measurement.LIPIDS: (
        *("total_cholesterol", "ldl", "hdl", "triglycerides"),
        *("lipoprotein_a", "apolipoprotein_a1", "apolipoprotein_b"),
    ),
    Measurement.KI67: ("ki67",),
    Measurement.TUMOR_VOLUME: ("soft_tissue_tumor_volume",),
    Measurement.FDG_UPTAKE: ("fdg_uptake",),
    Measurement.FES_UPTAKE: ("fes_uptake",),
    Measurement.HORMONE_RECEPTORS: ("tumor_estrogen_receptor", "tumor_progesterone_receptor"),
    Measurement.GONADOTROPINS: ("follicle_stimulating_hormone", "luteinizing_hormone"),
    Measurement.TESTOSTERONE: ("testosterone_concentration",),
    Measurement.SHBG: ("sex_hormone_binding_globulin",),
    Measurement.ENDOMETRIAL_THICKNESS: ("endometrial_thickness",),
    Measurement.HOT_FLASHES: ("hot_flash_probability",),
    Measurement.QTC: ("qtc_change",),
}
"""Model outputs of every measurement but the drug concentration, whose outputs the drugs name."""


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
