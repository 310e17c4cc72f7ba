"""Calibrates the nude mouse to published xenografts and to a pump of PTH-related peptide.

    python calibration/mouse.py

Objective: the sum of squared residuals of the typical mouse (every value at
its median), each divided by the scale beside it. Scales are the tolerances of
`evidence/tolerances.tsv` for mouse volumes (fold 1.5) and calcium (1 mg/dL), and fold 1.5 for
apoptosis. Constants with one bound or an effect in words enter as the number named below; rows not
named are not used.

Tumor (log birth rate, logit of growth dependence, log engagements per birth, log gain of TUNEL, log
tumor partition of both drugs, with a prior of 15, threefold: rat tissue holds 8 to 70 times serum,
and without it the search runs to 800):
- XG11, XG12: area 1.06 cm2 with and 0.06 cm2 without estradiol after 13 weeks, as ratio of volumes
  (power 1.5 of the areas), mice without ovaries and an estradiol of 200 pg/mL.
- XG03, XG07, XG10: volume 28 days after the pellet is removed as at removal (ratio 1).
- XT01: toremifene 77 microgram a day against 200 pg/mL of estradiol: growth of log volume over six
  weeks reduced by 75 % (printed: more than 70 %).
- HIS01: largest volume within 35 days of tamoxifen 2.6 times the start. The pellet of 2.5 mg is
  taken to give off its content in 60 days (assumed), against 200 pg/mL.
- HIS02: TUNEL on day 28 of the same 5 times day 0.

Calcium (log potency of the infused peptide, log rate of bone formation):
- CA13, CA15, CA17: 13.9, 13.6 and 12.9 mg/dL on days 3, 5 and 7 of 5 microgram a day.

History, so that nobody takes the objective for one that stood before all results. Rows, targets and
scales stood before the first run and were not changed. That run left the partition free and it ran
to the bound of the search (819; HIS01 -0.9, XT01 -0.4). A second held it at 15 and ended in a poor
optimum (HIS01 -2.0, XG03 -1.3; from another start XT01 -4.5). The third, kept, has the prior and
starts near the first.

Held: loss over birth of a tumor with estradiol at 0.5 (volumes do not identify it).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from cohort import RowValues, write_rows
from numpy.typing import NDArray
from scipy.optimize import least_squares

from estradyn.model import load_parameters
from estradyn.xenograft.mice import Colony, Courses, Host, Route, Treatment

Array = NDArray[np.float64]
Values = Mapping[str, float]

FOLD = math.log(1.5)
MG_PER_DL = 4.008
"""mg/dL of calcium in 1 mmol/L."""

CAPSULE = Host(ovariectomized=True, estradiol_pellet_mg=0.1368, pellet_age_day=0.0)
STEADY = {"mouse_estrogen_release_activity": 0.0}
"""Together a silastic capsule that keeps 200 pg/mL in mice without ovaries."""
WITHDRAWN = {"mouse_estrogen_release_rate": 0.0}

TOREMIFENE = Treatment("toremifene", 0.077 / 0.022, Route.SUBCUTANEOUS)
TAMOXIFEN = Treatment("tamoxifen", 2.5 / 60.0 / 0.022, Route.SUBCUTANEOUS)

TAMOXIFEN_PARTITION = "tamoxifen_ligand_tumor_partition"
TOREMIFENE_PARTITION = "toremifene_mouse_ligand_tumor_partition"
PRIOR_PARTITION = 15.0

TUMOR_START = {
    "tumor_birth_rate": math.log(0.0042),
    "tumor_growth_dependence_logit": 0.0,
    "receptor_engagements_per_birth": math.log(0.5),
    "mouse_signs_tunel_gain": math.log(10.0),
    TAMOXIFEN_PARTITION: math.log(30.0),
}
CALCIUM_START = {
    "mouse_calcium_infusion_potency": math.log(15.0),
    "mouse_calcium_formation_rate": math.log(0.004),
}
NOT_LOGARITHMIC = ("tumor_growth_dependence_logit",)


def values_of(names: Mapping[str, float], point: Array) -> dict[str, float]:
    """Model parameters at a point of the search."""
    found = {
        name: float(x) if name in NOT_LOGARITHMIC else math.exp(x)
        for name, x in zip(names, point, strict=True)
    }
    if TAMOXIFEN_PARTITION in found:
        found[TOREMIFENE_PARTITION] = found[TAMOXIFEN_PARTITION]
    return found


def fold(courses: Courses, day: int) -> float:
    """Volume on a day over volume on day 0."""
    volume = courses.volume_mm3[0]
    return float(volume[day] / volume[0])


def tumor_residuals(colony: Colony, values: Values) -> dict[str, float]:
    """Residuals of the tumor rows, by evidence row."""
    days = np.arange(92.0)
    with_estradiol = colony.typical(CAPSULE, values={**values, **STEADY})
    without = colony.typical(Host(ovariectomized=True), values=values)
    control = colony.follow(with_estradiol, [], days)
    starved = colony.follow(without, [], days)
    withdrawn = colony.follow(with_estradiol, [], days, values=WITHDRAWN)
    toremifene = colony.follow(with_estradiol, [TOREMIFENE], days)
    tamoxifen = colony.follow(with_estradiol, [TAMOXIFEN], days)
    ratio = fold(control, 91) / fold(starved, 91)
    inhibition = 1.0 - math.log(fold(toremifene, 42)) / math.log(fold(control, 42))
    largest = max(fold(tamoxifen, day) for day in range(36))
    apoptosis = tamoxifen["tunel"][0]
    return {
        "XG11/XG12": (math.log(ratio) - 1.5 * math.log(1.06 / 0.06)) / FOLD,
        "XG03/XG07/XG10": math.log(fold(withdrawn, 28)) / FOLD,
        "XT01": (inhibition - 0.75) / 0.1,
        "HIS01": (math.log(largest) - math.log(2.6)) / FOLD,
        "HIS02": (math.log(apoptosis[28] / apoptosis[0]) - math.log(5.0)) / FOLD,
        "prior": math.log(values[TAMOXIFEN_PARTITION] / PRIOR_PARTITION) / math.log(3.0),
    }


def calcium_residuals(colony: Colony, values: Values) -> dict[str, float]:
    """Residuals of the calcium rows, in mg/dL."""
    mouse = colony.typical(Host(), values=values)
    pump = {"mouse_calcium_pthrp_infusion": 5.0 / 24.0}
    course = colony.follow(mouse, [], np.arange(8.0), values=pump)["plasma_calcium"][0]
    printed = {"CA13": (3, 13.9), "CA15": (5, 13.6), "CA17": (7, 12.9)}
    return {row: MG_PER_DL * course[day] - value for row, (day, value) in printed.items()}


def fit(
    colony: Colony,
    start: Mapping[str, float],
    residuals: Callable[[Colony, Values], dict[str, float]],
) -> None:
    """Minimise, then write the rows of the tables and print what remains."""

    def objective(point: Array) -> Array:
        return np.array(list(residuals(colony, values_of(start, point)).values()))

    first = np.array(list(start.values()))
    found = least_squares(objective, first, bounds=(first - 4.0, first + 4.0), diff_step=1e-3)
    best = values_of(start, found.x)
    rows = {name: RowValues(value) for name, value in best.items()}
    write_rows(load_parameters("mouse"), rows)
    for row, residual in residuals(colony, best).items():
        print(f"  {row}: {residual:+.2f}")
    singular = np.linalg.svd(found.jac, compute_uv=False)
    print(f"  singular values of the sensitivities: {np.round(singular, 2)}")


def main() -> None:
    """Fit tumor and calcium."""
    colony = Colony()
    fit(colony, TUMOR_START, tumor_residuals)
    fit(colony, CALCIUM_START, calcium_residuals)


if __name__ == "__main__":
    main()
