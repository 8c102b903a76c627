"""aiolimiter with a second's capacity, before plain aiohttp."""

from __future__ import annotations

from typing import ClassVar

from benchmarks.peers.leaky import Client as LeakyClient

__all__ = ["Client"]


class Client(LeakyClient):
    period: ClassVar[float] = 1.0
