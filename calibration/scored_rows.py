"""Fit values that one or two rows of evidence decide, read as the scorecard reads them.

Run from the repository root after `typical_woman` and `men` (half an hour on one core), all fits or
some of `FITS`::

    python calibration/scored_rows.py --only lipoprotein_a clomiphene

Each fit states its rows, and what they show is simulated by the predictor of the scorecard, with
the people, assay and time of the mapping and the values that are tried: medians, means and shares
of people who are the same in every step. Gauss-Newton moves the values (`population_fit`), with a
penalty too weak to hold them; where a row prints the standard error or the number of people it
counts with that, else with half the tolerance of its group.

- `lipoprotein_a`: the half-saturation of lipoprotein(a), to its rise from the end of tamoxifen on
  letrozole (LI23). How far it falls on tamoxifen is fitted before, in `typical_woman`, at the
  half-saturation of the table, so that a large change here asks for another round.
- `ovary`: how far the follicle's androgens shield its aromatase, to estradiol after one dose of
  anastrozole (pk164, pk165, the largest fall in a day).
- `estrone_of_the_cycle`: estrone that other tissue makes before menopause and that the ovary
  sustains, to its sulfate before and after ovulation (pk251).
- `desensitisation`: how much women differ in what a GnRH agonist leaves of LH, to those whose
  estradiol stays high on triptorelin and exemestane (OL50).
- `clomiphene`: how tightly both isomers are bound, between LH of men, 4.0 before and 6.1 mIU/mL on
  clomiphene (pk214), which asks for more, and how many more cycles end in ovulation on letrozole
  (OL29 against OL30), which asks for less.

Estrone sulfate before menopause (`estrogen_baseline_estrone_sulfate`) is written with the estrone:
it is in the ratio to it that women have after menopause.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from cohort import RowValues, with_rows, write_rows
from population_fit import Parameter, Term, gauss_newton

from estradyn.model import PatientModel, load_parameters
from estradyn.model.patient_model import with_values
from estradyn.scorecard import clinical
from estradyn.scorecard.targets import targets_of

PENALTY_WEIGHT = 0.05

BEFORE_MENOPAUSE = "premenopausal_women"
ESTRONE = "estrogen_baseline_estrone"
ESTRONE_SULFATE = "estrogen_baseline_estrone_sulfate"


def as_shown(value: float) -> float:
    """The number itself."""
    return value


def logarithm(value: float) -> float:
    """Logarithm of a number, NaN where there is none."""
    return float(np.log(value)) if value > 0.0 else float("nan")


def logarithm_of_fold(rise: float) -> float:
    """Logarithm of a fold, of a rise as a share."""
    return logarithm(1.0 + rise)


@dataclass(frozen=True)
class Shown:
    """A printed number that a fit is held to.

    Attributes
    ----------
    target
        Id of the row, with the place of the number where it prints several.
    tolerance
        Standard deviation on the scale of the comparison.
    scale
        From the number to that scale.
    published
        The published number where the scorecard asks for a direction alone; None takes the printed
        one.
    """

    target: str
    tolerance: float
    scale: Callable[[float], float] = as_shown
    published: float | None = None


@dataclass(frozen=True)
class RowFit:
    """Values and the rows that decide them.

    Attributes
    ----------
    parameters
        What is fitted.
    shown
        Numbers it is fitted to.
    patients
        Size of each simulated group; None takes the scorecard's.
    population
        Whose tables hold the rows.
    following
        Values of derived rows that follow from the fitted ones, by rows of the tables.
    """

    parameters: Sequence[Parameter]
    shown: Sequence[Shown]
    patients: int | None = None
    population: str | None = None
    following: Callable[[Mapping[str, RowValues]], Mapping[str, float]] | None = None


def sulfate_before_menopause(changes: Mapping[str, RowValues]) -> Mapping[str, float]:
    """Estrone sulfate in the ratio to estrone of women after menopause."""
    rows = load_parameters().by_name
    estrone = changes[ESTRONE].value
    assert estrone is not None
    return {ESTRONE_SULFATE: estrone * rows[ESTRONE_SULFATE].value / rows[ESTRONE].value}


FITS: Mapping[str, RowFit] = {
    "lipoprotein_a": RowFit(
        (Parameter("lipids_lipoprotein_a_half_saturation_ratio", 1.0, 0.7),),
        (Shown("LI23", 2.5),),
    ),
    "ovary": RowFit(
        (Parameter("ovary_androgen_competition", 300.0, 0.7),),
        (Shown("pk164.2", 0.2, logarithm), Shown("pk165.2", 0.2, logarithm)),
        population=BEFORE_MENOPAUSE,
    ),
    "estrone_of_the_cycle": RowFit(
        (Parameter(ESTRONE, 150.0, 0.7), Parameter("ovary_estrone_ratio", 1.0, 0.7)),
        (Shown("pk251.1", 0.08, logarithm), Shown("pk251.2", 0.09, logarithm)),
        population=BEFORE_MENOPAUSE,
        following=sulfate_before_menopause,
    ),
    "desensitisation": RowFit(
        (Parameter("ovary_lh_desensitisation", 0.9, 0.3, "log", "spread"),),
        (Shown("OL50", 4.7),),
        patients=240,
        population=BEFORE_MENOPAUSE,
    ),
    "clomiphene": RowFit(
        (Parameter("clomiphene_ligand_dissociation_constant", 1.0, 0.7),),
        (
            Shown("pk214", 0.1, logarithm_of_fold, 6.1 / 4.0 - 1.0),
            Shown("OL29", 5.0, as_shown, 61.7 - 48.3),
        ),
        patients=120,
    ),
}


def with_changes(patient: PatientModel, changes: Mapping[str, RowValues]) -> PatientModel:
    """A model with the rows that it has changed."""
    present = {row: new for row, new in changes.items() if row in patient.parameters.by_name}
    table = with_rows(patient.parameters, present)
    return replace(
        patient, parameters=table, model=with_values(patient.model, table.model_values())
    )


def terms(fit: RowFit, changes: Mapping[str, RowValues], workers: int) -> Sequence[Term]:
    """What the scorecard predicts with rows changed, against what is published."""
    if fit.following is not None:
        followed = {row: RowValues(value) for row, value in fit.following(changes).items()}
        changes = {**changes, **followed}
    rows = {shown.target.partition(".")[0] for shown in fit.shown}
    by_id = {target.id: target for target in targets_of("clinical", rows)}
    targets = [by_id[shown.target] for shown in fit.shown]
    predicted = clinical.predict(
        targets,
        workers=workers,
        progress=None,
        patients=fit.patients,
        change=lambda patient: with_changes(patient, changes),
    )
    found = []
    for shown, target in zip(fit.shown, targets, strict=True):
        published = shown.published
        if published is None:
            assert target.number is not None
            published = target.number.value
        found.append(
            Term(
                f"{target.item.row.quantity} ({shown.target})",
                shown.scale(predicted[target.id].value),
                shown.scale(published),
                shown.tolerance,
            )
        )
    return found


def main() -> None:
    """Run the fits that are named, print what they reach and write their rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=list(FITS), default=list(FITS))
    parser.add_argument("--iterations", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    for name in arguments.only:
        fit = FITS[name]
        print(name, flush=True)
        found = gauss_newton(
            fit.parameters,
            lambda changes, fit=fit: terms(fit, changes, arguments.workers),
            iterations=arguments.iterations,
            penalty=PENALTY_WEIGHT,
        )
        found.print()
        table = load_parameters(population=fit.population)
        following = {} if fit.following is None else fit.following(found.changes)
        write_rows(table, found.changes, following)


if __name__ == "__main__":
    main()
