"""Predictions of published numbers of nude mice.

A scenario of `mapping_mouse.tsv` is a name in `SCENARIOS`: a function that simulates it and gives
the endpoints it knows on the day that the mapping asks for. The typical mouse, every value at its
median, answers where a mean is published; spread, error and power are answered by animals drawn.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from estradyn.scorecard.prediction import Prediction, Progress
from estradyn.scorecard.targets import Target
from estradyn.xenograft.measurement import Measurement, caliper_readings
from estradyn.xenograft.mice import Colony, Courses, Host, Mice, Route, Treatment

Array = NDArray[np.float64]

MG_PER_DL = 4.008
"""mg/dL of calcium in 1 mmol/L."""

PG_PER_PMOL = 0.27238
"""pg/mL of estradiol in 1 pmol/L."""

PHYSIOLOGICAL_PG_PER_ML = 27.0
"""Estradiol of mice with ovaries by immunoassay (assumed), to which pellets were compared."""

CONTROL_AREA_CM2 = 0.06
"""Area of tumors without estradiol (XG12), taken as the size of all at the start."""

BODY_WEIGHT_KG = 0.022
LONGEST_DAY = 180

WITHDRAWN = {"mouse_estrogen_release_rate": 0.0}
STEADY = {"mouse_estrogen_release_activity": 0.0}

READINGS = 4000
LARGE_MM3, SMALL_MM3 = 1000.0, 50.0
"""Sizes of the masses of ME02 and ME03, of which no size is printed (assumed)."""

POWER_LABORATORIES = 120
POWER_STUDIES = 15
"""Studies of each laboratory."""
POWER_LARGEST_GROUP = 7
POWER_DOSE_MG_PER_KG = 30.0
POWER_DAYS = np.array([0.0, 3.0, 7.0, 10.0, 14.0, 17.0, 21.0])
TREATED_OVER_CONTROL = 0.4
RATE_DAYS = 21.0
"""Days over which growth rates become the rate-based T/C."""

VARIATION_ANIMALS = 400


@dataclass(frozen=True)
class _Asked:
    """What a target asks of a scenario."""

    endpoint: str
    day: int


Answer = tuple[float, str]
"""A number and its unit."""


class _Mice:
    """Mice that several scenarios share."""

    def __init__(self, workers: int, animals: int | None) -> None:
        self.colony = Colony(workers=workers)
        self.animals = animals or VARIATION_ANIMALS
        self._laboratories = POWER_LABORATORIES if animals is None else max(animals // 10, 4)
        self.days = np.arange(LONGEST_DAY + 1.0)

    def _value(self, name: str) -> float:
        return self.colony.model.parameters.by_name[name].value

    def capsule(self, pg_per_ml: float) -> Mice:
        """A typical mouse without ovaries whose estradiol a capsule keeps at a level."""
        flow = pg_per_ml * 1e-3 * self._value("mouse_estrogen_clearance")
        content_mg = flow / self._value("mouse_estrogen_release_rate") / 1000.0
        host = Host(ovariectomized=True, estradiol_pellet_mg=content_mg, pellet_age_day=0.0)
        return self.colony.typical(host, values=STEADY)

    @cached_property
    def with_estradiol(self) -> Mice:
        """200 pg/mL, which gives maximal growth (XT02)."""
        return self.capsule(200.0)

    @cached_property
    def without_estradiol(self) -> Mice:
        """No ovaries, no pellet."""
        return self.colony.typical(Host(ovariectomized=True))

    @cached_property
    def studies_that_work(self) -> list[tuple[Array, Array]]:
        """Measured growth rates of treated and control animals, shape (studies, animals) each.

        One entry for each laboratory and drug with a true rate-based T/C below 0.4.
        """
        found = []
        host = Host(estradiol_pellet_mg=0.18, ovariectomized=True)
        count = POWER_STUDIES * POWER_LARGEST_GROUP
        shape = (POWER_STUDIES, POWER_LARGEST_GROUP)
        for laboratory in range(self._laboratories):
            generator = np.random.default_rng([8, laboratory])
            both = self.colony.draw(2 * count, 100 + laboratory, host, trial_effects="drawn")
            group, others = both.take(slice(0, count)), both.take(slice(count, None))
            plain = self.colony.follow(group, (), POWER_DAYS).volume_mm3
            control = self.colony.follow(others, (), POWER_DAYS).volume_mm3
            for drug in self.colony.model.drugs:
                given = [Treatment(drug, POWER_DOSE_MG_PER_KG)]
                volume = self.colony.follow(group, given, POWER_DAYS).volume_mm3
                effect = float(np.mean(_slopes(np.log(volume)) - _slopes(np.log(plain))))
                if math.exp(RATE_DAYS * effect) < TREATED_OVER_CONTROL:
                    rates = (_rates(x, generator).reshape(shape) for x in (volume, control))
                    treated, untreated = rates
                    found.append((treated, untreated))
        return found

    def pelleted(self, mg: float, *, ovariectomized: bool = True) -> Mice:
        """A typical mouse with a new estradiol pellet."""
        host = Host(estradiol_pellet_mg=mg, pellet_age_day=0.0, ovariectomized=ovariectomized)
        return self.colony.typical(host)

    def follow(
        self, mice: Mice, *treatments: Treatment, values: Mapping[str, float] | None = None
    ) -> Courses:
        """Follow mice on every day."""
        return self.colony.follow(mice, treatments, self.days, values=values)


def _per_day(drug: str, microgram: float, route: Route = Route.SUBCUTANEOUS) -> Treatment:
    return Treatment(drug, microgram * 1e-3 / BODY_WEIGHT_KG, route)


def _fold(courses: Courses, day: int) -> float:
    volume = courses.volume_mm3[0]
    return float(volume[day] / volume[0])


def _tumor(courses: Courses, day: int, control: Courses | None = None) -> dict[str, Answer]:
    """Endpoints of one tumor, and against a control where there is one."""
    volume, apoptosis, ki67 = courses.volume_mm3[0], courses["tunel"][0], courses["ki67"][0]
    window = volume[:22] / volume[0]
    late = math.log(volume[day] / volume[max(day - 28, 21)]) if day > 28 else 0.0
    rise = 100.0 * (float(window.max()) - 1.0)
    odds = (ki67 / (100.0 - ki67))[[0, day]]
    apoptosis_fold = float(apoptosis[day] / apoptosis[0])
    found: dict[str, Answer] = {
        "regression": (100.0 * (1.0 - _fold(courses, day)), "percent"),
        "change of volume": (100.0 * (_fold(courses, day) - 1.0), "percent"),
        # Standstill: less than a fifth of the growth with estradiol over four weeks.
        "transient rise": (rise if late < 0.28 else -rise, "percent"),
        "largest fold of volume": (float(volume[: day + 1].max() / volume[0]), "ratio"),
        "area": (CONTROL_AREA_CM2 * _fold(courses, day) ** (2.0 / 3.0), "cm2"),
        "fold of apoptosis": (apoptosis_fold, "ratio"),
        "fold of apoptosis over births": (apoptosis_fold * float(odds[0] / odds[1]), "ratio"),
        "Ki-67": (float(ki67[day]), "percent"),
        "change of Ki-67": (100.0 * float(ki67[day] / ki67[0] - 1.0), "percent"),
        "calcium": (MG_PER_DL * float(courses["plasma_calcium"][0, day]), "mg/dL"),
    }
    if control is not None and day > 0:
        own, other = math.log(_fold(courses, day)), math.log(_fold(control, day))
        found |= {
            "volume ratio": (math.exp(own - other), "ratio"),
            "difference in growth rate": ((own - other) / day, "1/day"),
            "growth inhibition": (100.0 * (1.0 - own / other), "percent"),
            "change against untreated": (100.0 * (math.exp(own - other) - 1.0), "percent"),
        }
    return found


def _estradiol_against_none(mice: _Mice, asked: _Asked) -> dict[str, Answer]:
    control = mice.follow(mice.without_estradiol)
    return _tumor(mice.follow(mice.with_estradiol), asked.day, control)


def _estradiol(mice: _Mice, asked: _Asked) -> dict[str, Answer]:
    return _tumor(mice.follow(mice.with_estradiol), asked.day)


def _no_estradiol(mice: _Mice, asked: _Asked) -> dict[str, Answer]:
    return _tumor(mice.follow(mice.without_estradiol), asked.day)


def _withdrawn(*treatments: Treatment) -> Callable[[_Mice, _Asked], dict[str, Answer]]:
    def scenario(mice: _Mice, asked: _Asked) -> dict[str, Answer]:
        return _tumor(mice.follow(mice.with_estradiol, *treatments, values=WITHDRAWN), asked.day)

    return scenario


def _treated(
    with_estradiol: bool, *treatments: Treatment
) -> Callable[[_Mice, _Asked], dict[str, Answer]]:
    def scenario(mice: _Mice, asked: _Asked) -> dict[str, Answer]:
        start = mice.with_estradiol if with_estradiol else mice.without_estradiol
        return _tumor(mice.follow(start, *treatments), asked.day, mice.follow(start))

    return scenario


def _to_one_micromolar(mice: _Mice, asked: _Asked) -> dict[str, Answer]:
    mass = mice.colony.model.parameters.by_name["tamoxifen_ligand_molar_mass"].value
    clearance = mice.colony.model.parameters.by_name["tamoxifen_mouse_clearance"].value
    microgram = mass * 1e-3 * clearance * 24.0 * 1e3
    dose = _per_day("tamoxifen", microgram)
    return _tumor(mice.follow(mice.with_estradiol, dose), asked.day)


def _pellet_doses(mice: _Mice, asked: _Asked) -> dict[str, Answer]:
    small = mice.follow(mice.pelleted(0.01))
    return _tumor(mice.follow(mice.pelleted(0.5)), asked.day, small)


def _large_pellet(mice: _Mice, asked: _Asked) -> dict[str, Answer]:
    start = mice.pelleted(1.7)
    treated = mice.follow(start, _per_day("tamoxifen", 5000.0 / 28.0))
    return _tumor(treated, asked.day, mice.follow(start))


def _small_pellet_with_ovaries(mice: _Mice, asked: _Asked) -> dict[str, Answer]:
    return _tumor(mice.follow(mice.pelleted(0.3, ovariectomized=False)), asked.day)


def _pellet_levels(mice: _Mice, asked: _Asked) -> dict[str, Answer]:
    level = mice.follow(mice.pelleted(0.72))["estradiol_concentration"][0, asked.day]
    fold = PG_PER_PMOL * float(level) / PHYSIOLOGICAL_PG_PER_ML
    return {"fold of physiological estradiol": (fold, "ratio")}


def _dose_response(mice: _Mice, asked: _Asked) -> dict[str, Answer]:
    """Smallest level of estradiol with 95 % of the growth from none to the most."""
    levels = np.geomspace(1.0, 2000.0, 25)
    folds = [math.log(_fold(mice.follow(mice.capsule(float(x))), 28)) for x in levels]
    none = math.log(_fold(mice.follow(mice.without_estradiol), 28))
    share = (np.array(folds) - none) / (folds[-1] - none)
    level = float(np.exp(np.interp(0.95, share, np.log(levels))))
    return {"concentration of 95 % of maximal growth": (level, "pg/mL")}


def _levels(treatment: Treatment, hours: float) -> Callable[[_Mice, _Asked], dict[str, Answer]]:
    def scenario(mice: _Mice, asked: _Asked) -> dict[str, Answer]:
        days = np.linspace(0.0, hours / 24.0, 4 * int(hours) + 1)
        courses = mice.colony.follow(mice.without_estradiol, [treatment], days)
        level = courses[f"{treatment.drug}_concentration"][0]
        mass = mice.colony.model.parameters.by_name["tamoxifen_ligand_molar_mass"].value
        last_day = days >= days[-1] - 1.0
        step = (days[1] - days[0]) * 24.0
        late = (days * 24.0 > hours / 2.0) & (level > 0)
        slope = np.polyfit(days[late] * 24.0, np.log(level[late]), 1)[0]
        return {
            "concentration": (float(level[-1]), "mg/L"),
            "mean molar concentration": (float(level[last_day].mean()) * 1e6 / mass, "nmol/L"),
            "area under the curve": (float(np.trapezoid(level, dx=step)), "mg*hour/L"),
            "half-life": (math.log(2.0) / -float(slope), "hour"),
        }

    return scenario


def _calcium(microgram_per_day: float) -> Callable[[_Mice, _Asked], dict[str, Answer]]:
    def scenario(mice: _Mice, asked: _Asked) -> dict[str, Answer]:
        pump = {"mouse_calcium_pthrp_infusion": microgram_per_day / 24.0}
        healthy = mice.colony.typical(Host())
        return _tumor(mice.follow(healthy, values=pump), asked.day)

    return scenario


def _readings(volume: float) -> Callable[[_Mice, _Asked], dict[str, Answer]]:
    def scenario(mice: _Mice, asked: _Asked) -> dict[str, Answer]:
        generator = np.random.default_rng(3)
        read = caliper_readings(np.full((READINGS, 1), volume), Measurement(), generator)
        variation = 100.0 * float(read.std() / read.mean())
        return {"coefficient of variation": (variation, "percent")}

    return scenario


def _two_observers(mice: _Mice, asked: _Asked) -> dict[str, Answer]:
    """Two people read the same tumor; their own error is left out, as it averages out."""
    exact = Measurement(
        small_error=0.0, large_error=0.0, observer_difference=0.15, observers=READINGS
    )
    generator = np.random.default_rng(4)
    read = caliper_readings(np.full((1, READINGS), LARGE_MM3), exact, generator)[0]
    first, second = read[::2], read[1::2]
    difference = np.abs(first - second) / ((first + second) / 2.0)
    return {"mean difference between observers": (100.0 * float(difference.mean()), "percent")}


def _against_true_volumes(mice: _Mice, asked: _Asked) -> dict[str, Answer]:
    generator = np.random.default_rng(5)
    volume = generator.uniform(50.0, 1500.0, (READINGS, 1))
    read = caliper_readings(volume, Measurement(), generator)
    return {"correlation": (float(np.corrcoef(volume[:, 0], read[:, 0])[0, 1]), "r")}


def _vehicle_group(mice: _Mice, asked: _Asked) -> dict[str, Answer]:
    host = Host(estradiol_pellet_mg=0.36, ovariectomized=True)
    group = mice.colony.draw(mice.animals, 11, host)
    volume = mice.colony.follow(group, (), [0.0, float(asked.day)]).volume_mm3[:, 1:]
    read = caliper_readings(volume, Measurement(), np.random.default_rng(6))
    variation = 100.0 * float(read.std() / read.mean())
    return {"coefficient of variation of volume": (variation, "percent")}


def _power(mice: _Mice, asked: _Asked) -> dict[str, Answer]:
    """Share of studies with a significant difference, among laboratories where treatment works.

    As in Hather 2014 (doi:10.4137/CIN.S13974): each animal's growth rate is a least-squares slope
    of log volume, groups are compared by a t test, and a treatment works when its rate-based T/C on
    day 21 is below 0.4.
    """
    size = int(re.findall(r"\d+", asked.endpoint)[0])
    found = [(treated[:, :size], control[:, :size]) for treated, control in mice.studies_that_work]
    if not found:
        return {asked.endpoint: (math.nan, "ratio")}
    treated, control = (np.concatenate(rates) for rates in zip(*found, strict=True))
    test = stats.ttest_ind(treated, control, axis=1)
    hits = (test.pvalue < 0.05) & (test.statistic < 0)
    return {asked.endpoint: (float(hits.mean()), "ratio")}


def _rates(volume: Array, generator: np.random.Generator) -> Array:
    return _slopes(np.log(caliper_readings(volume, Measurement(), generator)))


def _slopes(logs: Array) -> Array:
    """Least-squares growth rate of each animal, shape (animals,)."""
    slopes: Array = np.polyfit(POWER_DAYS, logs.T, 1)[0]
    return slopes


TAMOXIFEN_PELLET = _per_day("tamoxifen", 2500.0 / 60.0)
TOREMIFENE_CAPSULE = _per_day("toremifene", 77.0)

SCENARIOS: Mapping[str, Callable[[_Mice, _Asked], dict[str, Answer]]] = {
    "estradiol against none": _estradiol_against_none,
    "estradiol": _estradiol,
    "no estradiol": _no_estradiol,
    "estradiol withdrawn": _withdrawn(),
    "tamoxifen 5 microgram/day after withdrawal": _withdrawn(_per_day("tamoxifen", 5.0)),
    "toremifene 10 mg/kg without estradiol": _treated(False, Treatment("toremifene", 10.0)),
    "toremifene 77 microgram/day without estradiol": _treated(False, TOREMIFENE_CAPSULE),
    "toremifene 77 microgram/day with estradiol": _treated(True, TOREMIFENE_CAPSULE),
    "tamoxifen 42 microgram/day without estradiol": _treated(False, TAMOXIFEN_PELLET),
    "tamoxifen 42 microgram/day with estradiol": _treated(True, TAMOXIFEN_PELLET),
    "tamoxifen 10 mg/kg by gavage with estradiol": _treated(True, Treatment("tamoxifen", 10.0)),
    "tamoxifen to 1 micromol/L with estradiol": _to_one_micromolar,
    "tamoxifen with an estradiol pellet of 1.7 mg": _large_pellet,
    "estradiol pellets of 0.01 and 0.5 mg": _pellet_doses,
    "estradiol pellet of 0.3 mg with ovaries": _small_pellet_with_ovaries,
    "estradiol pellet of 0.72 mg": _pellet_levels,
    "estradiol dose response": _dose_response,
    "tamoxifen pellet of 25 mg": _levels(
        Treatment("tamoxifen", 25.0 / BODY_WEIGHT_KG, Route.PELLET), 14.0 * 24.0
    ),
    "tamoxifen 1 mg/day under the skin": _levels(_per_day("tamoxifen", 1000.0), 14.0 * 24.0),
    "tamoxifen 200 mg/kg once by gavage": _levels(
        Treatment("tamoxifen", 200.0, last_day=0.0), 96.0
    ),
    "tamoxifen 1 mg/kg once under the skin": _levels(
        Treatment("tamoxifen", 1.0, Route.SUBCUTANEOUS, last_day=0.0), 24.0
    ),
    "healthy mouse": _calcium(0.0),
    "PTH-related peptide 5 microgram/day": _calcium(5.0),
    "two observers": _two_observers,
    "eight readings of a large tumor": _readings(LARGE_MM3),
    "eight readings of a small tumor": _readings(SMALL_MM3),
    "calipers against true volumes": _against_true_volumes,
    "vehicle group": _vehicle_group,
    "antiestrogen of rate-based T/C below 0.4": _power,
}
"""Who is given what, by the words of the mapping."""


def predict(
    targets: Sequence[Target],
    *,
    workers: int,
    progress: Progress | None,
    patients: int | None = None,
) -> Mapping[str, Prediction]:
    """Simulate what published numbers of mice ask for; see `Predictor`.

    Raises
    ------
    KeyError
        If the mapping names a scenario or endpoint that is not known here.
    """
    mice = _Mice(workers, patients)
    found: dict[str, Prediction] = {}
    for place, target in enumerate(targets):
        numbers = re.findall(r"\d+", target.time)
        asked = _Asked(target.endpoint, int(numbers[0]) if target.time.startswith("day") else 0)
        value, unit = SCENARIOS[target.scenario](mice, asked)[target.endpoint]
        found[target.id] = Prediction(value, unit=target.unit and unit)
        if progress is not None:
            progress(target.scenario, place + 1, len(targets))
    return found
