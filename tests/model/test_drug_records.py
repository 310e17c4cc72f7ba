"""What a drug record must say of itself, and the warning when its review is overdue."""

import datetime
from pathlib import Path

import pytest

from estradyn.errors import InputError
from estradyn.model import drug_records, models_directory
from estradyn.model.drug_record import read_drug_record
from estradyn.model.drug_review import review_due, review_warning
from estradyn.model.front_matter import MEDICINE_FIELDS, RECORD_FIELDS

SMALL = Path(__file__).parent / "data" / "small" / "drugs" / "inhibitor.md"


@pytest.fixture
def record_with(tmp_path):
    def read(old="", new="", **options):
        text = SMALL.read_text()
        assert old in text
        path = tmp_path / "inhibitor.md"
        path.write_text(text.replace(old, new, 1))
        return read_drug_record(path, **options)

    return read


def line_of(field):
    return next(x + "\n" for x in SMALL.read_text().splitlines() if x.startswith(field + ":"))


def test_every_shipped_record_is_complete_and_speaks_of_its_drug():
    records = drug_records(models_directory())
    assert set(records) == {
        *("toremifene", "tamoxifen", "raloxifene", "clomiphene", "fulvestrant"),
        *("anastrozole", "letrozole", "exemestane"),
        *("goserelin", "triptorelin"),
        *("pamidronate", "saline"),
    }
    for name, record in records.items():
        assert record.fields["title"].lower() == name
        assert record.body.startswith(f"# {record.fields['title']}")
        assert "research only" in record.body


@pytest.mark.parametrize("field", [*RECORD_FIELDS, *MEDICINE_FIELDS])
def test_a_missing_field_is_named(record_with, field):
    with pytest.raises(InputError, match=rf"\.md: the front matter lacks '{field}', (an|a|one) "):
        record_with(line_of(field))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", "''"),
        ("class", "[SERM]"),
        ("brand_names", "Madeupol"),
        ("brand_names", "[]"),
        ("url", "example.org"),
        ("language", "English"),
        ("last_reviewed", "last year"),
        ("last_reviewed", "2026-11-22 10:00:00"),
        ("review_frequency", "yearly"),
        ("review_frequency", "0 months"),
        ("status", "final"),
        ("version", "one"),
        ("version", "true"),
        ("tags", "[1, 2]"),
    ],
)
def test_a_malformed_field_is_named_with_what_is_allowed(record_with, field, value):
    with pytest.raises(InputError, match=rf"'{field}' is .*, it must be (a|an|one) "):
        record_with(line_of(field), f"{field}: {value}\n")


def test_a_character_yaml_has_no_place_for_is_one_sentence(record_with):
    with pytest.raises(InputError) as caught:
        record_with("title: ", "title: \x00")
    assert "\n" not in str(caught.value)
    assert "inhibitor.md" in str(caught.value)


def test_a_reagent_needs_no_approved_use(record_with):
    assert record_with(line_of("approved_use"), medicine=False).name == "inhibitor"
    with pytest.raises(InputError, match="lacks 'status'"):
        record_with(line_of("status"), medicine=False)


@pytest.mark.parametrize(
    ("frequency", "due"),
    [
        ("12 months", "2027-01-31"),
        ("1 month", "2026-02-28"),
        ("13 months", "2027-02-28"),
        ("2 years", "2028-01-31"),
        ("6 weeks", "2026-03-14"),
        ("1 day", "2026-02-01"),
    ],
)
def test_review_is_due_after_its_interval(record_with, frequency, due):
    record = record_with(line_of("review_frequency"), f"review_frequency: {frequency}\n")
    assert review_due(record) == datetime.date.fromisoformat(due)


def test_only_an_overdue_review_warns(record_with):
    record = record_with()
    assert review_warning(record, datetime.date(2027, 1, 31)) is None
    warning = review_warning(record, datetime.date(2027, 2, 1))
    assert "inhibitor" in warning
    assert "2027-01-31" in warning
