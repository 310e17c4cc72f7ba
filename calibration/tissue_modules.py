"""Fit what tissues take from one woman: tumor estradiol, endometrium, hot flashes, QT interval.

Run from the repository root after the exposures and `estrogens` (seconds)::

    python calibration/tissue_modules.py

The typical postmenopausal woman (every value at its table's median, no poor metabolizer) takes a
drug once a day from her own steady state. The share of a tumor's estradiol that its own aromatase
makes (`receptor_local_estradiol_share`) has two numbers, what is left of it on letrozole and on
anastrozole (pk128, pk158), which pull in opposite directions: least squares of the logarithms, and
no share meets both closely. Every other number is fixed by one published number, so nothing is left
to judge the fit by; what else is published is printed beside the prediction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from cohort import HOURS_PER_DAY, RowValues, write_rows
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize_scalar
from scipy.special import logit

from estradyn.engine import DoseSchedule, compile_model, solve
from estradyn.model import load_patient_model
from estradyn.population import EngineBaseline

Array = NDArray[np.float64]

TUMOR_ESTRADIOL = "receptor_tumor_estradiol_concentration"
OUTPUTS = (
    *("endometrial_thickness", "hot_flash_probability", "qtc_change"),
    *("toremifene_concentration", "pituitary_serm_occupancy", "estradiol_concentration"),
    TUMOR_ESTRADIOL,
)

TUMOR_ESTRADIOL_LEFT = {("letrozole", 2.5): 2.4, ("anastrozole", 1.0): 11.0}
"""Percent of estradiol left in tumors after four months, by drug and mg a day (pk128, pk158)."""
FOUR_MONTHS = 112.0

THICKNESS = 5.21
"""Endometrium after a year of tamoxifen 20 mg, mm (SA40)."""
HOT_FLASHES_ON_SERM = 0.35
"""Share of women on toremifene 60 mg (SA01)."""
ADJUVANT_HOT_FLASHES_ON_SERM = 0.516
"""Share of women on toremifene 40 mg after surgery (SA51), of whom more report them."""
HOT_FLASHES_ON_INHIBITOR = 0.103
"""Share of women on anastrozole 1 mg (SA45)."""
QTC_CHANGE = 23.5
"""Middle of the largest change on day 5 of toremifene 80 mg, ms (SA18, SA19)."""


class TypicalPatient:
    """The woman at the median of every table, without bone metastases."""

    def __init__(self) -> None:
        self._patient = load_patient_model()
        self.table = self._patient.parameters
        self.rows = self.table.by_name
        self._typical = {
            name: np.array([0.0])
            for name in ("has_bone_metastases", "tamoxifen_poor_metabolizer")
            if name in self.rows
        }
        self._compiled = compile_model(self._patient.model, OUTPUTS)
        self._baseline = EngineBaseline(self._patient)(self._typical, 1).states

    def on(self, drug: str, dose: float, day: float, **values: float) -> dict[str, float]:
        """Outputs on a day of treatment, with some parameters changed."""
        course = self._course(drug, dose, np.array([day]), int(day), values)
        return {name: float(levels[-1]) for name, levels in course.items()}

    def left_in_tumor(self, drug: str, dose: float, day: float, **values: float) -> float:
        """Percent of a tumor's estradiol before treatment that is left on a day."""
        before, on_day = self._course(drug, dose, np.array([day]), int(day), values)[
            TUMOR_ESTRADIOL
        ]
        return float(100.0 * on_day / before)

    def highest_on(self, drug: str, dose: float, day: int) -> dict[str, float]:
        """Largest value of each output in the day after a dose; the first is that of day 1."""
        days = np.linspace(day - 1.0, day, 241)
        course = self._course(drug, dose, days, day, {})
        return {name: float(levels[1:].max()) for name, levels in course.items()}

    def _course(
        self, drug: str, dose: float, days: Array, count: int, values: Mapping[str, float]
    ) -> dict[str, Array]:
        """Outputs before treatment and on days of it."""
        doses = DoseSchedule.repeated(
            1, self._patient.drugs[drug].dose_state, dose, interval=HOURS_PER_DAY, count=count
        )
        solution = solve(
            self._compiled,
            self._typical | {name: np.array([value]) for name, value in values.items()},
            np.concatenate([[0.0], days]) * HOURS_PER_DAY,
            doses,
            patients=1,
            initial_states=self._baseline,
        )
        return {name: solution[name][0] for name in OUTPUTS}


