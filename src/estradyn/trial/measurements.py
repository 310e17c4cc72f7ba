"""What a visit can measure, and which model outputs stand behind it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Measurement(StrEnum):
    """What a visit can measure."""

    CALCIUM = "calcium"
    DRUG_CONCENTRATION = "drug_concentration"
    ESTRADIOL = "estradiol"
    ESTRONE = "estrone"
    BONE_MARKERS = "bone_markers"
    BONE_MINERAL_DENSITY = "bone_mineral_density"
    LIPIDS = "lipids"
    KI67 = "ki67"
    TUMOR_VOLUME = "tumor_volume"
    FDG_UPTAKE = "fdg_uptake"
    FES_UPTAKE = "fes_uptake"
    HORMONE_RECEPTORS = "hormone_receptors"
    GONADOTROPINS = "gonadotropins"
    TESTOSTERONE = "testosterone"
    SHBG = "shbg"
    ENDOMETRIAL_THICKNESS = "endometrial_thickness"
    HOT_FLASHES = "hot_flashes"
    QTC = "qtc"
    ULTRASOUND = "ultrasound"
    CALIPER = "caliper"
    PALPATION = "palpation"


EXAMINATIONS = (Measurement.ULTRASOUND, Measurement.CALIPER, Measurement.PALPATION)
"""Ways to measure the two diameters of a primary tumor; their errors are of one diameter."""

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
