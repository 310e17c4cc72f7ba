"""What a plan leaves in its folder."""

from __future__ import annotations

import json
from pathlib import Path

import altair as alt
import pandas as pd

from estradyn import __version__
from estradyn.output_folder import output_folder
from estradyn.report.figures.figure import Figure
from estradyn.report.palette import INK, palette_of
from estradyn.report.templates import house_style
from estradyn.report.theme import arm_color
from estradyn.xenograft.analysis_files import write_csv
from estradyn.xenograft.growth import AFTER, WINDOW
from estradyn.xenograft.page import NOTICE, drawn, study_environment
from estradyn.xenograft.plan import StudyPlan
from estradyn.xenograft.power import GENERATOR, TESTS
from estradyn.xenograft.simulated_study import Course

PLAN_FILES = (
    "plan.html",
    "power.csv",
    "courses.csv",
    "allocation.csv",
    "allocation_scheme.csv",
    "balance.csv",
    "blinding_key.csv",
    "calendar.csv",
    "humane_endpoints.csv",
    "warnings.csv",
    "arrive.csv",
    "manifest.json",
)
"""Names in the folder of a plan; allocation and balance only where animals were given."""

_PHASES = {WINDOW: "in the flare window", AFTER: "after the flare window"}


def write_plan(made: StudyPlan, out: str | Path) -> Path:
    """Write page and tables into a folder that appears whole or not at all.

    Parameters
    ----------
    made
        What `make_plan` gives.
    out
        Folder; new, empty, or with an earlier plan, which is replaced.

    Returns
    -------
    pathlib.Path
        The page.

    Raises
    ------
    InputError
        When the folder holds something else or cannot be written.
    """
    place = Path(out)
    page = plan_html(made)
    manifest = {
        "estradyn": __version__,
        "seed": str(made.plan.seed),
        "generator": GENERATOR,
        "simulated_studies_per_size": str(made.plan.power.simulations),
    }
    with output_folder(place, PLAN_FILES) as folder:
        (folder / "plan.html").write_text(page, encoding="utf-8")
        write_csv(made.power, folder / "power.csv")
        write_csv(made.courses, folder / "courses.csv")
        write_csv(made.calendar, folder / "calendar.csv")
        write_csv(pd.DataFrame([one.__dict__ for one in made.endpoints]), folder / _ENDPOINTS)
        write_csv(
            pd.DataFrame([one.__dict__ for one in made.warnings], columns=["subject", "message"]),
            folder / "warnings.csv",
        )
        write_csv(made.arrive, folder / "arrive.csv")
        key = pd.DataFrame({"code": list(made.codes.values()), "arm": list(made.codes)})
        write_csv(key.sort_values("code"), folder / "blinding_key.csv")
        write_csv(_coded(made.scheme, made.codes), folder / "allocation_scheme.csv")
        if made.allocation is not None and made.balance is not None:
            write_csv(_coded(made.allocation.animals, made.codes), folder / "allocation.csv")
            write_csv(_coded(made.balance, made.codes), folder / "balance.csv")
        (folder / "manifest.json").write_text(
            json.dumps(manifest, indent=2) + "\n", encoding="utf-8"
        )
    return place / "plan.html"


_BALANCE_TEXT = {
    "code": "Code",
    "n": "Animals",
    "geometric_mean_volume_mm3": "Mean volume (geometric), mm³",
    "log_volume_sd": "SD of log volume",
    "weight_g_mean": "Mean weight, g",
    "weight_g_sd": "SD of weight, g",
    "cages": "Cages",
}

_COURSE_TEXT = {
    str(Course.FLARE_RESPONSE): "Flare, then response",
    str(Course.FLARE_STASIS): "Flare, then stasis",
    str(Course.RESPONSE): "Response",
    str(Course.STABLE): "Stable",
    str(Course.PROGRESSION): "Progression",
}


def _course_rows(made: StudyPlan) -> list[list[str]]:
    """Percent of animals with each true course, by arm."""
    percent: dict[tuple[str, str], float] = {
        (row["arm"], row["course"]): row["percent"] for row in made.courses.to_dict("records")
    }
    return [
        [arm.name, *(f"{percent[arm.name, course]:.0f}" for course in _COURSE_TEXT)]
        for arm in made.plan.arms
    ]


_ENDPOINTS = "humane_endpoints.csv"


def _coded(table: pd.DataFrame, codes: dict[str, str]) -> pd.DataFrame:
    """Replace the names of arms by their codes."""
    return table.assign(arm=table["arm"].map(codes)).rename(columns={"arm": "code"})


def plan_html(made: StudyPlan) -> str:
    """Compose the plan as one HTML text that asks for nothing outside itself."""
    balance = None if made.balance is None else _coded(made.balance, made.codes)
    early = [d for d in made.plan.schedule.histology_day if d < made.plan.schedule.duration_day]
    return (
        study_environment()
        .get_template("plan.html.jinja")
        .render(
            arrive=made.arrive.to_dict("records"),
            balance=None
            if balance is None
            else [
                [f"{v:.3g}" if isinstance(v, float) else str(v) for v in row]
                for row in balance.itertuples(index=False, name=None)
            ],
            balance_names=[]
            if balance is None
            else [_BALANCE_TEXT[name] for name in balance.columns],
            calendar=made.calendar.to_dict("records"),
            figures=drawn({"power": (_power_figure(made),)})["power"],
            generator=GENERATOR,
            made=made,
            notice=NOTICE,
            phases=_PHASES,
            plan=made.plan,
            power=made.power.to_dict("records"),
            courses=_course_rows(made),
            course_names=list(_COURSE_TEXT.values()),
            reserve="" if made.allocation is None else ", ".join(made.allocation.reserve),
            satellites=made.plan.schedule.satellites_per_arm * len(early),
            style=house_style(),
            version=__version__,
        )
    )


def _power_figure(made: StudyPlan) -> Figure:
    palette = palette_of([arm.name for arm in made.plan.arms])
    data = made.power.round(4)
    panels = []
    for phase, direction in TESTS:
        x = alt.X(
            "animals_per_arm:Q",
            title="Animals per arm",
            scale=alt.Scale(zero=False, padding=12),
            axis=alt.Axis(grid=False, tickMinStep=1),
        )
        y = alt.Y("power:Q", title="Power", scale=alt.Scale(domain=[0, 1]))
        shown = data[(data["phase"] == phase) & (data["direction"] == direction)]
        base = alt.Chart(shown).encode(x=x)
        target = pd.DataFrame({"power": [made.plan.power.target]})
        panels.append(
            alt.layer(
                alt.Chart(target).mark_rule(strokeDash=[4, 3], color=INK).encode(y=y),
                base.mark_rule(strokeWidth=1.5).encode(
                    y=alt.Y("power_lower:Q"), y2="power_upper:Q", color=arm_color(palette)
                ),
                base.mark_line(point=True).encode(
                    y=y, color=arm_color(palette, legend=alt.Legend())
                ),
            ).properties(
                title=f"{direction.capitalize()} growth {_PHASES[phase]}", width=210, height=210
            )
        )
    return Figure(
        identifier="power-curve",
        title="Power by group size",
        caption=(
            f"Share of {made.plan.power.simulations} simulated studies that find slower growth, "
            "or in the flare window faster growth, than in the control, with its 95 % "
            "Monte-Carlo interval (Wilson). Dashed: the power wanted."
        ),
        chart=alt.hconcat(*panels, spacing=60),
    )
