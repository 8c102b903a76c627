"""langchain-openai, with its in-memory rate limiter where a rate of requests is told."""

from __future__ import annotations

from collections.abc import AsyncIterator

from langchain_core.rate_limiters import InMemoryRateLimiter
from langchain_openai import ChatOpenAI

from benchmarks.peers.base import KEY, Peer, Told

__all__ = ["Client"]


class Client(Peer):
    def __init__(self, url: str, told: Told) -> None:
        super().__init__(url, told)
        self._limiter = (
            None
            if told.requests is None
            else InMemoryRateLimiter(
                requests_per_second=told.requests / 60, check_every_n_seconds=0.05
            )
        )
        self._models: dict[str, ChatOpenAI] = {}

    async def ask(self, model: str, text: str, max_tokens: int) -> str:
        reply = await self._model(model).ainvoke(text, max_tokens=max_tokens)
        return str(reply.content)

    async def stream(self, model: str, text: str) -> AsyncIterator[str]:
        async for chunk in self._model(model).astream(text):
            if chunk.content:
                yield str(chunk.content)

    def _model(self, name: str) -> ChatOpenAI:
        if name not in self._models:
            self._models[name] = ChatOpenAI(
                model=name,
                api_key=KEY,
                base_url=self.url,
                max_retries=5,
                rate_limiter=self._limiter,
                stream_usage=True,
            )
        return self._models[name]
