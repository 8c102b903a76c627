"""What a job came to, for all threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Outcome"]

T = TypeVar("T")

# A signal that comes just before a wait, or to another thread, does not end it, so its handler
# runs only when the main thread wakes.
_BEAT = 0.1  # seconds


class Outcome(Generic[T]):
    """As a ``concurrent.futures.Future``, which takes three times as long to make and to settle.

    Attributes:
        known: Whether it is known yet.
    """

    __slots__ = ("_error", "_lock", "_result", "_told", "known")

    def __init__(self) -> None:
        self.known = False
        self._lock = threading.Lock()
        self._told: list[Callable[[], object]] = []
        self._result: T
        self._error: BaseException | None = None

    def set(self, result: T) -> None:
        """Tell what the job returned."""
        self._result = result
        self._tell()

    def fail(self, error: BaseException) -> None:
        """Tell what the job raised."""
        self._error = error
        self._tell()

    def get(self) -> T:
        """Return or raise it, once it is known."""
        if self._error is not None:
            raise self._error
        return self._result

    def wait(self, timeout: float | None = None) -> T:
        """As :meth:`get`, from any other thread; raises ``TimeoutError`` after so many seconds."""
        known = threading.Event()
        self.then(known.set)
        if timeout is None:
            while not known.wait(_BEAT):
                pass
        elif not known.wait(timeout):
            raise TimeoutError
        return self.get()

    def then(self, call: Callable[[], object]) -> None:
        """Call that once it is known, on the thread that tells it; at once if it is already."""
        with self._lock:
            if not self.known:
                self._told.append(call)
                return
        call()

    def _tell(self) -> None:
        with self._lock:
            self.known = True
        for call in self._told:
            call()
