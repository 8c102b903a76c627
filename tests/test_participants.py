"""Several participants: speaking in turn, and answering all at once."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

import nbconvo
from nbconvo.errors import AuthenticationFailed, InputError, StreamCut
from nbconvo.messages import Cell, Delta
from nbconvo.participants import chorus, conversing, exchange
from nbconvo.session import Reply, Session, workspace


def heard(session: Session) -> list[tuple[str, str]]:
    """The active path, as (role, content), with the name in place of the role for others' words."""
    return [
        (message.name if message.role == "user" and message.name else message.role, message.content)
        for message in session.conversation.messages
    ]


async def take_all(participants, opening="begin", **options) -> list[Reply]:
    return [turn async for turn in exchange(participants, opening, **options)]


def numbered(provider) -> None:
    """Let each reply tell which request it answers."""
    provider.respond(lambda request: f"turn {request.number}")


@pytest.fixture
def pair(provider) -> tuple[Session, Session]:
    return Session("you are a", name="a"), Session("you are b", name="b")


# --- an exchange -----------------------------------------------------------------------------


async def test_they_speak_in_turn_as_often_as_there_are_rounds(provider, pair):
    numbered(provider)
    spoken = await take_all(pair, rounds=2)
    assert spoken == ["turn 1", "turn 2", "turn 3", "turn 4"]
    assert [turn.speaker for turn in spoken] == ["a", "b", "a", "b"]


async def test_each_hears_what_the_others_said_under_their_names(provider, pair):
    numbered(provider)
    await take_all((*pair, Session(name="c")), rounds=2)
    said = [request.json["messages"][-1]["content"] for request in provider.requests]
    assert said == [
        "begin",
        "begin\n\na: turn 1",
        "begin\n\na: turn 1\n\nb: turn 2",
        "b: turn 2\n\nc: turn 3",
        "c: turn 3\n\na: turn 4",
        "a: turn 4\n\nb: turn 5",
    ]


async def test_each_speaks_with_its_own_prompt_model_and_service(provider, monkeypatch):
    monkeypatch.setenv("OPENROUTER_BASE_URL", provider.base_url + "/router")
    a = Session("you are a", model="small", temperature=0.1)
    b = Session("you are b", service="openrouter", model="large")
    await take_all((a, b), rounds=1)
    first, second = provider.requests
    assert (first.json["model"], first.json["temperature"]) == ("small", 0.1)
    assert first.json["messages"][0]["content"] == "you are a"
    assert second.path.startswith("/v1/router/")
    assert second.json["model"] == "large"
    assert second.json["messages"][0]["content"] == "you are b"
    assert "temperature" not in second.json


async def test_each_history_holds_the_whole_exchange(provider, pair):
    numbered(provider)
    await take_all(pair, rounds=2)
    a, b = pair
    assert heard(a) == [
        ("user", "begin"),
        ("assistant", "turn 1"),
        ("b", "turn 2"),
        ("assistant", "turn 3"),
        ("b", "turn 4"),
    ]
    assert heard(b) == [
        ("user", "begin"),
        ("a", "turn 1"),
        ("assistant", "turn 2"),
        ("a", "turn 3"),
        ("assistant", "turn 4"),
    ]


async def test_participants_without_names_are_numbered(provider):
    numbered(provider)
    await take_all((Session(), Session()), rounds=1)
    assert provider.requests[1].json["messages"][-1]["content"] == "begin\n\nparticipant 1: turn 1"


async def test_an_exchange_goes_on_from_what_was_said_before(provider, pair):
    await pair[0].ask("hello")
    await take_all(pair, rounds=1)
    assert [m["content"] for m in provider.requests[1].json["messages"]] == [
        "you are a",
        "hello",
        "Hello from the fake provider.",
        "begin",
    ]


async def test_a_participant_that_says_nothing_is_heard_to_say_nothing(provider, pair):
    provider.reply("", finish_reason="length")
    numbered(provider)
    await take_all(pair, rounds=2)
    said = [request.json["messages"][-1]["content"] for request in provider.requests]
    assert said == ["begin", "begin\n\na: …", "b: turn 2", "a: turn 3"]


