"""A limiter before plain aiohttp, with the retries that its users write."""

from __future__ import annotations

import asyncio
import random

import aiohttp

from benchmarks.peers.base import Peer, Told
from benchmarks.peers.plain import Http

__all__ = ["Gated"]

_ATTEMPTS = 6


class Gated(Peer):
    """Waits at :meth:`gate` before each attempt; backs off by chance after a failure."""

    def __init__(self, url: str, told: Told) -> None:
        super().__init__(url, told)
        self._http = Http(url)

    async def gate(self, tokens: int) -> None:
        """Wait for leave to send a request of so many tokens."""
        raise NotImplementedError

    async def ask(self, model: str, text: str, max_tokens: int) -> str:
        for attempt in range(_ATTEMPTS):
            await self.gate(max_tokens + len(text) // 4)
            try:
                status, body = await self._http.whole(model, text, max_tokens)
            except aiohttp.ClientError:
                status, body = 0, None
            if status == 200:
                content: str = body["choices"][0]["message"]["content"]
                return content
            await asyncio.sleep(min(8.0, 0.5 * 2**attempt) * (1 - 0.25 * random.random()))
        raise RuntimeError("given up")

    async def close(self) -> None:
        await self._http.close()
