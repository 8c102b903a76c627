"""Replies that are JSON, as blocks of code."""

from __future__ import annotations

import html
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbconvo.markdown import GrowingJson, is_json, render, reply_html
from nbconvo.markdown.structured import laid_out

quick = settings(deadline=None, database=None)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


def code(page: str) -> str:
    return html.unescape(re.sub("<[^>]*>", "", page))


def test_a_json_reply_is_a_highlighted_block_with_a_line_for_each_value():
    shown = reply_html('{"a": [1, 2], "b": {}}')
    assert code(shown) == '{\n  "a": [\n    1,\n    2\n  ],\n  "b": {}\n}\n\n'
    assert shown.startswith('<div class="highlight nbconvo-json"><pre><code><span')


@pytest.mark.parametrize("text", ["[1] see below", "{x}", "12", '"a"', "a {}", "", "[" * 100_000])
def test_anything_else_is_markdown(text):
    assert not is_json(text)
    assert reply_html(text[:100]) == render(text[:100])


@quick
@given(st.lists(values) | st.dictionaries(st.text(), values), st.booleans())
def test_its_layout_changes_no_value(value, ascii):
    assert json.loads(laid_out(json.dumps(value, ensure_ascii=ascii))) == value


@quick
@given(st.text(alphabet='{}[]",:\\ a1\n`'))
def test_any_piece_of_it_is_laid_out_without_a_loss(text):
    assert "".join(laid_out(text).split()) == "".join(text.split())


def test_a_growing_one_looks_as_it_will_in_the_end():
    growing, text = GrowingJson(), '{"a": "x`````y", "b": [1]}'
    for piece in (text[:8], text[8:]):
        growing.feed(piece)
        assert growing.parts() == ("", growing.html())
        assert "nbconvo-json" in growing.html()
    assert growing.html() == reply_html(text)


def test_one_that_is_no_json_after_all_grows_as_markdown():
    growing = GrowingJson()
    growing.feed("I *can't*")
    assert growing.html() == render("I *can't*")


def test_hostile_json_is_passive_and_shows_what_reorders_it():
    shown = reply_html('["```</code><script>alert(1)</script>\u202e"]')
    assert "<script" not in shown
    assert "\u202e" not in shown
    assert "\\u202e" in code(shown)


def test_code_in_markdown_shows_what_reorders_it():
    for text in ("`a\u202eb`", "```python\na\u202eb\n```", "    a\u202eb"):
        assert "\u202e" not in render(text)
        assert "\\u202e" in code(render(text))
