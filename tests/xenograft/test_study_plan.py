"""Plans: size, randomisation, calendar and warnings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint
from typer.testing import CliRunner

from estradyn.cli import xenograft as command
from estradyn.cli.failures import PlainFailures
from estradyn.errors import InputError, StudyError
from estradyn.xenograft import load_plan, randomise, rerandomisation_test
from estradyn.xenograft.calendar import calendar
from estradyn.xenograft.design_warnings import design_warnings
from estradyn.xenograft.plan_file import Plan
from estradyn.xenograft.power import chosen_size, expected_courses, power_curve
from estradyn.xenograft.randomisation import balance_table, blinding_codes, block_scheme

application = typer.Typer(cls=PlainFailures)
application.add_typer(command.commands, name="xenograft")


@application.callback()
def _options() -> None:
    pass


PLAN = """\
title: Flare
arms:
  - name: vehicle
  - name: SERM
    drug: toremifene
    dose_mg_per_kg: 10
estradiol_pellet_mg: 0.05
dose_finding_pilot: true
power:
  group_sizes: [4]
  simulations: 20
"""


def plan_of(folder: Path, text: str = PLAN) -> Plan:
    path = folder / "plan.yaml"
    path.write_text(text, encoding="utf-8")
    return load_plan(path)


def herd(size: int, seed: int = 1) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "animal": [f"A{i:02d}" for i in range(size)],
            "volume_mm3": 150.0 * np.exp(0.3 * generator.standard_normal(size)),
            "weight_g": generator.normal(22.0, 1.5, size),
            "cage": [f"c{i // 5}" for i in range(size)],
        }
    )


def subjects(plan: Plan, size: int | None = 8) -> set[str]:
    return {warning.subject for warning in design_warnings(plan, calendar(plan), size)}


def test_power_grows_with_size_and_says_how_sure_it_is(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, PLAN.replace("[4]", "[3, 8]"))
    curve = power_curve(plan)
    after = curve[curve["phase"] == "after_window"].set_index("animals_per_arm")
    assert set(curve["direction"]) == {"slower", "faster"}
    assert after.loc[8, "power"] >= after.loc[3, "power"]
    assert after.loc[8, "power"] > 0.8
    # Twenty studies of twenty do not prove a power of one: Wilson's lower end is 0.839.
    for _, row in after.iterrows():
        expected = proportion_confint(round(20 * row["power"]), 20, method="wilson")
        assert (row["power_lower"], row["power_upper"]) == pytest.approx(expected)
    assert chosen_size(plan, curve) in (3, 8)


def test_no_effect_gives_no_power(tmp_path: Path) -> None:
    text = PLAN.replace("drug: toremifene\n    dose_mg_per_kg: 10", "treatment: nothing")
    plan = plan_of(tmp_path, text)
    curve = power_curve(plan)
    assert curve["power"].max() <= 0.2
    assert chosen_size(plan, curve) is None


def test_a_complete_plan_has_no_warnings(tmp_path: Path) -> None:
    assert subjects(plan_of(tmp_path)) == set()


@pytest.mark.parametrize(
    ("change", "subject"),
    [
        (("dose_finding_pilot: true", "dose_finding_pilot: false"), "no dose-finding pilot"),
        (
            ("power:", "schedule: {measure_day: [0, 7, 14, 21, 28, 56]}\npower:"),
            "sparse sampling in weeks 1 to 3",
        ),
        (("power:", "schedule: {measure_day: [3, 7, 10, 14, 17, 21, 56]}\npower:"), "no baseline"),
        (
            ("power:", "schedule: {satellites_per_arm: 0}\npower:"),
            "terminal histology without satellites",
        ),
        (("pellet_mg: 0.05", "pellet_mg: 0.72"), "estradiol pellet"),
        (("power:", "schedule: {blood_sample_uL: 60}\npower:"), "blood volume"),
        (("power:", "schedule: {blood_sample_uL: 130, blood_day: [7]}\npower:"), "blood volume"),
        (("power:", "schedule: {blood_day: [0, 42]}\npower:"), "no calcium in weeks 1 to 3"),
    ],
)
def test_usual_failures_are_warned_of(
    change: tuple[str, str], subject: str, tmp_path: Path
) -> None:
    assert subject in subjects(plan_of(tmp_path, PLAN.replace(*change)))


def test_missing_power_and_short_follow_up_are_warned_of(tmp_path: Path) -> None:
    text = PLAN.replace(
        "power:",
        "schedule: {duration_day: 35, measure_day: [0, 3, 7, 10, 14, 17, 21, 28], "
        "blood_day: [0, 7]}\npower:",
    )
    found = subjects(plan_of(tmp_path, text), None)
    assert {"power", "short follow-up"} <= found


def test_biology_that_defeats_a_plan_is_warned_of(tmp_path: Path) -> None:
    starved = plan_of(tmp_path, PLAN.replace("pellet_mg: 0.05", "pellet_mg: 0"))
    found = design_warnings(starved, calendar(starved), 8, expected_courses(starved))
    assert "control does not grow" in {warning.subject for warning in found}
    weak = plan_of(tmp_path, PLAN.replace("dose_mg_per_kg: 10", "dose_mg_per_kg: 0.001"))
    found = design_warnings(weak, calendar(weak), 8, expected_courses(weak))
    assert "no flare expected" in {warning.subject for warning in found}


def test_small_pellets_are_not_warned_of(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, PLAN.replace("pellet_mg: 0.05", "pellet_mg: 0.36"))
    assert "estradiol pellet" not in subjects(plan)


def test_blood_adds_up_over_28_days(tmp_path: Path) -> None:
    days = calendar(plan_of(tmp_path))
    taken = days[days["blood_uL"] > 0].set_index("day")["blood_28_day_uL"]
    assert taken.to_dict() == {0: 30.0, 7: 60.0, 14: 90.0, 21: 120.0, 42: 60.0}
    assert days["blood_28_day_limit_uL"].max() == pytest.approx(0.15 * 58.5 * 22.0)


@settings(max_examples=12, deadline=None)
@given(st.integers(2, 5), st.integers(3, 8), st.integers(0, 10_000))
def test_every_block_has_every_arm_once(arms: int, size: int, seed: int) -> None:
    names = [f"arm {i}" for i in range(arms)]
    allocation = randomise(herd(arms * size + 3), names, size, seed)
    counts = allocation.animals.groupby(["block", "arm"]).size()
    assert (counts == 1).all() and len(counts) == arms * size
    assert len(allocation.reserve) == 3
    scheme = block_scheme(names, size, seed)
    assert (scheme.groupby(["block", "arm"]).size() == 1).all()
    assert scheme["rank"].tolist() == list(range(1, arms * size + 1))


def test_allocation_follows_the_seed_and_balances() -> None:
    animals, arms = herd(40), ["a", "b", "c", "d"]
    first = randomise(animals, arms, 10, 5)
    pd.testing.assert_frame_equal(first.animals, randomise(animals, arms, 10, 5).animals)
    assert not first.animals["arm"].equals(randomise(animals, arms, 10, 6).animals["arm"])
    balance = balance_table(first)
    assert np.ptp(np.log(balance["geometric_mean_volume_mm3"])) < 0.1
    assert np.ptp(balance["weight_g_mean"]) < 1.5


def test_rerandomisation_sees_an_effect_and_none() -> None:
    allocation = randomise(herd(24), ["a", "b"], 12, 5)
    noise = np.random.default_rng(2).standard_normal(24)
    none = rerandomisation_test(noise, allocation, "a", "b", draws=400)
    effect = 3.0 * (allocation.animals["arm"] == "a").to_numpy()
    some = rerandomisation_test(noise + effect, allocation, "a", "b", draws=400)
    assert some < 0.01
    assert none > 0.05


def test_codes_do_not_tell_the_arm() -> None:
    codes = blinding_codes(["vehicle", "SERM", "SERM high"], 3)
    assert len(set(codes.values())) == 3
    assert all(len(code) == 3 and code.isupper() for code in codes.values())
    assert codes == blinding_codes(["vehicle", "SERM", "SERM high"], 3)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("drug: toremifene", "drug: aspirin", ["aspirin", "toremifene", "tamoxifen"]),
        ("dose_mg_per_kg: 10", "dose_mg_per_kg: 0", ["without a dose"]),
        ("drug: toremifene\n    ", "", ["dose without a drug"]),
        ("dose_mg_per_kg: 10", "dose_mg_per_kg: 10\n    route: nose", ["gavage", "pellet"]),
        ("name: SERM", "name: vehicle", ["twice"]),
        ("group_sizes: [4]", "group_sizes: [2]", ["group_sizes"]),
        ("dose_finding_pilot: true", "dose_finding_pilot: maybe", ["true or false"]),
        ("dose_finding_pilot", "dose_finding_pilots", ["dose_finding_pilot"]),
        ("power:", "schedule: {measure_day: [0, 99]}\npower:", ["day 99", "56"]),
        ("power:", "schedule: {measure_day: [7, 0]}\npower:", ["ascending"]),
    ],
)
def test_faults_in_a_plan_name_field_and_line(
    old: str, new: str, words: list[str], tmp_path: Path
) -> None:
    with pytest.raises(StudyError) as caught:
        plan_of(tmp_path, PLAN.replace(old, new, 1))
    assert caught.value.line is not None
    for word in words:
        assert word in str(caught.value)


def test_command_plans_with_animals(tmp_path: Path) -> None:
    plan_of(tmp_path)
    herd(30).to_csv(tmp_path / "animals.csv", index=False)
    out = tmp_path / "out"
    arguments = ["xenograft", "plan", str(tmp_path / "plan.yaml"), "--out", str(out)]
    arguments += ["--animals", str(tmp_path / "animals.csv")]
    result = CliRunner().invoke(application, arguments)
    assert result.exit_code == 0, result.output
    allocation = pd.read_csv(out / "allocation.csv")
    key = pd.read_csv(out / "blinding_key.csv")
    assert "arm" not in allocation.columns
    assert set(allocation["code"]) == set(key["code"])
    text = (out / "plan.html").read_text(encoding="utf-8")
    assert "mechanistic mouse" in text and "Flare, then stasis" in text
    assert "vehicle" not in pd.read_csv(out / "balance.csv").to_csv()
    arrive = pd.read_csv(out / "arrive.csv").set_index("item")
    assert arrive.loc[2, "status"] == "filled" and arrive.loc[14, "status"] == "open"


@pytest.mark.parametrize(
    ("animals", "words"),
    [
        ("animal,volume_mm3\na,100\n", "found 1 animals to randomise"),
        ("animal,volume_mm3\na,0\n", "no volume above 0"),
        ("animal,volume_mm3\na,100\na,100\n", "twice"),
        ("animal,volume_mm3,arm\na,100,x\n", "not in an arm yet"),
        ("animal,volume_mm3\na,1x\n", "volume_mm3"),
    ],
)
def test_bad_animals_are_one_sentence(animals: str, words: str, tmp_path: Path) -> None:
    plan_of(tmp_path)
    (tmp_path / "animals.csv").write_text(animals)
    arguments = ["xenograft", "plan", str(tmp_path / "plan.yaml"), "--out", str(tmp_path / "out")]
    arguments += ["--animals", str(tmp_path / "animals.csv"), "--simulations", "20"]
    result = CliRunner().invoke(application, arguments)
    assert result.exit_code == 2
    assert words in result.output
    assert not (tmp_path / "out").exists()


def test_too_few_animals_to_randomise() -> None:
    with pytest.raises(ValueError, match="places"):
        randomise(herd(5), ["a", "b"], 3, 1)
    assert issubclass(StudyError, InputError)
