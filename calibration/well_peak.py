"""Fit where co-repressors engage in T47D cells to the dose at which tamoxifen makes most of them.

Run from the repository root after `well.py` (seconds)::

    python calibration/well_peak.py

T47D grow most at 1 nmol/L of tamoxifen (TAM03). The lower the midpoint of engagement
(`receptor_engagement_midpoint` of the cell line), the lower the dose of the peak, and the less a
full receptor makes them grow; but they do grow on toremifene as well (TOR06), of which 10 nmol/L
fill it. So the midpoint is the one that brings the peak to 1 nmol/L, or as near to it as growth on
toremifene allows that can be noticed: as much above none as the scorecard asks of inhibition below
it.

Run of 2026-11-29: growth decides; the peak is at 2.6 nmol/L.
"""

from __future__ import annotations

import numpy as np
from cohort import RowValues, write_rows
from scipy.optimize import brentq

from estradyn.model import load_parameters, models_directory
from estradyn.model.parameter_table import read_overlay
from estradyn.scorecard.in_vitro import NOTICEABLE, predicted_value
from estradyn.scorecard.targets import targets_of

PEAK, GROWTH = "TAM03", "TOR06"
MIDPOINT = "receptor_engagement_midpoint"
LOWEST, HIGHEST = 0.01, 1.0
NOTICED_GROWTH = 100.0 * (1.0 / NOTICEABLE - 1.0)
"""Percent."""


def main() -> None:
    """Fit, print what is reached and write the row."""
    targets = {target.id: target for target in targets_of("in_vitro", (PEAK, GROWTH))}

    def predicted(row: str, midpoint: float) -> float:
        return predicted_value(targets[row], {MIDPOINT: midpoint})

    published = targets[PEAK].number
    assert published is not None
    at_peak = brentq(
        lambda midpoint: np.log(predicted(PEAK, midpoint) / published.value),
        LOWEST,
        HIGHEST,
        xtol=1e-3,
    )
    growing = brentq(
        lambda midpoint: predicted(GROWTH, midpoint) - NOTICED_GROWTH, LOWEST, HIGHEST, xtol=1e-4
    )
    midpoint = max(at_peak, growing)
    print(f"{PEAK}: peak at {predicted(PEAK, midpoint):.2g} ({published.value:.2g}) nmol/L")
    print(f"{GROWTH}: grown by {predicted(GROWTH, midpoint):.0f} % on toremifene")
    line = models_directory() / "well" / "cell_lines" / "T47D.tsv"
    table = read_overlay(load_parameters("well"), line)
    write_rows(table, {MIDPOINT: RowValues(midpoint)})


if __name__ == "__main__":
    main()
