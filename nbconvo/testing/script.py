"""What the fake provider can be told to answer: each answer turns a request into steps."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from nbconvo.testing.chat import Shape, cut_text, error_body
from nbconvo.testing.journal import RecordedRequest
from nbconvo.testing.wire import LAST_CHUNK, Mark, Pause, Step, http_chunk, http_head

__all__ = ["Answer", "ChatReply", "Drop", "ErrorReply", "Events", "Hang", "JsonReply", "Raw"]

_LOOK = 0.01  # seconds until a reply that is held looks again whether it may go on
_SETTLE = 0.05  # seconds; a reset overtakes what the client has not read yet


class Answer(Protocol):
    """Anything that turns a request into the steps of its answer."""

    def steps(self, request: RecordedRequest) -> Iterator[Step]:
        """The bytes to send, the pauses between them, and the end of the connection if any."""
        ...


@dataclass(frozen=True, slots=True)
class JsonReply:
    """A JSON body (or, given a ``str``, a text) with a status."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    half: bool = False  # break off in the middle of the body

    def steps(self, request: RecordedRequest) -> Iterator[Step]:
        """The head, then the body."""
        text = isinstance(self.body, str)
        body = self.body.encode() if text else _to_json(self.body)
        kind = "text/plain; charset=utf-8" if text else "application/json"
        yield Pause(self.delay)
        yield _head(
            self.status,
            request,
            {"content-type": kind, "content-length": str(len(body))},
            self.headers,
        )
        if self.half:
            yield body[: len(body) // 2]
            yield Pause(_SETTLE)
            yield Mark.RESET
        yield body


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """An error status with OpenAI's error object, or another body."""

    status: int
    body: Mapping[str, Any] | str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0

    def steps(self, request: RecordedRequest) -> Iterator[Step]:
        """As those of a JSON answer."""
        body = error_body(self.status) if self.body is None else self.body
        return JsonReply(body, self.status, self.headers, self.delay).steps(request)


@dataclass(frozen=True, slots=True)
class Events:
    """A stream of events: a dict is sent as JSON in ``data:``, a str exactly as it is."""

    events: Sequence[Mapping[str, Any] | str]
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    pace: float = 0.0

    def steps(self, request: RecordedRequest) -> Iterator[Step]:
        """The head, each event as one HTTP chunk, and the last chunk."""
        yield Pause(self.delay)
        yield _stream_head(request, self.headers)
        for number, event in enumerate(self.events):
            yield Pause(self.pace if number else 0.0)
            yield http_chunk(event.encode()) if isinstance(event, str) else _event(event)
        yield Mark.COMPLETE
        yield LAST_CHUNK


@dataclass(frozen=True, slots=True)
class ChatReply:
    """A reply in OpenAI's form; ``FakeProvider.reply`` says what each field does."""

    text: str = ""
    model: str | None = None
    usage: bool | Mapping[str, Any] = True
    finish_reason: str | None = "stop"
    reasoning: str | None = None
    reasoning_field: str = "reasoning"
    deltas: Sequence[str] | int | None = None
    delay: float = 0.0
    pace: float = 0.0
    hold: threading.Event | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    choices: Sequence[str] | None = None
    calls: Sequence[tuple[str, Mapping[str, Any] | str]] = ()
    done: bool = True
    stream: bool | None = None
    drop_after: int | None = None
    end_after: int | None = None

    def steps(self, request: RecordedRequest) -> Iterator[Step]:
        """Server-sent events, or one JSON body."""
        shape = Shape(request, self.model)
        streams = shape.wants_stream if self.stream is None else self.stream
        return self._stream(request, shape) if streams else self._whole(request, shape)

    def _held(self) -> Iterator[Step]:
        while self.hold is not None and not self.hold.is_set():
            yield Pause(_LOOK)

    def output_tokens(self, shape: Shape) -> int:
        """How many tokens the reply takes, as its usage says; 0 where that says nothing."""
        usage = self._usage(shape, self._texts(shape)) or {}
        told = usage.get("completion_tokens")
        return told if isinstance(told, int) else 0

    def _whole(self, request: RecordedRequest, shape: Shape) -> Iterator[Step]:
        yield from self._held()
        texts = self._texts(shape)
        thought = {self.reasoning_field: self.reasoning} if self.reasoning is not None else {}
        called = {"tool_calls": self._called(request)} if self.calls else {}
        messages = [{"content": text, **thought, **called} for text in texts]
        body = shape.completion(messages, self._reason, self._usage(shape, texts))
        half = self.drop_after is not None
        yield from JsonReply(body, 200, self.headers, self.delay, half).steps(request)

    def _stream(self, request: RecordedRequest, shape: Shape) -> Iterator[Step]:
        yield Pause(self.delay)
        yield _stream_head(request, self.headers)
        texts = self._texts(shape)
        for index in range(len(texts)):
            yield _event(shape.chunk(index, {"role": "assistant", "content": ""}))
        deltas = [*self._deltas(texts), *self._call_deltas(request)]
        for number, (index, delta) in enumerate(deltas):
            if number == self.drop_after or number == self.end_after:
                break
            yield Pause(self.pace if number else 0.0)
            if number == len(deltas) - 1:
                yield from self._held()
            yield _event(shape.chunk(index, delta))
        yield from self._finish(shape, texts)

    def _finish(self, shape: Shape, texts: Sequence[str]) -> Iterator[Step]:
        if self.drop_after is not None:
            yield Pause(_SETTLE)
            yield Mark.RESET
        elif self.end_after is None:
            for index in range(len(texts)):
                yield _event(shape.chunk(index, {}, self._reason))
            usage = self._usage(shape, texts)
            if usage is not None and shape.wants_usage:
                yield _event(shape.usage_chunk(usage))
        yield Mark.COMPLETE
        if self.done and self.end_after is None:
            yield http_chunk(b"data: [DONE]\n\n")
        yield LAST_CHUNK

    @property
    def _reason(self) -> str | None:
        return "tool_calls" if self.calls and self.finish_reason == "stop" else self.finish_reason

    def _called(self, request: RecordedRequest) -> list[dict[str, Any]]:
        return [
            {
                "id": f"call-{request.number}-{number}",
                "type": "function",
                "function": {
                    "name": name,
                    "arguments": given if isinstance(given, str) else json.dumps(given),
                },
            }
            for number, (name, given) in enumerate(self.calls, 1)
        ]

    def _call_deltas(self, request: RecordedRequest) -> Iterator[tuple[int, dict[str, Any]]]:
        """The calls as OpenAI streams them: first id and name, then the arguments in pieces."""
        for place, call in enumerate(self._called(request)):
            arguments = call["function"]["arguments"]
            begun = {**call["function"], "arguments": ""}
            yield 0, {"tool_calls": [{"index": place, **call, "function": begun}]}
            for piece in cut_text(arguments, 5):
                yield 0, {"tool_calls": [{"index": place, "function": {"arguments": piece}}]}

    def _texts(self, shape: Shape) -> list[str]:
        if self.choices is not None:
            return list(self.choices)
        given = "" if self.deltas is None or isinstance(self.deltas, int) else "".join(self.deltas)
        return [self.text or given] * shape.choice_count

    def _deltas(self, texts: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
        """The deltas of all choices, taking turns, each choice's reasoning before its text."""
        thoughts = cut_text(self.reasoning or "", None)
        lines = [
            [{self.reasoning_field: piece} for piece in thoughts]
            + [{"content": piece} for piece in cut_text(text, self.deltas)]
            for text in texts
        ]
        for row in itertools.zip_longest(*lines):
            for index, delta in enumerate(row):
                if delta is not None:
                    yield index, delta

    def _usage(self, shape: Shape, texts: Sequence[str]) -> Mapping[str, Any] | None:
        if isinstance(self.usage, bool):
            return shape.usage(texts) if self.usage else None
        return self.usage


@dataclass(frozen=True, slots=True)
class Raw:
    """Exactly these bytes."""

    data: bytes
    close: bool = True

    def steps(self, request: RecordedRequest) -> Iterator[Step]:
        """The bytes, and then the end of the connection unless it is to be kept."""
        yield self.data
        if self.close:
            yield Mark.CLOSE


@dataclass(frozen=True, slots=True)
class Drop:
    """The connection is reset before any byte of an answer, ``after`` seconds."""

    after: float = 0.0

    def steps(self, request: RecordedRequest) -> Iterator[Step]:
        """A pause and a reset."""
        yield Pause(self.after)
        yield Mark.RESET


@dataclass(frozen=True, slots=True)
class Hang:
    """Nothing at all, until the client goes away."""

    def steps(self, request: RecordedRequest) -> Iterator[Step]:
        """One endless step."""
        yield Mark.HANG


def _stream_head(request: RecordedRequest, extra: Mapping[str, str]) -> bytes:
    own = {"content-type": "text/event-stream; charset=utf-8", "transfer-encoding": "chunked"}
    return _head(200, request, own, extra)


def _head(
    status: int, request: RecordedRequest, own: Mapping[str, str], extra: Mapping[str, str]
) -> bytes:
    named = {name.lower(): text for name, text in extra.items()}
    return http_head(status, {**own, "x-request-id": f"req-fake-{request.number}", **named})


def _event(data: Mapping[str, Any]) -> bytes:
    return http_chunk(b"data: %b\n\n" % _to_json(data))


def _to_json(body: Any) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half a surrogate pair can only be sent escaped
        return json.dumps(body).encode()
