"""What the figures show, read back from their charts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import pytest

from estradyn.report.figures import calcium, change_over_time, concentration, flare, lesions
from estradyn.report.figures.bands import band_layers
from estradyn.report.figures.survival import event_free_survival
from estradyn.report.figures.time_axis import months, weeks
from estradyn.report.palette import ArmPalette, palette_of
from estradyn.report.svg import inline_svg
from estradyn.report.trajectories import (
    LARGEST_NUMBER_OF_TIMES,
    ArmTrajectories,
    output_columns,
    quantile_bands,
    read_output,
)
from estradyn.trial.result import TrialResult
from estradyn.trial.study import Setting


@pytest.fixture(scope="module")
def palette(result: TrialResult) -> ArmPalette:
    return palette_of([arm.name for arm in result.study.arms])


def datasets(chart: Any) -> list[list[dict[str, Any]]]:
    return list(chart.to_dict()["datasets"].values())


def rows_with(chart: Any, *fields: str) -> list[dict[str, Any]]:
    return [row for rows in datasets(chart) for row in rows if set(fields) <= set(row)]


def small_table(path: Path, times: np.ndarray, levels: np.ndarray) -> Path:
    patients = levels.shape[0]
    frame = pd.DataFrame(
        {
            "patient_id": np.repeat(np.arange(patients), times.size),
            "arm": "a",
            "time_day": np.tile(times, patients),
            "ldl": levels.ravel(),
            "hdl": 1.0,
        }
    )
    # Groups of patients may stand in any order.
    frame.sample(frac=1.0, random_state=3).to_parquet(path, index=False)
    return path


def test_quantiles_leave_out_patients_without_numbers(tmp_path: Path) -> None:
    levels = np.array([[1.0, 1.0], [2.0, 4.0], [3.0, 9.0], [np.nan, np.nan]])
    path = small_table(tmp_path / "t.parquet", np.array([0.0, 1.0]), levels)
    bands = quantile_bands(read_output(path, "ldl"), (0.0, 0.5, 1.0))
    assert bands["n"].tolist() == [3, 3]
    assert bands["q50"].tolist() == [2.0, 4.0]
    assert bands["q100"].tolist() == [3.0, 9.0]


def test_change_is_against_each_patients_own_first_value(tmp_path: Path) -> None:
    levels = np.array([[1.0, 2.0], [10.0, 5.0]])
    path = small_table(tmp_path / "t.parquet", np.array([0.0, 1.0]), levels)
    change = read_output(path, "ldl")["a"].percent_change()
    np.testing.assert_allclose(change.levels, [[0.0, 100.0], [0.0, -50.0]])


def test_long_tables_are_thinned_but_keep_their_ends(tmp_path: Path) -> None:
    times = np.arange(1000.0)
    path = small_table(tmp_path / "t.parquet", times, np.ones((2, 1000)))
    shown = read_output(path, "ldl")["a"]
    assert shown.time_day.size <= LARGEST_NUMBER_OF_TIMES
    assert (shown.time_day[0], shown.time_day[-1]) == (0.0, 999.0)
    assert read_output(path, "ldl", until_day=56.0)["a"].time_day[-1] == 56.0
    assert output_columns(path) == ("ldl", "hdl")


def test_concentration_shows_each_drug_in_the_arms_that_take_it(
    result: TrialResult, palette: ArmPalette
) -> None:
    column = "toremifene_concentration"
    taken = {palette.arms[0]: {"toremifene": column}, palette.arms[1]: {}}
    begun = {arm: {"toremifene": 0.0, "other": 0.0} for arm in palette.arms}
    figure = concentration.drug_concentration(result.trajectories_path, palette, taken, begun)
    assert figure is not None
    assert {row["arm"] for row in rows_with(figure.chart, "q50")} == {palette.arms[0]}
    assert "n = 2" not in figure.caption.replace(f"n = {198}", "")
    unknown = {arm: {"other": "other_concentration"} for arm in palette.arms}
    assert (
        concentration.drug_concentration(result.trajectories_path, palette, unknown, begun) is None
    )


def test_concentration_of_a_later_drug_begins_where_it_does(
    result: TrialResult, palette: ArmPalette
) -> None:
    taken = {arm: {"toremifene": "toremifene_concentration"} for arm in palette.arms}
    begun = {arm: {"toremifene": day} for arm, day in zip(palette.arms, (0.0, 56.0), strict=True)}
    figure = concentration.drug_concentration(result.trajectories_path, palette, taken, begun)
    assert figure is not None
    assert "from the first dose" in figure.caption
    rows = rows_with(figure.chart, "q50")
    first = {row["arm"]: row["q50"] for row in rows if row["time"] == 0.0}
    assert max(row["time"] for row in rows) <= 12.0
    # By day 56 the levels of the made-up trial have risen.
    assert first[palette.arms[0]] < first[palette.arms[1]]


def test_waterfall_clips_growth_and_shows_flare_patients_at_least_a_pixel_wide(
    result: TrialResult, palette: ArmPalette
) -> None:
    figure = lesions.waterfall(result.patients, palette)
    assert figure is not None
    outline = rows_with(figure.chart, "position", "change")
    assert max(point["change"] for point in outline) == lesions.LARGEST_CHANGE_SHOWN
    flared = rows_with(figure.chart, "start", "end", "change")
    known = result.patients.dropna(subset=["best_change_percent"])
    assert len(flared) == int(known["symptomatic_flare"].sum())
    assert min(bar["end"] - bar["start"] for bar in flared) >= 0.25


def test_figures_of_a_large_trial_stay_drawable(palette: ArmPalette) -> None:
    size = 30_000
    generator = np.random.default_rng(1)
    patients = pd.DataFrame(
        {
            "arm": palette.arms[0],
            "best_change_percent": generator.normal(0.0, 40.0, size),
            "symptomatic_flare": generator.random(size) < 0.2,
        }
    )
    figure = lesions.waterfall(patients, palette)
    assert figure is not None
    assert sum(map(len, datasets(figure.chart))) < 5_000


def test_spider_draws_a_limited_number_of_patients_and_says_so(
    result: TrialResult, palette: ArmPalette, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lesions, "LARGEST_NUMBER_OF_LINES", 20)
    figure = lesions.spider(result.assessments_path, result.patients, palette)
    assert figure is not None
    drawn = {(row["group"], row["patient_id"]) for row in rows_with(figure.chart, "change", "time")}
    assert len({patient for _, patient in drawn}) <= 40
    assert "20 of" in figure.caption


def test_flare_share_rises_and_passes(result: TrialResult, palette: ArmPalette) -> None:
    figure = flare.flare_onset(result.patients, palette)
    assert figure is not None
    arm = palette.arms[0]
    rows = [row for row in rows_with(figure.chart, "share") if row["arm"] == arm]
    begun = [row["share"] for row in rows if row["measure"] == "flare has begun"]
    present = [row["share"] for row in rows if row["measure"] == "in flare that day"]
    known = result.patients[result.patients["arm"] == arm]["symptomatic_flare"].dropna()
    cases = result.patients[result.patients["symptomatic_flare"].fillna(value=False)]
    within = cases[cases["arm"] == arm]["flare_onset_day"] <= flare.LAST_DAY
    assert begun == sorted(begun)
    assert begun[-1] == pytest.approx(100.0 * within.sum() / len(known), abs=1e-3)
    assert all(now <= ever for now, ever in zip(present, begun, strict=True))
    assert present[-1] < max(present)


def test_flare_signal_is_in_units_of_the_patients_own_threshold(
    result: TrialResult, palette: ArmPalette
) -> None:
    doubled = result.patients.assign(flare_threshold=2.0 * result.patients["flare_threshold"])
    once = flare.flare_signal(result.trajectories_path, result.patients, palette)
    twice = flare.flare_signal(result.trajectories_path, doubled, palette)
    assert once is not None
    assert twice is not None
    ratio = [
        row["q50"] / half["q50"]
        for row, half in zip(
            rows_with(once.chart, "q50"), rows_with(twice.chart, "q50"), strict=True
        )
        if half["q50"] > 0.1
    ]
    assert np.median(ratio) == pytest.approx(2.0, rel=1e-3)


def test_calcium_draws_every_hypercalcemic_patient(
    result: TrialResult, palette: ArmPalette
) -> None:
    figure = calcium.plasma_calcium(result.trajectories_path, result.patients, palette, 2.75)
    assert figure is not None
    drawn = {(row["arm"], row["patient_id"]) for row in rows_with(figure.chart, "calcium")}
    assert len(drawn) == int(result.patients["hypercalcemia"].sum())
    assert "2.75 mmol/L" in figure.caption


def test_numbers_at_risk_and_censor_marks_come_from_the_patients(palette: ArmPalette) -> None:
    patients = pd.DataFrame(
        {
            "arm": palette.arms[0],
            "progression_free_days": [30.0, 60.0, 90.0, np.nan],
            "progressed": [True, False, True, pd.NA],
        }
    )
    curves = pd.DataFrame(
        {
            "arm": palette.arms[0],
            "time_day": [0.0, 30.0, 90.0],
            "survival": [1.0, 2.0 / 3.0, 0.0],
            "lower": [1.0, 0.1, 0.0],
            "upper": [1.0, 0.9, 0.0],
        }
    )
    figure = event_free_survival(curves, patients, palette, Setting.METASTATIC)
    assert figure is not None
    own = [row for row in rows_with(figure.chart, "count") if row["arm"] == palette.arms[0]]
    assert [row["count"] for row in own] == [3, 2, 1, 0][: len(own)]
    marks = [
        row
        for row in rows_with(figure.chart, "survival", "time_day")
        if row["arm"] == palette.arms[0]
    ]
    assert [(mark["time_day"], mark["survival"]) for mark in marks] == [(60.0, 66.67)]
    assert "n = 3, 2 progressed" in figure.caption


def test_panels_without_data_fall_away(
    result: TrialResult, palette: ArmPalette, tmp_path: Path
) -> None:
    path = small_table(tmp_path / "t.parquet", np.array([0.0, 1.0]), np.ones((3, 2)))
    palette = palette_of(["a"])
    figure = change_over_time.lipids(path, palette)
    assert figure is not None
    assert len(figure.chart.to_dict()["concat"]) == 2
    assert change_over_time.bone(path, palette) is None
    assert calcium.plasma_calcium(path, result.patients, palette, 2.75) is None
    assert flare.flare_signal(path, result.patients, palette) is None


def test_time_axes_end_on_a_tick_when_one_is_near() -> None:
    assert months(728.0).ticks[-1] == 24.0
    assert months(728.0).last == 24.0
    assert weeks(56.0).ticks == [float(week) for week in range(9)]
    assert months(400.0).last < 13.2


def test_arms_differ_in_color() -> None:
    palette = palette_of(list("abcdefg"))
    assert len(set(palette.colors)) == 7
    assert palette.color("c") == palette.colors[2]


def test_two_drawings_on_one_page_share_no_identifier() -> None:
    data = pd.DataFrame({"x": [1, 2], "y": [1, 2]})
    chart = alt.Chart(data).mark_line(clip=True).encode(x="x", y="y")
    first = inline_svg(chart, identifier="one", title="A < B", description="d")
    second = inline_svg(chart, identifier="two", title="t", description="d")
    assert 'id="one-title"' in first
    assert "A &lt; B" in first
    assert "url(#one-clip" in first
    assert first.count("aria-") == 1
    assert 'id="one-' not in second


def test_relative_trajectories_keep_their_patients() -> None:
    rows = ArmTrajectories(
        np.array([4, 7]), np.array([0.0, 1.0]), np.array([[2.0, 3.0], [4.0, 2.0]])
    )
    assert replace(rows).percent_change().patient_ids.tolist() == [4, 7]


def test_small_levels_keep_their_digits(palette: ArmPalette) -> None:
    levels = [0.000123456, 0.0]
    bands = pd.DataFrame(
        {"arm": palette.arms[0], "time_day": [0.0, 1.0], "n": 3}
        | dict.fromkeys(("q5", "q50", "q95"), levels)
    )
    layers = band_layers(bands, weeks(7.0), palette, y_title=None, y_scale=alt.Scale())
    assert [row["q50"] for row in rows_with(alt.layer(*layers), "q50")][:2] == pytest.approx(
        [0.00012346, 0.0], rel=1e-9
    )
