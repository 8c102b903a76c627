"""One speaker's reply as it grows."""

from __future__ import annotations

from nbconvo.display.column import Column
from nbconvo.errors import StreamCut
from nbconvo.messages import Delta, Message, Usage
from nbconvo.session import Reply


def reply(text: str) -> Reply:
    return Reply(
        Message(
            role="assistant",
            content=text,
            service="offline",
            model="echo",
            usage=Usage(1, 2, requests=1),
            seconds=0.5,
            finish_reason="length",
        )
    )


def test_deltas_add_up():
    column = Column("comedian")
    for text in ("**ha", "** ha"):
        column.add(Delta(text))
    card = column.card(busy=True)
    assert (card.name, card.text, card.busy) == ("comedian", "**ha** ha", True)
    assert "<strong>ha</strong> ha" in (card.html or "")


def test_reasoning_stands_apart():
    column = Column()
    column.add(Delta(reasoning="hm, "))
    column.add(Delta("ha", reasoning="well"))
    assert (column.card(busy=True).reasoning, column.text) == ("hm, well", "ha")


def test_only_the_first_of_several_choices_is_shown():
    column = Column()
    column.add(Delta("red", index=0))
    column.add(Delta("green", index=1))
    assert column.text == "red"


def test_a_notice_is_shown_until_something_is_said():
    column = Column()
    column.add(Delta(notice="waiting"))
    column.add(Delta(model="echo"))
    assert column.card(busy=True).notice == "waiting"
    column.add(Delta("ha"))
    assert column.card(busy=True).notice is None


def test_a_reply_ends_it_with_what_it_tells():
    column = Column()
    column.add(Delta("ha"))
    column.add(reply("ha"))
    card = column.card(busy=True)
    assert not card.busy
    assert card.footer == ("offline:echo", "in 1 + out 2 tokens", "0.5 s", "length")


def test_a_stop_ends_it_with_what_is_known(clock):
    column = Column(clock=clock)
    column.add(Delta("ha", model="echo"))
    clock.now += 2
    column.end("stopped")
    assert column.card(busy=False).footer == ("echo", "2.0 s", "stopped")


def test_an_error_ends_it_and_keeps_what_was_said(clock):
    column = Column(clock=clock)
    column.add(Delta("half"))
    column.add(StreamCut("it broke off"))
    card = column.card(busy=True)
    assert (card.text, card.notice, card.error, card.busy) == ("half", "it broke off", True, False)
    assert card.footer[-1] == "cut"


def test_an_error_before_the_first_word_has_no_ending():
    column = Column()
    column.add(StreamCut("it broke off"))
    assert column.card(busy=False).footer == ()


def test_it_is_empty_until_there_is_something_to_show():
    column = Column("comedian")
    assert column.empty
    column.add(Delta(model="echo"))
    assert column.empty
    column.add(Delta(notice="waiting"))
    assert not column.empty


def test_a_reply_that_is_to_be_json_grows_as_code():
    column = Column(structured=True)
    column.add(Delta('{"a": [1'))
    assert "nbconvo-json" in (column.card(busy=True).html or "")
    assert "nbconvo-json" in column.body()[1]


def test_a_reply_that_turns_out_to_be_json_ends_as_code():
    column = Column()
    column.add(Delta('{"a": [1]}'))
    assert "nbconvo-json" not in (column.card(busy=True).html or "")
    column.add(reply('{"a": [1]}'))
    assert "nbconvo-json" in (column.card(busy=False).html or "")
