"""A server with the limits of a plan, cheap enough not to be in the way of many clients.

``POST /open`` takes a plan and returns a number; chat completions at ``/NUMBER/v1`` are admitted or
refused as it says, and ``GET /NUMBER`` returns what has happened.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from http import HTTPStatus
from typing import Any

from benchmarks.plans import PROMPT, Plan
from nbconvo.testing.limits import Admitted, Refused

__all__ = ["main"]

_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)


class _Account:
    """One scenario under way."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.limits = plan.books(time.time)
        self._chance = random.Random(plan.seed)
        self._answered: set[int] = set()
        self._first = self._last = 0.0
        self._faults = self._twice = 0

    def ask(self, connection: _Connection, row: int, size: int) -> None:
        now = time.time()
        self._first = self._first or now
        found = self.limits.admit(PROMPT, size)
        if isinstance(found, Refused):
            connection.send(found.status, found.body, found.headers)
            return
        self._last = now
        if self._chance.random() < self.plan.faults:
            self._faults += 1
            if self._chance.random() < 0.5:
                connection.abort()
            else:
                connection.send(500, {"error": {"message": "failed", "type": "server_error"}})
            return
        self._twice += row in self._answered
        self._answered.add(row)
        seconds, used = self.plan.answer(row, size)
        loop = asyncio.get_running_loop()
        loop.call_later(seconds, self._answer, connection, found, used)

    def _answer(self, connection: _Connection, admitted: Admitted, used: int) -> None:
        self.limits.settle(admitted, used)
        usage = {"prompt_tokens": PROMPT, "completion_tokens": used, "total_tokens": PROMPT + used}
        message = {"role": "assistant", "content": "Yes."}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        body = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": "limited",
            "choices": [choice],
            "usage": usage,
        }
        connection.send(200, body, admitted.headers)

    def report(self) -> dict[str, Any]:
        return {
            "start": self._first,
            "seconds": self._last - self._first,
            "best": self.plan.best(self._first, self._faults),
            "refused": self.limits.refused,
            "admitted": self.limits.admitted,
            "twice": self._twice,
            "other_refused": self.limits.other_refused,
        }


class _Connection(asyncio.Protocol):
    accounts: list[_Account]

    def __init__(self) -> None:
        self._buffer = b""

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
            head, body = self._buffer[:end], self._buffer[end + 4 : size]
            self._buffer = self._buffer[size:]
            path = head.split(b" ", 2)[1].decode().split("/")
            self._answer(path[1], body)

    def _answer(self, where: str, body: bytes) -> None:
        if where == "open":
            self.accounts.append(_Account(Plan.of(json.loads(body))))
            self.send(200, {"number": len(self.accounts) - 1})
        elif body:
            asked = json.loads(body)
            row = int(asked["messages"][-1]["content"].split()[1])
            self.accounts[int(where)].ask(self, row, asked["max_tokens"])
        else:
            self.send(200, self.accounts[int(where)].report())

    def send(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        own = {"content-type": "application/json", "content-length": str(len(data))}
        lines = [f"{name}: {text}\r\n" for name, text in {**own, **(headers or {})}.items()]
        head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{''.join(lines)}\r\n"
        self._transport.write(head.encode() + data)

    def abort(self) -> None:
        self._transport.abort()


async def main() -> None:
    """Listen on a free port of 127.0.0.1, and print its number."""
    _Connection.accounts = []
    server = await asyncio.get_running_loop().create_server(
        _Connection, "127.0.0.1", 0, backlog=4096
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
