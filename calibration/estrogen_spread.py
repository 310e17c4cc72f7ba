"""Fits how much women differ in what aromatase inhibitors leave of their estrogens.

    python calibration/estrogen_spread.py

Two spreads (SD of the logarithm) are fitted together: that of the sensitivity of aromatase to
anastrozole (`anastrozole_aromatase_inhibition_constant`), and one for the shares of estradiol and
of estrone that do not come from aromatase at all. The objective is the sum of squares of the
logarithm of the number simulated over the one published, over the error that the number has from
how many women it was found in and `NOISE` beside. On 1 mg of anastrozole a day these are the women
above the limits of mass spectrometers (pk161, pk162) and the mean aromatase that is left (pk152),
which a large spread of sensitivity raises; on letrozole and exemestane the women above such limits
(pk135, pk210), of whom `NOT_TAKEN` percent do not take the drug and have their own levels. Women
are the same for every spread, and so are their draws of it. What else they differ in is held:
levels before treatment, exposure, and sensitivity to the other two drugs.

Held back as checks are women with both estrogens above on 1 mg of anastrozole: how many are not on
ten times the dose (pk163).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from estradyn.calibration import write_fitted_values
from estradyn.engine import DoseSchedule, compile_model, solve
from estradyn.model import PatientModel, load_parameters, load_patient_model
from estradyn.population import stream_population
from estradyn.population.distributions import value_at
from estradyn.scorecard.distributions import parse_conditions

Array = NDArray[np.float64]

WOMEN = 600
SEED = 20240611
DAYS = 56
"""Estrogens and all three drugs are steady by then."""

NOT_TAKEN = 10.0
"""Percent: 6 of 96 had no drug in urine (PMID 23277771), 24 of 156 took less than four fifths of it
(doi:10.1158/1078-0432.CCR-24-0341, pk162)."""

NOISE = 0.2
"""Of each number, on the scale of logarithms, as in `calibration/estrogens`."""

CONSTANT = "anastrozole_aromatase_inhibition_constant"
SHARES = ("estrogen_aromatase_independent_share", "estrogen_estrone_aromatase_independent_share")
SPREADS_OF_SENSITIVITY = (1.5, 1.8, 2.1, 2.4, 2.7, 3.0, 3.3)
SPREADS_OF_SHARES = (0.4, 0.6, 0.8)
ESTRADIOL, ESTRONE = "estradiol_concentration", "estrone_concentration"
AROMATASE = "aromatase_activity"

LIMITS = ("estradiol_concentration >= 0.627 pg/mL", "estrone_concentration >= 1.562 pg/mL")
BOTH = "estrone_concentration >= 1.3 pg/mL and estradiol_concentration >= 0.5 pg/mL"
PUBLISHED: Mapping[str, tuple[tuple[float, float], ...]] = {
    "letrozole": ((13.1, 241), (9.9, 241)),
    "exemestane": ((11.0, 228), (19.9, 228)),
    "anastrozole": ((21.0, 649), (30.0, 649), (30.3, 132)),
}
"""Percent of women and their number, beyond `LIMITS` (pk135, pk210, pk161) and `BOTH` (pk162)."""
AROMATASE_LEFT, AROMATASE_WOMEN = 3.3, 12
"""Mean percent and number of women, who differ by about as much as the mean (pk152)."""
MILLIGRAMS = {"letrozole": 2.5, "exemestane": 25.0, "anastrozole": 1.0}


class Women:
    """Women who may be given one of the drugs."""

    def __init__(self, drug: str):
        self._drug = drug
        self.patient: PatientModel = load_patient_model(
            drugs=(drug,), modules=(), setting="adjuvant"
        )
        self._compiled = compile_model(self.patient.model, (ESTRADIOL, ESTRONE, AROMATASE))
        (self._women,) = stream_population(
            self.patient, WOMEN, SEED, chunk_size=WOMEN, trial_effects="typical"
        )
        first, second, third = np.random.default_rng(SEED).standard_normal((3, WOMEN))
        (correlation,) = (
            one.correlation
            for one in self.patient.parameters.correlations
            if {one.first, one.second} == set(SHARES)
        )
        self._normals = {
            CONSTANT: first,
            SHARES[0]: second,
            SHARES[1]: correlation * second + np.sqrt(1.0 - correlation**2) * third,
        }

    def levels(self, milligrams: float, spreads: Mapping[str, float]) -> dict[str, Array]:
        """What the doses leave in each woman, with spreads in place of those she was drawn with."""
        parameters = dict(self._women.parameters)
        for name, spread in spreads.items():
            row = replace(self.patient.parameters.by_name[name], spread=spread)
            parameters[name] = value_at(row, self._normals[name])
        solution = solve(
            self._compiled,
            parameters,
            np.array([0.0, 24.0 * DAYS - 1e-6]),
            DoseSchedule.repeated(
                WOMEN,
                self.patient.drugs[self._drug].dose_state,
                milligrams,
                interval=24.0,
                count=DAYS,
            ),
            initial_states=self._women.initial_states,
        )
        return {name: solution[name][:, 1] for name in (ESTRADIOL, ESTRONE, AROMATASE)}


def beyond(levels: Mapping[str, Array], condition: str) -> NDArray[np.bool_]:
    """Of whom a condition holds."""
    return parse_conditions(condition).hold(levels, dict.fromkeys((ESTRADIOL, ESTRONE), "pmol/L"))


def percents(levels: Mapping[str, Array]) -> list[float]:
    """Percent of women beyond each of the limits."""
    return [100.0 * float(beyond(levels, limit).mean()) for limit in LIMITS]


def misfit(found: list[float], published: tuple[tuple[float, float], ...]) -> float:
    """Sum of squares of the logarithms of found over published percents, over their errors."""
    percent, number = np.array(published).T
    variance = (100.0 - percent) / (number * percent) + NOISE**2
    return float(np.sum(np.log(np.array(found) / percent) ** 2 / variance))


def lowest(grid: tuple[float, ...], misfits: Array) -> float:
    """Lowest point of the parabola through the least misfit on a grid and its neighbours."""
    best = int(np.argmin(misfits))
    if best in (0, len(grid) - 1):
        return grid[best]
    around = slice(best - 1, best + 2)
    second, first, _ = np.polyfit(grid[around], misfits[around], 2)
    return float(-first / (2.0 * second))


def main() -> None:
    """Search the spreads and write them."""
    women = {drug: Women(drug) for drug in PUBLISHED}
    others: dict[float, float] = {}
    for of_shares in SPREADS_OF_SHARES:
        spreads = dict.fromkeys(SHARES, of_shares)
        total = 0.0
        for drug in ("letrozole", "exemestane"):
            taken = percents(women[drug].levels(MILLIGRAMS[drug], spreads))
            own = percents(women[drug].levels(0.0, spreads))
            found = [
                one + NOT_TAKEN / 100.0 * (untaken - one)
                for one, untaken in zip(taken, own, strict=True)
            ]
            print(f"shares {of_shares:.1f}: {drug} {np.round(found, 1)}", flush=True)
            total += misfit(found, PUBLISHED[drug])
        others[of_shares] = total
    misfits = np.empty((len(SPREADS_OF_SHARES), len(SPREADS_OF_SENSITIVITY)))
    for (row, of_shares), (column, of_sensitivity) in product(
        enumerate(SPREADS_OF_SHARES), enumerate(SPREADS_OF_SENSITIVITY)
    ):
        spreads = {**dict.fromkeys(SHARES, of_shares), CONSTANT: of_sensitivity}
        levels = women["anastrozole"].levels(MILLIGRAMS["anastrozole"], spreads)
        found = [*percents(levels), 100.0 * float(beyond(levels, BOTH).mean())]
        left = 100.0 * float(levels[AROMATASE].mean())
        misfits[row, column] = (
            others[of_shares]
            + misfit(found, PUBLISHED["anastrozole"])
            + np.log(left / AROMATASE_LEFT) ** 2 / (1.0 / AROMATASE_WOMEN + NOISE**2)
        )
        print(
            f"shares {of_shares:.1f}, sensitivity {of_sensitivity:.1f}: "
            f"anastrozole {np.round([*found, left], 1)}, misfit {misfits[row, column]:.1f}",
            flush=True,
        )
    row, column = np.unravel_index(np.argmin(misfits), misfits.shape)
    of_shares = lowest(SPREADS_OF_SHARES, misfits[:, column])
    of_sensitivity = lowest(SPREADS_OF_SENSITIVITY, misfits[row])
    print(f"least at {of_shares:.2f} of the shares and {of_sensitivity:.2f} of the sensitivity")
    write_fitted_values(
        load_parameters(), {}, {CONSTANT: of_sensitivity, **dict.fromkeys(SHARES, of_shares)}
    )


if __name__ == "__main__":
    main()
