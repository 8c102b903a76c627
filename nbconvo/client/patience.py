"""Requests that take too long are ended: one timer for all that are under way."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from time import monotonic
from typing import Protocol

from nbconvo.services import BaseService

__all__ = ["Link", "Patience", "Sent"]

_GRACE = 0.02  # seconds between two looks at a request that seems to be silent
_SOON = 5e-3  # seconds that a timer may ring late, rather than be set anew for each request


class Sent(Protocol):
    """A request that was sent, and what comes of it."""

    def fail(self, error: BaseException) -> None:
        """End it from outside, with what is raised where it is waited for."""

    def unsent(self) -> int:
        """Return how many bytes of it have not left yet."""


class Link:
    """One attempt under way, and how far it got.

    Args:
        service: Whom it is to; ``timeout`` is how long its first byte, and each next, may take.
        ends_at: When it is too late for the last byte, by the monotonic clock.

    Attributes:
        sent_at: When it was sent, by the monotonic clock; ``None`` if it surely never left.
        begun: Whether any of the reply has come, if only who speaks: it is paid for.
        heard: When the service was last heard of, by the monotonic clock; infinity while
            nobody waits for it.
        suspected: When it was due as it seemed to be silent.
        sent: What is given up; ``None`` while it is not watched.
        left: How many bytes had not left when it was looked at last.
        watched_by: Who gives it up.
    """

    __slots__ = ("begun", "ends_at", "heard", "left", "sent", "sent_at", "service", "suspected",
                 "timeout", "watched_by")  # fmt: skip

    def __init__(self, service: BaseService, ends_at: float = math.inf) -> None:
        self.service = service
        self.timeout = service.timeout
        self.ends_at = ends_at
        self.sent_at: float | None = None
        self.begun = False
        self.heard = math.inf
        self.suspected = -math.inf
        self.sent: Sent | None = None
        self.left = 0
        self.watched_by: Patience | None = None

    def goes_out(self) -> bool:
        """Whether more of the request has left since this was asked last."""
        before, self.left = self.left, 0 if self.sent is None else self.sent.unsent()
        return self.left < before

    @property
    def due(self) -> float:
        """When it is to be given up, unless something is heard before."""
        return min(self.heard + self.timeout, self.ends_at)

    def leave(self) -> None:
        """Be watched no longer."""
        if self.watched_by is not None:
            self.watched_by.leave(self)
            self.watched_by = self.sent = None


class Patience:
    """Gives up the links that wait for longer than they may.

    A timer of its own for each request, set anew at each byte, would cost more than what the
    byte brings; here hearing something is one assignment. What is due is looked at twice: if the
    event loop was blocked, what came meanwhile has not been read at the first look.

    Args:
        loop: The event loop on which the requests are.
        error: Returns what ends a link, told whether it took too long in all.
    """

    __slots__ = ("_at", "_error", "_links", "_loop", "_timer")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, error: Callable[[Link, bool], Exception]
    ) -> None:
        self._loop = loop
        self._error = error
        self._links: set[Link] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._at = math.inf

    def watch(self, link: Link, sent: Sent, now: float) -> None:
        """Begin to watch a request that is sent ``now``."""
        link.sent, link.watched_by = sent, self
        link.left = sent.unsent()
        link.heard = now
        self._links.add(link)
        due = min(now + link.timeout, link.ends_at)
        if due < self._at - _SOON:
            self._set(due)

    def leave(self, link: Link) -> None:
        """Watch it no longer; the timer is left to ring in vain, which is cheaper."""
        self._links.discard(link)

    def stop(self) -> None:
        """Watch nothing any more."""
        self._links.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._at = None, math.inf

    def _set(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._at = at
        self._timer = self._loop.call_later(at - monotonic(), self._look)

    def _look(self) -> None:
        self._timer, self._at = None, math.inf
        now, following = monotonic(), math.inf
        for link in tuple(self._links):
            if link.due <= now < link.ends_at and link.goes_out():
                link.heard = now  # a slow way out is no silence
            due = link.due
            if due > now:
                # One that nobody waits for now may be waited for at once.
                following = min(following, due, now + link.timeout)
            elif link.suspected != due:
                link.suspected = due
                following = min(following, now + _GRACE)
            else:
                self._links.discard(link)
                if link.sent is not None:
                    link.sent.fail(self._error(link, link.ends_at <= now))
        if following < math.inf:
            self._set(following)
