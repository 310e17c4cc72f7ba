"""Fit the concentration of tamoxifen that kills cells without the receptor to published doses.

Run from the repository root (a minute)::

    python calibration/well_killing.py

Four laboratories print a dose above which tamoxifen harms cells and estradiol does not help: 1
umol/L without serum (TAM01), 1 umol/L in little serum (TAM07), 4 umol/L (TAM06) and 10 umol/L in
T47D (TAM04). Each counts alike, by the logarithm of the dose that the scorecard works out for it.
One unbound concentration is fitted for both cell lines; serum of each row is that of its scenario.

Run of 2026-11-29: 1,406 nmol/L (log SE 0.33), which reaches 2.1, 0.8, 5.5 and 4.6 umol/L in the
order above.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from estradyn.scorecard.in_vitro import ENDPOINTS, read_scenario
from estradyn.scorecard.targets import targets_of

ROWS = ("TAM01", "TAM04", "TAM06", "TAM07")
NAME = "tamoxifen_ligand_cytotoxic_concentration"
CANDIDATES = np.geomspace(600.0, 2400.0, 25)
"""Unbound, nmol/L, over which the steps of the scorecard's doses are averaged out."""


def main() -> None:
    """Print the best concentration and what it reaches.

    The dose that harms is in proportion to the concentration, so the mean of the logarithms of
    published over reached doses is the logarithm of the factor that is missing.
    """
    targets = [target for target in targets_of("in_vitro") if target.id in ROWS]
    published = np.array([target.number.value for target in targets if target.number is not None])
    share = np.empty((len(CANDIDATES), len(targets)))
    for i, candidate in enumerate(CANDIDATES):
        for j, target in enumerate(targets):
            culture = read_scenario(target.scenario)
            culture = replace(culture, parameters={**culture.parameters, NAME: float(candidate)})
            hours = float(target.time.removesuffix(" h"))
            share[i, j] = ENDPOINTS[target.endpoint](culture, hours) / candidate
    per_unit = np.exp(np.log(share).mean(axis=0))
    misfit = np.log(published / per_unit)
    best = float(np.exp(misfit.mean()))
    error = misfit.std(ddof=1) / np.sqrt(len(misfit))
    print(f"{NAME}: value {best:.0f} (log SE {error:.2f})")
    for target, dose, number in zip(targets, best * per_unit, published, strict=True):
        print(f"  {target.id}: {dose:.0f} ({number:.0f}) {target.unit}")


if __name__ == "__main__":
    main()
