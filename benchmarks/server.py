"""A server that costs as little as it can, so that clients are what is measured.

It answers ``POST .../chat/completions`` and ``POST .../messages``. The model that is asked for
says how: ``whole`` is one JSON body; ``whole-50`` the same after 50 ms; ``stream-200-1`` 200 events
1 ms apart, ``stream-5000-0`` 5,000 in one piece. The text of an event is the moment at which it was
sent, in seconds of the system's monotonic clock, which all processes share.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import Any

__all__ = ["main"]

_MODEL = re.compile(rb'"model"\s*:\s*"([^"]+)"')
_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
_USAGE = {"prompt_tokens": 12, "completion_tokens": 9, "total_tokens": 21}
_TEXT = "A whale of a time was had by all."


def _whole(body: dict[str, Any]) -> bytes:
    data = json.dumps(body).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % len(data) + data


_CHAT = _whole(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "whole",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": _TEXT, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": _USAGE,
    }
)
_MESSAGES = _whole(
    {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "whole",
        "content": [{"type": "text", "text": _TEXT}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 12, "output_tokens": 9},
    }
)
_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)


def _event(delta: dict[str, Any], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
    return _data({"choices": [choice], "usage": None})


def _data(part: dict[str, Any]) -> bytes:
    common = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "m",
    }
    return _chunk(b"data: %b\n\n" % json.dumps({**common, **part}).encode())


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


_BEFORE, _AFTER = _event({"content": "@"}).split(b"@")
_FIRST = _STREAM_HEAD + _event({"role": "assistant", "content": ""})
_LAST = (
    _event({}, "stop")
    + _data({"choices": [], "usage": _USAGE})
    + _chunk(b"data: [DONE]\n\n")
    + b"0\r\n\r\n"
)
_WIDTH = 17  # characters of a moment, of which _BEFORE's chunk size must know


def _delta() -> bytes:
    moment = f"{time.monotonic():{_WIDTH - 1}.6f} ".encode()
    size, rest = _BEFORE.split(b"\r\n", 1)
    return b"%x\r\n" % (int(size, 16) - 1 + _WIDTH) + rest + moment + _AFTER


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._buffer = b""
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._buffer, 0, end + 2)
            size = end + 4 + (int(length[1]) if length else 0)
            if len(self._buffer) < size:
                return
            request, self._buffer = self._buffer[:size], self._buffer[size:]
            self._answer(request, end)

    def _answer(self, request: bytes, end: int) -> None:
        path = request[: request.find(b"\r\n")]
        model = _MODEL.search(request, end)
        kind, *numbers = (model[1].decode() if model else "whole").split("-")
        if kind == "stream":
            self._transport.write(_FIRST)
            self._stream(int(numbers[0]), int(numbers[1]) / 1000)
            return
        body = _MESSAGES if b"/messages " in path else _CHAT
        if numbers:
            self._loop.call_later(int(numbers[0]) / 1000, self._transport.write, body)
        else:
            self._transport.write(body)

    def _stream(self, count: int, pace: float) -> None:
        if self._transport.is_closing():
            return
        if not pace:
            self._transport.write(b"".join([_delta() for _ in range(count)]) + _LAST)
        elif count:
            self._transport.write(_delta())
            self._loop.call_later(pace, self._stream, count - 1, pace)
        else:
            self._transport.write(_LAST)


async def main() -> None:
    """Listen on a free port of 127.0.0.1, and print its number."""
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
