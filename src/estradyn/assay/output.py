"""The folder an analysis leaves: whole, or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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
from estradyn.errors import InputError


def check_place(path: Path, *, overwrite: bool = False) -> None:
    """Refuse a folder for results that holds something else.

    Raises
    ------
    InputError
        If the place is a file, or a folder with files that may not be replaced.
    """
    if path.exists() and not path.is_dir():
        raise InputError("is a file; name a folder for the results", source=path)
    if path.is_dir() and any(path.iterdir()) and not overwrite:
        raise InputError("holds files already; name another folder or say --overwrite", source=path)


@contextmanager
def whole_folder(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary folder that takes the place of `path` when all went well.

    Parameters
    ----------
    path
        Folder to leave behind.
    overwrite
        Whether a folder that is not empty may be replaced.

    Raises
    ------
    InputError
        If the place is taken or cannot be written.
    """
    check_place(path, overwrite=overwrite)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror})", source=path) from error
    try:
        yield temporary
        temporary.chmod(0o755)
        old = None
        if path.exists():
            old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.")) / "old"
            path.rename(old)
        temporary.rename(path)
        if old is not None:
            shutil.rmtree(old.parent)
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror})", source=path) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_analysis(
    result: AssayResult, path: str | Path, *, title: str = "Assay analysis", overwrite: bool = False
) -> Path:
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
    overwrite
        Whether a folder that is not empty may be replaced.

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
    with whole_folder(path, overwrite=overwrite) as folder:
        for name, table in (
            ("numbers", numbers_table(result)),
            ("landmarks", landmarks_table(result)),
            ("curves", curves_table(result)),
            ("replicates", replicates_table(result)),
            ("growth_rates", growth_rate_table(result)),
            ("wells", result.wells),
            ("quality", result.quality),
        ):
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
