"""Simulating an assay: cells in wells by the mechanistic core, plates with their noise."""

from estradyn.assay.simulate.cells import Medium, capacity_of, simulate_cells
from estradyn.assay.simulate.folder import write_simulation
from estradyn.assay.simulate.plates import TrueSeries, simulate_plates, true_series
from estradyn.assay.simulate.power import ZonePower, zone_power

__all__ = [
    "Medium",
    "TrueSeries",
    "ZonePower",
    "capacity_of",
    "simulate_cells",
    "simulate_plates",
    "true_series",
    "write_simulation",
    "zone_power",
]
