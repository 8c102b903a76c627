"""Calls as code, and characters that would disguise it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbconvo.spelling import called, cut, visible

quick = settings(deadline=None, database=None)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ('{"city": "Oslo"}', 'f(city="Oslo")'),
        ('{"n": 1, "x": 2.5, "on": true, "no": null}', "f(n=1, x=2.5, on=True, no=None)"),
        ('{"l": ["a", {"b": []}]}', 'f(l=["a", {"b": []}])'),
        ("{}", "f()"),
        ("", "f()"),
        ("[1, 2]", "f([1, 2])"),
        ('{"city": "Os', 'f({"city": "Os)'),
        ("not\njson", "f(not json)"),
        ('{"a": "x\\ny"}', 'f(a="x\\ny")'),
        ('{"a": "gr\u00fcn"}', 'f(a="gr\u00fcn")'),
        ("[" * 100_000, f"f({'[' * 100_000})"),
    ],
)
def test_a_call_is_code(arguments, code):
    assert called("f", arguments) == code


def test_a_name_cannot_pass_for_another_argument_or_call():
    assert called("f", '{"a=1, b": 2}') == 'f(**{"a=1, b": 2})'
    assert called("f(x=1); g", "{}") == '"f(x=1); g"()'


@quick
@given(st.text())
def test_a_call_has_one_line(text):
    assert "\n" not in called(text, json.dumps({"a": text, text: text}))
    assert len(called("f", text).splitlines()) == 1


def test_what_reorders_characters_is_seen():
    assert visible("a\u202eb\u2066c\u200f") == "a\\u202eb\\u2066c\\u200f"
    assert "\u202e" not in called("f\u202e", '{"a": "\u202e"}')


def test_a_cut_text_tells_its_length():
    assert cut("abcdef", 6) == "abcdef"
    assert cut("a" * 1234, 2) == "aa … (1,234 characters in all)"
