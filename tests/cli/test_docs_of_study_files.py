"""The page on study files names every key, and its examples run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from estradyn.trial.study import (
    Arm,
    Criteria,
    FlareDefinition,
    HypercalcemiaDefinition,
    Measurement,
    OffStudy,
    OffStudyRule,
    PopulationPlan,
    Regimen,
    Scans,
    Study,
    Visits,
    load_study,
)

PAGE = Path(__file__).parents[2] / "docs" / "study_files.md"
SECTIONS = {
    "Top level": Study,
    "`population`": PopulationPlan,
    "`arms`": Arm,
    "`visits`": Visits,
    "`scans`": Scans,
    "`criteria`": Criteria,
    "`flare`": FlareDefinition,
    "`hypercalcemia`": HypercalcemiaDefinition,
    "`off_study`": OffStudy,
}


def keys_of(section: str) -> set[str]:
    text = PAGE.read_text(encoding="utf-8").split(f"\n## {section}\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]*`) \|", text, flags=re.MULTILINE)
    return {key for cell in cells for key in re.findall(r"`(\w+)`", cell)}


@pytest.mark.parametrize("section", list(SECTIONS))
def test_every_key_of_a_section_is_described_and_no_other(section: str) -> None:
    fields = set(SECTIONS[section].model_fields)
    if section == "`arms`":
        fields |= set(Regimen.model_fields)
    assert keys_of(section) == fields


@pytest.mark.parametrize("word", [*Measurement, *OffStudyRule])
def test_every_measurement_and_rule_is_named(word: str) -> None:
    assert f"`{word}`" in PAGE.read_text(encoding="utf-8")


def test_the_shortest_study_is_one(tmp_path: Path) -> None:
    block = PAGE.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    path = tmp_path / "study.yaml"
    path.write_text(block, encoding="utf-8")
    assert load_study(path).patients_per_arm == 100


def blocks() -> list[str]:
    """YAML on the page, in its order: the shortest study, regimens, management."""
    return [
        part.split("```")[0] for part in PAGE.read_text(encoding="utf-8").split("```yaml\n")[1:]
    ]


def examples_of_regimens() -> list[str]:
    return [
        part.strip() for part in re.split(r"^# ", blocks()[1], flags=re.MULTILINE) if part.strip()
    ]


@pytest.mark.parametrize("example", examples_of_regimens(), ids=lambda text: text.splitlines()[0])
def test_every_example_of_regimens_is_an_arm(example: str, tmp_path: Path) -> None:
    lines = example.splitlines()[1:]
    old = "      - {drug: toremifene, dose: 60 mg, interval: 1 day}\n"
    text = blocks()[0].replace("duration: 1 year", "duration: 6 year")
    assert old in text
    path = tmp_path / "study.yaml"
    path.write_text(
        text.replace(old, "".join(f"      {line}\n" for line in lines if line)), encoding="utf-8"
    )
    assert len(load_study(path).arms[0].regimens) == len([line for line in lines if line])


def test_the_example_of_management_fits_a_study(tmp_path: Path) -> None:
    visits = "visits: [{name: safety, every: 1 week, measure: {calcium: 2 percent}}]\n"
    path = tmp_path / "study.yaml"
    path.write_text(blocks()[0] + visits + blocks()[2], encoding="utf-8")
    assert load_study(path).management.hypercalcemia is not None
