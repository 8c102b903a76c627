"""Where items from the I/O thread arrive: for a thread that waits, and for an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import time
from collections import deque
from typing import Generic, TypeVar

from nbconvo.bridge.waker import Waker

__all__ = ["LoopInbox", "ThreadInbox"]

T = TypeVar("T")


class _End:
    """Comes after the last item."""


_END = _End()


class ThreadInbox(Generic[T]):
    """For a thread that waits. :meth:`put` and :meth:`close` may be called from any thread."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[T | _End] = queue.SimpleQueue()
        self._taken = 0.0

    def put(self, item: T) -> None:
        """Add an item."""
        self._queue.put(item)

    def close(self) -> None:
        """Say that no more items will come."""
        self._queue.put(_END)

    def take(self, interval: float) -> tuple[list[T], bool]:
        """Return the items that have come, and whether more may.

        Returns at once for the first item after a pause, with those that came along, else
        ``interval`` seconds after the last time, with or without items.
        """
        batch: list[T] = []
        end = time.monotonic() + interval
        while True:
            left = (end if not batch else self._taken + interval) - time.monotonic()
            try:
                item = self._queue.get(timeout=max(left, 0))
            except queue.Empty:
                break
            if isinstance(item, _End):
                return batch, False
            batch.append(item)
        self._taken = time.monotonic()
        return batch, True


class LoopInbox(Generic[T]):
    """For a coroutine on the loop of ``waker``, woken once for all items that wait already."""

    def __init__(self, waker: Waker) -> None:
        self._waker = waker
        self._items: deque[T] = deque()
        self._arrived = asyncio.Event()
        self._open = True
        self._waking = False
        self._taken = 0.0

    def put(self, item: T) -> None:
        """Add an item."""
        self._items.append(item)
        self._wake()

    def close(self) -> None:
        """Say that no more items will come."""
        self._open = self._waking = False  # also who gathers is woken
        self._wake()

    async def take(self, interval: float | None = None) -> tuple[list[T], bool]:
        """Wait for items; return them, and whether more may come.

        With an ``interval``, in seconds, it waits as :meth:`ThreadInbox.take` does; without,
        for one item.
        """
        if not self._items and self._open:
            await self._wait(interval)
        if interval is not None:
            # Nobody is woken for an item that comes while others are waiting already.
            while self._open and (left := self._taken + interval - time.monotonic()) > 0:
                self._arrived.clear()
                await self._wait(left)
            self._taken = time.monotonic()
        self._arrived.clear()
        self._waking = False
        more = self._open
        return [self._items.popleft() for _ in range(len(self._items))], more

    async def _wait(self, seconds: float | None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._arrived.wait()

    def _wake(self) -> None:
        if not self._waking:
            self._waking = True
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody reads
                self._waker.call(self._arrived.set)
