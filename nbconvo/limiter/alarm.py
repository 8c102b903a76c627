"""One timer on the event loop."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

__all__ = ["Alarm"]

_BUSY = 0.05  # seconds; timers are late by less, and services are patient with that


class Alarm:
    """Calls ``ring`` at the earliest moment that was asked for, and perhaps too early.

    It is told whether it is so late that the event loop was busy with something else since the
    alarm was set.

    Whoever is rung looks again and sets it anew, so an alarm that is set already and rings
    sooner is left alone: to move it would cost more than the needless look.
    """

    __slots__ = ("_at", "_ring", "_timer")

    def __init__(self, ring: Callable[[bool], None]) -> None:
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None
        self._at = math.inf

    def set(self, loop: asyncio.AbstractEventLoop, delay: float) -> None:
        """Ring in ``delay`` seconds at the latest."""
        at = loop.time() + delay
        if self._timer is None or at < self._at:
            self.stop()
            self._at = at
            self._timer = loop.call_later(delay, self._go, loop, max(delay, _BUSY))

    def stop(self) -> None:
        """Don't ring."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _go(self, loop: asyncio.AbstractEventLoop, most: float) -> None:
        self._timer = None
        self._ring(loop.time() - self._at > most)
