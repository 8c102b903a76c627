"""Several replies as one value."""

from __future__ import annotations

import pytest

from nbconvo.display.replies import Replies, Transcript
from nbconvo.messages import Message
from nbconvo.session import Reply

A, B = (
    Reply(Message(role="assistant", content=f"I am **{name}**", name=name)) for name in ("a", "b")
)


@pytest.mark.parametrize(
    ("value", "beside"), [(Replies(a=A, b=B), True), (Transcript([A, B]), False)]
)
def test_they_show_themselves_as_cards(page, value, beside):
    value._ipython_display_()
    (output,) = page
    assert output["data"]["text/plain"] == "a:\nI am **a**\n\nb:\nI am **b**"
    assert "<strong>b</strong>" in output["data"]["text/html"]
    assert ("cards nbconvo-beside" in output["data"]["text/html"]) == beside


@pytest.mark.parametrize("value", [Replies(a=A), Transcript([A]), A])
def test_what_a_cell_has_shown_it_does_not_show_again_and_a_later_one_does(page, shell, value):
    assert value.shown(shell.execution_count) is value
    value._ipython_display_()
    value._ipython_display_()
    assert page == []
    shell.execution_count += 1
    value._ipython_display_()
    assert len(page) == 1


def test_they_are_what_they_hold():
    assert Replies(a=A)["a"] == "I am **a**"
    assert Transcript([A, B]) == ["I am **a**", "I am **b**"]
