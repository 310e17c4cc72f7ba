"""Which assay a series of visits reads its hormones by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from estradyn.model import Output
from estradyn.model.assays import Assay, load_assay
from estradyn.trial.study import Visits


def assay_of(visits: Visits, outputs: Sequence[Output]) -> Assay | None:
    """Assay that a series of visits names; None where it reads the model's own concentrations."""
    return None if visits.assay is None else load_assay(visits.assay, outputs)


def as_read(visits: Visits, outputs: Sequence[Output]) -> Mapping[str, Output]:
    """Outputs by name, with the quantification limits of the assay that the visits name."""
    assay = assay_of(visits, outputs)
    readings = {} if assay is None else assay.readings
    return {
        output.name: replace(
            output,
            quantification_limit=readings[output.name].limit,
            limit_source=readings[output.name].source,
        )
        if output.name in readings
        else output
        for output in outputs
    }
