"""Turns under way, as a page shows them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import replace

import nbconvo
from nbconvo.errors import BadRequest
from nbconvo.messages import Cell
from nbconvo.session import workspace


def test_a_reply_grows_in_place_and_ends_as_a_row_of_the_same_id(open_page, provider, comedian):
    going = threading.Event()
    provider.reply("# Title\n\nfirst\n\nsecond", deltas=3, hold=going)
    page = open_page("comedian")
    page.ask("send", to=["comedian"], text="go")
    page.until(lambda: page.bodies)
    asked, growing = page.has["tail"]
    assert (asked["state"], growing["state"]) == ("asked", "growing")
    going.set()
    page.until(lambda: len(page.rows) == 2)
    assert [page.rows[0]["id"], page.rows[1]["id"]] == [asked["id"], growing["id"]]
    assert page.bodies[growing["id"]].startswith("<h1>Title</h1>")
    assert page.has["tail"] == []


def test_a_reply_grows_whoever_asked(open_page, provider, comedian):
    going = threading.Event()
    provider.reply("one two three", deltas=3, hold=going)
    page = open_page()
    comedian.asking.start(comedian.asking.prepare("from a cell"))
    page.until(lambda: page.bodies)
    going.set()
    page.until(lambda: len(page.rows) == 2)


def test_a_message_that_is_sent_during_a_reply_is_shown_as_queued(open_page, provider, comedian):
    provider.reply("one two", deltas=2, pace=0.1)
    page = open_page("comedian")
    page.ask("send", to=["comedian"], text="first")
    page.ask("send", to=["comedian"], text="second")
    page.until(lambda: "queued" in [row["state"] for row in page.has["tail"]])
    assert page.has["sessions"][0]["queued"] == 1
    page.until(lambda: len(page.rows) == 4)
    assert [row["html"] for row in page.rows.values()][2] == "<p>second</p>\n"


def test_a_stop_keeps_what_had_come(open_page, provider, comedian):
    provider.reply("one two three four", deltas=3, pace=0.1)
    page = open_page("comedian")
    page.ask("send", to=["comedian"], text="go")
    page.until(lambda: page.bodies)
    (turn,) = {row["turn"] for row in page.has["tail"]}
    assert page.ask("stop", turns=[turn])["stopped"] == 1
    page.until(lambda: len(page.rows) == 2)
    assert page.rows[1]["ending"] == "stopped"


def test_a_stop_that_comes_late_ends_no_other_turn(open_page, provider, comedian):
    provider.reply("one two three four", deltas=3, pace=0.1)
    page = open_page("comedian")
    page.ask("send", to=["comedian"], text="go")
    page.until(lambda: page.bodies)
    assert page.ask("stop", turns=["ended long ago"])["stopped"] == 0
    page.until(lambda: len(page.rows) == 2)
    assert "ending" not in page.rows[1]


def test_a_queued_message_is_withdrawn_alone(open_page, provider, comedian):
    provider.reply("one two", deltas=2, pace=0.2)
    page = open_page("comedian")
    page.ask("send", to=["comedian"], text="first")
    page.ask("send", to=["comedian"], text="second")
    page.until(lambda: "queued" in [row["state"] for row in page.has["tail"]])
    (queued,) = [row["turn"] for row in page.has["tail"] if row["state"] == "queued"]
    page.ask("stop", turns=[queued])
    page.until(lambda: len(page.rows) == 2 and not page.has["tail"])
    assert [row["html"] for row in page.rows.values()] == ["<p>first</p>\n", "<p>one two</p>\n"]


def test_a_failed_ask_stays_to_be_seen_and_is_asked_again(open_page, provider, comedian):
    provider.error(400, "no <b>such</b> thing")
    page = open_page("comedian")
    page.ask("send", to=["comedian"], text="go")
    page.until(lambda: page.has["tail"] and page.has["tail"][0]["state"] == "failed")
    (failed,) = page.has["tail"]
    assert "no <b>such</b> thing" in failed["error"]
    assert page.rows == {}
    page.ask("again", s="comedian", turn=failed["turn"])
    page.until(lambda: len(page.rows) == 2)
    assert page.has["tail"] == []


def test_what_is_asked_again_waits_for_no_answer_of_the_cell_that_asked(
    open_page, provider, comedian
):
    def sing() -> str:
        """Sing."""
        return "la"

    comedian.set_tools(sing)
    comedian.set_confirm(True)
    provider.error(400)
    page = open_page("comedian")
    comedian.asking.start(replace(comedian.asking.prepare("go"), answers=True))
    page.until(lambda: page.has["tail"] and page.has["tail"][0]["state"] == "failed")
    provider.reply("", calls=[("sing", {})])
    provider.reply("As you like.")
    page.ask("again", s="comedian", turn=page.has["tail"][0]["turn"])
    page.until(lambda: len(page.rows) == 2)
    assert "nobody could be asked" in page.rows[1]["why"]


def test_what_is_asked_again_takes_the_place_of_what_its_cell_said_before(
    open_page, provider, comedian
):
    for execution in ("first", "second"):
        if execution == "second":
            provider.error(400)
        ask = replace(comedian.asking.prepare("go"), cell=Cell("cell", execution))
        with contextlib.suppress(BadRequest):
            comedian.asking.start(ask).result(5)
    page = open_page("comedian")
    (failed,) = page.has["tail"]
    page.ask("again", s="comedian", turn=failed["turn"])
    said = comedian.conversation
    page.until(lambda: [m.cell for m in said.messages] == [Cell("cell", "second"), None])


def test_calls_without_an_end_are_shown_once_and_are_asked_for_again(open_page, provider, comedian):
    def look() -> str:
        """Look."""
        return "seen"

    comedian.set_tools(look)
    comedian.set_tool_limits(max_rounds=1)
    for _ in range(2):
        provider.reply("", calls=[("look", {})])
    provider.reply("done")
    page = open_page(comedian)
    page.ask("send", to=["comedian"], text="go")
    page.until(lambda: [row["state"] for row in page.has["tail"]] == ["failed"])
    (failed,) = page.has["tail"]
    assert failed["role"] == "assistant"
    assert "2 tool calls" in page.rows[1]["why"]
    page.ask("again", s="comedian", turn=failed["turn"])
    page.until(lambda: comedian.last == "done")
    assert [message.role for message in comedian.conversation.messages] == ["user", "assistant"]


def test_a_failed_ask_goes_when_it_is_dismissed(open_page, provider, comedian):
    provider.error(400)
    page = open_page("comedian")
    page.ask("send", to=["comedian"], text="go")
    page.until(lambda: page.has["tail"] and page.has["tail"][0]["state"] == "failed")
    page.ask("dismiss", s="comedian", turn=page.has["tail"][0]["turn"])
    page.until(lambda: page.has["tail"] == [])


def test_a_retry_shows_the_new_reply_where_the_old_one_stood(open_page, provider, comedian):
    page = open_page("comedian")
    for text in ("first", "second"):
        page.ask("send", to=["comedian"], text=text)
    page.until(lambda: len(page.rows) == 4)
    provider.reply("again and again", deltas=2, pace=0.05)
    page.ask("retry", s="comedian", id=page.rows[1]["id"])
    page.until(lambda: page.bodies and page.has["tail"])
    assert page.has["path"]["n"] == 1
    page.until(lambda: page.has["tail"] == [] and len(page.rows) == 2)
    assert page.rows[1]["alts"]["n"] == 2


def test_a_reply_that_tools_led_to_has_alternatives_too(open_page, provider, comedian):
    def sing() -> str:
        """Sing."""
        return "la"

    comedian.set_tools(sing)
    for calls in (True, False, True):
        if calls:
            provider.reply("", calls=[("sing", {})])
        provider.reply("La.")
        asked = (
            comedian.asking.prepare_retry() if comedian.last else comedian.asking.prepare("sing")
        )
        comedian.asking.start(asked).result(5)
    page = open_page("comedian")
    walked = []
    for _ in range(3):
        alternatives = page.rows[1]["alts"]
        walked.append((alternatives["i"], alternatives["n"]))
        if alternatives["prev"]:
            page.ask("choose", s="comedian", id=alternatives["prev"])
    assert walked == [(3, 3), (2, 3), (1, 3)]


def test_what_a_failed_retry_hid_comes_back(open_page, provider, comedian):
    page = open_page("comedian")
    page.ask("send", to=["comedian"], text="first")
    page.until(lambda: len(page.rows) == 2)
    provider.error(400, delay=0.3)
    page.ask("retry", s="comedian", id=page.rows[1]["id"])
    page.until(lambda: page.has["path"]["n"] == 1)
    page.until(lambda: page.has["path"]["n"] == 2)


def test_an_edit_branches(open_page, provider, comedian):
    page = open_page("comedian")
    page.ask("send", to=["comedian"], text="first")
    page.until(lambda: len(page.rows) == 2)
    page.ask("edit", s="comedian", id=page.rows[0]["id"], text="another")
    page.until(lambda: page.texts[:1] == ["<p>another</p>\n"] and len(page.rows) == 2)
    assert page.rows[0]["alts"]["n"] == 2


def test_the_reasoning_grows_too(open_page, provider, comedian):
    provider.reply("answer", reasoning="thinking about it", deltas=4, pace=0.1)
    page = open_page("comedian")
    page.ask("send", to=["comedian"], text="go")
    page.until(lambda: len(page.rows) == 2)
    assert any(
        "thinking" in str(growth.get("why"))
        for message in page.messages
        for growth in message.get("grow", {}).values()
    )
    assert "thinking about it" in page.rows[1]["why"]


def test_an_exchange_is_shown_once_in_the_view_of_everyone(open_page, comedian, critic):
    page = open_page()

    async def talk() -> None:
        async for _ in nbconvo.exchange([comedian, critic], "go", rounds=1):
            pass

    asyncio.run(talk())
    page.until(lambda: len(page.rows) == 3)
    assert [row["who"] for row in page.rows.values()] == ["you", "comedian", "critic"]


def test_the_gauges_follow_the_limiter(open_page, provider, comedian):
    comedian.service.max_requests_per_minute = 600
    page = open_page(usage=True)
    assert page.has["gauges"] == []
    asyncio.run(comedian.ask("go"))
    page.until(lambda: page.has["gauges"] and page.has["gauges"][0]["in_flight"] == 0)
    (gauge,) = page.has["gauges"]
    assert (gauge["requests"], gauge["max_requests"]) == (1, 600)
    assert set(page.messages[-1]) == {"seq", "gauges"}
    comedian.service.max_requests_per_minute = None
    workspace.close()


def test_the_gauges_show_a_limit_as_soon_as_it_is_stated(open_page, provider, comedian):
    asyncio.run(comedian.ask("go"))
    page = open_page(usage=True)
    comedian.service.max_tokens_per_minute = 5_000
    workspace.keep_limits(comedian.service)
    page.until(lambda: page.has["gauges"][0]["max_tokens"] == 5_000)
    comedian.service.max_tokens_per_minute = None
    workspace.close()


def test_a_panel_of_the_gauges_sends_no_history(open_page, comedian):
    page = open_page(usage=True)
    asyncio.run(comedian.ask("go"))
    page.until(lambda: page.has["gauges"])
    assert not any("tail" in message or "sessions" in message for message in page.messages)


def test_a_failed_message_gives_back_what_was_written(open_page, provider, comedian):
    provider.reply("one two three four", drop_after=2)
    page = open_page("comedian")
    page.ask("send", to=["comedian"], text="my **question**")
    page.until(lambda: [row["state"] for row in page.has["tail"]] == ["failed"])
    (failed,) = page.has["tail"]
    assert page.ask("source", s="comedian", id=failed["id"])["text"] == "my **question**"


def test_a_reply_that_broke_off_and_its_failure_are_two_rows(open_page, provider, comedian):
    provider.reply("one two three four", drop_after=2)
    page = open_page("comedian")
    page.ask("send", to=["comedian"], text="go")
    page.until(lambda: [row["state"] for row in page.has["tail"]] == ["failed"])
    (failed,) = page.has["tail"]
    assert failed["turn"] in comedian.conversation
    assert failed["id"] not in comedian.conversation


def test_a_stop_reaches_a_session_that_is_not_shown_any_more(open_page, provider, comedian, critic):
    provider.reply("one two three four", deltas=3, pace=0.2)
    page = open_page()
    page.ask("send", to=["comedian"], text="go")
    page.until(lambda: page.bodies)
    (turn,) = {row["turn"] for row in page.has["tail"]}
    page.ask("show", key="critic")
    assert page.ask("stop", turns=[turn])["stopped"] == 1


def test_rows_say_who_was_spoken_to_only_among_all(open_page, comedian, critic, say):
    say(comedian, "q", "a")
    page = open_page()
    assert page.rows[0]["to"] == "comedian"
    page.ask("show", key="comedian")
    assert "to" not in page.rows[0]
    page.ask("show", key="*")
    assert page.rows[0]["to"] == "comedian"
