"""The case on which speed is compared: bone and calcium with an oral drug, a dose every day.

The model is the shipped bone module (Peterson and Riggs, doi 10.1016/j.bone.2009.08.053) with a
drug that stands in for estrogen at bone, 34 states in all. Ten parameters vary between patients;
outputs are taken five times a day. All solvers get the same SBML.
"""

from __future__ import annotations

import csv
import shutil
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from estradyn.engine import DoseSchedule
from estradyn.model import OdeModel, export_sbml, load_model, models_directory

INTERFACE = (
    *("estrogen_ratio", "osteolysis", "tumor_pthrp", "plasma_calcium", "parathyroid_hormone"),
    *("glomerular_filtration", "lumbar_spine_bmd", "total_hip_bmd", "ctx", "p1np"),
    "bone_alkaline_phosphatase",
)
TEXT = """
import "oral_one_compartment.ant"
import "bone.ant"
model bone_with_oral_drug()
  unit ratio = dimensionless;
  unit milligram_per_litre = 1e-3 gram / litre;
  unit time_unit = 3600 second;
  unit substance = 1e-3 mole;
  unit extent = 1e-3 mole;
  unit volume = litre;
  oral: oral_one_compartment(concentration);
  bone: bone_calcium(INTERFACE);
  untreated = 0.15;    untreated has ratio;
  gain = 0.6;          gain has ratio;
  half_effect = 0.5;   half_effect has milligram_per_litre;
  estrogen_ratio := untreated + gain * concentration / (half_effect + concentration);
end
""".replace("INTERFACE", ", ".join(INTERFACE))
DOSE_STATE = "oral_gut"
DOSE = 60.0
OUTPUT_HOURS = (4.8, 9.6, 14.4, 19.2, 24.0)
VARIED = {
    "oral_absorption_rate": 0.3,
    "oral_clearance": 0.3,
    "oral_central_volume": 0.2,
    "half_effect": 0.4,
    "untreated": 0.3,
    "bone_calcium_baseline": 0.02,
    "bone_parathyroid_hormone_baseline": 0.2,
    "bone_filtration_baseline": 0.18,
    "bone_calcium_turnover": 0.2,
    "bone_osteoblast_apoptosis_rate": 0.2,
}
"""Parameters that vary, and the standard deviation of their logarithm."""


@dataclass(frozen=True)
class ReferenceCase:
    """Model, patients and schedule.

    Attributes
    ----------
    patients
        Number of patients.
    days
        Days of treatment, a dose at the start of each.
    """

    patients: int
    days: int

    @cached_property
    def sbml(self) -> str:
        """The model as SBML."""
        models = models_directory()
        with (models / "bone.tsv").open(encoding="utf-8") as file:
            rows = csv.DictReader(file, delimiter="\t")
            values = {f"bone_{row['name']}": float(row["value"]) for row in rows}
        values |= {"oral_absorption_rate": 0.56, "oral_central_volume": 126, "oral_clearance": 2.2}
        with tempfile.TemporaryDirectory() as folder:
            for name in ("bone.ant", "oral_one_compartment.ant"):
                shutil.copy(models / name, folder)
            path = Path(folder) / "bone_with_oral_drug.ant"
            path.write_text(TEXT, encoding="utf-8")
            return export_sbml(path, values, strict_units=True)

    @cached_property
    def model(self) -> OdeModel:
        """The model as the engine reads it."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.xml"
            path.write_text(self.sbml, encoding="utf-8")
            return load_model(path)

    @cached_property
    def parameters(self) -> dict[str, NDArray[np.float64]]:
        """Values that vary, one for each patient; a patient's do not depend on their number."""
        typical = {item.name: item.value for item in self.model.parameters}
        drawn = np.random.default_rng(20).standard_normal((self.patients, len(VARIED)))
        return {
            name: typical[name] * np.exp(spread * drawn[:, place])
            for place, (name, spread) in enumerate(VARIED.items())
        }

    @property
    def times(self) -> NDArray[np.float64]:
        """Output times in hours, five a day."""
        return (24.0 * np.arange(self.days)[:, None] + np.array(OUTPUT_HOURS)).reshape(-1)

    @property
    def dose_times(self) -> NDArray[np.float64]:
        """Times of the doses in hours."""
        return 24.0 * np.arange(self.days)

    @property
    def doses(self) -> DoseSchedule:
        """The doses as the engine takes them."""
        return DoseSchedule.repeated(
            self.patients, DOSE_STATE, DOSE, interval=24.0, count=self.days
        )

    @property
    def years(self) -> float:
        """Length of treatment in years."""
        return self.days / 365.25
