"""The report as a reader, a printer and a screen reader meet it."""

from __future__ import annotations

import datetime
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from estradyn.report import write_report
from estradyn.report.page import NOTICE, report_html
from estradyn.trial.result import TrialResult

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    def __init__(self, text: str):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)
        if tag in ("td", "th", "span", "div", "li", "p"):
            self.text += " "

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "title", "desc"} & set(self.open):
            self.text += data

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def html(result: TrialResult) -> str:
    return report_html(result)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_is_of_moderate_size(html: str) -> None:
    assert len(html.encode()) < 5_000_000


def test_asks_for_nothing_outside_itself(page: Page, html: str) -> None:
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "video", "audio"}
    loaded = [
        value
        for tag, attributes in page.elements
        for name, value in attributes.items()
        if (name in ("src", "srcset", "poster", "xlink:href") or (name == "href" and tag != "a"))
        and not value.startswith("#")
    ]
    assert loaded == []
    assert "@import" not in html
    assert set(re.findall(r"url\((.)", html)) <= {"#"}
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)


def test_elements_are_closed_and_ids_are_unique(page: Page) -> None:
    assert page.open == []
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    used = {
        reference
        for _, attributes in page.elements
        for value in attributes.values()
        for reference in re.findall(r"url\(#([^)]+)\)", value)
    }
    used |= {a["href"][1:] for a in page.of("a") if a.get("href", "").startswith("#")}
    assert used <= set(ids)


def test_headings_follow_in_order_and_the_language_is_named(page: Page) -> None:
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert page.of("html")[0]["lang"] == "en"


def test_every_picture_has_a_name_and_a_description(page: Page, html: str) -> None:
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    pictures = page.of("svg")
    assert len(pictures) == 9
    for picture in pictures:
        assert picture["role"] == "img"
        assert set(picture["aria-labelledby"].split()) <= ids
        assert "width" not in picture
    numbers = re.findall(r"<strong>Figure (\d+)\.", html)
    assert numbers == [str(number) for number in range(1, 10)]


def test_says_research_use_only_first_and_last(page: Page) -> None:
    lines = [line.strip() for line in page.text.splitlines() if line.strip()]
    assert lines[0] == NOTICE
    assert lines[-1] == NOTICE


def test_text_of_the_study_is_never_markup(page: Page) -> None:
    assert "Postmenopausal women with <bone> & other disease" in page.text
    assert "bone" not in {tag for tag, _ in page.elements}


def test_an_overdue_review_of_a_drug_of_the_study_warns(result: TrialResult) -> None:
    fresh = report_html(result, today=datetime.date(2026, 11, 23))
    stale = report_html(result, today=datetime.date(2030, 1, 1))
    assert "Overdue review" not in fresh
    assert stale.count("Overdue review") == 1
    assert "The record of toremifene was last reviewed on 2026-11-22" in stale


def test_published_numbers_stand_beside_the_simulated(page: Page) -> None:
    text = " ".join(page.text.split()).replace("\N{NARROW NO-BREAK SPACE}", " ")
    row = text[text.index("Objective response rate") :]
    assert row.startswith("Objective response rate toremifene 60 mg 20.9 % 17.4 to 24.4 80")
    assert "21 (16.0 to 26.6) ✓ within · toremifene 60 mg/d" in row
    assert "fitted · toremifene 40-60 mg/d" in row
    assert "Randomized comparison of tamoxifen and two separate doses of toremifene" in text


def test_failed_patients_are_counted_by_status(page: Page) -> None:
    assert re.search(r"Step limit\s+1\s+0\s", page.text)


def test_manifest_is_flat_and_leaves_out_what_stands_elsewhere(page: Page) -> None:
    cells = page.text.split("Manifest")[1]
    assert re.search(r"versions\.numpy\s*2\.0", cells)
    assert "c0ffee" in cells


def test_a_trial_in_which_nothing_happened_can_be_reported(
    result: TrialResult, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    patients = result.patients.assign(
        symptomatic_flare=False,
        hypercalcemia=False,
        flare_onset_day=np.nan,
        flare_end_day=np.nan,
        best_change_percent=np.nan,
        progressed=False,
    )
    once = tmp_path_factory.mktemp("once") / "assessments.parquet"
    assessments = pd.read_parquet(result.assessments_path)
    assessments[assessments["scan"] == 0].to_parquet(once)
    quiet = replace(
        result,
        patients=patients,
        assessments_path=once,
        endpoints=result.endpoints.assign(value=np.nan, lower=np.nan, upper=np.nan),
    )
    path = write_report(quiet, tmp_path)
    assert list(tmp_path.iterdir()) == [tmp_path / "report.html"] == [path]
    page = Page(path.read_text(encoding="utf-8"))
    text = " ".join(page.text.split())
    assert "Median progression-free survival was not reached on toremifene 60 mg" in text
    assert "against toremifene 60 mg was not to be told on toremifene 200 mg" in text
    assert len(page.of("svg")) == 6


def test_nothing_is_written_when_the_result_cannot_be_drawn(
    result: TrialResult, tmp_path: Path
) -> None:
    broken = replace(result, trajectories_path=tmp_path / "missing.parquet")
    with pytest.raises(FileNotFoundError):
        write_report(broken, tmp_path)
    assert list(tmp_path.iterdir()) == []
