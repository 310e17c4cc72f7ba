"""Fit how stimulated bone lesions raise calcium to published hypercalcemia of flare.

Run from the repository root after `flare_and_response.py`, whose rows it takes from the tables
(some minutes on two cores)::

    python calibration/hypercalcemia.py

Three numbers are fitted to three targets (`population_fit`): `osteolysis_sensitivity` to the share
of patients with bone metastases who become hypercalcemic (4 to 5 %: FL06, FL07),
`osteolysis_maximum`, with `pthrp_maximum` in proportion, to the median peak (3.09 mmol/L: FL10),
and `osteoclast_recruitment_rate` to the median onset, 12.3 days, the mean of the logarithms of
three series weighted by their patients (7, 14 and 17.5 days in 10, 10 and 12: FL04, FL08, FL11).
Calcium above its limit stands for onset; when it was looked for is not printed. Duration is a
prediction; untreated it is not published. Trials that treat hypercalcemia shorten it (`management`
in a study file, FL09 and FL12).
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from cohort import (
    Array,
    RowValues,
    compile_even,
    draw,
    treat_evenly,
    tumor_model,
    with_rows,
    write_rows,
)
from population_fit import Parameter, Term, gauss_newton

from estradyn.engine import CompiledModel
from estradyn.model import ParameterTable, PatientModel, load_patient_model
from estradyn.population import EngineBaseline
from estradyn.trial.events import hypercalcemia
from estradyn.trial.study import HypercalcemiaDefinition

SEED = 20240611
VALIDATION_SEED = 7
PATIENTS = 4000
SIMULATED_SHARE = 0.15
"""Share of patients, those whose bone lesions are stimulated most, for whom calcium is solved; the
rest stay far below the threshold."""

TARGET_INCIDENCE = 0.045
TARGET_PEAK = 3.09
TARGET_ONSET = 12.3
PTHRP_PER_OSTEOLYSIS = 4.0
"""pmol/L per mmol/h: both saturate together; 5 pmol/L with 1.25 mmol/h (30 mmol/d)."""

DRUG, DAILY = "tamoxifen", {"tamoxifen": 20.0}
DAYS = np.arange(0.0, 63.1, 0.5)
DEFINITION = HypercalcemiaDefinition()

PARAMETERS = (
    Parameter("tumor_osteolysis_sensitivity", 0.0391, 1.0),
    Parameter("tumor_osteolysis_maximum", 1.48, 0.5),
    Parameter("tumor_osteoclast_recruitment_rate", 0.0104, 0.5),
)


@dataclass(frozen=True)
class Reached:
    """What patients with bone metastases show."""

    incidence: float
    onset: Array
    duration: Array
    peak: Array


class BoneDisease:
    """Patients with bone metastases who all take tamoxifen."""

    def __init__(self, patient: PatientModel, seed: int) -> None:
        self._patient = patient
        self._seed = seed
        self._calcium = compile_even(patient.model, ("plasma_calcium",), (DRUG,))
        self._stimulus = compile_even(tumor_model(DRUG), ("tumor_lesion_stimulus",), (DRUG,))
        self._baseline = EngineBaseline(patient, workers=2)

    def _drawn(self, table: ParameterTable, compiled: CompiledModel) -> dict[str, Array]:
        names = compiled.model.parameter_names
        parameters, _ = draw(table, names, self._seed, PATIENTS)
        parameters["has_bone_metastases"] = np.ones(PATIENTS)
        return parameters

    def observe(self, changes: Mapping[str, RowValues]) -> Reached:
        """Treat them with rows of the tables changed."""
        table = with_rows(self._patient.parameters, changes)
        stimulus = treat_evenly(self._stimulus, self._drawn(table, self._stimulus), DAILY, DAYS)[
            "tumor_lesion_stimulus"
        ]
        order = np.argsort(-stimulus.max(axis=1))
        chosen = np.sort(order[: int(SIMULATED_SHARE * PATIENTS)])
        drawn = self._drawn(table, self._calcium)
        parameters = {name: values[chosen] for name, values in drawn.items()}
        # Rows of osteolysis do not move the drug-free steady state, but who is chosen does.
        states = self._baseline(parameters, chosen.size).states
        calcium = treat_evenly(self._calcium, parameters, DAILY, DAYS, initial_states=states)[
            "plasma_calcium"
        ]
        episode = hypercalcemia(DAYS, calcium, DEFINITION)
        found = episode.occurred
        return Reached(
            incidence=float(found.sum()) / PATIENTS,
            onset=episode.onset_day[found],
            duration=episode.duration_days[found],
            peak=episode.peak[found],
        )


def all_changes(changes: Mapping[str, RowValues]) -> dict[str, RowValues]:
    """Rows of a fit with the one that follows from them."""
    maximum = changes["tumor_osteolysis_maximum"].value
    assert maximum is not None
    return {**changes, "tumor_pthrp_maximum": RowValues(value=PTHRP_PER_OSTEOLYSIS * maximum)}


def terms(reached: Reached) -> Sequence[Term]:
    """The targets."""
    some = reached.peak.size > 0
    onset, peak = (
        float(np.median(values)) if some else np.nan for values in (reached.onset, reached.peak)
    )
    return (
        Term(
            "log incidence with bone metastases (FL06, FL07)",
            float(np.log(max(reached.incidence, 1e-4))),
            np.log(TARGET_INCIDENCE),
            0.1,
        ),
        Term("log day of onset (FL04, FL08, FL11)", np.log(onset), np.log(TARGET_ONSET), 0.05),
        Term("peak (FL10)", peak, TARGET_PEAK, 0.03),
    )


def main() -> None:
    """Fit, write the rows and print what they reach in other patients."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=4)
    arguments = parser.parse_args()
    patient = load_patient_model(drugs=(DRUG,), modules=())
    cohort = BoneDisease(patient, SEED)
    fit = gauss_newton(
        PARAMETERS,
        lambda rows: terms(cohort.observe(all_changes(rows))),
        iterations=arguments.iterations,
        penalty=0.1,
    )
    fit.print()
    rows = all_changes(fit.changes)
    write_rows(patient.parameters, rows)
    for label, judged in (("fit", cohort), ("others", BoneDisease(patient, VALIDATION_SEED))):
        reached = judged.observe(rows)
        print(f"{label}: incidence with bone metastases {100 * reached.incidence:.2f} %")
        for name in ("onset", "duration", "peak"):
            low, median, high = np.nanpercentile(getattr(reached, name), [10, 50, 90])
            print(f"  {name} {median:.2f} ({low:.2f}-{high:.2f})")


if __name__ == "__main__":
    main()
