"""One timer on the event loop."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

__all__ = ["Alarm"]


class Alarm:
    """Calls ``ring`` at the earliest moment that was asked for, and perhaps too early.

    Whoever is rung looks again and sets it anew, so an alarm that is set already and rings
    sooner is left alone: to move it would cost more than the needless look.
    """

    __slots__ = ("_at", "_ring", "_timer")

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None
        self._at = math.inf

    def set(self, loop: asyncio.AbstractEventLoop, delay: float) -> None:
        """Ring in ``delay`` seconds at the latest."""
        at = loop.time() + delay
        if self._timer is None or at < self._at:
            self.stop()
            self._at = at
            self._timer = loop.call_later(delay, self._go)

    def stop(self) -> None:
        """Don't ring."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _go(self) -> None:
        self._timer = None
        self._ring()
