"""Plate maps: which treatment stands in which well of which plate."""

from __future__ import annotations

import numpy as np
import pandas as pd

from estradyn.assay.plan.design import AssayDesign
from estradyn.assay.wells import PLATE_SHAPES, row_name, well_name

TIME_ZERO_WELLS = 12
"""Most vehicle wells on a plate at time 0."""


def plate_maps(design: AssayDesign) -> pd.DataFrame:
    """Place every treatment on every plate.

    Returns
    -------
    pandas.DataFrame
        Columns `plate`, `repeat` (number of the plate among those of its time), `time_h`, `well`,
        `row`, `column`, `role`, `drug`, `dose` (mol/L), `agonist`, `agonist_dose`; only used wells.
    """
    generator = np.random.default_rng(design.seed)
    agonist = "" if design.agonist is None else design.agonist.name
    rows = []
    times = ((0.0,) if design.time_zero else ()) + design.times_h
    for time in times:
        treatments = design.treatments()
        if time == 0:
            vehicle = min(TIME_ZERO_WELLS, len(treatments) - design.blank_wells)
            treatments = [("blank", 0.0, 0.0)] * design.blank_wells
            treatments += [("vehicle", 0.0, 0.0)] * vehicle
        for number in range(1, design.plates_per_time + 1):
            places = design.usable_wells()
            if design.arrangement == "randomised":
                order = generator.permutation(len(places))[: len(treatments)]
                places = [places[i] for i in order]
            for (row, column), (role, dose, agonist_dose) in zip(places, treatments, strict=False):
                rows.append(
                    {
                        "plate": f"{time:g}h_{number}",
                        "repeat": number,
                        "time_h": time,
                        "well": well_name(row, column),
                        "row": row,
                        "column": column,
                        "role": role,
                        "drug": design.drug.name if dose > 0 else "",
                        "dose": dose,
                        "agonist": agonist if agonist_dose > 0 else "",
                        "agonist_dose": agonist_dose,
                    }
                )
    table = pd.DataFrame(rows)
    return table.sort_values(["time_h", "plate", "row", "column"], ignore_index=True)


def _quoted(text: str) -> str:
    """A TOML string: quotes, backslashes and control characters escaped."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in escaped) + '"'


def wellmap_text(design: AssayDesign, maps: pd.DataFrame) -> str:
    """All plates as one wellmap TOML file, which `assay analyze --layout` reads."""
    lines = [
        "[expt]",
        f"cell_line = {_quoted(design.cell_line)}",
        f"readout = {_quoted(design.readout)}",
    ]
    for plate, wells in maps.groupby("plate", sort=False):
        name = _quoted(str(plate))
        lines += ["", f"[plate.{name}]", f"time_h = {float(wells['time_h'].iloc[0]):g}"]
        for well in wells.itertuples():
            fields = [f"role = {_quoted(str(well.role))}"]
            if float(str(well.dose)) > 0:
                fields += [f"drug = {_quoted(str(well.drug))}", f'dose = "{well.dose:.6g} M"']
            if float(str(well.agonist_dose)) > 0:
                fields += [
                    f"agonist = {_quoted(str(well.agonist))}",
                    f'agonist_dose = "{well.agonist_dose:.6g} M"',
                ]
            lines.append(f"well.{well.well} = {{ {', '.join(fields)} }}")
    return "\n".join(lines) + "\n"


def plater_text(design: AssayDesign, wells: pd.DataFrame) -> str:
    """One plate as a plater CSV file with a block for each variable."""
    rows, columns = PLATE_SHAPES[design.plate]
    at = {(well.row, well.column): well for well in wells.itertuples()}
    blocks = []
    for name in ("role", "drug", "dose_M", "agonist", "agonist_dose_M"):
        lines = [",".join([name, *(str(column + 1) for column in range(columns))])]
        for row in range(rows):
            cells = [row_name(row)]
            for column in range(columns):
                well = at.get((row, column))
                value = "" if well is None else getattr(well, name.removesuffix("_M"))
                if name.endswith("_M"):
                    value = f"{value:.6g}" if value else ""
                text = str(value)
                cells.append(
                    '"' + text.replace('"', '""') + '"' if set(text) & set(',"\n') else text
                )
            lines.append(",".join(cells))
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"
