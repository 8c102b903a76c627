"""SIGINT while a cell waits: the first ends the request, a second the waiting too."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nbconvo.bridge.job import Job
from nbconvo.errors import Stopped

__all__ = ["Watch", "interruptible"]

_INTERRUPTED = "interrupted"


class Watch:
    """The job that an interrupt cancels; the signal may come before there is one."""

    def __init__(self) -> None:
        self.stopped = False
        self._job: Job[Any] | None = None

    def over(self, job: Job[Any]) -> None:
        """Let interrupts cancel ``job`` from now on; an earlier one cancels it at once."""
        self._job = job
        if self.stopped:
            job.cancel(_INTERRUPTED)

    def interrupt(self, *_: object) -> None:
        """Handle SIGINT."""
        if self.stopped:
            raise Stopped(_INTERRUPTED)
        self.stop()

    def stop(self) -> None:
        """Cancel the job, as the first interrupt does."""
        self.stopped = True
        if self._job is not None:
            self._job.cancel(_INTERRUPTED)


@contextmanager
def interruptible() -> Iterator[Watch]:
    """Handle SIGINT by cancelling the watched job; raise ``Stopped`` at the end if one came.

    To be entered before the job is begun. Without a handler of our own a ``KeyboardInterrupt``
    can strike between any two lines, the ones that keep the reply included; so can the
    ``Stopped`` of a second interrupt, for a user who won't wait for them. Other threads than the
    main one get no signals.
    """
    watch = Watch()
    if threading.current_thread() is not threading.main_thread():
        yield watch
        return
    previous = signal.signal(signal.SIGINT, watch.interrupt)
    try:
        yield watch
    finally:
        signal.signal(signal.SIGINT, previous)
    if watch.stopped:
        raise Stopped(_INTERRUPTED)
