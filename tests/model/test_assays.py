"""What assays read of hormones: tables with class and source, cross-reactions, limits."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from estradyn.errors import ParameterError
from estradyn.model import Output, load_patient_model, models_directory
from estradyn.model.assays import Reading, assay_names, assay_parameters, load_assay

ASSAY = "radioimmunoassay"

Outputs = tuple[Output, ...]


@pytest.fixture(scope="module")
def outputs() -> Outputs:
    return load_patient_model(drugs=()).outputs


def test_every_shipped_row_has_a_source_and_an_uncertain_one_its_range() -> None:
    rows = assay_parameters().rows
    assert rows
    for row in rows:
        assert row.source
        if row.evidence_class.value == "assumed":
            assert "range" in row.note.lower(), row.name
        if row.evidence_class.value == "fitted":
            assert None not in (row.lower, row.upper), row.name


@pytest.mark.parametrize("name", assay_names())
def test_an_assay_reads_at_least_what_there_is(name: str, outputs: Outputs) -> None:
    readings = load_assay(name, outputs).readings
    assert "estradiol_concentration" in readings
    for reading in readings.values():
        assert reading.of(10.0) >= 10.0
        assert reading.limit is None or reading.source


@given(st.floats(0.1, 5.0), st.floats(0.0, 50.0), st.floats(0.5, 99.0))
def test_a_background_hides_suppression_and_a_gain_does_not(
    gain: float, background: float, left: float
) -> None:
    def remaining(reading: Reading) -> float:
        return 100.0 * reading.of(12.0 * left / 100.0) / reading.of(12.0)

    assert remaining(Reading(gain, 0.0, None, "")) == pytest.approx(left)
    reading = Reading(gain, background, None, "")
    assert left - 1e-9 <= remaining(reading) <= 100.0
    np.testing.assert_array_equal(
        reading.of(np.array([1.0, 12.0])), [reading.of(1.0), reading.of(12.0)]
    )


def test_the_mean_before_treatment_is_read_twice_as_high(outputs: Outputs) -> None:
    reading = load_assay(ASSAY, outputs).readings["estradiol_concentration"]
    assert reading.of(12.0) == pytest.approx(25.7, rel=0.01)  # pk246, pk248


def test_an_unknown_assay_is_refused_with_those_there_are(outputs: Outputs) -> None:
    with pytest.raises(ParameterError, match=f"'bioassay', allowed is one of: .*{ASSAY}"):
        load_assay("bioassay", outputs)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("estradiol_gain\t2.14\tdimensionless", "estradiol_gain\t2.14\tpmol/L", "it must be in"),
        ("estradiol_limit\t3\tpmol/L", "estradiol_limit\t3\tday", "it must be in 'pmol/L'"),
        ("estradiol_gain\t2.14", "estradiol_gain\t0", "must be above 0"),
        ("estradiol_background\t", "estradiol_ground\t", "has no row 'estradiol_background'"),
        ("estradiol_background\t", "estradiol_gain\t", "is given twice"),
    ],
)
def test_a_table_with_a_fault_is_refused(
    tmp_path: Path, outputs: Outputs, old: str, new: str, words: str
) -> None:
    models = tmp_path / "models"
    shutil.copytree(models_directory(), models)
    path = models / "assays" / f"{ASSAY}.tsv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ParameterError, match=words):
        load_assay(ASSAY, outputs, models)
