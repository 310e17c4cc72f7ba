"""Write model.xml of the calibration problems of men: the typical man with what their tables name.

Run from anywhere::

    python calibration/men_models.py

A problem's folder is called like the people whom it fits. Every value is its table's median;
nothing of a tumor is read. The files are made anew for each calibration, so that they never differ
from the model.
"""

from __future__ import annotations

import csv
from pathlib import Path

from estradyn.calibration import AT_START, experiment_sbml

FOLDER = Path(__file__).parent
PEOPLE = ("men", "hypogonadal_men")
TYPICAL = {"has_bone_metastases": 0.0}


def main(people: str, folder: Path = FOLDER) -> Path:
    """Write the model of some people beside the tables of their problem."""
    columns = _rows(FOLDER / people / "conditions.tsv")[0]
    drugs = [name.removesuffix("_dose") for name in columns if name.endswith("_dose")]
    rows = _rows(FOLDER / people / "observables.tsv")
    words = " ".join(row["observableFormula"] for row in rows).split()
    remembered = sorted({word.removesuffix(AT_START) for word in words if word.endswith(AT_START)})
    path = folder / people / "model.xml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        experiment_sbml("patient", remembered, drugs=drugs, values=TYPICAL, population=people)
    )
    return path


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


if __name__ == "__main__":
    for name in PEOPLE:
        print(f"Wrote {main(name)}.")
