"""Requests that take too long are ended: one timer for all that are under way."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

__all__ = ["Link", "Patience"]

_GRACE = 0.02  # seconds between two looks at a request that seems to be silent
_SOON = 5e-3  # seconds that a timer may ring late, rather than be set anew for each request


class Link:
    """One attempt under way, and how far it got.

    Args:
        timeout: Seconds to wait for the first byte, and between two.
        ends_at: When it is too late for the last byte, in seconds of the event loop.

    Attributes:
        reached: False when it surely never left.
        begun: Whether any of the reply has come, if only who speaks: it is paid for.
        heard: When the service was last heard of, in seconds of the event loop; infinity while
            nobody waits for it.
        give_up: Ends it; told whether it took too long in all.
        unsent: Returns how many bytes of the request have not left yet.
        left: How many that were when it was looked at last.
        watched_by: Who gives it up.
    """

    __slots__ = (
        "begun",
        "ends_at",
        "give_up",
        "heard",
        "left",
        "reached",
        "suspected",
        "timeout",
        "unsent",
        "watched_by",
    )

    def __init__(self, timeout: float = math.inf, ends_at: float = math.inf) -> None:
        self.timeout = timeout
        self.ends_at = ends_at
        self.reached = False
        self.begun = False
        self.heard = math.inf
        self.suspected = -math.inf
        self.give_up: Callable[[bool], None] | None = None
        self.unsent: Callable[[], int] | None = None
        self.left = 0
        self.watched_by: Patience | None = None

    def goes_out(self) -> bool:
        """Whether more of the request has left since this was asked last."""
        before, self.left = self.left, 0 if self.unsent is None else self.unsent()
        return self.left < before

    @property
    def due(self) -> float:
        """When it is to be given up, unless something is heard before."""
        return min(self.heard + self.timeout, self.ends_at)

    def leave(self) -> None:
        """Be watched no longer."""
        if self.watched_by is not None:
            self.watched_by.leave(self)
        self.give_up = self.watched_by = self.unsent = (
            None  # which lead back here: else only gc finds it
        )


class Patience:
    """Gives up the links that wait for longer than they may.

    A timer of its own for each request, set anew at each byte, would cost more than what the
    byte brings; here hearing something is one assignment. What is due is looked at twice: if the
    event loop was blocked, what came meanwhile has not been read at the first look.
    """

    __slots__ = ("_at", "_links", "_loop", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._links: set[Link] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._at = math.inf

    def watch(self, link: Link, give_up: Callable[[bool], None], unsent: Callable[[], int]) -> None:
        """Begin to watch a request that is being sent."""
        link.give_up, link.watched_by, link.unsent = give_up, self, unsent
        link.left = unsent()
        link.heard = self._loop.time()
        self._links.add(link)
        if link.due < self._at - _SOON:
            self._set(link.due)

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
        self._timer = self._loop.call_at(at, self._look)

    def _look(self) -> None:
        self._timer, self._at = None, math.inf
        now, following = self._loop.time(), math.inf
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
                if link.give_up is not None:
                    link.give_up(link.ends_at <= now)
        if following < math.inf:
            self._set(following)
