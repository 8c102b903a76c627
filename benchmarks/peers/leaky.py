"""aiolimiter with a minute's capacity, before plain aiohttp."""

from __future__ import annotations

from typing import ClassVar

from aiolimiter import AsyncLimiter

from benchmarks.peers.base import Told
from benchmarks.peers.gated import Gated

__all__ = ["Client"]


class Client(Gated):
    period: ClassVar[float] = 60.0  # seconds whose amount may be taken at once

    def __init__(self, url: str, told: Told) -> None:
        super().__init__(url, told)
        part = self.period / 60
        self._requests = told.requests and AsyncLimiter(told.requests * part, self.period)
        self._tokens = told.tokens and AsyncLimiter(told.tokens * part, self.period)

    async def gate(self, tokens: int) -> None:
        if self._requests:
            await self._requests.acquire()
        if self._tokens:
            await self._tokens.acquire(min(tokens, self._tokens.max_rate))
