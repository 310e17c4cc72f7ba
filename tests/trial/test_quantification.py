"""Values below the quantification limit of their assay are no numbers."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from estradyn.errors import ParameterError, StudyError
from estradyn.model import load_patient_model, models_directory
from estradyn.model.table_file import read_table
from estradyn.trial.measurement import BELOW_LIMIT, censored
from estradyn.trial.run import run_trial
from estradyn.trial.statistics import censored_median, median, share_below_percent
from estradyn.trial.study import Study

LIMIT = 2.0


def test_only_what_is_below_its_own_limit_is_censored() -> None:
    measured = np.array([[[1.0, 1.0], [2.0, np.nan]]])
    found = censored(measured, np.array([LIMIT, np.nan]))
    np.testing.assert_array_equal(found, [[[BELOW_LIMIT, 1.0], [2.0, np.nan]]])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.01, 100.0), min_size=1, max_size=60))
def test_median_is_that_of_all_values_wherever_they_lie(values: list[float]) -> None:
    true = np.array(values)
    known, all_of_it = censored_median(censored(true, np.array(LIMIT)), LIMIT), median(true)
    assert known.n == all_of_it.n
    middle = np.sort(true)[(true.size - 1) // 2]
    # Half a median may be known: of an even number the lower value in the middle decides.
    for found, expected, decides in (
        (known.value, all_of_it.value, middle),
        (known.lower, all_of_it.lower, all_of_it.lower),
    ):
        if np.isfinite(found):
            assert found == expected
        else:
            assert np.isnan(decides) or decides < LIMIT
    if np.isfinite(all_of_it.upper):
        assert known.upper == max(all_of_it.upper, LIMIT if middle < LIMIT else 0.0)


def test_median_below_the_limit_has_no_value_but_a_bound() -> None:
    values = np.array([BELOW_LIMIT] * 30 + [5.0] * 4 + [np.nan])
    found = censored_median(values, LIMIT)
    assert np.isnan(found.value)
    assert np.isnan(found.lower)
    assert found.upper == LIMIT
    assert found.n == 34
    assert share_below_percent(values).value == pytest.approx(100.0 * 30 / 34)


def test_without_censoring_nothing_changes() -> None:
    values = np.random.default_rng(3).lognormal(2.0, 0.5, 41)
    assert censored_median(values, 0.01) == median(values)
    assert share_below_percent(values).value == 0.0


@pytest.fixture
def limited_run(
    make_study: Callable[..., Study], make_simulation: Callable[..., Any], tmp_path: Path
) -> Callable[..., Any]:
    """Run the made-up trial, whose estradiol is 1 pmol/L throughout, with an assay limit."""

    def run(limit: float, *changes: tuple[str, str]) -> Any:
        measure = "measure:\n      drug_concentration: 0 percent"
        study = make_study((measure, measure + "\n      estradiol: 0 percent"), *changes)
        simulation = make_simulation(study)
        simulation.outputs = tuple(
            replace(output, quantification_limit=limit, limit_source="Made up")
            if output.name == "estradiol_concentration"
            else output
            for output in simulation.outputs
        )
        table = run_trial(study, tmp_path / "out", simulation=simulation).endpoints
        rows = table[table["endpoint"].str.startswith("estradiol") & (table["arm"] == "low")]
        return rows.set_index(["endpoint", "time"])

    return run


def test_a_trial_reports_the_share_below_and_no_number(limited_run: Callable[..., Any]) -> None:
    rows = limited_run(LIMIT)
    for time in ("0 week", "12 week"):
        assert np.isnan(rows.loc[("estradiol", time), "value"])
        assert rows.loc[("estradiol", time), "upper"] == LIMIT
        below = rows.loc[("estradiol_below_quantification_limit", time)]
        assert (below["value"], below["unit"]) == (100.0, "percent")


def test_an_assay_without_limit_reports_what_there_is(limited_run: Callable[..., Any]) -> None:
    reported = ("    window: 3 day\n", "    window: 3 day\n    below_quantification: reported\n")
    rows = limited_run(LIMIT, reported)
    assert rows.loc[("estradiol", "12 week"), "value"] == 1.0
    assert "estradiol_below_quantification_limit" not in rows.index.get_level_values(0)


def test_visits_are_read_by_the_assay_that_they_name(limited_run: Callable[..., Any]) -> None:
    reported = "    below_quantification: reported\n"
    named = "    assay: radioimmunoassay\n"
    window = "    window: 3 day\n"
    rows = limited_run(LIMIT, (window, window + reported + named))
    # Estradiol is 1 pmol/L throughout and is read as more.
    assert rows.loc[("estradiol", "12 week"), "value"] == pytest.approx(2.14)


def test_visits_are_censored_at_the_limit_of_their_assay(limited_run: Callable[..., Any]) -> None:
    window = "    window: 3 day\n"
    rows = limited_run(LIMIT, (window, window + "    assay: radioimmunoassay\n"))
    # 2.14 is read, above the limit of the model's own output and below the 3 pmol/L of the assay.
    assert np.isnan(rows.loc[("estradiol", "12 week"), "value"])
    assert rows.loc[("estradiol", "12 week"), "upper"] == 3.0


def test_an_unknown_assay_is_refused(make_study: Callable[..., Study]) -> None:
    window = "    window: 3 day\n"
    with pytest.raises(StudyError, match=r"'bioassay'.*radioimmunoassay"):
        make_study((window, window + "    assay: bioassay\n"))


def test_shipped_limits_have_a_source() -> None:
    limited = [out for out in load_patient_model(drugs=()).outputs if out.quantification_limit]
    assert {"estradiol", "estrone"} <= {output.endpoint for output in limited}
    assert all(output.limit_source for output in limited)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("\t2.3\t", "\t-1\t", "it must be above 0"),
        ("estradiol\tabsolute\t2.3", "estradiol\tpercent\t2.3", "no percent change once it is"),
        ("\t2.3\tPMID", "\t2.3\t\nPMID", "the column 'limit_source' is empty"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    models = tmp_path / "models"
    shutil.copytree(models_directory(), models)
    path = models / "outputs.tsv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ParameterError, match=words):
        load_patient_model(models, drugs=())


def test_optional_columns_may_be_absent_but_no_others(tmp_path: Path) -> None:
    path = tmp_path / "table.tsv"
    path.write_text("a\tb\n1\t2\n")
    (row,) = read_table(path, ("a", "b"), ("c",))
    assert row.cells == {"a": "1", "b": "2", "c": ""}
    path.write_text("a\tb\td\n1\t2\t3\n")
    with pytest.raises(ParameterError, match=r"a, b, and may have: c"):
        read_table(path, ("a", "b"), ("c",))
