"""Fit how much fulvestrant reaches the tumor to the receptors of biopsies.

Run from the repository root (seconds)::

    python calibration/receptor_loss.py

One number, `tumor_partition`, is fitted to four: the change of estrogen and progesterone receptor
after four weeks of 500 and 250 mg (KI20 to KI23), in the typical woman before surgery, by least
squares of what is left. The gain of turnover stays at that of cell culture.
"""

from __future__ import annotations

import numpy as np
from cohort import HOURS_PER_DAY, RowValues, tumor_model, write_rows
from scipy.optimize import minimize_scalar

from estradyn.engine import DoseSchedule, compile_model, solve
from estradyn.model import load_patient_model

DAYS = np.array([0.0, 28.0])
OUTPUTS = ("tumor_estrogen_receptor", "tumor_progesterone_receptor")
SCHEDULES = {500.0: (0.0, 14.0), 250.0: (0.0,)}
PUBLISHED = {500.0: (-50.3, -80.5), 250.0: (-13.7, -46.3)}
PARTITION = "fulvestrant_ligand_tumor_partition"


def main() -> None:
    """Fit, write the row and print what it reaches."""
    table = load_patient_model(drugs=("fulvestrant",), setting="neoadjuvant").parameters
    compiled = compile_model(tumor_model("fulvestrant"), OUTPUTS)
    typical = {
        row.name: row.value
        for row in table.parameters
        if row.name in compiled.model.parameter_names
    }
    state = "fulvestrant_depot"

    def changes(partition: float) -> dict[float, tuple[float, ...]]:
        found = {}
        for dose, given in SCHEDULES.items():
            hours = np.array(given) * HOURS_PER_DAY
            doses = DoseSchedule.from_records(np.zeros(len(given), dtype=int), hours, state, dose)
            solution = solve(
                compiled, {**typical, PARTITION: partition}, DAYS * HOURS_PER_DAY, doses, patients=1
            )
            found[dose] = tuple(
                100.0 * float(solution[name][0, 1] / solution[name][0, 0] - 1.0) for name in OUTPUTS
            )
        return found

    def misfit(logarithm: float) -> float:
        shown = changes(float(np.exp(logarithm)))
        return float(
            sum(np.sum(np.subtract(shown[dose], PUBLISHED[dose]) ** 2) for dose in SCHEDULES)
        )

    best = float(np.exp(minimize_scalar(misfit, bounds=(-2.0, 1.5), method="bounded").x))
    write_rows(table, {PARTITION: RowValues(value=best)})
    for dose, (estrogen, progesterone) in changes(best).items():
        print(f"{dose:g} mg: estrogen receptor {estrogen:.1f} %, progesterone {progesterone:.1f} %")


if __name__ == "__main__":
    main()
