"""Fit the concentrations that kill cells without the receptor to published doses.

Run from the repository root (a minute)::

    python calibration/well_killing.py

Four laboratories print a dose above which tamoxifen harms cells and estradiol does not help: 1
umol/L without serum (TAM01), 1 umol/L in little serum (TAM07), 4 umol/L (TAM06) and 10 umol/L in
T47D (TAM04). Each counts alike, by the logarithm of the dose that the scorecard works out for it.
One unbound concentration is fitted for both cell lines; serum of each row is that of its scenario.
Of toremifene one number is printed, 60 % of cells dead after three days in 7.5 umol/L (TOR07), and
its concentration is the one that reaches it. Serum of that experiment is not printed: 10 % is
assumed. A steep curve lies behind both (`tumor_cytotoxic_steepness`).

Run of 2026-11-29: tamoxifen 1,364 nmol/L (log SE 0.32), which reaches 2.0, 0.8, 5.3 and 4.5 umol/L
in the order above; toremifene 455 nmol/L.
"""

from __future__ import annotations

import numpy as np
from cohort import RowValues, write_rows
from scipy.optimize import brentq

from estradyn.model import load_parameters
from estradyn.scorecard.in_vitro import predicted_value
from estradyn.scorecard.targets import Target, targets_of

TAMOXIFEN_ROWS = ("TAM01", "TAM04", "TAM06", "TAM07")
TAMOXIFEN = "tamoxifen_ligand_cytotoxic_concentration"
TOREMIFENE_ROW = "TOR07"
TOREMIFENE = "toremifene_ligand_cytotoxic_concentration"
CANDIDATES = np.geomspace(600.0, 2400.0, 25)
"""Unbound, nmol/L, over which the steps of the scorecard's doses are averaged out."""


def published(target: Target) -> float:
    """The number that is printed."""
    assert target.number is not None
    return target.number.value


def tamoxifen() -> float:
    """Concentration of tamoxifen, nmol/L.

    The dose that harms is in proportion to it, so the mean of the logarithms of published over
    reached doses is the logarithm of the factor that is missing.
    """
    targets = targets_of("in_vitro", TAMOXIFEN_ROWS)
    doses = np.array([published(target) for target in targets])
    share = np.array(
        [
            [
                predicted_value(target, {TAMOXIFEN: float(candidate)}) / candidate
                for target in targets
            ]
            for candidate in CANDIDATES
        ]
    )
    per_unit = np.exp(np.log(share).mean(axis=0))
    misfit = np.log(doses / per_unit)
    best = float(np.exp(misfit.mean()))
    print(f"log SE {misfit.std(ddof=1) / np.sqrt(len(misfit)):.2f}")
    for target, dose, number in zip(targets, best * per_unit, doses, strict=True):
        print(f"  {target.id}: {dose:.0f} ({number:.0f}) {target.unit}")
    return best


def toremifene() -> float:
    """Concentration of toremifene, nmol/L."""
    (target,) = targets_of("in_vitro", (TOREMIFENE_ROW,))

    def misfit(logarithm: float) -> float:
        return predicted_value(target, {TOREMIFENE: float(np.exp(logarithm))}) - published(target)

    best = float(np.exp(brentq(misfit, np.log(50.0), np.log(5000.0), xtol=1e-3)))
    reached = predicted_value(target, {TOREMIFENE: best})
    print(f"  {target.id}: {reached:.0f} ({published(target):.0f}) %")
    return best


def main() -> None:
    """Fit, print what is reached and write the rows."""
    found = {TAMOXIFEN: tamoxifen(), TOREMIFENE: toremifene()}
    write_rows(load_parameters("well"), {row: RowValues(value) for row, value in found.items()})


if __name__ == "__main__":
    main()
