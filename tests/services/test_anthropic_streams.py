"""What Anthropic sends, streamed and whole, through the client from a server on loopback.

The streams are as the guide "Streaming messages" shows them; each is cut every 7 bytes.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from typing import Any

import pytest

from nbconvo.client import Client
from nbconvo.errors import BadRequest, NbConvoError, ServerFailed, StreamCut
from nbconvo.messages import Carry, Delta, Message, ToolCall, Usage
from nbconvo.services import AnthropicService
from nbconvo.session import Session
from nbconvo.session.tally import Tally
from nbconvo.testing import FakeProvider

QUESTION = (Message(role="user", content="Whale?"),)
MODEL = "claude-haiku-5-5"


def event(kind: str, **fields: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n"


def start(**usage: int) -> str:
    told = {"input_tokens": 25, "output_tokens": 1, **usage}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": []}
    told = {**message, "model": MODEL, "stop_reason": None, "stop_sequence": None, "usage": told}
    return event("message_start", message=told)


def block(index: int, first: dict[str, Any], *deltas: dict[str, Any]) -> str:
    return (
        event("content_block_start", index=index, content_block=first)
        + "".join(event("content_block_delta", index=index, delta=delta) for delta in deltas)
        + event("content_block_stop", index=index)
    )


def text(index: int, *pieces: str) -> str:
    deltas = ({"type": "text_delta", "text": piece} for piece in pieces)
    return block(index, {"type": "text", "text": ""}, *deltas)


def use(index: int, id: str, name: str, *pieces: str) -> str:
    deltas = ({"type": "input_json_delta", "partial_json": piece} for piece in pieces)
    return block(index, {"type": "tool_use", "id": id, "name": name, "input": {}}, *deltas)


def thinking(index: int, *pieces: str, signature: str) -> str:
    deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces]
    last = {"type": "signature_delta", "signature": signature}
    return block(index, {"type": "thinking", "thinking": "", "signature": ""}, *deltas, last)


def end(reason: str | None = "end_turn", **usage: Any) -> str:
    told = {"stop_reason": reason, "stop_sequence": None}
    usage = {"output_tokens": 15, **usage}
    return event("message_delta", delta=told, usage=usage) + event("message_stop")


PING = event("ping")
HELLO = (start(), text(0, "Hello", " whale."), end())


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async def at_once(seconds: float) -> None: ...

    client = Client(sleep=at_once, jitter=lambda: 0.0)
    yield client
    await client.close()


class Asking:
    """Asks over a client; keeps what came, also where it failed."""

    def __init__(self, client: Client, provider: FakeProvider) -> None:
        self.client = client
        self.provider = provider
        self.deltas: list[Delta] = []

    async def __call__(self, *events: str, **options: Any) -> Message:
        if events:
            self.provider.events(events)
        service = AnthropicService("key", self.provider.base_url)
        tally = Tally()
        stream = self.client.stream(service, QUESTION, MODEL, {"stream": True, **options})
        async with aclosing(stream) as batches:
            async for batch in batches:
                self.deltas += batch
                for delta in batch:
                    tally.add(delta)
        (message,) = tally.messages(None, "anthropic", MODEL)
        return message


@pytest.fixture
def ask(client: Client, fake_provider: FakeProvider) -> Asking:
    return Asking(client, fake_provider)


# --- text, and how it ends -----------------------------------------------------------------


async def test_text_its_end_and_its_usage(ask: Asking):
    message = await ask(start(), PING, text(0, "Hello", " whale."), PING, end())
    assert (message.content, message.finish_reason) == ("Hello whale.", "stop")
    assert (message.model, message.usage) == (MODEL, Usage(25, 15, requests=1))
    assert (message.calls, message.carried, message.reasoning) == ((), (), "")


async def test_the_request_goes_to_messages_as_the_version_asks(ask: Asking):
    await ask(*HELLO)
    (request,) = ask.provider.requests
    assert (request.path, request.json["stream"]) == ("/v1/messages", True)
    assert request.headers["x-api-key"] == "key"
    assert request.headers["anthropic-version"] == "2026-10-21"
    assert "authorization" not in request.headers


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("pause_turn", "pause_turn"),
        ("something_new", "something_new"),
        (None, "stop"),  # message_stop has been seen
    ],
)
async def test_the_reason_of_the_end_in_the_words_of_chat_completions(
    ask: Asking, reason: str | None, word: str
):
    message = await ask(start(), text(0, "I can't."), end(reason))
    assert (message.content, message.finish_reason) == ("I can't.", word)
    assert [d.finish_reason for d in ask.deltas if d.finish_reason] == [word]


async def test_a_reason_is_an_end_without_a_message_stop(ask: Asking):
    told = {"stop_reason": "end_turn"}
    message = await ask(start(), text(0, "Hi."), event("message_delta", delta=told))
    assert (message.content, message.finish_reason) == ("Hi.", "stop")


async def test_a_refusal_may_say_nothing(ask: Asking):
    message = await ask(start(), end("refusal"))
    assert (message.content, message.finish_reason) == ("", "content_filter")


@pytest.mark.parametrize("left", [1, 2], ids=["before message_stop", "in a block"])
async def test_a_stream_that_stops_without_an_end_is_cut(ask: Asking, left: int):
    told = "".join((start(), text(0, "Hello"), end())).split("\n\n")
    with pytest.raises(StreamCut):
        await ask("\n\n".join(told[: -2 - left]) + "\n\n")
    assert "".join(delta.text for delta in ask.deltas) == "Hello"


async def test_what_is_unknown_is_passed_over(ask: Asking):
    message = await ask(
        start(),
        event("content_block_new", index=0, surprise=True),
        block(0, {"type": "hologram", "data": "x"}, {"type": "hologram_delta", "data": "y"}),
        text(1, "Hi"),
        event("content_block_delta", index=1, delta={"type": "citations_delta", "citation": {}}),
        ": keep-alive\n\n",
        event("content_block_delta", index=1),
        event("message_delta", delta=None, usage=None),
        text(2, "."),
        end(),
    )
    assert (message.content, message.finish_reason) == ("Hi.", "stop")


async def test_a_character_may_be_cut_in_two_and_half_of_one_never_printed(ask: Asking):
    pieces = (r"\ud83e", r"\udd16 ", r"\ud83e")
    told = "".join(
        'data: {"type":"content_block_delta","index":0,'
        f'"delta":{{"type":"text_delta","text":"{piece}"}}}}\n\n'
        for piece in pieces
    )
    message = await ask(start(), told, end())
    assert message.content == "🤖 \N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
async def test_lines_may_end_in_any_way_and_characters_be_cut_anywhere(ask: Asking, newline: str):
    said = "Wål 🐋 鯨" * 5
    told = json.dumps({"type": "text_delta", "text": said}, ensure_ascii=False)
    line = f'data: {{"type":"content_block_delta","index":0,"delta":{told}}}\n\n'
    stream = "".join((start(), text(0, "Oh, "), line, end())).replace("\n", newline)
    assert (await ask(stream)).content == "Oh, " + said


# --- usage ---------------------------------------------------------------------------------


async def test_a_prompt_from_the_cache_counts_into_the_prompt(ask: Asking):
    message = await ask(
        start(cache_creation_input_tokens=100, cache_read_input_tokens=1_000),
        text(0, "Hi."),
        end(output_tokens_details={"thinking_tokens": 4}),
    )
    assert message.usage == Usage(1_125, 15, 1_000, 4, requests=1, cache_write_tokens=100)


async def test_usage_that_the_end_tells_anew_holds(ask: Asking):
    message = await ask(
        start(), text(0, "Hi."), end(input_tokens=30, cache_read_input_tokens=5, output_tokens=7)
    )
    assert message.usage == Usage(35, 7, 5, requests=1)


async def test_usage_grows_with_each_message_delta(ask: Asking):
    first = event("message_delta", delta={}, usage={"output_tokens": 3})
    message = await ask(start(), text(0, "Hi."), first, end())
    assert message.usage == Usage(25, 15, requests=1)


async def test_usage_that_counts_nothing_is_not_told_but_estimated(ask: Asking):
    message = await ask(start(input_tokens=0), text(0, "Hi." * 20), end(output_tokens=0))
    assert message.usage is not None
    assert message.usage.estimated
    assert message.usage.input_tokens > 0


async def test_of_a_reply_cut_off_the_prompt_is_known_and_the_rest_estimated(ask: Asking):
    with pytest.raises(StreamCut):
        await ask(start(), text(0, "a whale of a tale " * 20))
    tally = Tally()
    for delta in ask.deltas:
        tally.add(delta)
    tally.estimate(QUESTION)
    assert tally.usage is not None
    assert (tally.usage.input_tokens, tally.usage.estimated) == (25, True)
    assert tally.usage.output_tokens > 50


# --- tools ---------------------------------------------------------------------------------


async def test_two_calls_at_once(ask: Asking):
    message = await ask(
        start(),
        text(0, "I look."),
        use(1, "toolu_1", "weather", "", '{"city', '": "Bern"}'),
        use(2, "toolu_2", "weather", '{"city": "Zürich 🐋"}'),
        end("tool_use"),
    )
    assert message.calls == (
        ToolCall("toolu_1", "weather", '{"city": "Bern"}'),
        ToolCall("toolu_2", "weather", '{"city": "Zürich 🐋"}'),
    )
    assert (message.content, message.finish_reason) == ("I look.", "tool_calls")
    assert message.carried == ()


@pytest.mark.parametrize("pieces", [(), ("",), ("{}",)])
async def test_a_call_without_arguments_has_an_empty_object_of_them(ask: Asking, pieces: tuple):
    message = await ask(start(), use(0, "toolu_1", "now", *pieces), end("tool_use"))
    assert message.calls == (ToolCall("toolu_1", "now", "{}"),)


async def test_an_input_may_come_with_the_beginning_of_its_block(ask: Asking):
    first = {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}
    message = await ask(start(), block(0, first), end("tool_use"))
    assert message.calls == (ToolCall("t", "f", '{"a": 1}'),)


async def test_a_tool_that_the_service_runs_is_no_call_and_goes_back(ask: Asking):
    ran = {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {}}
    found = {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": [{"url": "x"}]}
    piece = {"type": "input_json_delta", "partial_json": '{"query": "whale"}'}
    message = await ask(
        start(), block(0, ran, piece), block(1, found), text(2, "Big."), end("pause_turn")
    )
    assert (message.calls, message.content) == ((), "Big.")
    assert [block["type"] for _, block in message.carried] == [
        "server_tool_use",
        "web_search_tool_result",
        "text",
    ]
    sent = AnthropicService("key").request((*QUESTION, message), MODEL, {}).body
    assert sent is not None
    assert sent["messages"][1]["content"] == [
        {**ran, "input": {"query": "whale"}},
        found,
        {"type": "text", "text": "Big."},
    ]


# --- thinking ------------------------------------------------------------------------------


async def test_thinking_is_kept_with_its_signature_and_goes_back_as_it_came(ask: Asking):
    message = await ask(
        start(),
        thinking(0, "Hm. ", "Rain?", signature="EqQBCg=="),
        block(1, {"type": "redacted_thinking", "data": "EmwKAh=="}),
        text(2, "I ", "look."),
        use(3, "toolu_1", "weather", "", '{"city": "Bern"}'),
        end("tool_use"),
    )
    assert (message.reasoning, message.content) == ("Hm. Rain?", "I look.")
    told = Message(role="tool", content="Rain.", call_id="toolu_1")
    sent = AnthropicService("key").request((*QUESTION, message, told), MODEL, {}).body
    assert sent is not None
    assert sent["messages"][1:] == [
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm. Rain?", "signature": "EqQBCg=="},
                {"type": "redacted_thinking", "data": "EmwKAh=="},
                {"type": "text", "text": "I look."},
                {
                    "type": "tool_use",
                    "id": "toolu_1",
                    "name": "weather",
                    "input": {"city": "Bern"},
                },
            ],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "Rain."}],
        },
    ]


async def test_secret_thinking_has_no_text_but_its_signature_goes_back(ask: Asking):
    message = await ask(start(), thinking(0, signature="abc="), text(1, "Hi."), end())
    assert message.reasoning == ""
    assert message.carried[0] == (
        "anthropic",
        {"type": "thinking", "thinking": "", "signature": "abc="},
    )


async def test_half_characters_of_what_is_carried_are_joined(ask: Asking):
    halves = ("\ud83e", "\udd16")
    message = await ask(start(), thinking(0, *halves, signature="a"), text(1, *halves), end())
    assert message.carried[0][1]["thinking"] == "🤖"
    assert message.carried[1][1]["text"] == message.content == "🤖"


# --- whole replies -------------------------------------------------------------------------


def whole(*content: dict[str, Any], reason: str | None = "end_turn") -> bytes:
    told = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": content,
        "stop_reason": reason,
        "usage": {"input_tokens": 5, "cache_read_input_tokens": 2, "output_tokens": 3},
    }
    data = json.dumps(told).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % len(data) + data


@pytest.mark.parametrize("stream", [False, True])
async def test_a_reply_that_comes_whole_says_the_same(ask: Asking, stream: bool):
    blocks = (
        {"type": "thinking", "thinking": "Hm.", "signature": "a"},
        {"type": "text", "text": "I look.", "citations": None},
        {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Bern"}},
        {"type": "tool_use", "id": "t2", "name": "now", "input": {}},
    )
    ask.provider.raw(whole(*blocks, reason="tool_use"))
    message = await ask(stream=stream)
    assert (message.content, message.reasoning) == ("I look.", "Hm.")
    assert message.calls == (
        ToolCall("t1", "weather", '{"city": "Bern"}'),
        ToolCall("t2", "now", "{}"),
    )
    assert (message.finish_reason, message.model) == ("tool_calls", MODEL)
    assert message.usage == Usage(7, 3, 2, requests=1)
    kept = (blocks[0], {"type": "text", "text": "I look."}, *blocks[2:])
    assert [found for _, found in message.carried] == list(kept)


# --- failures ------------------------------------------------------------------------------

OVERLOADED = event("error", error={"type": "overloaded_error", "message": "Overloaded"})


async def test_an_error_before_the_reply_is_tried_again(ask: Asking):
    ask.provider.events([OVERLOADED])
    ask.provider.error(529, {"type": "error", "error": {"type": "overloaded_error"}})
    assert (await ask(*HELLO)).content == "Hello whale."
    assert len(ask.provider.requests) == 3


async def test_an_error_in_the_middle_ends_the_reply_with_what_came_before_it(ask: Asking):
    with pytest.raises(ServerFailed, match=r"the service failed \(529\): Overloaded"):
        await ask(start(), text(0, "Hello"), OVERLOADED, text(1, "never"), end())
    assert "".join(delta.text for delta in ask.deltas) == "Hello"
    assert len(ask.provider.requests) == 1


async def test_a_request_that_is_refused_says_why(ask: Asking):
    told = {"type": "invalid_request_error", "message": "temperature: not allowed"}
    ask.provider.error(400, {"type": "error", "error": told, "request_id": "req_1"})
    with pytest.raises(BadRequest) as caught:
        await ask(temperature=0.5)
    said = "anthropic: request refused (400): temperature: not allowed"
    assert str(caught.value) == said
    assert ask.provider.requests[0].headers["anthropic-version"] == "2023-06-01"


# --- events that come together -------------------------------------------------------------


def summed(deltas: Iterable[Delta]) -> Message:
    tally = Tally()
    for delta in deltas:
        tally.add(delta)
    (message,) = tally.messages(None, "s", None)
    return message


def test_text_that_comes_together_is_one_delta_for_each_block():
    told = "".join((text(0, "a", "b", "c"), text(1, "d", "e"))).split("\n\n")[:-1]
    events = [json.loads(one.partition("data: ")[2]) for one in told]
    found = [delta for delta in AnthropicService("key").together(events) if delta.text]
    assert found == [
        Delta("abc", carry=(Carry("anthropic", 0, {"text": "abc"}),)),
        Delta("de", carry=(Carry("anthropic", 1, {"text": "de"}),)),
    ]


def test_a_subclass_that_reads_events_its_own_way_is_asked_for_each():
    class Shouting(AnthropicService):
        def deltas(self, event: dict[str, Any]) -> list[Delta]:
            return [Delta(delta.text.upper()) for delta in super().deltas(event)]

    told = text(0, "a", "b").split("\n\n")[:-1]
    events = [json.loads(one.partition("data: ")[2]) for one in told]
    assert "".join(map(str, Shouting("key").together(events))) == "AB"


# --- end to end ----------------------------------------------------------------------------


async def test_a_session_asks_and_goes_on(provider: FakeProvider):
    service = AnthropicService("key", base_url=provider.base_url)
    session = Session("Be funny.", service=service, model=MODEL)
    provider.events([start(), thinking(0, "Hm.", signature="s"), text(1, "A fish."), end()])
    provider.events(HELLO)
    first = await session.ask("Whale?")
    assert (first, first.usage) == ("A fish.", Usage(25, 15, requests=1))
    assert await session.followup("Really?") == "Hello whale."
    assert provider.requests[1].json == {
        "model": MODEL,
        "max_tokens": 16_000,
        "system": "Be funny.",
        "messages": [
            {"role": "user", "content": "Whale?"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Hm.", "signature": "s"},
                    {"type": "text", "text": "A fish."},
                ],
            },
            {"role": "user", "content": "Really?"},
        ],
        "stream": True,
    }


async def test_a_session_is_told_before_anything_is_sent_what_cannot_be_asked(
    provider: FakeProvider,
):
    service = AnthropicService("key", base_url=provider.base_url)
    with pytest.raises(NbConvoError, match="does not know the option 'seed'"):
        await Session(service=service, model=MODEL).ask("Whale?", seed=1)
    assert provider.requests == []
