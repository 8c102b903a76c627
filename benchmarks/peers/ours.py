"""nbconvo's client: one request with its limiter and its retries, no session."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from benchmarks.peers.base import KEY, Peer, Told
from nbconvo.client import Client as OurClient
from nbconvo.messages import Message
from nbconvo.services import ChatService

__all__ = ["UNLIMITED", "Client", "Streamed", "service"]

# Told nothing, it begins gently, and would not have as many under way as the others.
UNLIMITED = Told(requests=600_000)


def service(url: str, told: Told) -> ChatService:
    return ChatService(
        api_key=KEY,
        base_url=url,
        max_requests_per_minute=told.requests,
        max_tokens_per_minute=told.tokens,
    )


class Client(Peer):
    unlimited = UNLIMITED

    def __init__(self, url: str, told: Told) -> None:
        super().__init__(url, told)
        self._service = service(url, told)
        self._client = OurClient()

    async def ask(self, model: str, text: str, max_tokens: int) -> str:
        asked = [Message(role="user", content=text)]
        reply = self._client.stream(self._service, asked, model, {"max_tokens": max_tokens})
        said = ""
        async with aclosing(reply) as deltas:
            async for batch in deltas:
                for delta in batch:
                    said += delta.text
        return said

    async def stream(self, model: str, text: str) -> AsyncIterator[str]:
        asked = [Message(role="user", content=text)]
        reply = self._client.stream(self._service, asked, model, {"stream": True})
        async with aclosing(reply) as deltas:
            async for batch in deltas:
                for delta in batch:
                    if delta.text:
                        yield delta.text

    async def close(self) -> None:
        await self._client.close()


class Streamed(Client):
    """A whole reply is put together from a stream."""

    ask = Peer.ask
