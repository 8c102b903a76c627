"""Calls for an event loop from other threads: it is woken once for all that wait."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager

__all__ = ["Waker", "Wakers"]

# An interrupted top-level await is delivered only when the kernel's loop wakes
# (ipython/ipykernel#881), so while something is awaited the loop wakes this often.
_BEAT = 0.05  # seconds


class Waker:
    """Calls functions on ``loop``, in the order in which each thread asked for it.

    To wake a loop takes a system call, and hands the interpreter over to its thread: a hundred
    requests that begin together, or end together, must not do that a hundred times.
    """

    __slots__ = ("_calls", "_gathers", "_timer", "_waiting", "_woken", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._calls: deque[Callable[[], object]] = deque()
        self._woken = self._gathers = False
        self._waiting = 0
        self._timer: asyncio.TimerHandle | None = None

    def call(self, function: Callable[[], object]) -> None:
        """Call ``function`` on the loop; from any thread.

        Raises:
            RuntimeError: If the loop is closed.
        """
        self._calls.append(function)
        self._wake()

    def gather(self, function: Callable[[], object], here: asyncio.AbstractEventLoop) -> None:
        """As :meth:`call`, together with all else that this step of the loop ``here`` calls.

        To be called on ``here``. Else the one loop wakes for the first, as quickly as the other
        thread lets it, and again for each that follows.
        """
        self._calls.append(function)
        if not self._gathers:
            self._gathers = True
            here.call_soon(self._gathered)

    def _gathered(self) -> None:
        self._gathers = False
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._wake()

    def _wake(self) -> None:
        if self._woken:
            return
        try:
            self._woken = True
            self.loop.call_soon_threadsafe(self._run)
        except BaseException:
            # A KeyboardInterrupt may have come between the two lines. Others may rely on this
            # waking already, so it is done; once too often is no harm.
            self._woken = False
            self.loop.call_soon_threadsafe(self._run)
            raise

    def _run(self) -> None:
        self._woken = False  # before the calls are looked for: who adds one now wakes again
        calls = self._calls
        try:
            while calls:
                calls.popleft()()
        finally:
            if calls:  # one that failed must not hold back the others
                self.loop.call_soon(self._run)

    def heartbeat(self) -> AbstractContextManager[None]:
        """Wake the loop regularly, so that an interrupt reaches the coroutine that waits on it."""
        return _Heartbeat(self)

    def _beat(self) -> None:
        # One timer for all, left to ring in vain in the end: cheaper than one for each request.
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(_BEAT, self._beat) if self._waiting else None


class _Heartbeat:
    __slots__ = ("_waker",)

    def __init__(self, waker: Waker) -> None:
        self._waker = waker

    def __enter__(self) -> None:
        waker = self._waker
        waker._waiting += 1
        # One that is overdue may have been interrupted, and set no other.
        if waker._timer is None or waker._timer.when() < waker.loop.time():
            waker._beat()

    def __exit__(self, *_: object) -> None:
        self._waker._waiting -= 1


class Wakers:
    """The wakers of the loops on which something is awaited, one for each as they take turns."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: Waker | None = None

    def of(self, loop: asyncio.AbstractEventLoop) -> Waker:
        """Return the waker of ``loop``; from the thread that runs it."""
        last = self._last
        if last is None or last.loop is not loop:
            last = self._last = Waker(loop)
        return last
