"""The folder a plan leaves: maps, tables and the bench sheet."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from estradyn import __version__
from estradyn.assay.plan.design import AssayDesign
from estradyn.assay.plan.dilution import dilution_table, pipetting_table, vehicle_percent
from estradyn.assay.plan.maps import plate_maps, plater_text, wellmap_text
from estradyn.assay.plan.warnings import design_warnings
from estradyn.assay.report.page import NOTICE
from estradyn.assay.series import dose_text
from estradyn.assay.wells import PLATE_SHAPES, row_name
from estradyn.output_folder import output_folder

if TYPE_CHECKING:
    from estradyn.assay.simulate.power import ZonePower

FILES = (
    "layout.toml",
    "maps",
    "plates.csv",
    "dilutions.csv",
    "pipetting.csv",
    "power.csv",
    "bench_sheet.html",
)
"""Everything a plan leaves in its folder."""


def write_plan(
    design: AssayDesign,
    path: str | Path,
    *,
    power: Sequence[ZonePower] = (),
    power_note: str = "",
) -> Path:
    """Write everything the bench needs.

    Parameters
    ----------
    design
        The planned assay.
    path
        Folder; it holds `layout.toml` (wellmap, all plates), `maps/PLATE.csv` (plater),
        `plates.csv`, `dilutions.csv`, `pipetting.csv`, `bench_sheet.html` and, where power was
        estimated, `power.csv`.
    power
        How often simulated runs found the zone; see `estradyn.assay.simulate.zone_power`.
    power_note
        A sentence on how that was counted, or why it was not.

    Returns
    -------
    pathlib.Path
        The bench sheet.

    Raises
    ------
    InputError
        If the folder cannot be written; then nothing is left behind.
    """
    path = Path(path)
    maps = plate_maps(design)
    dilutions, pipetting = dilution_table(design), pipetting_table(design)
    with output_folder(path, FILES) as folder:
        (folder / "layout.toml").write_text(wellmap_text(design, maps), encoding="utf-8")
        (folder / "maps").mkdir()
        for plate, wells in maps.groupby("plate", sort=False):
            text = plater_text(design, wells)
            (folder / "maps" / f"{plate}.csv").write_text(text, encoding="utf-8")
        plates = maps.drop_duplicates("plate")[["plate", "time_h"]]
        plates = plates.assign(readout=design.readout, cell_line=design.cell_line)
        for name, table in (
            ("plates", plates),
            ("dilutions", dilutions),
            ("pipetting", pipetting),
        ):
            table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
        if power:
            table = _power_table(power)
            table.to_csv(folder / "power.csv", index=False, lineterminator="\n")
        page = bench_sheet(design, power=power, power_note=power_note)
        (folder / "bench_sheet.html").write_text(page, encoding="utf-8")
    return path / "bench_sheet.html"


def _power_table(power: Sequence[ZonePower]) -> pd.DataFrame:
    """Power at each time, with the zone that was to be found (doses in mol/L)."""
    return pd.DataFrame(
        [
            {
                "time_h": one.time_h,
                "found": one.found,
                "runs": one.runs,
                "lower": round(one.lower, 4),
                "upper": round(one.upper, 4),
                "true_peak_dose": float(f"{one.truth.peak_dose:.4g}"),
                "true_peak_percent": float(f"{one.truth.peak_percent:.4g}"),
                "true_limiting_dose": float(f"{one.truth.limiting_dose:.4g}"),
            }
            for one in power
        ]
    )


def bench_sheet(
    design: AssayDesign, *, power: Sequence[ZonePower] = (), power_note: str = ""
) -> str:
    """A printable page with warnings, steps, dilutions, volumes and a map of every plate."""
    environment = Environment(
        loader=PackageLoader("estradyn.assay.plan", "template"),
        autoescape=True,
        undefined=StrictUndefined,
    )
    maps = plate_maps(design)
    rows, columns = PLATE_SHAPES[design.plate]
    marks = {"blank": "blank", "vehicle": "veh", "positive_control": "+"}
    drug_doses, agonist_doses = design.doses(), design.agonist_doses()
    plates = []
    for plate, wells in maps.groupby("plate", sort=False):
        grid = [[("", "")] * columns for _ in range(rows)]
        for well in wells.to_dict("records"):
            text = marks.get(well["role"], "")
            if well["dose"] > 0:
                text = f"M{drug_doses.index(well['dose']) + 1}"
            if well["agonist_dose"] > 0:
                letter = f"A{agonist_doses.index(well['agonist_dose']) + 1}"
                text = f"{text}+{letter}" if well["dose"] > 0 else letter
            kind = well["role"] + (" both" if well["dose"] > 0 < well["agonist_dose"] else "")
            grid[well["row"]][well["column"]] = (text, kind)
        named = [(row_name(i), line) for i, line in enumerate(grid)]
        plates.append({"name": plate, "grid": named})
    legend = [
        *(
            (f"M{i}", f"{design.drug.name} {dose_text(d, 'M')}")
            for i, d in enumerate(drug_doses, 1)
        ),
        *(
            (f"A{i}", f"{design.agonist.name} {dose_text(d, 'M')}")
            for i, d in enumerate(agonist_doses, 1)
            if design.agonist is not None
        ),
    ]
    pipetting = pipetting_table(design)
    style = resources.files("estradyn.report").joinpath("template/report.css").read_text("utf-8")
    return environment.get_template("bench_sheet.html.jinja").render(
        design=design,
        notice=NOTICE,
        version=__version__,
        style=Markup(style),
        warnings=design_warnings(design),
        power=[
            {
                "time": f"{one.time_h:g} h",
                "found": f"{one.found} of {one.runs}",
                "interval": f"{one.lower:.0%} to {one.upper:.0%}",
                "peak": (
                    f"{one.truth.peak_percent:.0f} % of vehicle at "
                    f"{dose_text(one.truth.peak_dose, 'M')}"
                    if one.has_zone
                    else "none"
                ),
                "back": dose_text(one.truth.limiting_dose, "M") if one.has_zone else "–",
            }
            for one in power
        ],
        power_note=power_note,
        dilutions=dilution_table(design).to_dict("records"),
        pipetting=[
            {
                **row,
                "drug_text": dose_text(row["drug_dose_M"], "M") if row["drug_dose_M"] else "–",
                "agonist_text": (
                    dose_text(row["agonist_dose_M"], "M") if row["agonist_dose_M"] else "–"
                ),
            }
            for row in pipetting.to_dict("records")
        ],
        plates=plates,
        columns=list(range(1, columns + 1)),
        legend=legend,
        vehicle_percent=f"{vehicle_percent(design):.3g}",
        times=", ".join(f"{time:g}" for time in design.times_h),
    )
