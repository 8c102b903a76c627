"""Magics, ``await`` and ``asyncio.gather`` side by side."""

from __future__ import annotations

GATHER = """
import asyncio
replies = await asyncio.gather(*(s.ask("line %d" % n) for n, s in enumerate({sessions})))
"""


def test_a_magic_and_an_await_share_one_session(kernel, provider):
    kernel.run("%%session comedian\nYou are funny.", "await comedian.ask('one')")
    kernel.run("%%ask comedian\ntwo", "_nbconvo.run(comedian.ask('three'))")
    asked = [text for role, text in kernel.history("comedian") if role == "user"]
    assert asked == ["one", "two", "three"]


def test_a_session_answers_gathered_asks_one_after_the_other(kernel, provider):
    kernel.run("talk = _nbconvo.Session(name='talk')", GATHER.format(sessions="[talk] * 3"))
    said = [[("user", f"line {n}"), ("assistant", f"reply to line {n}")] for n in range(3)]
    assert kernel.history("talk") == [list(message) for turn in said for message in turn]
    assert kernel.value("replies") == [f"reply to line {n}" for n in range(3)]


def test_three_sessions_answer_gathered_asks_at_once(kernel, provider):
    for _ in range(3):
        provider.reply("one two three", pace=0.1)
    before = len(provider.requests)
    kernel.run("talks = [_nbconvo.Session() for _ in range(3)]")
    cell = kernel.run(GATHER.format(sessions="talks"))
    assert cell.status == "ok"
    asked = [request.time for request in provider.requests[before:]]
    assert len(asked) == 3
    assert max(asked) - min(asked) < 0.2  # one reply takes that long


def test_an_awaited_reply_shows_itself_as_a_cells_value(kernel, provider):
    kernel.run("talk = _nbconvo.Session()")
    cell = kernel.run("await talk.ask('hi')")
    assert cell.texts == ["reply to hi"]
    assert set(cell.outputs[0]["data"]) == {"text/html", "text/plain"}


def test_a_stream_gives_its_deltas_in_a_cell(kernel, provider):
    provider.reply("one two three", pace=0.02)
    kernel.run("talk = _nbconvo.Session()")
    cell = kernel.run("async for delta in talk.stream('count'):\n    print(delta, end='')")
    assert cell.texts == ["one two three"]


def test_an_ask_in_a_users_thread_is_answered(kernel, provider):
    kernel.run(
        "import threading, nbconvo",
        "talk, got = nbconvo.Session(), []",
        "t = threading.Thread(target=lambda: got.append(nbconvo.run(talk.ask('hi'))))",
        "t.start(); t.join()",
    )
    assert kernel.value("got") == ["reply to hi"]
