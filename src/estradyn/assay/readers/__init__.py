"""Plate files as tidy tables: one row per plate, read, well and time."""

from estradyn.assay.readers.detect import read_measurements
from estradyn.assay.readers.reads import READ_COLUMNS, select_read

__all__ = ["READ_COLUMNS", "read_measurements", "select_read"]
