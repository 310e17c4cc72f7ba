"""Survival free of the event of a setting, with its numbers at risk."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from estradyn.report.figures.figure import Figure
from estradyn.report.figures.time_axis import months
from estradyn.report.palette import ArmPalette
from estradyn.report.theme import FULL_WIDTH, arm_color
from estradyn.trial.occult_disease import EVENT_COLUMNS
from estradyn.trial.study import Setting

WORDS = {
    Setting.METASTATIC: ("Progression-free survival", "progression", "progressed"),
    Setting.ADJUVANT: ("Recurrence-free survival", "recurrence", "with recurrence"),
    Setting.PREVENTION: ("Survival free of breast cancer", "breast cancer", "with breast cancer"),
}
"""Title, the event, and what is said of those who had it."""


def event_free_survival(
    curves: pd.DataFrame, patients: pd.DataFrame, palette: ArmPalette, setting: Setting
) -> Figure | None:
    """Kaplan-Meier curves with confidence bands, censor marks and the risk table under them.

    Parameters
    ----------
    curves
        Needs `arm`, `time_day`, `survival`, `lower`, `upper` (0 to 1).
    patients
        Needs `arm` and the columns of `EVENT_COLUMNS` for the setting.
    palette
        Colors of the arms.
    setting
        What the event is.

    Returns
    -------
    Figure or None
        None when there is no curve.
    """
    if curves.empty:
        return None
    data = curves.assign(arm=curves["arm"].astype(str)).sort_values(["arm", "time_day"])
    axis = months(float(data["time_day"].max()))
    title, event, had_it = WORDS[setting]
    days_column, event_column = EVENT_COLUMNS[setting]
    known = patients.dropna(subset=[days_column])
    known = pd.DataFrame(
        {
            "arm": known["arm"].astype(str),
            "days": known[days_column],
            "event": known[event_column].astype(bool),
        }
    )
    steps = data.assign(
        time=(data["time_day"] / axis.days).round(3),
        **{name: (100.0 * data[name]).round(2) for name in ("survival", "lower", "upper")},
    )[["arm", "time", "survival", "lower", "upper"]]
    base = alt.Chart(steps).encode(x=axis.channel(), color=arm_color(palette, legend=alt.Legend()))
    lowest = 0.0
    if setting is Setting.PREVENTION:
        # A few percent have the event: the whole scale would show a line.
        lowest = min(90.0, 10.0 * np.floor(float(steps["lower"].min()) / 10.0))
    y_scale = alt.Scale(domain=[lowest, 100])
    y_title = f"Without {event} (%)"
    layers = [
        base.mark_area(opacity=0.16, interpolate="step-after").encode(
            y=alt.Y("lower:Q", title=y_title, scale=y_scale), y2="upper:Q"
        ),
        base.mark_line(strokeWidth=2, interpolate="step-after").encode(
            y=alt.Y("survival:Q", title=y_title, scale=y_scale)
        ),
    ]
    censored = _censor_marks(data, known)
    if not censored.empty:
        layers.append(
            alt.Chart(censored.assign(time=(censored["time_day"] / axis.days).round(3)))
            .mark_tick(orient="vertical", height=9, thickness=1.2)
            .encode(
                x=axis.channel(), y=alt.Y("survival:Q", scale=y_scale), color=arm_color(palette)
            )
        )
    plot = alt.layer(*layers).properties(width=FULL_WIDTH - 140, height=300)
    at_risk = pd.DataFrame(
        [
            {
                "arm": arm,
                "time": tick,
                "count": int((own >= tick * axis.days).sum()),
            }
            for arm in palette.arms
            for own in [known.loc[known["arm"] == arm, "days"].to_numpy()]
            for tick in axis.ticks
        ]
    )
    table = (
        alt.Chart(at_risk, title=alt.Title("Patients at risk", fontSize=12, fontWeight="normal"))
        .mark_text(fontSize=12)
        .encode(
            x=axis.channel(title=False).axis(None),
            y=alt.Y(
                "arm:N",
                sort=list(palette.arms),
                title=None,
                axis=alt.Axis(
                    domain=False, ticks=False, grid=False, labelLimit=160, labelPadding=20
                ),
            ),
            text="count:Q",
            color=arm_color(palette),
        )
        .properties(width=FULL_WIDTH - 140, height=20 * len(palette.arms))
    )
    counted = ", ".join(
        f"{arm}: n = {len(own)}, {int(own['event'].sum())} {had_it}"
        for arm in palette.arms
        for own in [known[known["arm"] == arm]]
    )
    return Figure(
        identifier=title.lower().replace(" ", "-"),
        title=title,
        caption=(
            "Kaplan-Meier estimate with 95 % confidence band; vertical marks are patients "
            f"censored while free of {event}. {counted}."
        ),
        chart=alt.vconcat(plot, table, spacing=10).resolve_scale(color="independent"),
    )


def _censor_marks(curves: pd.DataFrame, patients: pd.DataFrame) -> pd.DataFrame:
    """Distinct censoring times with the height of the curve there."""
    frames = []
    for arm, curve in curves.groupby("arm", sort=False):
        own = patients[(patients["arm"] == arm) & ~patients["event"]]
        times = np.unique(own["days"].to_numpy(dtype=float))
        place = np.searchsorted(curve["time_day"].to_numpy(), times, side="right") - 1
        height = curve["survival"].to_numpy()[np.maximum(place, 0)]
        frames.append(
            pd.DataFrame({"arm": arm, "time_day": times, "survival": (100 * height).round(2)})
        )
    return pd.concat(frames, ignore_index=True)
