"""A client whose pauses between attempts take no time, and a service that is a fake provider."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from nbconvo.client import Client
from nbconvo.messages import Delta, Message, Usage
from nbconvo.services import BaseService, ChatService
from nbconvo.testing import FakeProvider

KEY = "sk-proj-Zq81_xYw27vUt96sRq35pOn48mLk"
CERTIFICATE = Path(__file__).with_name("self_signed.pem")  # and its key; nobody trusts it
QUESTION = (Message(role="user", content="one two three"),)


@asynccontextmanager
async def serving(
    connected: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    **options: Any,
) -> AsyncIterator[str]:
    """Serve on loopback; give the address."""
    server = await asyncio.start_server(connected, "127.0.0.1", 0, **options)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


@dataclass
class Answer:
    """What a client yielded, also when it failed in the end."""

    deltas: list[Delta] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(delta.text for delta in self.deltas)

    @property
    def reasoning(self) -> str:
        return "".join(delta.reasoning for delta in self.deltas)

    @property
    def finish_reason(self) -> str | None:
        return next((d.finish_reason for d in self.deltas if d.finish_reason), None)

    @property
    def usage(self) -> Usage | None:
        return next((d.usage for d in reversed(self.deltas) if d.usage), None)

    @property
    def notices(self) -> list[str]:
        return [delta.notice for delta in self.deltas if delta.notice]


Ask = Callable[..., Awaitable[Answer]]


@pytest.fixture
def provider(fake_provider: FakeProvider) -> FakeProvider:
    return fake_provider


@pytest.fixture
def pauses() -> list[float]:
    """The seconds that the client paused between attempts."""
    return []


@pytest.fixture
async def client(pauses: list[float]) -> AsyncIterator[Client]:
    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    client = Client(sleep=sleep, jitter=lambda: 0.0)
    yield client
    await client.close()


@pytest.fixture
def service(provider: FakeProvider) -> ChatService:
    return ChatService(KEY, provider.base_url, name="fake")


@pytest.fixture
def ask(client: Client, service: ChatService) -> Ask:
    """Ask one question; ``into`` keeps what came before a failure."""

    async def ask(
        service: BaseService = service,
        *,
        model: str | None = "small",
        into: Answer | None = None,
        **options: Any,
    ) -> Answer:
        answer = into or Answer()
        options = {"stream": True, **options}
        async with aclosing(client.stream(service, QUESTION, model, options)) as batches:
            async for batch in batches:
                answer.deltas += batch
        assert client.limiter(service).usage().in_flight == 0
        return answer

    return ask
