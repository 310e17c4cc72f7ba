"""A whole study from measurements to report."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from estradyn.cli import xenograft as command
from estradyn.cli.failures import PlainFailures
from estradyn.errors import InputError
from estradyn.xenograft import (
    AFTER,
    WINDOW,
    AnalysisSettings,
    Host,
    SimulatedArm,
    SimulatedStudy,
    Treatment,
    analyze_study,
    fit_growth,
    send_tables,
    simulate_study,
    study_from_frame,
    write_analysis,
)
from estradyn.xenograft.analysis import Analysis, diagnostics
from estradyn.xenograft.tables import tidy_numbers

application = typer.Typer(cls=PlainFailures)
application.add_typer(command.commands, name="xenograft")


@application.callback()
def _options() -> None:
    pass


@pytest.fixture(scope="module")
def analysis(study: SimulatedStudy) -> Analysis:
    table = study.measurements.drop(columns=["length_mm", "width_mm"])
    return analyze_study(study_from_frame(table))


def test_control_is_found_and_comes_first(analysis: Analysis) -> None:
    assert analysis.arms == ("vehicle", "SERM")


def test_growth_rates_are_near_the_truth(analysis: Analysis, study: SimulatedStudy) -> None:
    rates = analysis.estimates[analysis.estimates["quantity"] == "growth_rate"]
    found = rates[rates["arm"] == "vehicle"].set_index("phase")
    vehicle = (study.truth["arm"] == "vehicle").to_numpy()
    mean = study.log_change[vehicle].mean(axis=0)
    first, knot, last = (int(np.argmin(np.abs(study.days - day))) for day in (3, 21, 56))
    for phase, start, end in ((WINDOW, first, knot), (AFTER, knot, last)):
        true = (mean[end] - mean[start]) / (study.days[end] - study.days[start])
        assert found.loc[phase, "value"] == pytest.approx(true, abs=0.012)
        assert found.loc[phase, "lower"] < found.loc[phase, "value"]


def test_true_flares_are_recovered_and_progressions_are_not(
    analysis: Analysis, study: SimulatedStudy
) -> None:
    both = analysis.animals.merge(study.truth[["animal", "course"]], on="animal")
    flaring = both["course"].isin(["flare_response", "flare_stasis"])
    flares = both[flaring & both["early_rise"]]
    assert len(flares) >= 3
    assert (flares["verdict"] != "progression").all()
    assert (flares["verdict"] == "flare").mean() > 0.5
    progressing = both[both["course"] == "progression"]
    assert len(progressing) >= 3
    assert not progressing["flare_aware"].isin(["PR", "CR"]).any()
    assert not (progressing["verdict"] == "flare").any()


def test_score_improves_with_follow_up(analysis: Analysis) -> None:
    areas = {one.day: one.area for one in analysis.flare.performance}
    assert areas[14.0] < areas[28.0]
    assert 0.5 < areas[14.0] <= 1.0
    probabilities = analysis.animals["probability"].dropna()
    assert probabilities.between(0, 1).all()


def test_the_same_study_gives_the_same_numbers(analysis: Analysis, frame: pd.DataFrame) -> None:
    shuffled = frame.sample(frac=1.0, random_state=3)
    again = analyze_study(study_from_frame(shuffled), AnalysisSettings(control="vehicle"))
    columns = ["value", "lower", "upper", "unit", "text"]
    first, second = tidy_numbers(analysis), tidy_numbers(again)
    keys = ["section", "arm", "animal", "day", "quantity", "text"]
    first, second = (t.sort_values(keys).reset_index(drop=True) for t in (first, second))
    pd.testing.assert_frame_equal(first[columns], second[columns], rtol=1e-6, atol=1e-9)


def test_every_number_of_the_estimates_is_in_the_tidy_table(analysis: Analysis) -> None:
    values = set(tidy_numbers(analysis)["value"].dropna())
    for name in ("value", "standard_error", "degrees_of_freedom", "p_value"):
        assert set(analysis.estimates[name]) <= values
    assert set(analysis.sensitivity["difference"].dropna()) <= values


def test_variances_differ_between_arms(analysis: Analysis) -> None:
    spread = diagnostics(analysis).set_index("arms")[f"sd_{AFTER}"]
    assert spread["SERM"] > spread["vehicle"]


def test_light_is_a_readout_of_its_own(analysis: Analysis, frame: pd.DataFrame) -> None:
    rows = analysis.estimates[analysis.estimates["quantity"] == "light_growth_rate"]
    assert set(rows["phase"]) == {WINDOW, AFTER}
    # Calipers say the same with and without light in the file.
    without = analyze_study(study_from_frame(frame.drop(columns="flux_photons_per_s")))
    with_light = analyze_study(study_from_frame(frame))
    assert without.light is None and with_light.light is not None
    volumes = with_light.estimates[~with_light.estimates["quantity"].str.contains("light|flux")]
    pd.testing.assert_frame_equal(volumes.reset_index(drop=True), without.estimates)


def test_spline_and_line_agree_on_mean_growth(frame: pd.DataFrame) -> None:
    line = fit_growth(frame, ["vehicle", "SERM"])
    spline = fit_growth(frame, ["vehicle", "SERM"], curve="spline")
    assert spline.curve == "spline" and len(spline.knots) == 5
    for arm in ("vehicle", "SERM"):
        for phase in (WINDOW, AFTER):
            own, other = spline.slope(arm, phase), line.slope(arm, phase)
            assert own is not None and other is not None
            assert abs(own.value - other.value) < 3.0 * (own.standard_error + other.standard_error)
    # The curve of a flare bends; a straight line in the window cannot follow it.
    likelihoods = [sum(f.log_likelihood for f in m.fits.values()) for m in (line, spline)]
    assert np.isfinite(likelihoods).all()


def test_spline_needs_visits_on_both_sides_of_the_knot() -> None:
    drawn = simulate_study([SimulatedArm("a", 6), SimulatedArm("b", 6)], range(0, 20, 3), 2)
    with pytest.raises(InputError, match="spline"):
        fit_growth(drawn.measurements, ["a", "b"], curve="spline")


def test_few_animals_share_their_variances() -> None:
    drawn = simulate_study([SimulatedArm("a", 3), SimulatedArm("b", 3)], range(0, 43, 3), 2)
    model = fit_growth(drawn.measurements, ["a", "b"])
    assert model.variance == "pooled"
    assert model.slope("a", WINDOW) is not None


def test_a_study_within_the_window_has_one_slope() -> None:
    drawn = simulate_study([SimulatedArm("a", 6), SimulatedArm("b", 6)], range(0, 20, 3), 2)
    model = fit_growth(drawn.measurements, ["a", "b"])
    assert model.slope("a", AFTER) is None
    assert model.slope("a", WINDOW) is not None


def test_too_few_animals_are_refused() -> None:
    drawn = simulate_study([SimulatedArm("a", 1), SimulatedArm("b", 1)], range(0, 43, 3), 2)
    with pytest.raises(InputError, match="animals"):
        analyze_study(study_from_frame(drawn.measurements))


def test_pattern_mixture_separates_animals_that_left() -> None:
    drawn = simulate_study(
        [SimulatedArm("vehicle", 12), SimulatedArm("SERM", 12, (Treatment("toremifene", 3.0),))],
        range(0, 57, 4),
        4,
        host=Host(estradiol_pellet_mg=0.18, ovariectomized=True, baseline_volume_mm3=110.0),
    )
    found = analyze_study(study_from_frame(drawn.measurements)).sensitivity
    mixture = found[found["analysis"].str.startswith("pattern mixture")]
    assert set(mixture["phase"]) == {WINDOW, AFTER}
    assert np.isfinite(mixture["difference"]).all()
    assert mixture["note"].str.contains("left").all()


def test_send_tables_join_by_mass(frame: pd.DataFrame) -> None:
    table = frame.assign(tunel_percent=np.where(frame["day"] == 56, 2.0, np.nan))
    tables = send_tables(study_from_frame(table))
    assert set(tables) == {"DM", "EX", "BW", "CL", "LB", "PM", "MI", "DS"}
    assert set(tables["MI"]["MISPID"]) == set(tables["PM"]["PMSPID"]) == {"MASS01"}
    assert not tables["LB"].duplicated(["USUBJID", "LBSEQ"]).any()
    # SEND has no day 0.
    assert tables["PM"]["PMDY"].min() == 1
    assert set(tables["DM"]["USUBJID"]) >= set(tables["PM"]["USUBJID"])


class _References(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.found += [v or "" for k, v in attrs if k in ("src", "href", "xlink:href")]


def test_report_stands_alone_and_escapes_what_it_is_given(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    odd = frame.assign(arm=frame["arm"].replace("SERM", "<script>alert(1)</script>"))
    page = write_analysis(analyze_study(study_from_frame(odd)), tmp_path / "out", title="A < B")
    text = page.read_text(encoding="utf-8")
    parser = _References()
    parser.feed(text)
    assert "script" not in parser.tags and "link" not in parser.tags
    assert all(reference.startswith("#") for reference in parser.found)
    assert "A &lt; B" in text
    for heading in ("Growth", "Each animal", "Alerts", "Sensitivity", "ARRIVE 2.0"):
        assert heading in text
    for figure in ("group-curves", "waterfall", "calcium", "alp", "flare-score", "diagnostics"):
        assert f'id="{figure}"' in text
    assert "SEND-compliant" not in text
    assert not re.search(r">\s*nan\s*<", text)


def test_command_writes_everything_and_replaces_its_own(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    path, out = tmp_path / "study.csv", tmp_path / "results"
    frame.to_csv(path, index=False)
    out.mkdir()
    (out / "report.html").write_text("an earlier report")
    result = CliRunner().invoke(application, ["xenograft", "analyze", str(path), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert result.output.count("\n") == 1
    assert "an earlier report" not in (out / "report.html").read_text()
    names = {entry.name for entry in out.iterdir()}
    assert {"report.html", "numbers.csv", "animals.csv", "arrive.csv", "send"} <= names
    assert {p.name for p in tmp_path.iterdir()} == {"study.csv", "results"}


@pytest.mark.parametrize("fault", ["cell", "control", "folder"])
def test_bad_input_is_one_sentence_and_leaves_nothing(
    fault: str, frame: pd.DataFrame, tmp_path: Path
) -> None:
    path, out = tmp_path / "study.csv", tmp_path / "deep" / "results"
    frame.to_csv(path, index=False)
    arguments = ["xenograft", "analyze", str(path), "--out", str(out)]
    before = {"study.csv"}
    if fault == "cell":
        path.write_text(path.read_text().replace(",vehicle,0.0,", ",vehicle,x,", 1))
    elif fault == "control":
        arguments += ["--control", "nobody"]
    else:
        out.mkdir(parents=True)
        (out / "precious.txt").write_text("mine")
        before = {"study.csv", "deep"}
    result = CliRunner().invoke(application, arguments)
    assert result.exit_code == 2
    assert len(result.output.strip().splitlines()) == 1
    assert {p.name for p in tmp_path.iterdir()} == before
