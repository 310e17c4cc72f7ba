"""The plan file of a xenograft study: arms, expectation, schedule and size."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from estradyn.model.composition import drug_records
from estradyn.model.sources import models_directory
from estradyn.trial.quantities import fault
from estradyn.trial.study_faults import first_fault
from estradyn.trial.study_text import read_study_text
from estradyn.xenograft.mice import MOUSE, Route

MOST_GROUP_SIZES = 12
MOST_SIMULATIONS = 2_000

_Text = Annotated[str, Field(min_length=1, max_length=200, strict=True)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class PlannedArm(_Section):
    """One arm; the first of the plan is the control."""

    name: _Text = Field(description="a name of up to 200 characters")
    treatment: _Text | None = Field(
        default=None, description="text for people; without it, drug, dose and route"
    )
    drug: str | None = Field(default=None, description="a drug known in mice, or none for vehicle")
    dose_mg_per_kg: float = Field(default=0.0, ge=0, le=1000, description="mg/kg, 0 to 1000")
    route: Route = Field(
        default=Route.GAVAGE, description=f"{', '.join(Route)}; a pellet is put in once"
    )
    interval_day: float = Field(default=1.0, gt=0, le=60, description="days between doses")
    last_day: float | None = Field(
        default=None, ge=0, le=365, description="the day after which no dose is given"
    )

    @model_validator(mode="after")
    def _is_whole(self) -> PlannedArm:
        if self.drug is None:
            if self.dose_mg_per_kg > 0:
                raise fault("a dose without a drug", "a drug with it", ("dose_mg_per_kg",))
            return self
        known = drug_records(models_directory(), MOUSE)
        if self.drug not in known:
            allowed = f"a drug known in mice: {', '.join(known)}"
            raise fault(f"the drug '{self.drug}'", allowed, ("drug",))
        if self.dose_mg_per_kg == 0:
            raise fault("a drug without a dose", "mg/kg above 0", ("dose_mg_per_kg",))
        return self

    @property
    def description(self) -> str:
        """The treatment in words."""
        if self.treatment is not None:
            return self.treatment
        if self.drug is None:
            return "vehicle"
        dose = f"{self.drug} {self.dose_mg_per_kg:g} mg/kg"
        if self.route is Route.PELLET:
            return f"{dose} as a pellet"
        often = "daily" if self.interval_day == 1 else f"every {self.interval_day:g} days"
        return f"{dose} {_BY[self.route]}, {often}"


_BY = {Route.GAVAGE: "by gavage", Route.SUBCUTANEOUS: "under the skin"}


class Schedule(_Section):
    """When animals are seen; days since the first dose."""

    duration_day: int = Field(default=56, ge=14, le=365, description="whole days from 14 to 365")
    measure_day: tuple[int, ...] = Field(
        default=tuple(sorted({*range(0, 57, 7), *range(3, 57, 7)})),
        min_length=2,
        max_length=400,
        description="a list of days with calipers, weight and pain score",
    )
    blood_day: tuple[int, ...] = Field(
        default=(0, 7, 14, 21, 42), max_length=100, description="a list of days"
    )
    blood_sample_uL: float = Field(  # noqa: N815
        default=30.0, gt=0, le=2000, description="microlitres per sample, 0 to 2000"
    )
    light_day: tuple[int, ...] = Field(
        default=(), max_length=400, description="a list of days with bioluminescence"
    )
    histology_day: tuple[int, ...] = Field(
        default=(14,), max_length=20, description="a list of days with terminal histology"
    )
    satellites_per_arm: int = Field(
        default=4, ge=0, le=100, description="animals per arm and day of histology, 0 to 100"
    )
    start: date | None = Field(default=None, description="the date of the first dose, YYYY-MM-DD")

    @model_validator(mode="after")
    def _within_the_study(self) -> Schedule:
        for name in ("measure_day", "blood_day", "light_day", "histology_day"):
            days: tuple[int, ...] = getattr(self, name)
            if list(days) != sorted(set(days)):
                raise fault("days that repeat or fall", "each day once, ascending", (name,))
            late = [day for day in days if day > self.duration_day or day < -60]
            if late:
                raise fault(
                    f"day {late[0]}",
                    f"days from -60 to {self.duration_day} (the duration)",
                    (name,),
                )
        return self


class Power(_Section):
    """How the group size is found."""

    target: float = Field(default=0.8, gt=0, lt=1, description="a number between 0 and 1")
    alpha: float = Field(default=0.05, gt=0, lt=0.5, description="a number between 0 and 0.5")
    group_sizes: tuple[Annotated[int, Field(ge=3, le=100)], ...] = Field(
        default=(6, 8, 10, 12, 15),
        min_length=1,
        max_length=MOST_GROUP_SIZES,
        description=f"up to {MOST_GROUP_SIZES} numbers of animals per arm, 3 to 100",
    )
    simulations: int = Field(
        default=200, ge=20, le=MOST_SIMULATIONS, description=f"20 to {MOST_SIMULATIONS}"
    )
    animals_per_arm: int | None = Field(
        default=None, ge=3, le=100, description="animals per arm, 3 to 100, to fix the size"
    )


class Plan(_Section):
    """A plan file.

    Attributes
    ----------
    arms
        Arms, the control first.
    estradiol_pellet_mg
        Estradiol pellet in mg; 0 for none.
    dose_finding_pilot
        Whether a pilot has shown a dose with flare.
    take_rate
        Share of inoculated animals that grow a tumor.
    ovariectomized
        Whether the mice have no ovaries.
    observers
        People who measure, each on some visits.
    growth_rate_per_day
        Expected growth rate of a tumor with as much estradiol as it can use.
    baseline_volume_mm3, body_weight_g
        Expected at the first dose.
    in_bone
        Whether tumors are put into bone.
    """

    title: _Text = Field(description="text of up to 200 characters")
    arms: tuple[PlannedArm, ...] = Field(
        min_length=2, max_length=10, description="2 to 10 arms, the control first"
    )
    schedule: Schedule = Field(default_factory=Schedule, description="a section")
    power: Power = Field(default_factory=Power, description="a section")
    strain: _Text = Field(default="athymic nude mice", description="text of up to 200 characters")
    cell_line: _Text = Field(default="MCF-7", description="text of up to 200 characters")
    in_bone: bool = Field(default=False, strict=True, description="true or false")
    estradiol_pellet_mg: float = Field(default=0.0, ge=0, le=10, description="mg, 0 to 10")
    ovariectomized: bool = Field(default=False, strict=True, description="true or false")
    observers: int = Field(default=1, ge=1, le=20, description="a number of people, 1 to 20")
    dose_finding_pilot: bool = Field(default=False, strict=True, description="true or false")
    take_rate: float = Field(default=0.8, gt=0, le=1, description="a number from 0 to 1")
    growth_rate_per_day: float = Field(default=0.045, gt=0, le=0.5, description="0 to 0.5 per day")
    baseline_volume_mm3: float = Field(default=150.0, ge=20, le=1000, description="20 to 1000 mm3")
    body_weight_g: float = Field(default=22.0, ge=10, le=50, description="10 to 50 g")
    seed: int = Field(default=1, ge=0, le=2**31, strict=True, description="a whole number")

    @model_validator(mode="after")
    def _arms_differ(self) -> Plan:
        names = [arm.name for arm in self.arms]
        for place, name in enumerate(names):
            if name in names[:place]:
                raise fault(f"the arm '{name}' twice", "arms of different names", ("arms", place))
        return self


def load_plan(path: str | Path) -> Plan:
    """Read and check a plan file (YAML).

    Parameters
    ----------
    path
        The file; units are in the names of its fields.

    Raises
    ------
    StudyError
        One sentence with file, line, field, what was found and what is allowed.
    """
    text = read_study_text(path)
    try:
        return Plan.model_validate(text.content)
    except ValidationError as error:
        raise first_fault(error, text, Plan) from None
