"""Studies on mechanistic mice: what is measured, what is true, and the way back through
analysis."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from estradyn.cli import xenograft as command
from estradyn.cli.failures import PlainFailures
from estradyn.errors import InputError, StudyError
from estradyn.xenograft import (
    Host,
    Measurement,
    Route,
    SimulatedArm,
    SimulatedStudy,
    Treatment,
    Visits,
    analyze_study,
    load_plan,
    read_study,
    simulate_plan,
    simulate_study,
    study_from_frame,
)
from estradyn.xenograft.measurement import caliper_readings, stained_share
from estradyn.xenograft.simulated_study import NO_LOSSES, Losses
from estradyn.xenograft.volume import tumor_volume

application = typer.Typer(cls=PlainFailures)
application.add_typer(command.commands, name="xenograft")

ARMS = [
    SimulatedArm("vehicle", 12),
    SimulatedArm("SERM", 12, (Treatment("toremifene", 10.0),), satellites={14.0: 3}),
]
DAYS = tuple(float(day) for day in range(0, 57, 7))
LOW = Host(estradiol_pellet_mg=0.05, ovariectomized=True)

PLAN = """\
title: Flare
arms:
  - name: vehicle
  - name: SERM
    drug: toremifene
    dose_mg_per_kg: 10
estradiol_pellet_mg: 0.05
ovariectomized: true
schedule:
  light_day: [0, 7, 14, 21, 28, 56]
  histology_day: [14, 56]
  satellites_per_arm: 2
