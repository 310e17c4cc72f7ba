"""Bone, lipids, a primary tumor: percent change from baseline over the trial, a panel each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import altair as alt
import pandas as pd

from estradyn.report.figures.bands import OUTER, band_layers
from estradyn.report.figures.figure import Figure
from estradyn.report.figures.time_axis import months
from estradyn.report.palette import ArmPalette
from estradyn.report.theme import panel_width
from estradyn.report.trajectories import (
    ArmTrajectories,
    output_columns,
    quantile_bands,
    read_output,
)

CHANGE = "Change from baseline (%)"

BONE = {
    "lumbar_spine_bmd": "Lumbar spine BMD",
    "total_hip_bmd": "Total hip BMD",
    "ctx": "CTX (resorption)",
    "p1np": "P1NP (formation)",
}
TUMOR = {
    "soft_tissue_tumor_volume": "Volume of tumor cells",
    "ki67": "Ki-67",
    "fdg_uptake": "FDG uptake",
    "fes_uptake": "FES uptake",
}
LIPIDS = {
    "total_cholesterol": "Total cholesterol",
    "ldl": "LDL cholesterol",
    "hdl": "HDL cholesterol",
    "triglycerides": "Triglycerides",
}


def bone(trajectories: Path, palette: ArmPalette) -> Figure | None:
    """Bone mineral density and turnover markers."""
    return _panels(trajectories, palette, BONE, "bone", "Bone density and turnover")


def lipids(trajectories: Path, palette: ArmPalette) -> Figure | None:
    """Serum lipids."""
    return _panels(trajectories, palette, LIPIDS, "lipids", "Serum lipids")


def tumor(trajectories: Path, palette: ArmPalette) -> Figure | None:
    """Volume of a primary tumor and what is read from it."""
    return _panels(trajectories, palette, TUMOR, "tumor", "Primary tumor")


def _roomy_scale(bands: pd.DataFrame) -> alt.Scale:
    """Scale with zero and some room on both sides, so that panel titles stay in line."""
    low, high = min(0.0, float(bands["q5"].min())), max(0.0, float(bands["q95"].max()))
    room = max(0.06 * (high - low), 0.1)
    return alt.Scale(domain=[low - room, high + room], nice=False)


def _panels(
    trajectories: Path,
    palette: ArmPalette,
    labels: Mapping[str, str],
    identifier: str,
    title: str,
) -> Figure | None:
    present = output_columns(trajectories)
    panels = []
    for output, label in labels.items():
        if output not in present:
            continue
        bands = quantile_bands(
            read_output(trajectories, output), OUTER, transform=ArmTrajectories.percent_change
        )
        axis = months(float(bands["time_day"].max()))
        layers = band_layers(bands, axis, palette, y_title=CHANGE, y_scale=_roomy_scale(bands))
        panels.append(
            alt.layer(*layers).properties(title=label, width=panel_width(2, gap=70), height=200)
        )
    if not panels:
        return None
    return Figure(
        identifier=identifier,
        title=title,
        caption=(
            "Change from each patient's own baseline, as the model has it, without measurement "
            "error. All patients, as if each stayed on treatment to the end. Line: median; band: "
            "5 to 95 % of the patients."
        ),
        chart=alt.concat(*panels, columns=2, spacing={"row": 85, "column": 70}, bounds="flush"),
    )
