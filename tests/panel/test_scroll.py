from __future__ import annotations

from datetime import UTC, datetime

from nbconvo.messages import Message
from nbconvo.panel.scroll import Scroll, merged


def contents(scroll: Scroll) -> list[str]:
    return [message.content for message in scroll.messages]


def test_what_several_said_is_in_the_order_of_time(comedian, critic, say):
    say(comedian, "1", "3")
    say(critic, "2", "4", after=0.5)
    assert contents(merged([comedian, critic], _paths(comedian, critic))) == ["1", "2", "3", "4"]


def test_a_question_that_waited_stands_behind_the_reply_it_waited_for(comedian, critic, say):
    say(comedian, "q1", "a1")
    early = Message(role="user", content="q2", created=datetime(2026, 1, 1, tzinfo=UTC))
    comedian._record.commit([early], comedian.conversation.leaf)
    scroll = merged([comedian, critic], _paths(comedian, critic))
    assert contents(scroll) == ["q1", "a1", "q2"]


def test_what_one_heard_of_another_is_not_told_twice(comedian, critic, say):
    say(comedian, "q", "a")
    heard = Message(role="user", content="comedian: a", name="comedian")
    critic._record.commit([heard], None)
    assert contents(merged([comedian, critic], _paths(comedian, critic))) == ["q", "a"]


def test_an_opening_that_several_heard_is_told_once(comedian, critic, say):
    say(comedian, "begin", "a")
    opening = Message(role="user", content="begin")
    heard = Message(role="user", content="a", name="comedian")
    reply = Message(role="assistant", content="b", name="critic")
    critic._record.commit([opening, heard, reply], None)
    assert contents(merged([comedian, critic], _paths(comedian, critic))) == ["begin", "a", "b"]


def test_rows_are_filled_backwards_within_the_budget(comedian, say):
    say(comedian, *(f"{n} " + "x" * 1000 for n in range(10)))
    scroll = Scroll(comedian.conversation.messages, comedian)
    at, rows = scroll.rows(0, 10, 3_500)
    assert at == 8
    assert [row["html"][3:4] for row in rows] == ["8", "9"]


def test_one_row_is_given_however_large(comedian, say):
    say(comedian, "x" * 5_000)
    at, rows = Scroll(comedian.conversation.messages, comedian).rows(0, 1, 10)
    assert (at, len(rows)) == (0, 1)


def test_places_outside_are_cut_off(comedian, say):
    say(comedian, "a", "b")
    at, rows = Scroll(comedian.conversation.messages, comedian).rows(-5, 99, 10_000)
    assert (at, len(rows)) == (0, 2)


def _paths(*sessions):
    return [session.conversation.messages for session in sessions]
