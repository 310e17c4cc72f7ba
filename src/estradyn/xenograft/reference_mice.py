"""Mice of the mechanistic model whose tumors flare, and mice whose tumors progress."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from estradyn.xenograft.mice import Colony, Courses, Host, Treatment
from estradyn.xenograft.response import FlareRule
from estradyn.xenograft.simulated_study import FLARES, Course, true_courses

Array = NDArray[np.float64]

EACH_KIND = 150
"""Most mice of either kind."""

LAST_DAY = 84

PELLETS_MG = (0.0, 0.02, 0.05, 0.18)
"""Estradiol pellets of the reference mice: from none, where tumors rest, to one that saturates
growth. A study file does not say what its mice have."""

DOSES_MG_PER_KG = (3.0, 10.0)
TREATED, UNTREATED = 40, 40
"""Mice for each drug, dose and pellet, and untreated mice for each pellet."""

SEED = 20261122

_OUTPUTS = {
    "log_calcium": "plasma_calcium",
    "log_alp": "alkaline_phosphatase",
    "log_tunel": "tunel",
    "log_macrophages": "macrophages",
}


@dataclass(frozen=True)
class ReferenceMice:
    """True courses on every day from 0 to `LAST_DAY`.

    Attributes
    ----------
    is_flare
        Whether each mouse flares or progresses; shape (mice,).
    logs
        Logarithms by channel of the flare score, shape (mice, days); volume relative to day 0.
    """

    is_flare: NDArray[np.bool_]
    logs: Mapping[str, Array]

    def on_days(self, name: str, days: Array) -> Array:
        """Values on days of a study, the last one beyond it; shape (mice, days)."""
        grid = np.arange(LAST_DAY + 1.0)
        values = self.logs[name]
        place = np.clip(np.searchsorted(grid, days, side="right") - 1, 0, LAST_DAY - 1)
        share = np.clip(days - grid[place], 0.0, 1.0)
        result: Array = (1.0 - share) * values[:, place] + share * values[:, place + 1]
        return result


@lru_cache(maxsize=4)
def reference_mice(in_bone: bool, rule: FlareRule) -> ReferenceMice:
    """Simulate mice both ways: with a flare that ends by itself, and with progression.

    Flares are mice under a drug whose tumors rise early and then respond or stand still. Half or
    more of the progressions are untreated, the rest grow on under treatment. Laboratories differ as
    tabled. Every drug known in mice serves, at two doses, with every pellet of `PELLETS_MG`.

    Parameters
    ----------
    in_bone
        Whether tumors grow in a tibia.
    rule
        Limits by which a course is named.
    """
    colony = Colony()
    grid = np.arange(LAST_DAY + 1.0)
    flares: list[Courses] = []
    progressions: list[Courses] = []
    arms: list[tuple[Treatment, ...]] = [()]
    for drug in colony.model.drugs:
        arms += [(Treatment(drug, dose),) for dose in DOSES_MG_PER_KG]
    for place, pellet in enumerate(PELLETS_MG):
        host = Host(estradiol_pellet_mg=pellet, ovariectomized=True, in_bone=in_bone)
        count = UNTREATED + TREATED * (len(arms) - 1)
        mice = colony.draw(count, SEED + place, host, trial_effects="drawn")
        start = 0
        for arm in arms:
            size = TREATED if arm else UNTREATED
            courses = colony.follow(mice.take(slice(start, start + size)), arm, grid)
            start += size
            named = true_courses(courses, courses, bool(arm), rule)["course"]
            flares.append(_rows(courses, named.isin([str(kind) for kind in FLARES]).to_numpy()))
            progressing = (named == str(Course.PROGRESSION)).to_numpy()
            progressions.append(_rows(courses, progressing))
    generator = np.random.default_rng(SEED)
    kinds = [_some(_joined(kind), generator) for kind in (flares, progressions)]
    logs = {name: np.concatenate([kind[name] for kind in kinds]) for name in kinds[0]}
    sizes = [len(kind["log_volume"]) for kind in kinds]
    return ReferenceMice(np.repeat([True, False], sizes), logs)


def _rows(courses: Courses, kept: NDArray[np.bool_]) -> Courses:
    return Courses(courses.days, {name: v[kept] for name, v in courses.outputs.items()})


def _joined(parts: list[Courses]) -> dict[str, Array]:
    volume = np.concatenate([part.volume_mm3 for part in parts])
    joined = {"log_volume": np.log(volume / volume[:, :1])}
    for name, output in _OUTPUTS.items():
        joined[name] = np.log(np.concatenate([part[output] for part in parts]))
    return joined


def _some(logs: dict[str, Array], generator: np.random.Generator) -> dict[str, Array]:
    count = len(logs["log_volume"])
    chosen = np.sort(generator.permutation(count)[:EACH_KIND])
    return {name: values[chosen] for name, values in logs.items()}
