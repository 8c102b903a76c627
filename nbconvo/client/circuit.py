"""A service that is down is not asked by everybody: the circuit of an account."""

from __future__ import annotations

import time
from collections.abc import Callable

from nbconvo.errors import ConnectionFailed, ServerFailed, ServiceDown, ServiceError, TimedOut

__all__ = ["Circuit"]

_ENOUGH = 5  # requests in a row
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 60.0  # seconds


class Circuit:
    """Opens when requests in a row were given up because their service is down.

    Each of them had all its attempts by then. While the circuit is open requests are refused
    without being sent, but for one after a pause, which doubles with each that fails, and but for
    any that is asked while no other is: who asks by hand wants to know, and is alone. The first
    that is answered, be it with a refusal, closes the circuit.

    Args:
        name: Whose it is, for error texts.
        clock: Seconds from any origin.
    """

    __slots__ = ("_clock", "_failures", "_last", "_name", "_next_at", "_pause")

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._failures = 0
        self._last = ""
        self._next_at = 0.0
        self._pause = _FIRST_PAUSE

    @property
    def is_open(self) -> bool:
        """Whether requests are being refused."""
        return self._failures >= _ENOUGH

    def admit(self, is_alone: Callable[[], bool]) -> None:
        """Let a request go.

        Args:
            is_alone: Tells whether no other is under way or waits; asked only if it matters.

        Raises:
            ServiceDown: If the circuit is open and the request is not the one that tries.
        """
        if self._failures < _ENOUGH:
            return
        now = self._clock()
        if now >= self._next_at or is_alone():
            self._next_at = now + self._pause
            return
        left = self._next_at - now
        raise ServiceDown(
            f"{self._name} seems to be down, so this was not sent: {self._failures} requests in a "
            f"row failed; the next try is in {left:.3g} s; the last error was: {self._last}",
            retry_after=left,
        )

    def answered(self) -> None:
        """Note that the service is there."""
        self._failures = 0
        self._pause = _FIRST_PAUSE

    def gave_up(self, error: ServiceError, *, begun: bool = False) -> None:
        """Note that a request was given up with this error, its reply ``begun`` or not."""
        if begun:
            self.answered()  # it broke off, but the service is there
        elif isinstance(error, ConnectionFailed | TimedOut) or (
            isinstance(error, ServerFailed) and (error.status or 500) >= 500
        ):
            if self.is_open:
                self._pause = min(2 * self._pause, _LONGEST_PAUSE)
            self._failures += 1
            self._last = str(error)
            self._next_at = self._clock() + self._pause
        elif error.status is not None:
            self.answered()
