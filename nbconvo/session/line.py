"""Whose turn it is in a session."""

from __future__ import annotations

import asyncio
import os
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

__all__ = ["Line"]


class Line:
    """Whose turn it is: turns of one session wait for each other, in the order of asking.

    It belongs to one event loop; when the I/O thread is made anew, as after a fork, it begins
    anew, without those who waited before.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._queue: _Queue | None = None

    @property
    def busy(self) -> bool:
        """Whether a turn is under way or waits; from any thread."""
        queue = self._queue
        return queue is not None and queue.asked > 0 and queue.pid == os.getpid()

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Wait for one's turn, and have it until the end of the block."""
        loop, queue = asyncio.get_running_loop(), self._queue
        if queue is None or queue.loop is not loop:
            queue = self._queue = _Queue(loop)
        return queue


@dataclass(slots=True)
class _Queue:
    """Those who ask on one event loop."""

    loop: asyncio.AbstractEventLoop
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    asked: int = 0
    pid: int = field(default_factory=os.getpid)

    async def __aenter__(self) -> None:
        self.asked += 1
        try:
            await self.lock.acquire()
        except BaseException:
            self.asked -= 1
            raise

    async def __aexit__(self, *_: object) -> None:
        self.lock.release()
        self.asked -= 1
