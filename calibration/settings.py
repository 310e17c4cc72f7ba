"""Fit what a primary tumor before surgery shows on tamoxifen and on aromatase inhibitors.

Run from the repository root after `flare_and_response.py`, whose rows it takes from the tables
(some minutes on two cores)::

    python calibration/settings.py

It writes rows of models/settings/neoadjuvant.tsv, and prints how near the targets came and which
values they found. The rows that stand in the tables of the adjuvant and prevention settings as well
(growth, loss and dependence of untreated cancers) are written there too. Then two values of each of
those settings, what resists every drug and on what a SERM alone has no hold, are fitted to what
tamoxifen leaves and to what an inhibitor leaves: of recurrences after surgery (AD01, AD17), and of
receptor-positive cancers (PV03, PV09). After surgery the size of micrometastases is fitted with
them, to what five years of tamoxifen still do in the five years after (AD02), and the share of
women who have any follows from 92.5 % free of recurrence after four years of anastrozole (AD32:
91.2 % free of any event).

Method: Gauss-Newton on a weighted sum of squares (`terms` states the targets with their rows;
`population_fit`), with the same women in every arm and step. Examinations and biopsies have the
errors of the trials' visits. Response is that of three trials by the method of each; the other
trials (Semiglazov, ACOSOG Z1031, NEWEST) and the letrozole arm of Dixon are not fitted to. Dixon's
women are those whose tumor is rich in receptor: a population, whose own rows the fit leaves alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from cohort import (
    HOURS_PER_DAY,
    Array,
    RowValues,
    compile_even,
    draw,
    treat_evenly,
    tumor_model,
    with_rows,
    write_rows,
)
from population_fit import Fit, Parameter, Term, gauss_newton

from estradyn.engine import CompiledModel
from estradyn.model import ParameterTable, load_patient_model
from estradyn.trial.endpoints import DAYS_PER_MONTH
from estradyn.trial.measurement import diameter_of_sphere
from estradyn.trial.neoadjuvant import responded
from estradyn.trial.occult_disease import DAYS_PER_YEAR, lesion_volume
from estradyn.trial.schedule import log_error
from estradyn.trial.study import Criteria

SEED = 20240611
PATIENTS = 8000
VALIDATION_SEED = 7

DAYS = np.array([0.0, 14.0, 84.0, 91.0, 112.0, 122.0])
OUTPUTS = ("soft_tissue_tumor_volume", "ki67", "tumor_doubling_time")
ERRORS = {"ultrasound": 10.0, "caliper": 14.0, "palpation": 18.0, "ki67": 30.0}
"""Coefficients of variation in percent, of one diameter and of one core, as in the scenario
`neoadjuvant` of the scorecard."""

CRITERIA = Criteria(bidimensional=True)

TAMOXIFEN, LETROZOLE, ANASTROZOLE = {"tamoxifen": 20.0}, {"letrozole": 2.5}, {"anastrozole": 1.0}
RECEPTOR_RICH = "women_with_receptor_rich_tumors"


@dataclass(frozen=True)
class Arm:
    """What is given, mg a day, and to whom."""

    daily: Mapping[str, float]
    people: str | None = None


ARMS: Mapping[str, Arm] = {
    "tamoxifen": Arm(TAMOXIFEN),
    "letrozole": Arm(LETROZOLE),
    "anastrozole": Arm(ANASTROZOLE),
    "both": Arm({**ANASTROZOLE, **TAMOXIFEN}),
    "anastrozole, receptor-rich": Arm(ANASTROZOLE, RECEPTOR_RICH),
}
DRUGS = ("anastrozole", "letrozole", "tamoxifen")

# What an earlier run left where it began is not fitted: the spreads of loss, of dependence and of
# stroma, the share of resistant cells, and the antagonism of a SERM, which these targets do not
# tell from cells on which a SERM has no hold.
PARAMETERS = (
    Parameter("tumor_birth_rate", 0.00085, 0.4),
    Parameter("tumor_birth_rate", 0.8, 0.4, "log", "spread"),
    Parameter("tumor_loss_ratio", 0.82, 0.4, "logit"),
    Parameter("tumor_growth_dependence_logit", 2.3, 0.7, "identity"),
    Parameter("tumor_er_positive", 0.88, 0.5, "logit"),
    Parameter("tumor_serm_resistant_logit", -7.0, 1.5, "identity"),
    Parameter("ultrasound_stroma", 0.27, 0.7, "logit"),
    Parameter("caliper_stroma", 0.08, 0.7, "logit"),
    Parameter("palpation_stroma", 0.12, 0.7, "logit"),
)
PENALTY_WEIGHT = 0.35

KI67, RESPONSE = 0.05, 0.025
"""Standard deviation of a target: half the tolerance of its group (evidence/tolerances.tsv)."""


@dataclass(frozen=True)
class Seen:
    """What one arm shows; by day of DAYS where there is a course."""

    ki67_ratio: Array
    ki67_fell: Array
    response: Mapping[str, Array]
    volume_ratio: Mapping[str, Array]
    doubling_days: float
    doubling_spread: float

    def responds(self, method: str, day: float) -> float:
        """Share that responds by a method on a day."""
        return float(self.response[method][day == DAYS][0])


@dataclass(frozen=True)
class Primaries:
    """Women with a primary tumor, the same in every arm; tables by the people of the arms."""

    tables: Mapping[str | None, ParameterTable]
    compiled: Mapping[str, CompiledModel]
    seed: int
    patients: int

    def run(self, changes: Mapping[str, RowValues]) -> dict[str, Seen]:
        """Treat them in every arm."""
        return {name: self._see(changes, name) for name in ARMS}

    def _see(self, changes: Mapping[str, RowValues], arm: str) -> Seen:
        # What people say of themselves is not changed with the rows of all women.
        table, usual = self.tables[ARMS[arm].people].by_name, self.tables[None].by_name
        own = {name for name, row in table.items() if row != usual[name]}
        changed = {name: row for name, row in changes.items() if name not in own}
        compiled = self.compiled[arm]
        names = compiled.model.parameter_names
        parameters, traits = draw(
            with_rows(self.tables[ARMS[arm].people], changed), names, self.seed, self.patients
        )
        solution = treat_evenly(compiled, parameters, ARMS[arm].daily, DAYS)
        volume, ki67 = solution[OUTPUTS[0]], solution[OUTPUTS[1]]
        generator = np.random.default_rng(self.seed)
        ratio = np.maximum(ki67, 1e-3) / ki67[:, :1]
        errors = log_error(ERRORS["ki67"]) * generator.standard_normal(ratio.shape)
        response, volumes = {}, {}
        for method in ("ultrasound", "caliper", "palpation"):
            stroma = (traits | parameters)[f"{method}_stroma"][:, None]
            seen = diameter_of_sphere(stroma * volume[:, :1] + (1.0 - stroma) * volume)
            scatter = generator.standard_normal((*seen.shape, 2))
            diameters = seen[:, :, None] * np.exp(log_error(ERRORS[method]) * scatter)
            response[method] = responded(diameters, CRITERIA).mean(axis=0)
            size = diameters.prod(axis=2) ** 1.5
            volumes[method] = np.median(size / size[:, :1], axis=0)
        return Seen(
            ki67_ratio=np.exp(np.log(ratio).mean(axis=0)),
            ki67_fell=((np.log(ratio) + errors - errors[:, :1]) < 0.0).mean(axis=0),
            response=response,
            volume_ratio=volumes,
            doubling_days=float(np.median(solution[OUTPUTS[2]][:, 0]) / HOURS_PER_DAY),
            doubling_spread=float(np.log(solution[OUTPUTS[2]][:, 0]).std()),
        )


def terms(seen: Mapping[str, Seen]) -> Sequence[Term]:
    """The targets: Ki-67 and response in P024, IMPACT and PROACT, volume in Dixon, and growth.

    Untreated receptor-positive cancers double in 157 to 241 days by repeated ultrasound, of which
    the last with a standard deviation of 166 (sources in the table): 0.62 on the logarithm. IMPACT
    and PROACT measured by caliper after three months, P024 by palpation and ultrasound after four;
    Dixon took receptor-rich tumors to anastrozole. Shares in which Ki-67 fell count with the
    standard error that their number gives, volumes with that of their intervals.
    """
    tamoxifen, letrozole, anastrozole, both, rich = (seen[name] for name in ARMS)
    at = {day: int(np.flatnonzero(day == DAYS)[0]) for day in (14.0, 84.0, 91.0, 112.0)}
    return (
        Term("Ki-67 day 14, anastrozole (KI01)", anastrozole.ki67_ratio[at[14.0]], 0.24, KI67),
        Term("Ki-67 day 84, anastrozole (KI02)", anastrozole.ki67_ratio[at[84.0]], 0.18, KI67),
        Term("Ki-67 day 14, tamoxifen (KI03)", tamoxifen.ki67_ratio[at[14.0]], 0.41, KI67),
        Term("Ki-67 day 84, tamoxifen (KI04)", tamoxifen.ki67_ratio[at[84.0]], 0.38, KI67),
        Term("Ki-67 day 112, letrozole (KI07)", letrozole.ki67_ratio[at[112.0]], 0.13, KI67),
        Term("Ki-67 day 112, tamoxifen (KI08)", tamoxifen.ki67_ratio[at[112.0]], 0.25, KI67),
        Term("Ki-67 fell, anastrozole (KI15)", anastrozole.ki67_fell[at[14.0]], 0.93, 0.034),
        Term("Ki-67 fell, tamoxifen (KI16)", tamoxifen.ki67_fell[at[14.0]], 0.85, 0.049),
        Term("Ki-67 fell, both (KI17)", both.ki67_fell[at[14.0]], 0.84, 0.055),
        Term("palpation, letrozole (KI26)", letrozole.responds("palpation", 122.0), 0.55, RESPONSE),
        Term("palpation, tamoxifen (KI27)", tamoxifen.responds("palpation", 122.0), 0.36, RESPONSE),
        Term(
            "ultrasound, letrozole (KI28)", letrozole.responds("ultrasound", 122.0), 0.35, RESPONSE
        ),
        Term(
            "ultrasound, tamoxifen (KI29)", tamoxifen.responds("ultrasound", 122.0), 0.25, RESPONSE
        ),
        Term("caliper, anastrozole (KI30)", anastrozole.responds("caliper", 84.0), 0.37, RESPONSE),
        Term("caliper, tamoxifen (KI31)", tamoxifen.responds("caliper", 84.0), 0.36, RESPONSE),
        Term("caliper, both (KI32)", both.responds("caliper", 84.0), 0.39, RESPONSE),
        Term("caliper, anastrozole (KI33)", anastrozole.responds("caliper", 91.0), 0.497, RESPONSE),
        Term("caliper, tamoxifen (KI34)", tamoxifen.responds("caliper", 91.0), 0.397, RESPONSE),
        Term(
            "volume by ultrasound, anastrozole (KI39)",
            rich.volume_ratio["ultrasound"][at[91.0]],
            0.36,
            0.06,
        ),
        Term(
            "volume by ultrasound, tamoxifen (KI41)",
            tamoxifen.volume_ratio["ultrasound"][at[91.0]],
            0.60,
            0.06,
        ),
        Term("log days to double", float(np.log(anastrozole.doubling_days)), np.log(181.0), 0.15),
        Term("spread of log days to double", anastrozole.doubling_spread, 0.62, 0.1),
    )


SHARED = ("tumor_birth_rate", "tumor_loss_ratio", "tumor_growth_dependence_logit")
"""Rows that untreated cancers have in common before surgery, after it and before they are found."""

COURSE = 5.0 * DAYS_PER_YEAR
"""Days of treatment after surgery and of prevention."""

FOUND_VOLUME = np.pi / 6.0
"""mL of a sphere of 10 mm, from which a lesion is found."""

EARLY_WOMEN = 8000
RISK_FACTOR = 20.0
"""How many times more lesions than there are, for a rate ratio from few women; it is taken from
-log(1 - incidence), which does not saturate."""

SHARES = (
    Parameter("tumor_resistant_logit", -4.0, 2.0, "identity"),
    Parameter("tumor_serm_resistant_logit", -6.0, 2.0, "identity"),
)
SHARES_AND_SIZE = (*SHARES, Parameter("tumor_soft_tissue_volume", 3e-5, 2.0))
EARLY_PENALTY_WEIGHT = 0.05
"""As many values as targets: the penalty only holds what none of them sees."""

RECURRED_ON_ANASTROZOLE, MOST_WITH_DISEASE = 0.075, 0.95
"""Share of women that recurs in four years (AD32), and the largest share with disease left."""


def scan_days(years: float) -> Array:
    """Days of the scans of some years, the start among them."""
    return np.arange(0.0, years * DAYS_PER_YEAR, 26 * 7.0)


@cache
def compiled_early(drugs: tuple[str, ...], outputs: tuple[str, ...]) -> CompiledModel:
    """Compile the tumor with some drugs, and with the appearance of lesions where that is read."""
    modules = ("lesions",) if len(outputs) > 1 else ()
    return compile_even(tumor_model(*drugs, modules=modules), outputs, drugs)


@dataclass(frozen=True)
class EarlyDisease:
    """Women without visible disease, untreated and treated."""

    table: ParameterTable
    seed: int = SEED

    def _course(
        self,
        changes: Mapping[str, RowValues],
        arm: Mapping[str, float],
        outputs: tuple[str, ...],
        years: float,
    ) -> tuple[Mapping[str, Array], dict[str, Array], dict[str, Array]]:
        given = arm or {"tamoxifen": 0.0}
        compiled = compiled_early(tuple(given), outputs)
        table = with_rows(self.table, changes)
        parameters, traits = draw(table, compiled.model.parameter_names, self.seed, EARLY_WOMEN)
        solution = treat_evenly(compiled, parameters, given, scan_days(years), stop=COURSE)
        return {name: solution[name] for name in outputs}, parameters, traits

    def recurrences(
        self, changes: Mapping[str, RowValues], arm: Mapping[str, float]
    ) -> Recurrences:
        """When women recur within ten years, were disease left in all."""
        volume = self._course(changes, arm, OUTPUTS[:1], years=10.0)[0][OUTPUTS[0]]
        large = volume >= FOUND_VOLUME
        large[:, 0] = False
        found = large.any(axis=1)
        return Recurrences(np.where(found, scan_days(10.0)[large.argmax(axis=1)], np.inf))

    def hazard_of_cancer(self, changes: Mapping[str, RowValues], arm: Mapping[str, float]) -> float:
        """Cumulative hazard of a receptor-positive cancer while drugs are given."""
        names = (OUTPUTS[0], "lesion_appearance_rate", "lesion_doubling_time")
        values, parameters, traits = self._course(changes, arm, names, years=5.0)
        positive = parameters["tumor_er_positive"] > 0.5
        gaps = np.random.default_rng(self.seed).standard_exponential((EARLY_WOMEN, 12))
        volume, rate, doubling = (values[name][positive] for name in names)
        largest = lesion_volume(
            scan_days(5.0),
            volume / volume[:, :1],
            RISK_FACTOR * rate / DAYS_PER_YEAR,
            doubling[:, 0] / HOURS_PER_DAY,
            gaps[positive],
            new_volume=(traits | parameters)["new_lesion_volume"][positive],
            found_volume=FOUND_VOLUME,
        )
        return float(-np.log1p(-(largest[:, 1:] >= FOUND_VOLUME).any(axis=1).mean()))


@dataclass(frozen=True)
class Recurrences:
    """Days to recurrence of women with disease left, one for each; infinite without one."""

    days: Array

    def share(self, end: float) -> float:
        """Share of these women that recurs up to a day."""
        return float((self.days <= end).mean())

    def rate(self, start: float, end: float, with_disease: float) -> float:
        """Recurrences per day at risk in a period, of all women.

        A share of them has disease left; the others are at risk for the whole of it.
        """
        at_risk = np.clip(np.minimum(self.days, end) - start, 0.0, None).mean()
        found = self.share(end) - self.share(start)
        without = (1.0 - with_disease) * (end - start)
        return float(with_disease * found / (with_disease * at_risk + without))


def share_with_disease(anastrozole: Recurrences) -> float:
    """Share of women with disease left with which as many recur on anastrozole as published."""
    recurred = anastrozole.share(4.0 * DAYS_PER_YEAR)
    return min(RECURRED_ON_ANASTROZOLE / recurred, MOST_WITH_DISEASE)


def terms_after_surgery(women: EarlyDisease, changes: Mapping[str, RowValues]) -> Sequence[Term]:
    """Rate ratios on the logarithm: tamoxifen to none in two periods, anastrozole to tamoxifen.

    The first two count with their intervals, the third, printed without one, with the tolerance of
    its group. The share that recurs on anastrozole is met by the share of women with disease left,
    unless that would have to be larger than it can be.
    """
    none, tamoxifen, anastrozole = (
        women.recurrences(changes, arm) for arm in ({}, TAMOXIFEN, ANASTROZOLE)
    )
    share = share_with_disease(anastrozole)

    def log_ratio(own: Recurrences, other: Recurrences, start: float, end: float) -> float:
        return float(np.log(own.rate(start, end, share) / other.rate(start, end, share)))

    return (
        Term(
            "log rate ratio of recurrence, tamoxifen to none, years 0 to 4 (AD01)",
            log_ratio(tamoxifen, none, 0.0, COURSE),
            np.log(0.53),
            0.044,
        ),
        Term(
            "log rate ratio of recurrence, tamoxifen to none, years 5 to 9 (AD02)",
            log_ratio(tamoxifen, none, COURSE, 2.0 * COURSE),
            np.log(0.68),
            0.067,
        ),
        Term(
            "log rate ratio of recurrence, anastrozole to tamoxifen, 68 months (AD17)",
            log_ratio(anastrozole, tamoxifen, 0.0, 68.0 * DAYS_PER_MONTH),
            np.log(0.74),
            0.11,
        ),
        Term(
            "log share that recurs in four years on anastrozole (AD32)",
            float(np.log(share * anastrozole.share(4.0 * DAYS_PER_YEAR))),
            np.log(RECURRED_ON_ANASTROZOLE),
            0.1,
        ),
    )


def terms_before_cancer(women: EarlyDisease, changes: Mapping[str, RowValues]) -> Sequence[Term]:
    """Share of receptor-positive cancers that are left, on the logarithm.

    Tamoxifen leaves 31 % of them. Anastrozole leaves 39 % (27 to 58) of all; if none of those
    without receptor is prevented and they are 29 % (the share in the table), 14 %. Half the width
    of its interval over its distance from those 29 is the tolerance.
    """
    none, tamoxifen, anastrozole = (
        women.hazard_of_cancer(changes, arm) for arm in ({}, TAMOXIFEN, ANASTROZOLE)
    )
    positive = women.table.by_name["tumor_er_positive"].value
    left = (0.39 - (1.0 - positive)) / positive
    return (
        Term("log share left by tamoxifen (PV03)", np.log(tamoxifen / none), np.log(0.31), 0.08),
        Term("log share left by anastrozole (PV09)", np.log(anastrozole / none), np.log(left), 0.5),
    )


def fit_early(
    parameters: Sequence[Parameter], terms_at: Callable[[Mapping[str, RowValues]], Sequence[Term]]
) -> Fit:
    """Fit what resists in one of the early settings, and print it."""
    fit = gauss_newton(parameters, terms_at, iterations=6, penalty=EARLY_PENALTY_WEIGHT)
    fit.print()
    return fit


def fit_early_settings() -> None:
    """Find, write and print what resists after surgery and before cancer."""
    table = load_patient_model(drugs=DRUGS, setting="adjuvant").parameters
    women = EarlyDisease(table)
    fit = fit_early(SHARES_AND_SIZE, lambda rows: terms_after_surgery(women, rows))
    anastrozole = women.recurrences(fit.changes, ANASTROZOLE)
    recurred = anastrozole.share(4.0 * DAYS_PER_YEAR)
    print(f"recurred in four years on anastrozole with disease left {100 * recurred:.1f} %")
    residual = RowValues(value=share_with_disease(anastrozole))
    write_rows(table, {**fit.changes, "residual_disease": residual})

    table = load_patient_model(drugs=DRUGS, setting="prevention").parameters
    before = EarlyDisease(table)
    write_rows(table, fit_early(SHARES, lambda rows: terms_before_cancer(before, rows)).changes)


def main() -> None:
    """Fit, write the rows and print what they reach in other women."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=5)
    arguments = parser.parse_args()
    tables = {
        people: load_patient_model(drugs=DRUGS, setting="neoadjuvant", population=people).parameters
        for people in {arm.people for arm in ARMS.values()}
    }
    table = tables[None]
    compiled = {
        name: compile_even(tumor_model(*arm.daily), OUTPUTS, tuple(arm.daily))
        for name, arm in ARMS.items()
    }
    women = Primaries(tables, compiled, SEED, PATIENTS)
    fit = gauss_newton(
        PARAMETERS,
        lambda rows: terms(women.run(rows)),
        iterations=arguments.iterations,
        penalty=PENALTY_WEIGHT,
    )
    fit.print()
    write_rows(table, fit.changes)
    shared = {name: row for name, row in fit.changes.items() if name in SHARED}
    for setting in ("adjuvant", "prevention"):
        write_rows(load_patient_model(drugs=DRUGS, setting=setting).parameters, shared)
    print("other women")
    for term in terms(Primaries(tables, compiled, VALIDATION_SEED, PATIENTS).run(fit.changes)):
        print(f"  {term.name}: {term.shown:.3g}, published {term.published:.3g}")
    fit_early_settings()


if __name__ == "__main__":
    main()
