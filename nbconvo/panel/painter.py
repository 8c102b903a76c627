"""One thread that keeps all open panels up to date, and sleeps while nothing happens."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Protocol

from nbconvo.session.workspace import workspace

__all__ = ["Painted", "Painter", "painter"]

_INTERVAL = 0.1  # seconds between two looks, at least
_AGAIN = 1.0  # seconds until what could not be painted is looked at again

_log = logging.getLogger(__name__)


class Painted(Protocol):
    """What a painter keeps up to date."""

    def paint(self) -> float | None:
        """Show what is new; return after how many seconds to look again, ``None``: when rung."""
        ...

    def close(self) -> None:
        """End; it is to be painted no more."""
        ...


class Painter:
    """Looks at what it paints when it is rung, at most ten times a second.

    Its thread begins with the first that it is to paint, and ends with the last.

    Args:
        watch: Is told to call a function whenever there may be something new.
        unwatch: Is told to do so no more.
        interval: Seconds between two looks, at least.
    """

    def __init__(
        self,
        watch: Callable[[Callable[[], None]], None],
        unwatch: Callable[[Callable[[], None]], None],
        interval: float = _INTERVAL,
    ) -> None:
        self._watch = watch
        self._unwatch = unwatch
        self._interval = interval
        # Re-entrant: a widget that Python collects closes itself, at any moment, on any thread.
        self._lock = threading.RLock()
        self._painted: tuple[Painted, ...] = ()
        self._bell = threading.Event()
        self._empty = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def painted(self) -> tuple[Painted, ...]:
        """What it keeps up to date."""
        return self._painted

    @property
    def running(self) -> bool:
        """Whether its thread runs, in this process."""
        return self._thread is not None and self._thread.is_alive()

    def add(self, painted: Painted) -> None:
        """Keep ``painted`` up to date from now on."""
        with self._lock:
            self._painted = (*self._painted, painted)
            self._empty.clear()
            if not self.running:
                self._watch(self.ring)
                self._thread = threading.Thread(target=self._run, name="nbconvo-panel", daemon=True)
                self._thread.start()

    def remove(self, painted: Painted) -> None:
        """Look at ``painted`` no more."""
        with self._lock:
            self._painted = tuple(other for other in self._painted if other is not painted)
            if not self._painted:
                self._empty.set()
        self.ring()

    def ring(self) -> None:
        """Say that there may be something new; from any thread."""
        self._bell.set()

    def close(self) -> None:
        """Close all that is painted."""
        for painted in self._painted:
            painted.close()

    def _run(self) -> None:
        pause: float | None = 0.0
        while not self._ended():
            self._bell.wait(pause)
            self._bell.clear()
            pauses = [_painted(each) for each in self._painted]
            # What rings now, and again and again, is looked at once.
            self._empty.wait(self._interval)
            soon = min((each for each in pauses if each is not None), default=None)
            pause = None if soon is None else max(0.0, soon - self._interval)

    def _ended(self) -> bool:
        with self._lock:
            if self._painted:
                return False
            self._unwatch(self.ring)
            self._thread = None
            return True


def _painted(painted: Painted) -> float | None:
    """Paint one; one that fails, for a session that changes just now, is looked at again soon."""
    try:
        return painted.paint()
    except Exception:
        _log.debug("a panel could not be painted", exc_info=True)
        return _AGAIN


#: The painter of this process.
painter = Painter(workspace.watch, workspace.unwatch)
