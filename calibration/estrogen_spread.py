"""Fits how much women differ in the sensitivity of their aromatase to anastrozole.

    python calibration/estrogen_spread.py

What is fitted is the spread (SD of the logarithm) of `anastrozole_aromatase_inhibition_constant`.
The objective is the sum of squares, over four published numbers on 1 mg a day, of the logarithm of
the number simulated over the one published: women with estradiol and with estrone above the limits
of a mass spectrometer (pk161) and with both above the limits of another (pk162), which ask for a
large spread, and the mean aromatase that is left (pk152), which a large spread raises. The women
are the same for every spread, and so are their draws of it. What women differ in beside is held:
levels before treatment, exposure, and what is left when aromatase is fully inhibited.

Held back as a check: of the women with both above, how many are not on ten times the dose (pk163).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from estradyn.calibration import write_fitted_values
from estradyn.engine import DoseSchedule, compile_model, solve
from estradyn.model import load_parameters, load_patient_model
from estradyn.population import stream_population
from estradyn.scorecard.distributions import parse_conditions

WOMEN = 600
SEED = 20240611
DAYS = 35
"""Estrogens and anastrozole are steady by then."""

CONSTANT = "anastrozole_aromatase_inhibition_constant"
SPREADS = np.arange(0.8, 2.01, 0.2)
ESTROGENS = ("estradiol_concentration", "estrone_concentration")
AROMATASE = "aromatase_activity"
AROMATASE_LEFT = 3.3
"""Percent, mean of twelve women, pk152."""

PUBLISHED = {
    "estradiol_concentration >= 0.627 pg/mL": 21.0,
    "estrone_concentration >= 1.562 pg/mL": 30.0,
    "estrone_concentration >= 1.3 pg/mL and estradiol_concentration >= 0.5 pg/mL": 30.3,
}
"""Percent of women, pk161 and pk162."""


def shares(levels: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Percent of women of whom each condition holds."""
    unit_of = dict.fromkeys(ESTROGENS, "pmol/L")
    return np.array(
        [100.0 * parse_conditions(text).hold(levels, unit_of).mean() for text in PUBLISHED]
    )


def main() -> None:
    """Search the spread and write it."""
    patient = load_patient_model(drugs=("anastrozole",), modules=(), setting="adjuvant")
    compiled = compile_model(patient.model, (*ESTROGENS, AROMATASE))
    (women,) = stream_population(patient, WOMEN, SEED, chunk_size=WOMEN, trial_effects="typical")
    row = patient.parameters.by_name[CONSTANT]
    assert row.lower is not None
    assert row.upper is not None
    draws = np.random.default_rng(SEED).standard_normal(WOMEN)
    schedule = DoseSchedule.repeated(
        WOMEN, patient.drugs["anastrozole"].dose_state, 1.0, interval=24.0, count=DAYS
    )
    published = np.array([*PUBLISHED.values(), AROMATASE_LEFT])
    misfits = []
    for spread in SPREADS:
        constants = np.clip(row.value * np.exp(spread * draws), row.lower, row.upper)
        solution = solve(
            compiled,
            {**women.parameters, CONSTANT: constants},
            np.array([0.0, 24.0 * DAYS - 1e-6]),
            schedule,
            initial_states=women.initial_states,
        )
        levels = {name: solution[name][:, 1] for name in ESTROGENS}
        found = np.append(shares(levels), 100.0 * solution[AROMATASE][:, 1].mean())
        misfits.append(float(np.sum(np.log(found / published) ** 2)))
        print(
            f"spread {spread:.1f}: numbers {found.round(1)}, misfit {misfits[-1]:.3f}", flush=True
        )
    best = int(np.argmin(misfits))
    around = slice(max(best - 1, 0), best + 2)
    value = float(SPREADS[best])
    if 0 < best < len(SPREADS) - 1:
        second, first, _ = np.polyfit(SPREADS[around], misfits[around], 2)
        value = float(-first / (2.0 * second))
    print(f"least at {value:.2f}")
    write_fitted_values(load_parameters(), {}, {CONSTANT: value})


if __name__ == "__main__":
    main()
