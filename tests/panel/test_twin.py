"""The static form of a panel."""

from __future__ import annotations

import asyncio

import pytest

from nbconvo.errors import ConnectionFailed
from nbconvo.panel.gauges import gauges
from nbconvo.panel.twin import Twin
from nbconvo.panel.window import Window
from nbconvo.services import ChatService
from nbconvo.session import Session

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>"


def html(window: Window, **settings) -> str:
    return Twin(window, **settings)._repr_mimebundle_()["text/html"]


def test_it_shows_what_was_said_and_how(comedian, provider):
    provider.reply("# Hello\n\n`code`")
    asyncio.run(comedian.ask("a question"))
    shown = html(Window(comedian))
    assert "a question" in shown
    assert "<h1>Hello</h1>" in shown
    assert "tokens" in shown
    assert "requests in the last minute 1" in shown


def test_tokens_of_what_got_no_reply_count_in_the_minute_and_in_all(provider):
    once = ChatService(base_url=provider.base_url, max_attempts=1)
    comedian = Session(name="comedian", service=once, model="m")
    provider.reply("", usage={"prompt_tokens": 9, "completion_tokens": 3})
    asyncio.run(comedian.ask("a question"))
    provider.drop()
    with pytest.raises(ConnectionFailed):
        asyncio.run(comedian.ask("a question that gets no reply"))
    (gauge,) = gauges()
    assert gauge["total_tokens"] == gauge["tokens"] > 12


def test_one_request_is_told_as_one(comedian, provider):
    asyncio.run(comedian.ask("a question"))
    assert "since the kernel started 1 request, " in html(Window(comedian))


def test_it_reads_as_text(comedian, say):
    say(comedian, "q", "*a*")
    assert repr(Twin(Window(comedian))) == "you:\nq\n\ncomedian:\n*a*"


def test_without_a_word_it_says_so(comedian):
    assert repr(Twin(Window(comedian))) == "nothing was said yet"


def test_what_is_left_out_is_said(comedian, say):
    say(comedian, *(f"{n} " + "x" * 1_000 for n in range(50)))
    shown = html(Window(comedian), most=10_000)
    assert "earlier messages left out; %convo export" in shown
    assert len(shown) < 20_000


def test_everyone_is_shown_together(comedian, critic, say):
    say(comedian, "q", "a")
    say(critic, "r", "b")
    shown = html(Window())
    assert shown.index("comedian, critic") < shown.index("<p>q</p>")
    assert "<p>b</p>" in shown


def test_where_everyone_is_shown_it_says_who_is_spoken_to(comedian, critic, say):
    say(comedian, "q", "a")
    data = Twin(Window())._repr_mimebundle_()
    assert '<strong data-initial="Y">you</strong> to comedian' in data["text/html"]
    assert "you to comedian:\nq" in data["text/plain"]
    assert " to comedian" not in Twin(Window(comedian))._repr_mimebundle_()["text/html"]


def test_a_usage_shows_the_limits_only(comedian, say):
    say(comedian, "a question")
    assert "a question" not in html(Window(usage=True))
    assert "no request yet" in html(Window(usage=True))


def test_hostile_text_is_passive(comedian, say, provider):
    say(comedian, HOSTILE, HOSTILE, model=HOSTILE, finish_reason=HOSTILE, reasoning=HOSTILE)
    comedian.set_model(HOSTILE)
    shown = html(Window(comedian))
    assert "<script" not in shown
    assert "<img" not in shown
