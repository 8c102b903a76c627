"""A reply: a text that shows itself safely and gives out its code and its JSON."""

from __future__ import annotations

import copy
import pickle

import pytest
from IPython.display import Markdown

from nbconvo.messages import Message, Usage
from nbconvo.session import Reply


def reply(text: str, **fields) -> Reply:
    return Reply(Message(role="assistant", content=text, **fields))


def test_a_reply_is_its_text():
    assert reply("ha ha") == "ha ha"
    assert reply("ha ha").upper() == "HA HA"
    assert Markdown(reply("ha *ha*")).data == "ha *ha*"


def test_a_reply_carries_its_message_and_what_it_tells():
    usage = Usage(9, 2, cost=0.5, requests=1)
    made = reply("x", name="comedian", usage=usage, finish_reason="length")
    assert made.message.content == "x"
    assert (made.speaker, made.usage, made.cost, made.finish_reason) == (
        "comedian",
        usage,
        0.5,
        "length",
    )


def test_an_unknown_cost_is_none_and_an_unknown_usage_counts_nothing():
    assert reply("x").cost is None
    assert reply("x").usage == Usage()


def test_without_alternatives_it_is_its_only_choice():
    assert reply("x").choices == ("x",)


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda r: pickle.loads(pickle.dumps(r))]
)
def test_a_copied_reply_is_a_whole_one(again):
    made = Reply(Message(role="assistant", content="a", name="comedian"), ("a", "b"))
    copied = again(made)
    assert (copied, copied.message, copied.choices) == (made, made.message, made.choices)


def test_code_blocks_are_the_contents_of_the_fences_in_order():
    text = (
        "one\n```python\nx = 1\n\ny = 2\n```\ntwo\n~~~\nraw\n~~~\n````md\n```\ninner\n```\n````\n"
    )
    assert reply(text).code_blocks == ("x = 1\n\ny = 2\n", "raw\n", "```\ninner\n```\n")


def test_a_fence_that_was_never_closed_is_no_code_block():
    assert reply("```python\nx = 1\n").code_blocks == ()


def test_code_that_ends_its_lines_with_carriage_returns_is_a_code_block_too():
    assert reply("```py\r\nx = 1\r\n```\r\n").code_blocks == ("x = 1\r\n",)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, 2]}', {"a": [1, 2]}),
        ('Here you are:\n```json\n{"a": 1}\n```\nEnjoy.', {"a": 1}),
        ("7", 7),
        ("no json here", None),
        ("```json\n{}\n```\n```json\n[]\n```", None),
        ("```python\nx = 1\n```", None),
        ("", None),
    ],
)
def test_parsed_is_the_json_that_it_holds(text, value):
    assert reply(text).parsed == value


def test_it_shows_itself_as_sanitised_html_with_its_plain_text_beside():
    made = reply("**hi** <script>alert(1)</script>", name="comedian", model="m")
    data = made._repr_mimebundle_()
    assert set(data) == {"text/html", "text/plain"}
    assert "<strong>hi</strong>" in data["text/html"]
    assert "<script" not in data["text/html"]
    assert data["text/plain"] == "**hi** <script>alert(1)</script>"


def test_escapes_of_a_terminal_are_not_in_its_plain_text():
    assert reply("a\x1b[31mb")._repr_mimebundle_()["text/plain"] == "ab"
