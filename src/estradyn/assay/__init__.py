"""Planning and analysing a biphasic proliferation assay.

>>> from estradyn.assay import analyze, load_assay, write_analysis
>>> wells, notes = load_assay(["day1.txt"], layout="map.toml")  # doctest: +SKIP
>>> result = analyze(wells)                                     # doctest: +SKIP
>>> write_analysis(result, "results")                           # doctest: +SKIP
"""

from estradyn.assay.analysis import AnalysisOptions, AssayResult, analyze
from estradyn.assay.layout import read_layout
from estradyn.assay.output import write_analysis
from estradyn.assay.quality import QualityLimits
from estradyn.assay.readers import read_measurements
from estradyn.assay.tables import (
    curves_table,
    growth_rate_table,
    landmarks_table,
    numbers_table,
    replicates_table,
)
from estradyn.assay.wells_table import load_assay, wells_from_frame

__all__ = [
    "AnalysisOptions",
    "AssayResult",
    "QualityLimits",
    "analyze",
    "curves_table",
    "growth_rate_table",
    "landmarks_table",
    "load_assay",
    "numbers_table",
    "read_layout",
    "read_measurements",
    "replicates_table",
    "wells_from_frame",
    "write_analysis",
]
