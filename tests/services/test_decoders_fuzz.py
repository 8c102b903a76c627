"""Whatever bytes a service sends, in whatever pieces: a reply, or one of our errors.

The bytes are those of true streams with pieces of them changed, or any at all. They are read by
the very code that reads a response; only the connection is not there.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbconvo.client.encoding import encoded
from nbconvo.client.http import Response
from nbconvo.client.patience import Link
from nbconvo.client.ready import Ready
from nbconvo.client.streamed import Streamed
from nbconvo.client.whole import Whole
from nbconvo.errors import NbConvoError
from nbconvo.log.encoding import encode_message, to_line
from nbconvo.messages import Message
from nbconvo.services import AnthropicService, BaseService, ChatService, ResponsesService
from nbconvo.session.tally import Tally

URL = "http://127.0.0.1:1/v1"


def chat(delta: Any, finish_reason: Any = None, **rest: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {"model": "m", "choices": [choice], **rest}


def call(index: int, **function: str) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, "id": f"c{index}", "function": function}]}


CHAT: tuple[Any, ...] = (
    chat({"role": "assistant", "content": ""}),
    chat({"content": "Wål "}),
    chat({"reasoning": "Hm. 🐋"}),
    chat({"content": "\ud83e"}),
    chat({"content": "\udd16"}),
    chat(call(0, name="weather", arguments='{"city":')),
    chat(call(1, name="now", arguments="{}")),
    chat({}, "tool_calls"),
    {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 7}},
    {"error": {"message": "overloaded", "code": 503}},
    "[DONE]",
)


def piece(index: int, kind: str, **delta: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **delta}}


ANTHROPIC: tuple[Any, ...] = (
    {"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 5}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking"}},
    piece(0, "thinking_delta", thinking="H"),
    piece(0, "signature_delta", signature="s"),
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    piece(1, "text_delta", text="Wål 🐋"),
    piece(1, "text_delta", text="\ud83e"),
    piece(1, "text_delta", text="\udd16"),
    {
        "type": "content_block_start",
        "index": 2,
        "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}},
    },
    piece(2, "input_json_delta", partial_json='{"a": "\ud83e'),
    {"type": "content_block_stop", "index": 2},
    {"type": "ping"},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}},
    {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
    {"type": "message_stop"},
)


def item(place: int, **fields: Any) -> dict[str, Any]:
    return {"type": "response.output_item.done", "output_index": place, "item": fields}


SAID = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]}
RESPONSES: tuple[Any, ...] = (
    {"type": "response.created", "response": {"model": "m", "status": "in_progress"}},
    {"type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": "Hm"},
    item(0, type="reasoning", id="r", summary=[], encrypted_content="x"),
    {"type": "response.output_text.delta", "output_index": 1, "delta": "Wål 🐋"},
    {"type": "response.output_text.delta", "output_index": 1, "delta": "\ud83e"},
    {"type": "response.output_text.delta", "output_index": 1, "delta": "\udd16"},
    item(1, **SAID),
    item(2, type="function_call", call_id="c", name="f", arguments='{"a": 1}'),
    {"type": "response.refusal.delta", "output_index": 3, "delta": "No"},
    {"type": "error", "code": "server_error", "message": "Sorry."},
    {
        "type": "response.completed",
        "response": {"status": "completed", "usage": {"input_tokens": 5, "output_tokens": 2}},
    },
)


@dataclass(frozen=True)
class Protocol:
    """A service, and what it sends when all is well."""

    service: BaseService
    events: tuple[Any, ...]
    whole: dict[str, Any]


# A new protocol is one more line here.
PROTOCOLS = {
    "chat": Protocol(
        ChatService("key", URL),
        CHAT,
        {"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}], "usage": {}},
    ),
    "responses": Protocol(
        ResponsesService("key", URL),
        RESPONSES,
        {"status": "completed", "output": [SAID], "usage": {"input_tokens": 1}},
    ),
    "anthropic": Protocol(
        AnthropicService("key", URL),
        ANTHROPIC,
        {"content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn", "usage": {}},
    ),
}


class Pieces:
    """A response whose body is there already, in pieces."""

    status = 200

    def __init__(self, pieces: Sequence[bytes], content_type: str) -> None:
        self._pieces = [piece for piece in pieces if piece]
        self.content_type = content_type
        self.headers = {"content-type": content_type}
        self.is_json = content_type == "application/json"

    @property
    def read(self) -> bool:
        return not self._pieces

    async def chunk(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""


async def _read(service: BaseService, response: Pieces) -> tuple[Tally, str]:
    ready = Ready(service, service.base_url, {}, b"", {}, "m", 1, 1, 1)
    kind = Whole if response.is_json else Streamed
    reply = kind(ready, cast(Response, response), Link(service))
    tally, failed = Tally(clock=lambda: 0.0), ""
    try:
        while (batch := await reply.next()) is not None:
            for delta in batch:
                tally.add(delta)
    except NbConvoError as error:
        failed = f"{type(error).__name__}: {error}"
    return tally, failed


def outcome(service: BaseService, pieces: Sequence[bytes], content_type: str) -> tuple[Any, str]:
    """What comes of a response, as it is logged, and how it failed; never another exception."""
    tally, failed = asyncio.run(_read(service, Pieces(pieces, content_type)))
    messages = [replace(m, id="", created=_NOON) for m in tally.messages(None, "s", "m")]
    for message in messages:
        to_line(encode_message(message)).encode()
        message.content.encode()
        message.reasoning.encode()
        encoded(service.request((_ASKED, message), "m", {}).body)  # what came can be sent back
    failed.encode()
    return messages, failed


_ASKED = Message(role="user", content="Whale?")
_NOON = _ASKED.created

DEEP = b"[" * 1000 + b"]" * 1000
KEYS = ("type", "index", "delta", "choices", "usage", "error", "content", "text", "input", "model")
WRONG = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True)
    | st.text(max_size=3)
    | st.sampled_from(["\ud83e", "\udd16", "text", "tool_use", "stop", "error", "\x85", "DEEP"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)
    ),
    max_leaves=4,
)


def places(value: Any) -> list[tuple[Any, ...]]:
    """The paths to all parts of a JSON value."""
    found: list[tuple[Any, ...]] = [()]
    items = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        items = enumerate(value)  # type: ignore[assignment]
    for key, part in items:
        found += [(key, *path) for path in places(part)]
    return found


def changed(value: Any, path: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
    if not path:
        return change(value)
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], change)
    return copy


@st.composite
def mutated(draw: st.DrawFn, value: Any) -> Any:
    """The value with one part of it put wrong; or, as often, unchanged."""
    if isinstance(value, str) or draw(st.booleans()):
        return value
    path, wrong = draw(st.sampled_from(places(value))), draw(WRONG)
    return changed(value, path, lambda _: wrong)


@st.composite
def streams(draw: st.DrawFn, protocol: Protocol) -> bytes:
    """Events of a true stream, in order, some left out, doubled or changed, written in any way."""
    chosen = draw(st.lists(st.integers(0, len(protocol.events) - 1), max_size=14))
    if draw(st.booleans()):
        chosen.sort()
    newline = draw(st.sampled_from(["\n", "\n", "\r\n", "\r"]))
    written = []
    for place in chosen:
        event = draw(mutated(protocol.events[place]))
        data = event if event == "[DONE]" else json.dumps(event)
        name = draw(st.sampled_from(["", "", f"event: x{newline}", f": alive{newline}"]))
        written.append(f"{name}data: {data}{newline}{newline}")
    data = "".join(written).encode().replace(b'"DEEP"', DEEP)
    if draw(st.booleans()):
        return data
    at, junk = draw(st.integers(0, len(data))), draw(st.binary(max_size=6))
    return data[:at] + junk + data[at + draw(st.integers(0, 6)) :]


@st.composite
def cuts(draw: st.DrawFn, data: bytes) -> list[bytes]:
    places = sorted(draw(st.lists(st.integers(0, len(data)), max_size=12)))
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


TYPES = ("text/event-stream", "application/json", "text/html")
BEGINNINGS = (b"", b"data:", b"data: {", b"data: [1]\n\n", b"{", b"[" * 5000)
FUZZ = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "100")),
    deadline=None,
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.mark.parametrize("name", PROTOCOLS)
@FUZZ
@given(data=st.data())
def test_a_changed_stream_is_a_reply_or_one_of_our_errors_however_it_is_cut(
    name: str, data: st.DataObject
):
    protocol = PROTOCOLS[name]
    body = data.draw(streams(protocol))
    found = outcome(protocol.service, data.draw(cuts(body)), "text/event-stream")
    assert found == outcome(protocol.service, [body], "text/event-stream")
    by_one = [body[at : at + 1] for at in range(len(body))]
    assert found == outcome(protocol.service, by_one, "text/event-stream")


@pytest.mark.parametrize("name", PROTOCOLS)
@FUZZ
@given(data=st.data())
def test_any_bytes_are_a_reply_or_one_of_our_errors_however_they_are_cut(
    name: str, data: st.DataObject
):
    service = PROTOCOLS[name].service
    content_type = data.draw(st.sampled_from(TYPES))
    prefix = data.draw(
        st.sampled_from([b"", b"data:", b"data: {", b"data: [1]\n\n", b"{", b"[" * 5000])
    )
    body = prefix + data.draw(st.binary(max_size=80))
    found = outcome(service, data.draw(cuts(body)), content_type)
    assert found == outcome(service, [body], content_type)


@pytest.mark.parametrize("name", PROTOCOLS)
@FUZZ
@given(data=st.data())
def test_a_changed_whole_reply_is_one_or_one_of_our_errors(name: str, data: st.DataObject):
    protocol = PROTOCOLS[name]
    told = data.draw(mutated(data.draw(mutated(protocol.whole))))
    body = json.dumps(told).encode().replace(b'"DEEP"', DEEP)
    found = outcome(protocol.service, data.draw(cuts(body)), "application/json")
    assert found == outcome(protocol.service, [body], "application/json")


@pytest.mark.parametrize("name", PROTOCOLS)
@pytest.mark.parametrize("content_type", TYPES)
@pytest.mark.parametrize(
    "body",
    [b"%b", b'{"error":%b}', b'{"error":{"message":%b}}', b'{"choices":[{"error":%b}]}'],
)
def test_what_is_nested_too_deeply_is_no_reply(name: str, content_type: str, body: bytes):
    data = body % DEEP
    if content_type != "application/json":
        data = b"data: %b\n\n" % data
    messages, failed = outcome(PROTOCOLS[name].service, [data], content_type)
    assert messages == []
    assert failed.startswith("ProtocolError: ")


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_true_stream_is_a_reply(name: str):
    """Else the others might find nothing but errors, and be content."""
    protocol = PROTOCOLS[name]
    left_out = {"error", "response.refusal.delta"}
    events = [
        e
        for e in protocol.events
        if isinstance(e, str) or not ("error" in e or e.get("type") in left_out)
    ]
    body = "".join(
        f"data: {e if isinstance(e, str) else json.dumps(e)}\n\n" for e in events
    ).encode()
    (message,), failed = outcome(protocol.service, [body], "text/event-stream")
    assert (failed, message.content) == ("", "Wål 🐋🤖" if name != "chat" else "Wål 🤖")
    assert message.finish_reason == "tool_calls"
