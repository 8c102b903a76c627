"""The asks that are under way, as anybody may see and stop them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import nbconvo
from nbconvo.errors import Halted, ServiceError
from nbconvo.participants import chorus
from nbconvo.session import Session, workspace
from nbconvo.testing import FakeProvider


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


async def failing(session: Session, question: str, **given: Any) -> None:
    with pytest.raises(ServiceError):
        await session.ask(question, **given)


def sent(provider: FakeProvider) -> list[str]:
    return [message["content"] for message in provider.requests[-1].json["messages"]]


async def test_a_retry_asks_again_what_failed_last(provider):
    session = Session(service="openai", model="m")
    first = await session.ask("first")
    provider.error(400, times=2)
    await failing(session, "second")
    await failing(session, "third")
    await session.retry()
    assert sent(provider) == ["first", str(first), "third"]
    assert [turn.ask.content for turn in session.failed_turns] == ["second"]
    again = await session.retry()
    assert sent(provider) == ["first", str(first), "third"]
    assert len(session.alternatives(again.message)) == 2


async def test_a_retry_asks_a_first_question_that_failed(provider):
    provider.error(400)
    session = Session(service="openai", model="m")
    await failing(session, "go")
    await session.retry()
    assert said(session)[0] == ("go", None)
    assert session.failed_turns == ()


async def test_a_retry_asks_again_what_broke_off(provider):
    provider.reply("one two three", deltas=3, drop_after=1)
    session = Session(service="openai", model="m")
    await failing(session, "go")
    provider.reply("whole")
    await session.retry()
    assert said(session) == [("go", None), ("whole", "stop")]
    assert sent(provider) == ["go"]


async def test_a_retry_after_a_later_reply_is_of_that(provider):
    session = Session(service="openai", model="m")
    provider.error(400)
    await failing(session, "failed")
    await session.ask("answered")
    await session.retry()
    assert sent(provider) == ["answered"]


async def test_a_retry_of_a_reply_that_is_named_is_of_that(provider):
    session = Session(service="openai", model="m")
    reply = await session.ask("answered")
    provider.error(400)
    await failing(session, "failed")
    await session.retry(reply.message)
    assert sent(provider) == ["answered"]


async def test_what_was_dismissed_is_not_retried(provider):
    session = Session(service="openai", model="m")
    await session.ask("answered")
    provider.error(400)
    await failing(session, "failed")
    session.dismiss(session.failed_turns[0])
    await session.retry()
    assert sent(provider) == ["answered"]


async def test_a_retry_that_fails_is_kept_once_and_can_be_retried(provider):
    session = Session(service="openai", model="m")
    provider.error(400, times=2)
    await failing(session, "go")
    with pytest.raises(ServiceError):
        await session.retry()
    assert [turn.ask.content for turn in session.failed_turns] == ["go"]
    await session.retry()
    assert sent(provider) == ["go"]
    assert session.failed_turns == ()


async def test_a_retry_of_what_failed_asks_with_what_was_given_for_it(provider):
    session = Session(service="openai", model="m")
    provider.error(400)
    await failing(session, "go", temperature=0.3, model="other", files=[b"%PDF-1.4"])
    session.set_options(max_tokens=9)
    await session.retry(temperature=0.7)
    asked = provider.requests[-1].json
    assert (asked["temperature"], asked["model"], asked["max_tokens"]) == (0.7, "other", 9)
    assert asked["messages"] == provider.requests[0].json["messages"]


async def test_a_retry_elsewhere_asks_the_model_that_is_chosen_there(provider):
    session = Session(service="openai", model="m")
    provider.error(400)
    await failing(session, "go", model="other")
    reply = await session.retry(service="offline", model="echo")
    assert reply.message.service == "offline"


async def test_a_retry_asks_again_what_was_stopped_before_anything_came(provider):
    session = Session(service="openai", model="m")
    await session.ask("answered")
    held = threading.Event()
    provider.reply("late", hold=held)
    job = session.asking.start(session.asking.prepare("stopped"))
    await until(lambda: len(provider.requests) == 2)
    session.stop()
    held.set()
    with pytest.raises(Halted):
        await job
    assert session.failed_turns == ()
    await session.retry()
    assert sent(provider)[-1] == "stopped"


async def test_a_retry_that_is_stopped_can_be_retried_and_is_forgotten_with_what_failed(provider):
    session = Session(service="openai", model="m")
    provider.error(400)
    await failing(session, "go")
    held = threading.Event()
    provider.reply("late", hold=held)
    job = session.asking.start(session.asking.prepare_retry())
    await until(lambda: len(provider.requests) == 2)
    assert session.failed_turns == ()  # while it is asked again
    session.stop()
    held.set()
    with pytest.raises(Halted):
        await job
    assert [turn.ask.content for turn in session.failed_turns] == ["go"]
    await session.retry()
    assert sent(provider) == ["go"]
    assert session.failed_turns == ()


async def test_what_is_taken_back_while_it_waits_is_not_retried(provider, watched):
    provider.reply("one two", deltas=3, pace=0.05)
    session = Session(service=watched, model="m")
    first = session.asking.start(session.asking.prepare("first"))
    second = session.asking.start(session.asking.prepare("second"))
    await until(lambda: len(session.turns) == 2)
    session.turns[1].halt()
    with pytest.raises(Halted):
        await second
    await first
    await session.retry()
    assert sent(provider) == ["first"]


async def test_a_retry_of_what_was_stopped_on_its_way_is_another_reply(provider, watched):
    provider.reply("one two three four", deltas=3, pace=0.1)
    session = Session(service=watched, model="m")
    job = session.asking.start(session.asking.prepare("go"))
    await until(lambda: session.turns and session.turns[0].tally.texts)
    session.stop()
    with pytest.raises(Halted):
        await job
    again = await session.retry()
    assert len(session.alternatives(again.message)) == 2


async def test_what_a_participant_failed_to_answer_is_not_said_twice(provider):
    first, second = (Session(name=name, service="openai", model="m") for name in ("a", "b"))
    provider.reply("hello")
    provider.error(400)
    with pytest.raises(ServiceError):
        async for _ in nbconvo.exchange([first, second], "go", rounds=1):
            pass
    heard = [(m.name, m.content) for m in second.conversation.messages]
    await second.retry()
    assert [(m.name, m.content) for m in second.conversation.messages][:-1] == heard
    assert sent(provider) == ["go\n\na: hello"]


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