async def test_only_the_first_of_several_choices_is_heard(provider):
    a, b = Session(name="a", n=2), Session(name="b")
    provider.reply(choices=["red", "green"])
    await take_all((a, b), rounds=1)
    assert provider.requests[1].json["messages"][-1]["content"] == "begin\n\na: red"


async def test_a_failure_keeps_all_that_was_said_before_it(provider, pair):
    numbered(provider)
    a, b = pair
    provider.reply("turn one")
    provider.error(401)
    with pytest.raises(AuthenticationFailed):
        await take_all(pair, rounds=2)
    assert heard(a) == [("user", "begin"), ("assistant", "turn one")]
    assert heard(b) == [("user", "begin"), ("a", "turn one")]


async def test_a_failure_of_the_first_turn_leaves_the_histories_as_they_were(provider, pair):
    provider.error(401)
    with pytest.raises(AuthenticationFailed):
        await take_all(pair)
    assert [heard(session) for session in pair] == [[], []]


async def test_a_turn_that_breaks_off_is_not_heard_and_what_it_answered_is(provider, pair):
    a, b = pair
    provider.reply("turn one")
    provider.reply(deltas=["half", " of it"], end_after=1)
    with pytest.raises(StreamCut):
        await take_all(pair)
    assert heard(a) == [("user", "begin"), ("assistant", "turn one")]
    assert heard(b) == [("user", "begin"), ("a", "turn one")]
    assert [m.finish_reason for m in b.conversation if m.content == "half"] == ["cut"]


async def test_leaving_early_keeps_all_that_was_said(provider, pair):
    provider.reply("turn 1")
    provider.reply("turn 2")
    provider.hang()
    async with aclosing(exchange(pair, "begin", rounds=3)) as spoken:
        async for turn in spoken:
            if turn == "turn 2":
                break
    a, b = pair
    assert heard(a)[:2] == [("user", "begin"), ("assistant", "turn 1")]
    assert heard(a)[-1] == ("b", "turn 2")
    assert heard(b)[:3] == [("user", "begin"), ("a", "turn 1"), ("assistant", "turn 2")]


async def test_an_interrupt_keeps_the_half_of_a_turn_and_lets_the_others_hear_it(provider, pair):
    provider.reply("turn one")
    provider.reply(deltas=["half", " of it"], pace=30)

    async def until_half(items) -> None:
        async with aclosing(items):
            async for _, item in items:
                if str(item) == "half":
                    return

    await workspace.bridge.start(until_half(conversing(pair, "begin", rounds=2)))
    a, b = pair
    assert heard(a) == [("user", "begin"), ("assistant", "turn one"), ("b", "half")]
    assert heard(b) == [("user", "begin"), ("a", "turn one"), ("assistant", "half")]
    assert b.last.finish_reason == "stopped"


@pytest.mark.parametrize("fail", [False, True])
async def test_an_exchange_that_its_cell_runs_again_replaces_the_old_one(
    provider, pair, monkeypatch, fail
):
    def run_as(execution: str) -> None:
        cell = Cell("cell", execution)
        monkeypatch.setattr("nbconvo.participants.running_cell", lambda: cell)

    run_as("1")
    provider.reply("old")
    if fail:
        provider.error(401)
        with pytest.raises(AuthenticationFailed):
            await take_all(pair, "old opening", rounds=1)
    else:
        await take_all(pair, "old opening", rounds=1)
    numbered(provider)
    run_as("2")
    await take_all(pair, "new opening", rounds=1)
    assert [content for _, content in heard(pair[0])] == ["new opening", "turn 3", "turn 4"]
    assert [content for _, content in heard(pair[1])] == ["new opening", "turn 3", "turn 4"]


@pytest.mark.parametrize(
    ("choose", "opening", "rounds", "text"),
    [
        (lambda a, b: [a], "x", 1, "needs two participants or more"),
        (lambda a, b: [a, a], "x", 1, "one is named twice"),
        (lambda a, b: [a, b], " \n", 1, "the opening is empty"),
        (lambda a, b: [a, b], "x", 0, "rounds must lie between 1 and 20, not 0"),
        (lambda a, b: [a, b], "x", 21, "%config NbConvo.max_rounds allows more"),
    ],
)
async def test_what_is_no_exchange_is_refused_before_anything_is_sent(
    provider, pair, choose, opening, rounds, text
):
    with pytest.raises(InputError, match=text):
        await take_all(choose(*pair), opening, rounds=rounds)
    assert not provider.requests


