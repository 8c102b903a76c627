"""Whose turn it is in a session."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

__all__ = ["Line"]


class Line:
    """Whose turn it is: turns of one session wait for each other, in the order of asking.

    It belongs to one event loop; when the I/O thread is made anew, as after a fork, it begins
    anew, without those who waited before.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = asyncio.Lock()
        self._asked = 0
        self._pid = 0

    @property
    def busy(self) -> bool:
        """Whether a turn is under way or waits; from any thread."""
        return self._asked > 0 and self._pid == os.getpid()

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Wait for one's turn, and have it until the end of the block."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._lock, self._asked = loop, asyncio.Lock(), 0
            self._pid = os.getpid()
        self._asked += 1
        try:
            async with self._lock:
                yield
        finally:
            self._asked -= 1