def main() -> None:
    """Fit, write the rows and print what they reach."""
    woman = TypicalPatient()

    def left_in_tumors(share: float) -> dict[str, float]:
        return {
            drug: woman.left_in_tumor(drug, dose, FOUR_MONTHS, receptor_local_estradiol_share=share)
            for drug, dose in TUMOR_ESTRADIOL_LEFT
        }

    def misfit_of_tumors(share: float) -> float:
        left = np.array(list(left_in_tumors(share).values()))
        return float(np.sum(np.log(left / np.array(list(TUMOR_ESTRADIOL_LEFT.values()))) ** 2))

    local = float(minimize_scalar(misfit_of_tumors, bounds=(0.01, 0.95), method="bounded").x)

    def misfit(agonism: float) -> float:
        found = woman.on("tamoxifen", 20.0, 365.0, tamoxifen_ligand_uterus_agonism=agonism)
        return found["endometrial_thickness"] - THICKNESS

    agonism = float(brentq(misfit, 0.0, 0.9))

    background = woman.rows["hot_flashes_background_logit"].value
    occupancy = woman.on("toremifene", 60.0, 84.0)["pituitary_serm_occupancy"]
    serm_effect = float(logit(HOT_FLASHES_ON_SERM) - background) / occupancy
    occupancy = woman.on("toremifene", 40.0, 84.0)["pituitary_serm_occupancy"]
    after_surgery = float(logit(ADJUVANT_HOT_FLASHES_ON_SERM)) - serm_effect * occupancy
    inhibitor = woman.on("anastrozole", 1.0, 84.0)
    lost = (
        1.0 - inhibitor["estradiol_concentration"] / woman.rows["estrogen_baseline_estradiol"].value
    )
    loss_effect = float(logit(HOT_FLASHES_ON_INHIBITOR) - background) / lost

    level = woman.highest_on("toremifene", 80.0, 5)["toremifene_concentration"]
    found = {
        "receptor_local_estradiol_share": local,
        "tamoxifen_ligand_uterus_agonism": agonism,
        "hot_flashes_serm_effect": serm_effect,
        "hot_flashes_estradiol_loss_effect": loss_effect,
        "toremifene_qt_slope": QTC_CHANGE / level,
    }
    write_rows(woman.table, {name: RowValues(value=value) for name, value in found.items()})
    adjuvant = load_patient_model(setting="adjuvant").parameters
    write_rows(adjuvant, {"hot_flashes_background_logit": RowValues(value=after_surgery)})
    for drug, left in left_in_tumors(local).items():
        print(f"estradiol left in tumors on {drug}: {left:.1f} %")

    shown: tuple[tuple[str, Callable[[], float]], ...] = (
        (
            "SA39 endometrium at 183 days, 5.03 mm",
            lambda: woman.on("tamoxifen", 20.0, 183.0)["endometrial_thickness"],
        ),
        (
            "SA43 endometrium at 1096 days, 5.24 mm",
            lambda: woman.on("tamoxifen", 20.0, 1096.0)["endometrial_thickness"],
        ),
        (
            "SA02 hot flashes on tamoxifen 20 mg, 30 %",
            lambda: woman.on("tamoxifen", 20.0, 84.0)["hot_flash_probability"],
        ),
        (
            "SA20 QTc on toremifene 20 mg, upper bound 10-12 ms",
            lambda: woman.highest_on("toremifene", 20.0, 5)["qtc_change"],
        ),
    )
    print("with the values of the tables:")
    for words, value in shown:
        print(f"  {words}: {value():.3g}")


if __name__ == "__main__":
    main()
