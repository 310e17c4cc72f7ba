"""The folder an analysis leaves: whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import vl_convert

from estradyn.assay.analysis import AssayResult
from estradyn.assay.report.page import report_page
from estradyn.assay.tables import (
    curves_table,
    growth_rate_table,
    landmarks_table,
    numbers_table,
    replicates_table,
)
from estradyn.output_folder import output_folder

TABLES = (
    "numbers",
    "landmarks",
    "curves",
    "replicates",
    "growth_rates",
    "wells",
    "quality",
)
FILES = (*(f"{name}.csv" for name in TABLES), "report.html", "figures")
"""Everything an analysis leaves in its folder."""


def write_analysis(result: AssayResult, path: str | Path, *, title: str = "Assay analysis") -> Path:
    """Write tables, figures and report of an analysed assay.

    Parameters
    ----------
    result
        Analysed assay.
    path
        Folder; it holds `report.html`, `numbers.csv` (every number), `landmarks.csv`, `curves.csv`,
        `replicates.csv`, `growth_rates.csv`, `wells.csv`, `quality.csv` and `figures/` with each
        figure as SVG and PNG.
    title
        Heading of the report.
    Returns
    -------
    pathlib.Path
        The report.

    Raises
    ------
    InputError
        If the folder cannot be written; then nothing is left behind.
    """
    path = Path(path)
    with output_folder(path, FILES) as folder:
        tables = (
            numbers_table(result),
            landmarks_table(result),
            curves_table(result),
            replicates_table(result),
            growth_rate_table(result),
            result.wells,
            result.quality,
        )
        for name, table in zip(TABLES, tables, strict=True):
            table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
        html, figures = report_page(result, title)
        (folder / "report.html").write_text(html, encoding="utf-8")
        drawings = folder / "figures"
        drawings.mkdir()
        for figure in figures:
            (drawings / f"{figure.identifier}.svg").write_text(str(figure.svg), encoding="utf-8")
            image = vl_convert.svg_to_png(str(figure.svg), scale=2)
            (drawings / f"{figure.identifier}.png").write_bytes(image)
    return path / "report.html"
