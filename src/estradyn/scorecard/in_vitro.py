"""Predictions for published numbers of cells in culture: the mechanistic core in a well.

A scenario names the culture and what it holds, as in::

    MCF-7, 10 % stripped serum, 0 h deprived, 21 cm2, 43 thousand cells: estradiol 10 nM

After the cell line any of these may stand: serum (`stripped`, `untreated`, `stripped human`; calf
unless it says human), `phenol red`, `insulin`, hours of deprivation, growth area and seeded cells.
By default a well with much room holds few cells in 10 % stripped calf serum without phenol red and
insulin after 48 hours of deprivation. After the colon stand compounds with their doses, `none`, or
one compound without a dose, whose dose varies; `A over B` varies each of two.

The time is in hours of treatment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from estradyn.assay.layout import MOLAR_UNITS
from estradyn.assay.simulate import Medium, capacity_of, simulate_cells
from estradyn.errors import ParameterError
from estradyn.scorecard.prediction import Prediction, Progress
from estradyn.scorecard.targets import Target

Array = NDArray[np.float64]

DOSES = np.logspace(-13.0, -4.5, 103)
"""Doses of what varies, mol/L."""

ROOMY = 1e12
"""Thousands of cells in a well in which growth never ends."""

ONSET = 0.1
"""Share of the largest effect on the number of cells at which an effect begins."""

MAXIMUM = 0.99
"""Share of it that counts as maximal."""

NOTICEABLE = 0.9
"""Share of cells left at which inhibition is noticed."""

ARREST = 0.05
"""Cycling fraction over its start at which mitoses have ended."""

_SERUM = re.compile(r"(?P<percent>[\d.]+) % (?P<kind>stripped|untreated)(?P<human> human)? serum")
_DEPRIVED = re.compile(r"([\d.]+) h deprived")
_AREA = re.compile(r"([\d.]+) cm2")
_SEEDED = re.compile(r"([\d.]+) thousand cells")
_HELD = re.compile(r"(?P<compound>.+?)(?: (?P<dose>[\d.]+) (?P<unit>[a-z]?M))?")


@dataclass(frozen=True)
class Culture:
    """A scenario, read.

    Attributes
    ----------
    cell_line, medium
        What grows in what.
    parameters
        Values of the model that the scenario sets.
    held
        Compounds at fixed doses, mol/L.
    varied
        Compounds whose dose varies, each on its own.
    """

    cell_line: str
    medium: Medium
    parameters: Mapping[str, float] = field(default_factory=dict)
    held: Mapping[str, float] = field(default_factory=dict)
    varied: tuple[str, ...] = ()

    def cells(self, treatments: Sequence[Mapping[str, float]], hours: Sequence[float]) -> Cells:
        """Simulate treatments beside what the culture holds."""
        return simulate_cells(
            [{**self.held, **treatment} for treatment in treatments],
            hours,
            cell_line=self.cell_line,
            medium=self.medium,
            parameters=self.parameters,
        )

    def dose_response(self, hours: float, compound: str | None = None) -> Array:
        """Living cells over those without the compound, for each of `DOSES`."""
        name = compound or self.varied[0]
        found = self.cells([{}, *({name: dose} for dose in DOSES)], [hours])["live_cells"][:, 0]
        return np.asarray(found[1:] / found[0])


Cells = dict[str, Array]


def read_scenario(text: str) -> Culture:
    """Read a scenario.

    Raises
    ------
    ParameterError
        Naming the part that is not understood.
    """
    setting, _, contents = text.partition(": ")
    cell_line, *words = setting.split(", ")
    serum, stripped, phenol_red, insulin, deprived = 10.0, True, False, False, 48.0
    values = {"tumor_capacity": ROOMY}
    for word in words:
        if match := _SERUM.fullmatch(word):
            serum, stripped = float(match["percent"]), match["kind"] == "stripped"
            if match["human"]:
                values["tumor_serum_albumin_ratio"] = 1.0
        elif word == "phenol red":
            phenol_red = True
        elif word == "insulin":
            insulin = True
        elif match := _DEPRIVED.fullmatch(word):
            deprived = float(match[1])
        elif match := _AREA.fullmatch(word):
            values["tumor_capacity"] = capacity_of(float(match[1]))
        elif match := _SEEDED.fullmatch(word):
            values["tumor_seeded_cells"] = float(match[1])
        else:
            raise ParameterError(f"the scenario '{text}' has '{word}', which is not understood")
    held, varied = _contents(contents, text)
    medium = Medium(serum, stripped, not phenol_red, deprived, insulin)
    return Culture(cell_line, medium, values, held, varied)


def _contents(text: str, scenario: str) -> tuple[dict[str, float], tuple[str, ...]]:
    if text == "none":
        return {}, ()
    if " over " in text:
        return {}, tuple(text.split(" over "))
    held: dict[str, float] = {}
    varied: list[str] = []
    for part in text.split(" + "):
        match = _HELD.fullmatch(part)
        if match is None:
            raise ParameterError(f"the scenario '{scenario}' holds '{part}', which is no compound")
        if match["dose"] is None:
            varied.append(match["compound"])
        else:
            held[match["compound"]] = float(match["dose"]) * MOLAR_UNITS[match["unit"]]
    return held, tuple(varied)


def predict(
    targets: Sequence[Target],
    *,
    workers: int,
    progress: Progress | None,
    patients: int | None = None,
) -> Mapping[str, Prediction]:
    """Simulate what the targets ask for; see `estradyn.scorecard.prediction.Predictor`.

    Cultures are simulated one by one and without noise, so `workers` and `patients` change nothing.

    Raises
    ------
    ParameterError
        If a scenario or endpoint is not known.
    """
    found = {}
    for place, target in enumerate(targets, start=1):
        found[target.id] = Prediction(predicted_value(target), unit=target.unit)
        if progress is not None:
            progress("cultures", place, len(targets))
    return found


def predicted_value(
    target: Target, parameters: Mapping[str, float] = MappingProxyType({})
) -> float:
    """Simulate what one target asks for, with some values of the well changed, by flattened name.

    Raises
    ------
    ParameterError
        If its scenario or endpoint is not known.
    """
    if target.endpoint not in ENDPOINTS:
        raise ParameterError(
            f"evidence '{target.id}' asks for '{target.endpoint}'; allowed are "
            + ", ".join(ENDPOINTS)
        )
    culture = read_scenario(target.scenario)
    culture = replace(culture, parameters={**culture.parameters, **parameters})
    return ENDPOINTS[target.endpoint](culture, float(target.time.removesuffix(" h")))


def _fold(culture: Culture, hours: float) -> float:
    """Living cells over those at the start of treatment."""
    cells = culture.cells([{}], [0.0, hours])["live_cells"][0]
    return float(cells[1] / cells[0])


def _doubling_time(culture: Culture, hours: float) -> float:
    return hours * np.log(2.0) / np.log(_fold(culture, hours))


def _yield_ratio(culture: Culture, hours: float) -> float:
    """Living cells over those of a culture that holds nothing."""
    nothing = Culture(culture.cell_line, culture.medium, culture.parameters)
    return _fold(culture, hours) / _fold(nothing, hours)


def _largest_yield_ratio(culture: Culture, hours: float) -> float:
    return float(culture.dose_response(hours).max())


def _change(culture: Culture, hours: float) -> float:
    """Percent by which the first compound changes the number of cells beside the others."""
    first, *others = culture.held
    dose = culture.held[first]
    rest = Culture(
        culture.cell_line,
        culture.medium,
        culture.parameters,
        {name: culture.held[name] for name in others},
    )
    cells = rest.cells([{}, {first: dose}], [hours])["live_cells"][:, 0]
    return float(100.0 * (cells[1] / cells[0] - 1.0))


def _largest_change(culture: Culture, hours: float) -> float:
    return float(100.0 * (culture.dose_response(hours).max() - 1.0))


def _nanomolar(dose: float) -> float:
    return 1e9 * dose


def _first_dose(reached: NDArray[np.bool_]) -> float:
    """Lowest dose, nmol/L, from which on something holds; NaN where it never does."""
    return _nanomolar(float(DOSES[int(np.argmax(reached))])) if reached.any() else float("nan")


def _effect_begins(culture: Culture, hours: float) -> float:
    effect = culture.dose_response(hours) - 1.0
    return _first_dose(effect >= ONSET * effect.max())


def _effect_is_maximal(culture: Culture, hours: float) -> float:
    effect = culture.dose_response(hours) - 1.0
    return _first_dose(effect >= MAXIMUM * effect.max())


def _peak_dose(culture: Culture, hours: float) -> float:
    return _nanomolar(float(DOSES[int(culture.dose_response(hours).argmax())]))


def _inhibition_begins(culture: Culture, hours: float) -> float:
    return _first_dose(culture.dose_response(hours) <= NOTICEABLE)


def _half_inhibition(culture: Culture, hours: float, compound: str | None = None) -> float:
    """Dose, nmol/L, that halves the number of cells; NaN where none does."""
    share = culture.dose_response(hours, compound)
    if not (share <= 0.5).any():
        return float("nan")
    after = int(np.argmax(share <= 0.5))
    pair = share[[after, after - 1]]
    return _nanomolar(float(np.exp(np.interp(0.5, pair, np.log(DOSES[[after, after - 1]])))))


def _potency_ratio(culture: Culture, hours: float) -> float:
    """IC50 of the second compound over that of the first."""
    first, second = culture.varied
    return _half_inhibition(culture, hours, second) / _half_inhibition(culture, hours, first)


def _potency_excess(culture: Culture, hours: float) -> float:
    return _potency_ratio(culture, hours) - 1.0


def _dead_share(culture: Culture, hours: float) -> float:
    found = culture.cells([{}], [hours])
    dead, live = found["dead_cells"][0, 0], found["live_cells"][0, 0]
    return float(100.0 * dead / (dead + live))


def _lethal_dose(culture: Culture, hours: float) -> float:
    """Dose, nmol/L, that leaves half of the cells there were."""
    name = culture.varied[0]
    cells = culture.cells([{name: dose} for dose in DOSES], [0.0, hours])["live_cells"]
    return _first_dose(cells[:, 1] <= 0.5 * cells[:, 0])


def _arrest_time(culture: Culture, hours: float) -> float:
    """Days until hardly a cell is in the cycle; at most the time given."""
    times = np.linspace(0.0, hours, 201)
    cycling = culture.cells([{}], list(times))["cycling_fraction"][0]
    below = cycling <= ARREST * cycling[0]
    return float(times[int(np.argmax(below))] / 24.0) if below.any() else float("nan")


def _receptor_ratio(culture: Culture, hours: float) -> float:
    """Receptors over those at the start of treatment."""
    found = culture.cells([{}], [0.0, hours])["receptor_content"][0]
    return float(found[1] / found[0])


ENDPOINTS: Mapping[str, Callable[[Culture, float], float]] = {
    "fold": _fold,
    "doubling time": _doubling_time,
    "cells over cells without": _yield_ratio,
    "largest cells over cells without": _largest_yield_ratio,
    "change by the first compound": _change,
    "largest change": _largest_change,
    "dose where the effect begins": _effect_begins,
    "dose where the effect is maximal": _effect_is_maximal,
    "dose of the peak": _peak_dose,
    "dose where inhibition begins": _inhibition_begins,
    "dose of half inhibition": _half_inhibition,
    "potency ratio": _potency_ratio,
    "potency ratio less 1": _potency_excess,
    "dead share": _dead_share,
    "dose that kills half": _lethal_dose,
    "time of arrest": _arrest_time,
    "receptor ratio": _receptor_ratio,
}
"""What can be asked for; concentrations in nmol/L, times in hours but for arrest, in days."""
