from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from nbconvo.testing import FakeProvider


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def data(self) -> list[str]:
        """What follows ``data: `` in each event."""
        events = self.body.decode().split("\n\n")
        assert events.pop() == ""
        return [event.removeprefix("data: ") for event in events]

    @property
    def chunks(self) -> list[dict[str, Any]]:
        return [json.loads(data) for data in self.data if data != "[DONE]"]

    def said(self, index: int = 0, field: str = "content") -> list[str]:
        deltas = [
            choice["delta"].get(field)
            for chunk in self.chunks
            for choice in chunk["choices"]
            if choice["index"] == index
        ]
        return [delta for delta in deltas if delta]


Ask = Callable[..., Awaitable[Answer]]


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as provider:
        yield provider


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as http:
        yield http


@pytest.fixture
def ask(provider: FakeProvider, http: aiohttp.ClientSession) -> Ask:
    """Sends one chat completion and reads the answer to its end."""

    async def ask(**fields: Any) -> Answer:
        body = {"model": "m", "messages": [{"role": "user", "content": "one two"}], **fields}
        async with http.post(f"{provider.base_url}/chat/completions", json=body) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, headers, await response.read())

    return ask
