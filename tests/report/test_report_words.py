"""Numbers, names, links and sentences of the report."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from estradyn.report.headlines import headline_sentences
from estradyn.report.links import linked
from estradyn.report.off_study import rule_rows
from estradyn.report.wording import (
    interval_text,
    label_of,
    number_text,
    period_text,
    time_text,
    times_text,
)
from estradyn.trial.result import TrialResult


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (15.84, "%", "15.8"),
        (-0.04, "%", "0.0"),
        (-2.0, "%", "−2.0"),
        (0.912, "mg/L", "0.912"),
        (2217.0, "nmol/L", "2217"),
        (3.2e-7, "", "3.20×10⁻⁷"),
        (0.0, "", "0"),
        (None, "", "–"),
        (math.nan, "%", "–"),
        (math.inf, "", "–"),
    ],
)
def test_numbers_have_the_decimals_their_unit_deserves(
    value: float | None, unit: str, text: str
) -> None:
    assert number_text(value, unit) == text


@given(st.floats(min_value=-1e12, max_value=1e12, allow_nan=False))
def test_a_printed_number_reads_back_within_its_digits(value: float) -> None:
    text = number_text(value).translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻−", "0123456789--"))
    assert float(text.replace("×10", "e")) == pytest.approx(value, rel=6e-3)


def test_open_intervals_say_so() -> None:
    assert interval_text(1.0, 2.0, "%") == "1.0 to 2.0"
    assert interval_text(5.0, math.nan, "months") == "5.0 or more"
    assert interval_text(math.nan, 5.0, "months") == "5.0 or less"
    assert interval_text(math.nan, math.nan) == ""


def test_times_are_in_the_largest_unit_that_divides_them() -> None:
    assert [time_text(days) for days in (730.5, 56.0, 7.0, 10.0, 0.5, 1.3)] == [
        "2 years",
        "8 weeks",
        "1 week",
        "10 days",
        "12 hours",
        "1.3 days",
    ]


def test_a_month_is_the_twelfth_of_a_year() -> None:
    assert time_text(365.25 / 2) == "6 months"
    assert period_text("182.625 day") == "6 months"
    assert [period_text(time) for time in ("12 week", "10 day", "")] == ["12 weeks", "10 days", ""]


def test_times_share_a_unit_where_one_divides_all() -> None:
    assert times_text((0.0, 365.25, 730.5)) == "0, 1 and 2 years"
    assert times_text((0.0, 14.0, 84.0)) == "0, 2 and 12 weeks"
    assert times_text((0.0, 10.0)) == "0 and 10 days"
    assert times_text((14.0, 365.25)) == "2 weeks and 1 year"
    assert times_text((0.5, 1.0)) == "12 hours and 1 day"
    assert times_text((0.0,)) == "0 days"


def test_names_are_words() -> None:
    assert label_of("total_hip_bmd_change") == "Total hip BMD change"
    assert label_of("progression_free_survival_median") == "Progression-free survival median"


def test_sources_link_to_papers_and_stay_text_otherwise() -> None:
    html = str(linked("A <b>, doi:10.1038/psp.2012.10; PMID 7595707, PMC1143577."))
    assert html.startswith("A &lt;b&gt;, ")
    assert 'href="https://doi.org/10.1038/psp.2012.10"' in html
    assert 'href="https://pubmed.ncbi.nlm.nih.gov/7595707/"' in html
    assert 'href="https://www.ncbi.nlm.nih.gov/pmc/articles/PMC1143577/"' in html
    assert html.endswith("</a>.")


@pytest.mark.parametrize("text", ["javascript:alert(1)", 'https://x/"onclick="y', "doi:nonsense"])
def test_no_source_can_smuggle_in_markup(text: str) -> None:
    html = str(linked(text))
    assert "javascript" not in html or "<a" not in html
    assert '"onclick' not in html


def test_headlines_read_every_number_from_the_table(result: TrialResult) -> None:
    arms = [arm.name for arm in result.study.arms]
    first = headline_sentences(result.endpoints, [], arms)[0]
    assert first == (
        "Symptomatic flare occurred in 15.8 % on toremifene 60 mg (95 % interval 12.8 to 18.8; "
        "published 16 %) and 17.4 % on toremifene 200 mg (95 % interval 14.4 to 20.4; "
        "published 19 %)."
    )
    changed = result.endpoints.assign(value=99.0, published=np.nan)
    assert (
        "99.0 % on toremifene 60 mg (95 % interval 12.8 to 18.8)"
        in (headline_sentences(changed, [], arms)[0])
    )
    assert headline_sentences(result.endpoints.iloc[:0], [], arms) == []


def test_rules_count_later_responders_and_mark_the_one_followed(result: TrialResult) -> None:
    rows = rule_rows(result.patients, result.study)
    assert [row.label for row in rows if row.followed] == ["stop at first progression"]
    for row, rule in zip(
        rows,
        ("first_progression", "confirmed_progression", "treat_through_flare", "worsening_signs"),
        strict=True,
    ):
        for arm, count in row.counts.items():
            own = result.patients[result.patients["arm"] == arm]
            assert count.taken_off == own[f"later_responder_taken_off_{rule}"].sum()
            assert count.patients == len(own)
            assert count.with_flare <= count.taken_off
