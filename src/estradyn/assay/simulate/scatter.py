"""How wells and plates scatter: values of the tables, by readout and cell line."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from estradyn.assay.simulate.cell_lines import find_cell_line
from estradyn.assay.simulate.compounds import CONTEXT, plain
from estradyn.errors import InputError
from estradyn.model import load_parameters


@dataclass(frozen=True)
class Readout:
    """What a reader measures.

    Attributes
    ----------
    output
        Variable of the model that the signal follows.
    per_thousand
        Signal per thousand of it.
    background, background_sd
        Signal of a well without cells and its standard deviation.
    plate_cv, well_cv
        Coefficients of variation of the signal between plates and between wells of a plate.
    """

    output: str
    per_thousand: float
    background: float
    background_sd: float
    plate_cv: float
    well_cv: float


@dataclass(frozen=True)
class Scatter:
    """All that makes two wells with one treatment differ.

    Attributes
    ----------
    readout
        See its class.
    repeat_cv
        Coefficient of variation, between biological repeats, of the fold of a week with estradiol.
    seeding_cv
        Of the cells in the wells of a plate; part of the readout's `well_cv`.
    edge_loss
        Share of the signal lost in outer wells.
    gradient_sd
        Standard deviation of the change of signal from one side of a plate to the other.
    """

    readout: Readout
    repeat_cv: float
    seeding_cv: float
    edge_loss: float
    gradient_sd: float


READOUTS = ("MTT", "BrdU", "count")
"""Readouts that can be simulated."""


def scatter_of(readout: str, cell_line: str) -> Scatter:
    """Scatter of a readout of a cell line.

    Raises
    ------
    InputError
        If readout or cell line is not known.
    """
    values = {**_tabled(), **find_cell_line(cell_line).traits}
    background = {name: values[name] for name in ("background", "background_sd")}
    kind = plain(readout)
    if kind == "mtt":
        found = Readout(
            "metabolic_activity",
            values["mtt_per_thousand_cells"],
            plate_cv=values["mtt_plate_cv"],
            well_cv=values["mtt_well_cv"],
            **background,
        )
    elif kind == "brdu":
        found = Readout(
            "dna_synthesis",
            values["brdu_per_thousand_cells"],
            plate_cv=values["brdu_plate_cv"],
            well_cv=values["brdu_well_cv"],
            **background,
        )
    elif kind in ("count", "counts", "cellcount", "cellnumber"):
        well_cv = (values["count_reading_cv"] ** 2 + values["seeding_cv"] ** 2) ** 0.5
        found = Readout("live_cells", 1000.0, 0.0, 0.0, plate_cv=0.0, well_cv=well_cv)
    else:
        raise InputError(
            f"the readout {readout[:40]!r} cannot be simulated; allowed are {', '.join(READOUTS)}"
        )
    return Scatter(
        found,
        repeat_cv=values["repeat_cv"],
        seeding_cv=values["seeding_cv"],
        edge_loss=values["edge_loss"],
        gradient_sd=values["gradient_sd"],
    )


@lru_cache(maxsize=1)
def _tabled() -> dict[str, float]:
    return {row.name: row.value for row in load_parameters(CONTEXT, drugs=()).traits}
