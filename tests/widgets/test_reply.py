"""Replies that grow in a cell's output, as the page gets them."""

from __future__ import annotations

from typing import Any

import pytest

from nbconvo.widgets.probe import Probe, probe
from nbconvo.widgets.reply import GrowingCard, ReplyWidget

WHO = "<p>A</p>"


@pytest.fixture
def widget(wire) -> ReplyWidget:
    return ReplyWidget(side_by_side=True)


def card(text: str, **fields: Any) -> GrowingCard:
    return GrowingCard(fields.pop("busy", True), "", f"<p>{text}</p>", **fields)


def messages(wire: Any) -> list[dict[str, Any]]:
    return [data["content"] for kind, data in wire if data.get("method") == "custom"]


def wholes(wire: Any) -> list[int]:
    """The numbers of the messages with which the whole went along."""
    return [data["state"]["first"]["seq"] for _, data in wire if data.get("method") == "update"]


def test_only_what_changed_is_sent_and_numbered(widget, wire):
    widget.show([card("a", who=WHO)])
    widget.show([card("a", who=WHO)])
    widget.show([card("ab", who=WHO, foot="<p>f</p>")])
    first, second = messages(wire)
    assert (first["seq"], second["seq"]) == (1, 2)
    assert first["cards"]["0"]["who"] == {"keep": 0, "tail": WHO}
    grown = {"body": {"keep": 4, "tail": "b</p>"}, "foot": {"keep": 0, "tail": "<p>f</p>"}}
    assert second["cards"] == {"0": grown}


def test_cards_come_as_they_begin_and_only_those_that_change(widget, wire):
    widget.show([card("a")])
    widget.show([card("a"), card("b")])
    widget.show([card("a", busy=False), card("b")])
    assert [list(message["cards"]) for message in messages(wire)] == [["0"], ["1"], ["0"]]
    assert messages(wire)[-1]["cards"] == {"0": {"busy": False}}


def test_a_page_that_asks_gets_all_and_the_number_of_the_last_message(widget):
    widget.show([card("a", who=WHO), card("b")])
    snapshot = widget.get_state("first")["first"]
    assert (snapshot["seq"], snapshot["beside"], len(snapshot["cards"])) == (1, True, 2)
    assert snapshot["cards"][0]["who"] == {"keep": 0, "tail": WHO}
    assert snapshot["cards"][0]["body"] == {"reset": True, "keep": 0, "tail": "<p>a</p>"}


def test_the_whole_goes_along_only_after_a_page_was_loaded_anew_and_ever_less_often(widget, wire):
    for number in range(3):
        widget.show([card("x" * number)])
    assert wholes(wire) == []
    widget.get_state()
    for number in range(3, 23):
        widget.show([card("x" * number)])
    assert wholes(wire) == [3 + 1, 3 + 2, 3 + 4, 3 + 8, 3 + 16]


def test_it_closes_when_the_page_shows_it_no_more(widget, wire, kinds_open):
    widget.show([card("a")])
    widget.heard({"views": 0})
    widget.end([card("a", busy=False)])
    assert messages(wire)[-1]["ended"]
    assert ReplyWidget in kinds_open()
    widget.heard({"views": 0})
    assert ReplyWidget not in kinds_open()
    assert wire[-1][0] == "comm_close"


def test_it_stays_for_a_page_that_shows_it_still(widget, kinds_open):
    widget.show([card("a")])
    widget.end([card("a", busy=False, foot="<p>f</p>")])
    widget.heard({"views": 1})
    assert ReplyWidget in kinds_open()
    assert widget.snapshot()["cards"][0]["busy"] is False


def test_the_end_is_told_even_if_nothing_changed(widget, wire):
    widget.end([])
    assert messages(wire) == [{"seq": 1, "cards": {}, "ended": True}]


def test_of_those_that_no_page_closes_only_the_last_stay(kinds_open):
    for _ in range(20):
        ReplyWidget().end([])
    assert kinds_open().count(ReplyWidget) == 8


def test_the_probe_waits_for_an_answer_and_says_that_it_came(wire, kinds_open):
    assert probe() is probe()
    assert not probe().answered
    probe().heard({"alive": True})
    assert probe().answered
    assert messages(wire) == [{"heard": True}]
    assert kinds_open() == [Probe]