async def test_only_sessions_talk_to_each_other(provider, pair):
    with pytest.raises(InputError, match="an exchange is between sessions, and 'b' is none"):
        await take_all([pair[0], "b"])
    assert not provider.requests


async def test_more_rounds_can_be_allowed(provider, pair, config):
    config.max_rounds = 30
    assert len(await take_all(pair, rounds=21)) == 42


# --- all at once -----------------------------------------------------------------------------


async def all_at_once(*sessions: Session) -> list[tuple[int, object]]:
    asked = [(session, session.asking.prepare("hello")) for session in sessions]
    return await workspace.bridge.start(_listed(chorus(asked)))


async def _listed(items):
    async with aclosing(items):
        return [item async for item in items]


async def test_participants_answer_at_the_same_time(provider, pair):
    provider.reply("slow", delay=0.1)
    provider.reply("fast")
    items = await all_at_once(*pair)
    assert [str(item) for _, item in items if isinstance(item, Reply)] == ["fast", "slow"]


async def test_each_delta_comes_with_its_speakers_place(provider, pair):
    provider.respond(lambda request: request.json["messages"][0]["content"])
    texts = ["", ""]
    for place, item in await all_at_once(*pair):
        texts[place] += item.text if isinstance(item, Delta) else ""
    assert texts == ["you are a", "you are b"]


async def test_one_that_fails_does_not_stop_the_others(provider, pair):
    provider.error(401)
    provider.reply("fine", delay=0.05)
    ended = [item for _, item in await all_at_once(*pair) if not isinstance(item, Delta)]
    assert [type(item) for item in ended] == [AuthenticationFailed, Reply]


async def test_leaving_early_stops_all(provider, pair):
    for _ in pair:
        provider.hang()
    task = asyncio.ensure_future(all_at_once(*pair))
    await asyncio.to_thread(provider.wait_for_requests, 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(provider.wait_for_closed, 2)
    assert not any(session.busy for session in pair)


async def test_sessions_can_be_gathered_in_python_too(provider, pair):
    numbered(provider)
    replies = await asyncio.gather(*(session.ask("hello") for session in pair))
    assert sorted(replies) == ["turn 1", "turn 2"]
    assert nbconvo.exchange is exchange


async def test_nobody_is_asked_before_all_can_be(provider, monkeypatch):
    keyed = Session("a", name="keyed")
    keyless = Session("b", name="keyless", service="openrouter", model="m")
    monkeypatch.delenv("OPENROUTER_API_KEY", raising=False)
    monkeypatch.delenv("OPENROUTER_BASE_URL", raising=False)
    with pytest.raises(nbconvo.errors.MissingKey, match="OPENROUTER_API_KEY"):
        await take_all([keyed, keyless])
    assert provider.requests == []


async def test_who_is_answering_somebody_else_hears_the_end_afterwards(provider, pair):
    answering, _ = pair
    numbered(provider)
    release = asyncio.Event()

    async def answer_somebody_else() -> None:
        async with answering.asking.line.turn():
            await release.wait()

    async def overlap() -> None:
        async with aclosing(conversing(pair, "begin", rounds=1)) as items:
            async for place, item in items:
                if place == 1 and isinstance(item, Reply):
                    other = asyncio.create_task(answer_somebody_else())
                    await asyncio.sleep(0)
        assert heard(answering)[-1][0] == "assistant"
        release.set()
        await other

    await workspace.bridge.start(overlap())
    await workspace.bridge.start(answering.asking.hear([(None, "after")]))
    assert heard(answering)[-2:] == [("b", "turn 2"), ("user", "after")]


async def test_a_failed_turn_was_not_spoken_though_its_speaker_was_busy_before(provider, pair):
    a, b = pair
    provider.reply("to somebody else", delay=0.2)
    busy = asyncio.ensure_future(a.ask("somebody else asks"))
    await asyncio.to_thread(provider.wait_for_requests, 1)
    provider.error(401)
    with pytest.raises(AuthenticationFailed):
        await take_all([a, b], "talk", rounds=1)
    await busy
    assert heard(b) == []
    assert [content for _, content in heard(a)] == ["somebody else asks", "to somebody else"]
