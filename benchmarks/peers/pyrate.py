"""pyrate-limiter's asynchronous limiter, before plain aiohttp."""

from __future__ import annotations

from pyrate_limiter import Duration, Limiter, Rate

from benchmarks.peers.base import Told
from benchmarks.peers.gated import Gated

__all__ = ["Client"]


class Client(Gated):
    def __init__(self, url: str, told: Told) -> None:
        super().__init__(url, told)
        self._requests, self._tokens = (
            None if rate is None else Limiter(Rate(int(rate), Duration.MINUTE))
            for rate in (told.requests, told.tokens)
        )

    async def gate(self, tokens: int) -> None:
        if self._requests is not None:
            await self._requests.try_acquire_async("requests", 1)
        if self._tokens is not None:
            await self._tokens.try_acquire_async("tokens", tokens)
