"""The folder a simulated assay leaves: data that the analysis reads, and the truth behind them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import vl_convert

from estradyn import __version__
from estradyn.assay.normalise import normalise
from estradyn.assay.plan.design import AssayDesign
from estradyn.assay.plan.maps import plate_maps, wellmap_text
from estradyn.assay.report.axes import control_position, dose_channel
from estradyn.assay.series import dose_text
from estradyn.assay.simulate.plates import TrueSeries, simulate_plates, true_series
from estradyn.assay.wells_table import wells_from_frame
from estradyn.output_folder import output_folder
from estradyn.report.palette import ARM_COLORS

DATA_FILE = "wells.csv"
FILES = (
    DATA_FILE,
    "layout.toml",
    "truth.csv",
    "truth_curves.csv",
    "simulation.json",
    "simulated.svg",
    "simulated.png",
)
"""Everything a simulated assay leaves in its folder."""


def write_simulation(
    design: AssayDesign, path: str | Path, *, seed: int = 1, workers: int = 1
) -> list[TrueSeries]:
    """Simulate an assay and write it like a measured one.

    Parameters
    ----------
    design
        The plan.
    path
        Folder; it holds `wells.csv` (tidy, each well with its treatment and signal, for
        `estradyn assay analyze`), `layout.toml` (wellmap), `truth.csv` (dose and height of the
        peak and dose of return to control without noise), `truth_curves.csv`, `simulation.json`
        (seed and version) and a figure as SVG and PNG.
    seed
        Seed of all that is drawn.
    workers
        Threads of the solver.

    Returns
    -------
    list of TrueSeries
        The truth.

    Raises
    ------
    InputError
        If the plan cannot be simulated or the folder cannot be written; then nothing is left
        behind.
    """
    wells = simulate_plates(design, seed=seed, workers=workers)
    truth = true_series(design)
    svg = vl_convert.vegalite_to_svg(_figure(design, wells, truth).to_dict())
    facts = {"version": __version__, "seed": seed, "design": design.model_dump(mode="json")}
    with output_folder(Path(path), FILES) as folder:
        named = wells.rename(columns={"dose": "dose_M", "agonist_dose": "agonist_dose_M"})
        named.to_csv(folder / DATA_FILE, index=False, lineterminator="\n")
        (folder / "layout.toml").write_text(
            wellmap_text(design, plate_maps(design)), encoding="utf-8"
        )
        _truth_table(design, truth).to_csv(
            folder / "truth.csv", index=False, lineterminator="\n", float_format="%.6g"
        )
        _curve_table(design, truth).to_csv(
            folder / "truth_curves.csv", index=False, lineterminator="\n", float_format="%.6g"
        )
        (folder / "simulation.json").write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
        (folder / "simulated.svg").write_text(svg, encoding="utf-8")
        (folder / "simulated.png").write_bytes(vl_convert.svg_to_png(svg, scale=2))
    return truth


def _keys(design: AssayDesign, one: TrueSeries) -> dict[str, Any]:
    return {
        "cell_line": design.cell_line,
        "readout": design.readout,
        "drug": design.drug.name,
        "agonist_dose": one.agonist_dose,
        "time_h": one.time_h,
    }


def _truth_table(design: AssayDesign, truth: list[TrueSeries]) -> pd.DataFrame:
    """Landmarks by the names that the analysis gives them; empty where there are none."""
    return pd.DataFrame(
        [
            {
                **_keys(design, one),
                "control_percent_of_vehicle": one.control,
                "peak_dose": one.peak_dose,
                "peak_percent": 100.0 * one.peak_percent / one.control,
                "limiting_dose": one.limiting_dose,
            }
            for one in truth
        ]
    )


def _curve_table(design: AssayDesign, truth: list[TrueSeries]) -> pd.DataFrame:
    return pd.concat(
        [
            pd.DataFrame(
                {
                    **_keys(design, one),
                    "dose_M": one.doses,
                    "percent_of_vehicle": one.percent,
                }
            )
            for one in truth
        ],
        ignore_index=True,
    )


def _figure(design: AssayDesign, wells: pd.DataFrame, truth: list[TrueSeries]) -> Any:
    """True curves and the simulated mean of each plate, one panel for each time."""
    table, _ = normalise(wells_from_frame(wells))
    used = table[(table["time_h"] > 0) & ~table["role"].isin(["blank", "positive_control"])]
    points = (
        used.groupby(["time_h", "plate", "dose", "agonist_dose"])["percent_of_vehicle"]
        .mean()
        .reset_index()
    )
    doses = points["dose"].copy()
    zero = control_position(doses)
    points["dose"] = doses.where(doses > 0, zero)
    lines = pd.concat(
        [
            pd.DataFrame(
                {
                    "dose": one.doses,
                    "percent": one.percent,
                    "agonist_dose": one.agonist_dose,
                    "time_h": one.time_h,
                }
            )
            for one in truth
        ]
    )
    lines = lines[lines["dose"].between(zero, float(doses.max()) * 2)]
    names = _series_names(design, truth)
    color = alt.Color(
        "series:N",
        title=None,
        scale=alt.Scale(domain=list(names.values()), range=list(ARM_COLORS[: len(names)])),
        legend=alt.Legend(orient="top", labelLimit=400),
    )
    panels = []
    for time in sorted(design.times_h):
        at = points[points["time_h"] == time].assign(series=lambda t: t["agonist_dose"].map(names))
        line = lines[lines["time_h"] == time].assign(series=lambda t: t["agonist_dose"].map(names))
        x = dose_channel("dose", doses, "M", labels=5)
        y_title = "percent of vehicle"
        drawn = (
            alt.Chart(pd.DataFrame({"y": [100.0]}))
            .mark_rule(color="#888888", strokeDash=[3, 3])
            .encode(y=alt.Y("y:Q", title=y_title)),
            alt.Chart(_five_digits(line))
            .mark_line(strokeWidth=2, clip=True)
            .encode(x=x, y=alt.Y("percent:Q", title=y_title), color=color),
            alt.Chart(_five_digits(at))
            .mark_point(opacity=0.7, size=22, strokeWidth=1, clip=True)
            .encode(x=x, y=alt.Y("percent_of_vehicle:Q", title=y_title), color=color),
        )
        panels.append(
            alt.layer(*drawn).properties(
                width=320, height=210, title=alt.TitleParams(f"{time:g} h", fontSize=12)
            )
        )
    title = f"{design.drug.name}, {design.cell_line}, {design.readout}: simulated"
    return alt.concat(*panels, columns=2, title=title).configure_view(stroke=None)


def _series_names(design: AssayDesign, truth: list[TrueSeries]) -> dict[float, str]:
    names = {}
    for dose in sorted({one.agonist_dose for one in truth}):
        beside = (
            ""
            if design.agonist is None or dose == 0
            else (f" + {dose_text(dose, 'M')} {design.agonist.name}")
        )
        names[dose] = design.drug.name + beside
    return names


def _five_digits(table: pd.DataFrame) -> pd.DataFrame:
    numbers = table.select_dtypes("number").columns
    rounded = {name: [float(f"{v:.5g}") for v in table[name]] for name in numbers}
    return table.assign(**rounded).replace({np.nan: None})
