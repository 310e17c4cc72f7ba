"""The summary, the table, the report and the command."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from estradyn.cli.application import application
from estradyn.evidence import Status, mapping
from estradyn.scorecard import (
    Prediction,
    Score,
    Target,
    contexts,
    judge,
    score_context,
    summarise,
    targets_of,
)
from estradyn.scorecard.report import score_html
from estradyn.scorecard.table import COLUMNS, score_table

RUN = CliRunner()

FEW_GROUPS = ("calcium", "lipids", "symptoms")
"""Groups that are drawn in tests: a drawing takes its time."""


def wrong_by_half(
    targets: Sequence[Target], *, workers: int, progress: object, patients: int | None = None
) -> Mapping[str, Prediction]:
    """Predict every tenth number as half of what is published, leave one out, hit the rest."""
    found = {}
    for place, target in enumerate(targets[1:]):
        value = 1.0 if target.number is None else target.number.value
        value *= 0.5 if place % 10 == 0 else 1.0
        found[target.id] = Prediction(value, 0.9 * value, 1.1 * value, target.unit)
    return found


@pytest.fixture
def scores(monkeypatch: pytest.MonkeyPatch) -> list[Score]:
    module = type("module", (), {"predict": staticmethod(wrong_by_half)})
    monkeypatch.setattr(contexts, "import_module", lambda name: module)
    return score_context("clinical", workers=1)


def test_every_modelled_number_is_scored_and_one_without_prediction_is_missed(
    scores: list[Score],
) -> None:
    assert [score.target.id for score in scores] == [one.id for one in targets_of("clinical")]
    assert scores[0].prediction is None
    assert not scores[0].met


def test_groups_count_rows_and_tell_fitted_from_checked(scores: list[Score]) -> None:
    groups = summarise("clinical", scores)
    clinical = mapping("clinical")
    assert sum(group.rows for group in groups) == len(clinical)
    modelled = sum(item.status is Status.MODELLED for item in clinical.values())
    assert sum(group.modelled for group in groups) == modelled
    for group in groups:
        assert group.calibration + group.check == group.modelled
        assert group.calibration_met + group.check_met == group.met <= group.modelled
    exposure = next(group for group in groups if group.group == "PK exposure")
    assert exposure.median_fold_error == pytest.approx(1.0)


def test_a_part_of_the_evidence_is_scored_alone(scores: list[Score]) -> None:
    only = ("lipids", "pk082")
    part = score_context("clinical", workers=1, only=only)
    assert {one.target.item.group for one in part} == {"lipids", "PK exposure"}
    assert {one.target.id for one in part} == {
        one.target.id
        for one in scores
        if one.target.item.group == "lipids" or one.target.item.row.id == "pk082"
    }
    lipids, exposure = summarise("clinical", part, only)
    assert lipids.rows == sum(item.group == "lipids" for item in mapping("clinical").values())
    assert exposure.rows == 1
    table = score_table(["clinical"], part, only)
    assert set(table["group"]) == {"lipids", "PK exposure"}


def test_an_unknown_group_is_refused_with_those_there_are() -> None:
    result = RUN.invoke(application, ["evidence", "score", "--only", "lipid"])
    assert result.exit_code == 2
    assert "'lipid'" in result.stderr
    assert "lipids" in result.stderr


def test_a_row_is_met_only_when_each_of_its_numbers_is() -> None:
    own = [target for target in targets_of("clinical") if target.item.row.id == "pk082"]
    assert len(own) == 2
    good, bad = (
        judge("clinical", one, Prediction(factor * one.number.value, unit=one.unit))
        for one, factor in zip(own, (1.0, 3.0), strict=True)
        if one.number is not None
    )

    def met(scores: list[Score]) -> int:
        return next(one.met for one in summarise("clinical", scores) if one.group == "PK exposure")

    assert met([good]) == 1
    assert met([good, bad]) == 0


def test_table_has_a_line_for_every_number_and_every_row_that_is_not_modelled(
    scores: list[Score],
) -> None:
    table = score_table(["clinical"], scores)
    assert tuple(table.columns) == COLUMNS
    assert set(table["evidence"]) == set(mapping("clinical"))
    assert list(table.loc[table["status"] == "modelled", "number"]) == [
        score.target.id for score in scores
    ]
    unmodelled = table[table["status"] == "not_modelled"]
    assert unmodelled["reason"].str.len().min() > 0
    assert unmodelled["met"].isna().all()


def test_report_stands_alone_and_shows_misses_and_what_is_not_modelled(
    scores: list[Score],
) -> None:
    scores = [one for one in scores if one.target.item.group in FEW_GROUPS]
    page = score_html({"clinical": scores}, {"Estradyn": "test <1>"})
    assert "test &lt;1&gt;" in page
    assert not re.search(r'(?:src|href)="(?!#)', page)
    missed = next(score for score in scores if not score.met and score.prediction is not None)
    misses = page[page.index("Misses, the largest first") : page.index("Forest plots")]
    assert f">{missed.target.id} <" in misses
    hit = next(score for score in scores if score.met)
    assert f">{hit.target.id} <" not in misses
    left_out = [one for one in mapping("clinical").values() if one.status is Status.NOT_MODELLED]
    assert next(one.reason for one in left_out if one.group in FEW_GROUPS) in page
    identifiers = re.findall(r'\bid="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))


def test_command_writes_what_it_says(
    tmp_path: Path, scores: list[Score], monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = [one for one in scores if one.target.item.group in FEW_GROUPS]
    monkeypatch.setattr("estradyn.scorecard.score_context", lambda *_, **__: scores)
    out, report = tmp_path / "scores.csv", tmp_path / "scores.html"
    arguments = ["evidence", "score", "--context", "clinical", "--workers", "1"]
    result = RUN.invoke(application, [*arguments, "--out", str(out), "--report", str(report)])
    assert result.exit_code == 0, result.output
    assert "PK exposure" in result.output
    assert f"Wrote {out} and {report}: {len(scores)} published numbers" in result.output
    assert len(pd.read_csv(out)) == len(score_table(["clinical"], scores))
    assert report.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_contexts_without_the_asked_rows_are_left_out(
    tmp_path: Path, scores: list[Score], monkeypatch: pytest.MonkeyPatch
) -> None:
    lipids = [one for one in scores if one.target.item.group == "lipids"]
    monkeypatch.setattr("estradyn.scorecard.score_context", lambda *_, **__: lipids)
    report = tmp_path / "scores.html"
    result = RUN.invoke(
        application, ["evidence", "score", "--only", "lipids", "--report", str(report)]
    )
    assert result.exit_code == 0, result.output
    assert "Context clinical" in result.output
    assert "Context mouse" not in result.output
    page = report.read_text(encoding="utf-8")
    assert "Mice" not in page
    assert "Not modelled" not in page


def test_command_prints_markdown(scores: list[Score]) -> None:
    result = RUN.invoke(application, ["evidence", "score", "--context", "clinical", "--markdown"])
    assert result.exit_code == 0, result.output
    text = io.StringIO(result.stdout)
    lines = [line for line in text if line.startswith("|")]
    assert len(lines) == 2 + len({item.group for item in mapping("clinical").values()})
    assert len({line.count("|") for line in lines}) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--context", "fish"], "--context: found 'fish', allowed is one of: clinical"),
        (["--out", "{folder}"], "found a folder"),
        (["--report", "{folder}/none/report.html"], "found no folder"),
    ],
)
def test_bad_input_is_told_before_anything_is_simulated(
    tmp_path: Path, arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str) -> None:
        raise AssertionError(f"{name} was simulated")

    monkeypatch.setattr(contexts, "import_module", fail)
    given = [argument.format(folder=tmp_path) for argument in arguments]
    result = RUN.invoke(application, ["evidence", "score", *given])
    assert result.exit_code == 2
    assert message in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_size_of_a_miss_orders_by_what_was_allowed(scores: list[Score]) -> None:
    for score in scores:
        assert (score.size_of_miss <= 1.0) is score.met or math.isinf(score.size_of_miss)
