"""Draw the picture of the README from a finished trial.

python docs/images/flare_and_calcium.py results/toremifene_flare
"""

from __future__ import annotations

import sys
from pathlib import Path

import altair as alt
import pandas as pd
import vl_convert

from estradyn.report.figures.calcium import plasma_calcium
from estradyn.report.figures.flare import flare_onset
from estradyn.report.palette import palette_of
from estradyn.report.theme import THEME
from estradyn.trial.manifest import read_manifest
from estradyn.trial.study import study_from_content


def main(trial: Path) -> None:
    """Write flare_and_calcium.png beside this file."""
    study = study_from_content(read_manifest(trial)["study"], trial / "manifest.json")
    palette = palette_of([arm.name for arm in study.arms])
    patients = pd.read_parquet(trial / "patients.parquet")
    figures = (
        flare_onset(patients, palette),
        plasma_calcium(
            trial / "trajectories.parquet", patients, palette, study.hypercalcemia.threshold
        ),
    )
    charts = [figure.chart for figure in figures if figure is not None]
    picture = alt.vconcat(*charts, spacing=30).to_dict()
    config = THEME | {"background": "white", "padding": 12}
    image = vl_convert.vegalite_to_png(picture, scale=1.5, config=config)
    Path(__file__).with_suffix(".png").write_bytes(image)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
