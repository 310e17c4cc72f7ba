"""Nude mice of the mechanistic model: drawn, treated and followed without measurement error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from estradyn.engine import CompiledModel, DoseSchedule, compile_model, solve
from estradyn.engine.doses import NO_DOSES
from estradyn.errors import InputError, SimulationError
from estradyn.model import PatientModel, load_patient_model
from estradyn.model.parameter_table import Distribution, ParameterTable
from estradyn.model.patient_model import with_fixed_values, with_values
from estradyn.population.baseline import EngineBaseline
from estradyn.population.draws import TrialEffects
from estradyn.population.stream import Population, draw_patients

Array = NDArray[np.float64]

MOUSE = "mouse"
"""Name of the root model and of its context."""

HOURS_PER_DAY = 24.0
MICROGRAM_PER_MG = 1000.0
MM3_PER_ML = 1000.0

_REPLACEMENTS = 10_000_000
_MOST_TRIES = 10

_SMALLEST_SITE = 1e-9
"""mL of tumor at the site where a mouse has none: a share of nothing is not a number."""


class Route(StrEnum):
    """How a drug is given."""

    GAVAGE = "gavage"
    SUBCUTANEOUS = "subcutaneous"
    PELLET = "pellet"


_PLACES = {
    Route.GAVAGE: "gut",
    Route.SUBCUTANEOUS: "injection_site",
    Route.PELLET: "pellet",
}
"""End of the name of the state that a dose by each route is added to."""


@dataclass(frozen=True)
class Treatment:
    """Doses of one drug, the same for each mouse per gram of body weight.

    Attributes
    ----------
    drug
        Name of a drug record with a context `mouse`.
    dose_mg_per_kg
        One dose; for a pellet its content.
    route
        How it is given.
    interval_day
        Days between doses; a pellet is put in once.
    first_day, last_day
        Days of the first dose and after which none is given.
    """

    drug: str
    dose_mg_per_kg: float
    route: Route = Route.GAVAGE
    interval_day: float = 1.0
    first_day: float = 0.0
    last_day: float = np.inf

    def dose_days(self, end: float) -> Array:
        """Days with a dose in a study of `end` days."""
        if self.route is Route.PELLET:
            return np.array([self.first_day])
        return np.arange(self.first_day, min(end, self.last_day) + 1e-9, self.interval_day)


@dataclass(frozen=True)
class Host:
    """What a study decides about its mice before treatment; medians over animals.

    Attributes
    ----------
    estradiol_pellet_mg
        Estradiol pellet; 0 for none.
    pellet_age_day
        Days since the pellet was put in.
    ovariectomized
        Whether the mice have no ovaries.
    in_bone
        Whether the tumor grows in a tibia instead of under the skin.
    baseline_volume_mm3
        Tumor at the first dose.
    growth_rate_per_day
        Growth of log volume with as much estradiol as the tumor can use; None keeps the table's.
    body_weight_g
        Weight at the first dose.
    """

    estradiol_pellet_mg: float = 0.0
    pellet_age_day: float = 14.0
    ovariectomized: bool = False
    in_bone: bool = False
    baseline_volume_mm3: float = 150.0
    growth_rate_per_day: float | None = None
    body_weight_g: float = 22.0


@dataclass(frozen=True)
class Mice:
    """Mice at the first dose.

    Attributes
    ----------
    numbers
        Number of each among all candidates of the seed; shape (mice,).
    parameters
        Model parameters that vary, name to array (mice,).
    fixed
        Model parameters that the study decides.
    initial_states
        Steady state before treatment, shape (mice, states).
    body_weight_g
        Shape (mice,).
    """

    numbers: NDArray[np.int64]
    parameters: Mapping[str, Array]
    fixed: Mapping[str, float]
    initial_states: Array
    body_weight_g: Array

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, rows: NDArray[np.int64] | slice) -> Mice:
        """Return some of the mice."""
        return Mice(
            self.numbers[rows],
            {name: values[rows] for name, values in self.parameters.items()},
            self.fixed,
            self.initial_states[rows],
            self.body_weight_g[rows],
        )


@dataclass(frozen=True)
class Courses:
    """What happens in mice.

    Attributes
    ----------
    days
        Shape (days,).
    outputs
        Output name to values, shape (mice, days), in the units of `outputs.tsv` of the mouse.
    """

    days: Array
    outputs: Mapping[str, Array]

    def __getitem__(self, name: str) -> Array:
        return self.outputs[name]

    @property
    def volume_mm3(self) -> Array:
        """Tumor at both sites, shape (mice, days)."""
        total = self["soft_tissue_tumor_volume"] + self["bone_tumor_volume"]
        return np.asarray(MM3_PER_ML * total)


class Colony:
    """Source of mice, with the drugs of a study.

    Parameters
    ----------
    drugs
        Names of drug records with a context `mouse`; all by default.
    workers
        Threads of the solver; the results do not depend on it.

    Raises
    ------
    ModelError
        If a drug is not known in mice.
    """

    def __init__(self, drugs: Sequence[str] | None = None, *, workers: int = 1) -> None:
        self.model: PatientModel = load_patient_model(model_name=MOUSE, drugs=drugs)
        self._workers = workers

    @cached_property
    def _compiled(self) -> CompiledModel:
        return compile_model(self.model.model, [item.name for item in self.model.outputs])

    def draw(
        self,
        count: int,
        seed: int,
        host: Host,
        *,
        trial_effects: TrialEffects = "typical",
        values: Mapping[str, float] | None = None,
        first: int = 0,
    ) -> Mice:
        """Draw mice; each depends on the seed and its number alone.

        Parameters
        ----------
        count
            Mice wanted.
        seed
            Seed of the colony.
        host
            What the study decides.
        trial_effects
            Whether what differs between laboratories is drawn or held at its middle.
        values
            Further parameters, fixed for all.
        first
            Number of the first candidate; those that are not plausible are passed over.

        Raises
        ------
        SimulationError
            If most candidates are not plausible.
        """
        fixed, model = self._prepared(host, values)
        found: list[Population] = []
        start, missing, tries = first, count, 0
        while missing > 0:
            numbers = np.arange(start, start + missing)
            part = draw_patients(
                model, seed, numbers, trial_effects=trial_effects, workers=self._workers
            )
            found.append(part)
            # Later numbers belong to other studies of the seed: replacements come from far away.
            start, missing, tries = _REPLACEMENTS + start, missing - len(part), tries + 1
            if tries == _MOST_TRIES and missing > 0:
                raise SimulationError(f"{missing} of {count} mice are not plausible")
        names = found[0].parameters
        drawn = {name: np.concatenate([c.parameters[name] for c in found]) for name in names}
        return Mice(
            numbers=np.concatenate([part.patient_ids for part in found]),
            parameters=drawn,
            fixed=fixed,
            initial_states=np.concatenate([part.initial_states for part in found]),
            body_weight_g=drawn["mouse_signs_starting_weight"],
        )

    def typical(self, host: Host, *, values: Mapping[str, float] | None = None) -> Mice:
        """Return the one mouse that has the middle of every value."""
        fixed, model = self._prepared(host, values)
        middle = {row.name: np.array([row.value]) for row in model.parameters.parameters}
        baseline = EngineBaseline(model)(middle, 1)
        if baseline.failures[0]:
            raise SimulationError(f"the typical mouse has {baseline.failures[0]}")
        weight = middle["mouse_signs_starting_weight"]
        return Mice(np.array([0]), middle, fixed, baseline.states, weight)

    def follow(
        self,
        mice: Mice,
        treatments: Iterable[Treatment],
        days: Sequence[float] | Array,
        *,
        values: Mapping[str, float] | None = None,
    ) -> Courses:
        """Treat mice and follow them from day 0.

        Parameters
        ----------
        mice
            What `draw` or `typical` gives.
        treatments
            Drugs; none for vehicle.
        days
            Days wanted, ascending from 0 or later.
        values
            Parameters that change on day 0.

        Raises
        ------
        InputError
            If a drug or its route is not known in mice.
        SimulationError
            If a mouse cannot be solved.
        """
        wanted = np.asarray(days, dtype=np.float64)
        doses = [self._doses(one, mice, float(wanted[-1])) for one in treatments]
        solution = solve(
            self._compiled,
            {**mice.fixed, **mice.parameters, **(values or {})},
            wanted * HOURS_PER_DAY,
            DoseSchedule.together(doses) if doses else NO_DOSES,
            patients=len(mice),
            initial_states=mice.initial_states,
            workers=self._workers,
        )
        if not solution.succeeded.all():
            number = int(mice.numbers[np.flatnonzero(~solution.succeeded)[0]])
            raise SimulationError(f"the equations of mouse {number} could not be solved")
        names = [item.name for item in self.model.outputs]
        return Courses(wanted, {name: solution[name] for name in names})

    def dose_state(self, drug: str, route: Route) -> str:
        """State of the model that a dose by a route is added to."""
        if drug not in self.model.drugs:
            known = ", ".join(self.model.drugs)
            raise InputError(f"found the drug '{drug}', allowed those known in mice: {known}")
        place = self.model.drugs[drug].dose_state.removesuffix(_PLACES[Route.GAVAGE])
        state = place + _PLACES[route]
        if state not in self.model.model.state_names:
            raise InputError(f"found '{drug}' by {route}, allowed routes with a state '{state}'")
        return state

    def _doses(self, treatment: Treatment, mice: Mice, end: float) -> DoseSchedule:
        amounts = treatment.dose_mg_per_kg * mice.body_weight_g / 1000.0
        times = treatment.dose_days(end) * HOURS_PER_DAY
        state = self.dose_state(treatment.drug, treatment.route)
        places = np.arange(len(mice))
        return DoseSchedule.from_records(places[:, None], times[None, :], state, amounts[:, None])

    def _prepared(
        self, host: Host, values: Mapping[str, float] | None
    ) -> tuple[dict[str, float], PatientModel]:
        """What a study fixes, and the model with these values and the study's medians."""
        volume = host.baseline_volume_mm3 / MM3_PER_ML
        fixed = {
            "mouse_estrogen_pellet_dose": host.estradiol_pellet_mg * MICROGRAM_PER_MG,
            "mouse_estrogen_pellet_age": host.pellet_age_day * HOURS_PER_DAY,
            "mouse_estrogen_ovariectomized": float(host.ovariectomized),
            "has_bone_metastases": float(host.in_bone),
            **(values or {}),
        }
        site, other = "tumor_soft_tissue_volume", "tumor_bone_volume"
        if host.in_bone:
            site, other = other, site
            fixed[other] = _SMALLEST_SITE
        medians = {site: volume, "mouse_signs_starting_weight": host.body_weight_g}
        if host.growth_rate_per_day is not None:
            loss = self.model.parameters.by_name["tumor_loss_ratio"].value
            rate = host.growth_rate_per_day / HOURS_PER_DAY
            medians["tumor_birth_rate"] = rate / (1.0 - loss)
        medians = {name: value for name, value in medians.items() if name not in fixed}
        return fixed, with_fixed_values(_with_medians(self.model, medians), fixed)


def _with_medians(model: PatientModel, medians: Mapping[str, float]) -> PatientModel:
    """Move the middle of values that keep their spread; lognormal rows only."""
    rows = []
    for row in model.parameters.rows:
        if row.name not in medians:
            rows.append(row)
            continue
        if row.distribution is not Distribution.LOGNORMAL:
            raise row.error(f"'{row.name}' has no median to move; it must be lognormal")
        # Bounds keep their distance from the middle.
        ratio = medians[row.name] / row.value
        lower = None if row.lower is None else row.lower * ratio
        upper = None if row.upper is None else row.upper * ratio
        rows.append(replace(row, value=medians[row.name], lower=lower, upper=upper))
    table = ParameterTable(tuple(rows), model.parameters.correlations)
    return replace(model, model=with_values(model.model, table.model_values()), parameters=table)
