"""Write model.xml, the typical postmenopausal woman with the drugs and memories the tables name.

Run from anywhere::

    python calibration/typical_woman/make_model.py

Every value is its table's median; she has no bone metastases, and CYP2D6 of normal activity. The
file is made anew for each calibration, so that it never differs from the model.
"""

from __future__ import annotations

import csv
from pathlib import Path

from estradyn.calibration import AT_START, experiment_sbml

FOLDER = Path(__file__).parent
TYPICAL = {"has_bone_metastases": 0.0, "tamoxifen_poor_metabolizer": 0.0}


def main(folder: Path = FOLDER) -> Path:
    """Write the model beside the tables, or into another folder."""
    columns = _rows("conditions.tsv")[0]
    drugs = [name.removesuffix("_dose") for name in columns if name.endswith("_dose")]
    formulas = " ".join(row["observableFormula"] for row in _rows("observables.tsv"))
    words = formulas.replace("(", " ").replace(")", " ").split()
    remembered = sorted({word.removesuffix(AT_START) for word in words if word.endswith(AT_START)})
    path = folder / "model.xml"
    path.write_text(experiment_sbml("patient", remembered, drugs=drugs, values=TYPICAL))
    return path


def _rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


if __name__ == "__main__":
    print(f"Wrote {main()}.")
