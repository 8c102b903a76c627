"""Instructions and contexts as text that a model can read."""

from __future__ import annotations

import datetime
import json

import pytest

from nbconvo.context import as_text, with_context
from nbconvo.errors import InputError

pandas = pytest.importorskip("pandas")


class Frame:
    """As much of a polars data frame as is looked at."""

    columns = ("a", "b")

    def iter_rows(self):
        yield from [(1, "x"), (2, "y")]


def test_an_instruction_alone_is_itself():
    assert with_context("  say hi\n", None) == "say hi"


def test_the_context_stands_below_the_instruction():
    assert with_context("Judge this.", "a joke") == "Judge this.\n\na joke"


@pytest.mark.parametrize("context", [None, "", " \n"])
def test_a_context_that_says_nothing_is_left_out(context):
    assert with_context("hi", context) == "hi"


def test_an_indented_context_stays_indented():
    assert with_context("Mend this.", "    return 1\n") == "Mend this.\n\n    return 1\n"


@pytest.mark.parametrize("instruction", ["", " \n\t", None])
def test_an_empty_instruction_is_refused(instruction):
    with pytest.raises(InputError, match="the message is empty"):
        with_context(instruction, "context")


def test_a_flat_mapping_of_texts_becomes_lines():
    assert as_text({"brief": "be funny", "tone": "dry"}, "instruction") == (
        "brief: be funny\ntone: dry"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": 1}, '{\n  "a": 1\n}'),
        (["é"], '[\n  "é"\n]'),
        ({}, "{}"),
        (3.5, "3.5"),
        (False, "false"),
        (0, "0"),
    ],
)
def test_any_other_json_value_becomes_a_block_of_json(value, text):
    assert as_text(value, "context") == f"```json\n{text}\n```"


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", object()])
def test_what_is_neither_text_nor_json_nor_a_table_is_refused_by_its_type(value):
    with pytest.raises(InputError) as caught:
        as_text(value, "context")
    assert str(caught.value).startswith(
        f"context must be text, a JSON value or a DataFrame, not {type(value).__name__}"
    )


def test_dates_and_numpys_numbers_become_json():
    numpy = pytest.importorskip("numpy")
    value = {"on": datetime.date(2026, 1, 1), "n": numpy.int64(3), "all": numpy.array([1, 2])}
    assert json.loads(as_text(value, "context").split("\n", 1)[1].removesuffix("\n```")) == {
        "on": "2026-01-01",
        "n": 3,
        "all": [1, 2],
    }


def test_a_data_frame_becomes_a_markdown_table():
    frame = pandas.DataFrame({"who": ["a|b", "c\nd"], "n": [1, 2]})
    assert as_text(frame, "context") == (
        "| who | n |\n| --- | --- |\n| a\\|b | 1 |\n| c<br>d | 2 |"
    )


def test_a_data_frame_of_polars_does_too():
    assert as_text(Frame(), "context") == "| a | b |\n| --- | --- |\n| 1 | x |\n| 2 | y |"


def test_an_index_that_says_something_is_in_the_table():
    frame = pandas.DataFrame({"n": [3, 4]}, index=["mean", "max"])
    assert as_text(frame, "context") == ("| index | n |\n| --- | --- |\n| mean | 3 |\n| max | 4 |")
    named = pandas.DataFrame({"year": [2025, 2026], "n": [3, 4]}).set_index("year")
    assert as_text(named, "context").startswith("| year | n |")


def test_row_numbers_are_not_in_the_table():
    frame = pandas.DataFrame({"n": [1, 2, 3]})
    assert as_text(frame[frame.n > 1], "context") == "| n |\n| --- |\n| 2 |\n| 3 |"


def test_a_data_frame_without_rows_is_its_header():
    assert as_text(pandas.DataFrame({"a": []}), "context") == "| a |\n| --- |"


def test_grouped_rows_keep_their_names():
    frame = pandas.DataFrame({"k": ["a", "a"], "l": ["x", "y"], "n": [1, 2]})
    assert as_text(frame.groupby(["k", "l"]).sum(), "context") == (
        "| k | l | n |\n| --- | --- | --- |\n| a | x | 1 |\n| a | y | 2 |"
    )
