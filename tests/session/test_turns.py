"""The asks that are under way, as anybody may see and stop them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

import nbconvo
from nbconvo.errors import Halted, ServiceError
from nbconvo.participants import chorus
from nbconvo.session import Session, workspace


async def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.005)


def said(session: Session) -> list[tuple[str, str | None]]:
    return [(m.content, m.finish_reason) for m in session.conversation.messages]


async def test_a_turn_is_seen_while_it_grows(provider, watched):
    provider.reply("one two three", deltas=3, pace=0.03)
    session = Session(service=watched, model="m")
    job = session.asking.start(session.asking.prepare("go"))
    await until(lambda: session.turns and session.turns[0].tally.texts)
    (turn,) = session.turns
    assert turn.begun
    assert turn.asked[0].content == "go"
    assert "one two three".startswith(turn.tally.texts[0])
    reply = await job
    assert session.turns == ()
    assert reply.message.id == turn.id
    assert session.conversation.messages[0] is turn.asked[0]


async def test_a_turn_that_waits_has_not_begun(provider, watched):
    provider.reply("one two", deltas=3, pace=0.05)
    session = Session(service=watched, model="m")
    first = session.asking.start(session.asking.prepare("first"))
    second = session.asking.start(session.asking.prepare("second"))
    await until(lambda: len(session.turns) == 2)
    assert [turn.begun for turn in session.turns] == [True, False]
    await first
    await second


async def test_stop_keeps_what_had_come_and_tells_who_waits(provider, watched):
    provider.reply("one two three four", deltas=3, pace=0.1)
    session = Session(service=watched, model="m")
    job = session.asking.start(session.asking.prepare("go"))
    await until(lambda: session.turns and session.turns[0].tally.texts)
    assert session.stop() == 1
    with pytest.raises(Halted, match=r"stopped; \d+ characters kept"):
        await job
    (_, (text, reason)) = said(session)
    assert "one two three four".startswith(text)
    assert reason == "stopped"
    assert not session.busy


async def test_stop_ends_those_that_wait_too(provider, watched):
    provider.reply("one two three four", deltas=3, pace=0.1)
    session = Session(service=watched, model="m")
    jobs = [session.asking.start(session.asking.prepare(text)) for text in ("first", "second")]
    await until(lambda: len(session.turns) == 2)
    assert session.stop() == 2
    for job in jobs:
        with pytest.raises(Halted):
            await job
    assert "second" not in [text for text, _ in said(session)]
    assert len(provider.requests) == 1


async def test_stop_with_nothing_under_way_does_nothing(provider):
    assert Session().stop() == 0


async def test_stop_of_one_leaves_the_others_of_a_chorus(provider, watched):
    provider.respond(lambda request: "x" * 400)
    slow = Session(name="slow", service=watched, model="m")
    quick = Session(name="quick", service="openai", model="m")
    provider.reply("one two three four", deltas=3, pace=0.1)
    asked = [(session, session.asking.prepare("go")) for session in (slow, quick)]
    items = []

    async def listen() -> None:
        async for item in chorus(asked):
            items.append(item)
            if slow.turns and slow.turns[0].tally.texts:
                slow.stop()

    await workspace.bridge.start(listen())
    ends = dict(items)
    assert isinstance(ends[0], Halted)
    assert isinstance(ends[1], nbconvo.Reply)


async def test_an_await_that_is_cancelled_is_not_taken_for_a_stop(provider, watched):
    provider.reply("one two three four", deltas=3, pace=0.1)
    session = Session(service=watched, model="m")
    task = asyncio.ensure_future(session.ask("go"))
    await until(lambda: session.turns and session.turns[0].tally.texts)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert said(session)[-1][1] == "stopped"
    assert session.failed_turns == ()


async def test_a_failed_turn_is_kept_until_it_is_dismissed(provider):
    provider.error(400, "no such thing")
    session = Session(service="openai", model="m")
    with pytest.raises(ServiceError):
        await session.ask("go")
    (turn,) = session.failed_turns
    assert turn.ask.content == "go"
    assert "no such thing" in str(turn.error)
    session.dismiss(turn)
    assert session.failed_turns == ()


async def test_a_failed_turn_is_forgotten_when_it_is_asked_again(provider):
    session = Session(service="openai", model="m")
    provider.error(400)
    with pytest.raises(ServiceError):
        await session.ask("go")
    await session.ask("else")
    assert len(session.failed_turns) == 1
    await session.ask("go")
    assert session.failed_turns == ()


async def test_of_many_failed_turns_the_newest_are_kept(provider):
    session = Session(service="openai", model="m")
    for number in range(12):
        provider.error(400)
        with pytest.raises(ServiceError):
            await session.ask(str(number))
    assert [turn.ask.content for turn in session.failed_turns] == [str(n) for n in range(4, 12)]


async def test_who_watches_hears_of_all_that_changes(provider):
    rung: list[str] = []
    doing = ""

    def ring() -> None:
        rung.append(doing)

    workspace.watch(ring)
    try:
        doing = "made"
        session = Session(name="a", service="openai", model="m")
        doing = "system"
        session.set_system("x")
        doing = "asked"
        await session.ask("go")
        doing = "undone"
        session.undo()
        doing = "current"
        workspace.current = "a"
        doing = "removed"
        workspace.remove("a")
    finally:
        workspace.unwatch(ring)
    doing = "after"
    session.set_system("y")
    assert list(dict.fromkeys(rung)) == ["made", "system", "asked", "undone", "current", "removed"]


async def test_what_others_said_in_an_exchange_bears_their_name(provider):
    first, second = (Session(name=name, service="openai", model="m") for name in ("a", "b"))
    async for _ in nbconvo.exchange([first, second], "go", rounds=1):
        pass
    assert [m.name for m in first.conversation.messages] == [None, "a", "b"]
    assert [m.name for m in second.conversation.messages] == [None, "a", "b"]
