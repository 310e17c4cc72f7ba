"""Treatments of women with a cycle, as scenarios name them."""

import pytest

from estradyn.errors import InputError
from estradyn.scorecard.cycles import Treatment, read_treatment


def test_a_treatment_is_read_with_its_courses_and_its_day():
    found = read_treatment("letrozole 2.5 mg/day for 5 day, 3 courses every 35 day from day 3")
    assert found == Treatment((("letrozole", 2.5, 1.0, 5),), 3, 35.0, 3.0)
    assert found.last_course == 70.0
    assert found.drugs == ("letrozole",)


def test_regimens_are_joined():
    found = read_treatment("goserelin 3.6 mg every 28 day for 84 day with anastrozole 1 mg once")
    assert found.doses == (("goserelin", 3.6, 28.0, 3), ("anastrozole", 1.0, 1.0, 1))
    assert found.entry_day is None


def test_no_treatment_has_no_doses():
    assert read_treatment("untreated from day 2") == Treatment((), entry_day=2.0)


def test_what_is_no_regimen_is_refused():
    with pytest.raises(InputError, match="found the regimen 'letrozole daily', allowed is"):
        read_treatment("letrozole daily")
