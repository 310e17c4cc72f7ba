"""YAML from outside: plain values, and every fault is one sentence."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estradyn.errors import InputError
from estradyn.plain_yaml import MOST_OPEN_BRACKETS, load_plain_yaml

PLACE = Path("file.yaml")


def test_plain_values_are_read():
    assert load_plain_yaml("a: [1, 2.5, text]\n", PLACE) == {"a": [1, 2.5, "text"]}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: [1, 2\nc: 3\n", 3),
        ("a: !!python/object:os.system x\n", 1),
        ("a: \x00\n", None),
        ("a: 1\na: 2\n", 2),
    ],
)
def test_a_fault_is_one_sentence_with_its_line(text, line):
    with pytest.raises(InputError) as caught:
        load_plain_yaml(text, PLACE)
    assert "\n" not in str(caught.value)
    assert "is not valid YAML" in str(caught.value)
    assert caught.value.line == line


def test_lines_count_from_where_the_text_begins():
    with pytest.raises(InputError) as caught:
        load_plain_yaml("a: 1\nb: [1\n", PLACE, first_line=10)
    assert caught.value.line == 12


def test_a_thousand_open_brackets_are_refused_before_the_parser_sees_them():
    with pytest.raises(InputError, match=f"more than {MOST_OPEN_BRACKETS} open brackets"):
        load_plain_yaml("a: " + "[" * 1000, PLACE)


def test_nesting_without_brackets_is_no_crash():
    text = "\n".join(" " * depth + "a:" for depth in range(3000))
    try:
        load_plain_yaml(text, PLACE)
    except InputError as error:
        assert "nested" in str(error)


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused_in_one_line(text):
    try:
        load_plain_yaml(text, PLACE)
    except InputError as error:
        assert "\n" not in str(error)
