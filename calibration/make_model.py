"""Write model.xml of calibration problems: a typical person with what they name.

Run from anywhere, on one or more folders::

    python calibration/make_model.py calibration/typical_woman calibration/exposure/*
    python calibration/make_model.py --population men calibration/men

Without a population she is a postmenopausal woman. Every value is its table's median; she has no
bone metastases, and CYP2D6 of normal activity. She takes the drugs whose doses `conditions.tsv`
states, and has the memories, areas under curves and quantities of assays that `observables.tsv`
reads. The file is made anew for each calibration, so that it never differs from the model.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from estradyn.calibration import AREA, AT_START, experiment_sbml
from estradyn.model.assays import assay_parameters

TYPICAL = {"has_bone_metastases": 0.0, "tamoxifen_poor_metabolizer": 0.0}


def main(folder: Path, population: str | None = None) -> Path:
    """Write the model of some people beside the tables of a folder."""
    columns = _rows(folder / "conditions.tsv")[0]
    drugs = [name.removesuffix("_dose") for name in columns if name.endswith("_dose")]
    formulas = " ".join(row["observableFormula"] for row in _rows(folder / "observables.tsv"))
    words = formulas.replace("(", " ").replace(")", " ").split()
    quantities = assay_parameters().by_name
    path = folder / "model.xml"
    path.write_text(
        experiment_sbml(
            "patient",
            _before(AT_START, words),
            drugs=drugs,
            values={
                name: value
                for name, value in TYPICAL.items()
                if not name.startswith("tamoxifen") or "tamoxifen" in drugs
            },
            areas=_before(AREA, words),
            population=population,
            constants={name: quantities[name].value for name in words if name in quantities},
        )
    )
    return path


def _before(ending: str, words: list[str]) -> list[str]:
    return sorted({word.removesuffix(ending) for word in words if word.endswith(ending)})


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--population")
    parser.add_argument("folders", nargs="+", type=Path)
    given = parser.parse_args()
    for folder in given.folders:
        print(f"Wrote {main(folder, given.population)}.")
