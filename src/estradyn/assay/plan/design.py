"""What a planned assay is: read from a YAML file and checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from estradyn.assay.curves.choice import FEWEST_DOSES
from estradyn.assay.layout import MOLAR_UNITS
from estradyn.assay.readers.text import parse_number, read_text
from estradyn.assay.wells import PLATE_SHAPES
from estradyn.errors import InputError
from estradyn.plain_yaml import load_plain_yaml


def molar(value: Any) -> float:
    """Concentration in mol/L from a text such as `10 uM`.

    Raises
    ------
    ValueError
        If the text is not a number above 0 with a molar unit.
    """
    number, _, unit = str(value).strip().partition(" ")
    amount = parse_number(number)
    factor = MOLAR_UNITS.get(unit.strip().replace("µ", "u").replace("μ", "u"))
    if amount is None or factor is None or amount <= 0:
        raise ValueError(
            f"found {str(value)[:40]!r}, allowed a number above 0 with one of "
            + ", ".join(MOLAR_UNITS)
            + ", such as '10 uM'"
        )
    return float(f"{amount * factor:.12g}")


Concentration = Annotated[float, BeforeValidator(molar)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DrugPlan(_Section):
    """The substance whose dose varies.

    Attributes
    ----------
    name
        As it will stand on the plate map.
    top_dose
        Highest dose, mol/L.
    dilution_factor
        Ratio of neighbouring doses.
    doses
        Number of doses.
    stock
        Concentration of the stock in vehicle, mol/L.
    expected_peak
        Dose at which most stimulation is expected, mol/L; lets the limbs be counted.
    """

    name: str = Field(min_length=1)
    top_dose: Concentration
    dilution_factor: float = Field(gt=1.0, le=100.0)
    doses: int = Field(ge=FEWEST_DOSES, le=40)
    stock: Concentration
    expected_peak: Concentration | None = None


class AgonistPlan(_Section):
    """The agonist, as positive control and beside the drug.

    Attributes
    ----------
    name
        As it will stand on the plate map.
    positive_control
        Dose of the positive control, mol/L.
    with_drug
        Constant dose beside the drug series, mol/L; without it there is no such series.
    stock
        Concentration of the stock in vehicle, mol/L.
    """

    name: str = Field(min_length=1)
    positive_control: Concentration
    with_drug: Concentration | None = None
    stock: Concentration


class MediumPlan(_Section):
    """Medium and hormone deprivation.

    Attributes
    ----------
    charcoal_stripped, phenol_red_free
        Whether serum and medium are free of estrogen.
    serum_percent
        Serum by volume; it binds the drug.
    deprivation_h
        Hours in that medium before treatment.
    insulin
        Whether it holds insulin or a like growth factor at the concentration of defined media.
    """

    charcoal_stripped: bool = True
    phenol_red_free: bool = True
    serum_percent: float = Field(default=10.0, ge=0, le=100)
    deprivation_h: float = Field(default=48.0, ge=0)
    insulin: bool = False


class AssayDesign(_Section):
    """A planned assay.

    Attributes
    ----------
    title, cell_line, readout
        Words for the bench sheet and the plate maps.
    plate
        Wells of a plate.
    drug, agonist, medium
        See their classes.
    vehicle
        Name of the solvent.
    replicates
        Wells of each treatment on a plate.
    vehicle_wells, blank_wells
        Wells of vehicle and without cells on a plate.
    plates_per_time
        Plates at each time: the replicates of the analysis.
    times_h
        Hours of treatment.
    time_zero
        Whether a plate is read when treatment begins.
    edge_wells
        Whether the outer wells are used.
    arrangement
        `randomised` (each plate its own) or `blocked` (treatments side by side, all plates alike).
    well_volume
        Final volume of a well, microlitres.
    cells_per_well
        Cells seeded into a well; without it, what is usual for the plate.
    vehicle_limit
        Largest percentage of vehicle in a well before the plan warns.
    seed
        Seed of the randomisation.
    """

    title: str = "Proliferation assay"
    cell_line: str = Field(min_length=1)
    readout: str = Field(min_length=1)
    plate: int = 96
    drug: DrugPlan
    agonist: AgonistPlan | None = None
    medium: MediumPlan = MediumPlan()
    vehicle: str = "DMSO"
    replicates: int = Field(default=3, ge=1, le=24)
    vehicle_wells: int = Field(default=6, ge=2, le=96)
    blank_wells: int = Field(default=3, ge=2, le=96)
    plates_per_time: int = Field(default=3, ge=1, le=20)
    times_h: tuple[float, ...] = Field(default=(24.0, 48.0, 72.0, 96.0), min_length=1)
    time_zero: bool = True
    edge_wells: bool = False
    arrangement: Literal["randomised", "blocked"] = "randomised"
    well_volume: float = Field(default=100.0, gt=0, le=5000)
    cells_per_well: float | None = Field(default=None, gt=0, le=1e7)
    vehicle_limit: float = Field(default=0.1, gt=0, le=5)
    seed: int = Field(default=1, ge=0)

    @model_validator(mode="after")
    def _fits(self) -> AssayDesign:
        if self.plate not in PLATE_SHAPES:
            raise ValueError(
                f"plate: found {self.plate}, allowed " + ", ".join(map(str, PLATE_SHAPES))
            )
        if any(hours <= 0 for hours in self.times_h) or len(set(self.times_h)) < len(self.times_h):
            raise ValueError("times_h: allowed are different numbers of hours above 0")
        wanted, room = len(self.treatments()), len(self.usable_wells())
        if wanted > room:
            raise ValueError(
                f"{wanted} wells are planned where a plate of {self.plate} offers {room}"
                + ("" if self.edge_wells else " inside its edge")
                + "; take fewer doses or replicates, or a larger plate"
            )
        for what, dose, stock in self._stocks():
            if dose * 10 > stock:
                raise ValueError(
                    f"{what}: a stock of {stock:.3g} M cannot give {dose:.3g} M with less than "
                    "10 % vehicle; use a stronger stock"
                )
        return self

    def _stocks(self) -> list[tuple[str, float, float]]:
        stocks = [("drug", self.drug.top_dose, self.drug.stock)]
        if self.agonist is not None:
            stocks.append(("agonist", max(self.agonist_doses()), self.agonist.stock))
        return stocks

    def doses(self) -> list[float]:
        """Doses of the drug from high to low, mol/L."""
        return [
            float(f"{self.drug.top_dose / self.drug.dilution_factor**step:.4g}")
            for step in range(self.drug.doses)
        ]

    def agonist_doses(self) -> list[float]:
        """Doses of the agonist, mol/L."""
        if self.agonist is None:
            return []
        both = {self.agonist.positive_control, self.agonist.with_drug or 0.0}
        return sorted(both - {0.0}, reverse=True)

    def treatments(self) -> list[tuple[str, float, float]]:
        """Role, dose of drug and dose of agonist of every used well of a plate."""
        wells = [("blank", 0.0, 0.0)] * self.blank_wells
        wells += [("vehicle", 0.0, 0.0)] * self.vehicle_wells
        for dose in self.agonist_doses():
            wells += [("positive_control", 0.0, dose)] * self.replicates
        for dose in self.doses():
            wells += [("sample", dose, 0.0)] * self.replicates
        if self.agonist is not None and self.agonist.with_drug is not None:
            for dose in self.doses():
                wells += [("sample", dose, self.agonist.with_drug)] * self.replicates
        return wells

    def usable_wells(self) -> list[tuple[int, int]]:
        """Row and column from 0 of the wells that may be used."""
        rows, columns = PLATE_SHAPES.get(self.plate, (0, 0))
        margin = 0 if self.edge_wells else 1
        return [
            (row, column)
            for row in range(margin, rows - margin)
            for column in range(margin, columns - margin)
        ]


def load_design(path: str | Path) -> AssayDesign:
    """Read a design from YAML.

    Raises
    ------
    InputError
        One sentence that names the file, the field, what was found and what is allowed.
    """
    path = Path(path)
    content = load_plain_yaml(read_text(path), path)
    if not isinstance(content, dict):
        raise InputError("must hold named fields such as 'cell_line: MCF-7'", source=path)
    try:
        return AssayDesign.model_validate(content)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(str(part) for part in fault["loc"])
        message = fault["msg"].removeprefix("Value error, ")
        raise InputError(f"{field}: {message}" if field else message, source=path) from error
