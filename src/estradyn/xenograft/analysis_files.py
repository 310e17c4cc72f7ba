"""What an analysis leaves in its folder."""

from __future__ import annotations

import hashlib
import json
from importlib import metadata
from pathlib import Path

import pandas as pd

from estradyn import __version__
from estradyn.output_folder import output_folder
from estradyn.xenograft.analysis import Analysis
from estradyn.xenograft.page import analysis_html
from estradyn.xenograft.send_tables import send_tables
from estradyn.xenograft.tables import analysis_arrive, findings_table, tidy_numbers

ANALYSIS_FILES = (
    "report.html",
    "numbers.csv",
    "animals.csv",
    "alerts.csv",
    "checks.csv",
    "arrive.csv",
    "manifest.json",
    "send",
)
"""Names in the folder of an analysis."""

_PACKAGES = ("numpy", "scipy", "pandas", "altair")


def write_analysis(
    analysis: Analysis, out: str | Path, *, title: str = "Xenograft flare study"
) -> Path:
    """Write report and tables into a folder that appears whole or not at all.

    Parameters
    ----------
    analysis
        What to write.
    out
        Folder; new, empty, or with an earlier analysis, which is replaced.
    title
        Heading of the report.

    Returns
    -------
    pathlib.Path
        The report.

    Raises
    ------
    InputError
        When the folder holds something else or cannot be written.
    """
    place = Path(out)
    numbers = tidy_numbers(analysis)
    manifest = _manifest(analysis)
    page = analysis_html(analysis, manifest, title=title)
    with output_folder(place, ANALYSIS_FILES) as folder:
        (folder / "report.html").write_text(page, encoding="utf-8")
        write_csv(numbers, folder / "numbers.csv")
        write_csv(analysis.animals, folder / "animals.csv")
        write_csv(analysis.alerts, folder / "alerts.csv")
        write_csv(findings_table(analysis.study.findings), folder / "checks.csv")
        write_csv(analysis_arrive(analysis), folder / "arrive.csv")
        (folder / "send").mkdir()
        for domain, table in send_tables(analysis.study.data).items():
            write_csv(table, folder / "send" / f"{domain.lower()}.csv")
        (folder / "manifest.json").write_text(
            json.dumps(manifest, indent=2) + "\n", encoding="utf-8"
        )
    return place / "report.html"


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV; every number reads back as itself."""
    frame.to_csv(path, index=False, lineterminator="\n")


def _manifest(analysis: Analysis) -> dict[str, str]:
    data, settings = analysis.study.data, analysis.settings
    values = data.measurements.to_csv(index=False, lineterminator="\n").encode()
    return {
        "estradyn": __version__,
        **{name: metadata.version(name) for name in _PACKAGES},
        "source": data.source,
        "measurements_sha256": hashlib.sha256(values).hexdigest(),
        "rows": str(len(data.measurements)),
        "seed": str(settings.seed),
        "control": analysis.arms[0],
        "volume_formula": str(data.formula) if data.volumes_computed else "as given",
        "window_end_day": f"{settings.flare_rule.window_end:g}",
        "interval_level": f"{settings.level:g}",
        "flare_score": "calibrated on simulated animals of the mechanistic mouse",
    }
