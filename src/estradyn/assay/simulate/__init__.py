"""Simulating an assay: cells in wells by the mechanistic core, plates with their noise."""

from estradyn.assay.simulate.cells import Medium, simulate_cells

__all__ = ["Medium", "simulate_cells"]