power: {animals_per_arm: 6, simulations: 20}
"""


@application.callback()
def _options() -> None:
    pass


@pytest.fixture(scope="module")
def drawn() -> SimulatedStudy:
    visits = Visits(DAYS, blood_days=(0.0, 14.0), histology_days=(56.0,))
    return simulate_study(ARMS, visits, 3, host=LOW)


def test_vehicle_progresses_and_serm_flares(drawn: SimulatedStudy) -> None:
    courses = drawn.truth.groupby("arm")["course"].value_counts()
    assert courses["vehicle", "progression"] >= 8
    flares = courses["SERM"].reindex(["flare_response", "flare_stasis"]).sum()
    assert flares >= 10
    assert drawn.truth.loc[drawn.truth["arm"] == "vehicle", "over_untreated_percent"].max() == 0.0


def test_response_day_is_known_of_responders_alone(drawn: SimulatedStudy) -> None:
    truth = drawn.truth
    responds = truth["course"].isin(["flare_response", "response"])
    assert (truth["response_day"].notna() == responds).all()
    assert truth.loc[truth["course"] == "flare_response", "response_day"].between(10, 56).all()


def test_satellites_leave_on_their_day_with_histology(drawn: SimulatedStudy) -> None:
    table = drawn.measurements
    own = table[table["animal"].str.startswith("S")]
    assert own["animal"].nunique() == 3
    last = own[own["reason_left"] != ""]
    assert (last["reason_left"] == "planned histology").all()
    assert (last["day"] == 14.0).all() and (own["day"] <= 14.0).all()
    assert last["tunel_percent"].notna().all()
    main = table[table["animal"].str.startswith("M") & (table["day"] < 56)]
    assert main["tunel_percent"].isna().all()


def test_same_seed_same_study_and_other_seed_other(drawn: SimulatedStudy) -> None:
    visits = Visits(DAYS, blood_days=(0.0, 14.0), histology_days=(56.0,))
    again = simulate_study(ARMS, visits, 3, host=LOW)
    pd.testing.assert_frame_equal(drawn.measurements, again.measurements)
    pd.testing.assert_frame_equal(drawn.truth, again.truth)
    other = simulate_study(ARMS, visits, 4, host=LOW)
    assert not other.truth["rise_percent"].equals(drawn.truth["rise_percent"])


def test_volumes_follow_from_diameters(drawn: SimulatedStudy) -> None:
    table = drawn.measurements
    computed = tumor_volume(table["length_mm"].to_numpy(), table["width_mm"].to_numpy())
    assert np.allclose(computed, table["volume_mm3"])
    assert (table["length_mm"] >= table["width_mm"]).all()


def test_large_tumors_leave_by_the_humane_endpoint() -> None:
    host = Host(estradiol_pellet_mg=0.36, ovariectomized=True, baseline_volume_mm3=400.0)
    table = simulate_study([SimulatedArm("vehicle", 10)], DAYS, 2, host=host).measurements
    left = table[table["reason_left"] == "tumor size limit"]
    assert len(left) >= 5
    assert (left["volume_mm3"] >= 0.1 * 1000.0 * 0.75 * left["weight_g"]).all()
    assert not table.duplicated(["animal", "day"]).any()
    assert (table[table["reason_left"] != ""].groupby("animal").size() == 1).all()


def test_large_pellets_distend_bladders_and_small_ones_do_not() -> None:
    def distended(pellet: float) -> int:
        host = Host(estradiol_pellet_mg=pellet, baseline_volume_mm3=30.0)
        arms = [SimulatedArm("vehicle", 60)]
        table = simulate_study(arms, (0.0, 14.0, 28.0), 2, host=host, with_truth=False)
        return int((table.measurements["reason_left"] == "bladder distension").sum())

    assert distended(0.36) == 0
    assert distended(0.72) >= 5


def test_nobody_leaves_without_losses() -> None:
    host = Host(estradiol_pellet_mg=0.72, baseline_volume_mm3=400.0)
    arms = [SimulatedArm("vehicle", 10)]
    table = simulate_study(arms, DAYS, 2, host=host, losses=NO_LOSSES).measurements
    assert (table.groupby("animal").size() == len(DAYS)).all()
    assert Losses().death_rate > 0


@pytest.mark.parametrize(("volume", "error"), [(50.0, 0.27), (1000.0, 0.07)])
def test_caliper_error_is_the_published_one(volume: float, error: float) -> None:
    generator = np.random.default_rng(1)
    read = caliper_readings(np.full((4000, 1), volume), Measurement(), generator)
    assert np.log(read).std() == pytest.approx(error, rel=0.05)


def test_observers_differ_by_the_published_share() -> None:
    measurement = Measurement(
        small_error=0.0, large_error=0.0, observer_difference=0.15, observers=4000
    )
    read = caliper_readings(np.full((1, 4000), 500.0), measurement, np.random.default_rng(2))[0]
    difference = np.abs(read[::2] - read[1::2]) / (read[::2] + read[1::2]) * 2.0
    assert difference.mean() == pytest.approx(0.15, rel=0.06)


def test_stained_shares_stay_shares() -> None:
    read = stained_share(
        np.array([[0.0, 0.1, 50.0, 100.0]]), Measurement(), np.random.default_rng(3)
    )
    assert ((read >= 0) & (read <= 100)).all()


def test_unknown_drug_or_route_is_refused() -> None:
    arms = [SimulatedArm("a", 3, (Treatment("aspirin", 1.0),))]
    with pytest.raises((InputError, StudyError), match="aspirin"):
        simulate_study(arms, DAYS, 1)
    given = Treatment("toremifene", 5.0, Route.PELLET)
    table = simulate_study([SimulatedArm("a", 3, (given,))], DAYS, 1).measurements
    assert table.loc[table["day"] == 0, "dose_mg_per_kg"].eq(5.0).all()
    assert table.loc[table["day"] > 0, "dose_mg_per_kg"].isna().all()


def test_command_simulates_what_analyze_reads(tmp_path: Path) -> None:
    plan, out = tmp_path / "plan.yaml", tmp_path / "out"
    plan.write_text(PLAN, encoding="utf-8")
    arguments = ["xenograft", "simulate", str(plan), "--out", str(out), "--seed", "4"]
    result = CliRunner().invoke(application, arguments)
    assert result.exit_code == 0, result.output
    study = read_study(out / "measurements.csv")
    truth = pd.read_csv(out / "truth.csv")
    assert len(truth) == 2 * (6 + 2)
    analysis = analyze_study(study)
    assert analysis.arms == ("vehicle", "SERM")
    assert analysis.light is not None
    assert not [f for f in analysis.study.findings if f.severity == "error"]
    made = simulate_plan(load_plan(plan), 6, 4)
    again = study_from_frame(made.measurements)
    wanted = ["animal", "day", "volume_mm3", "calcium_mmol_per_L", "tunel_percent"]
    pd.testing.assert_frame_equal(
        study.measurements[wanted], again.measurements[wanted], check_exact=False
    )


def test_bad_plan_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN.replace("drug: toremifene", "drug: water"), encoding="utf-8")
    arguments = ["xenograft", "simulate", str(plan), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(application, arguments)
    assert result.exit_code == 2
    assert len(result.output.strip().splitlines()) == 1
    assert "water" in result.output
    assert not (tmp_path / "out").exists()
