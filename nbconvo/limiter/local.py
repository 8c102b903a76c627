"""The limiter of one process: all limits in one queue with one timer."""

from __future__ import annotations

import asyncio
import math
import time
import weakref
from collections.abc import Callable, Hashable, Sequence

from nbconvo.limiter.alarm import Alarm
from nbconvo.limiter.base import LONGEST_WAIT, LimiterUsage, Permit, Told
from nbconvo.limiter.books import Books
from nbconvo.limiter.lane import Turn
from nbconvo.limiter.lanes import Lanes
from nbconvo.limiter.ledger import Ledger
from nbconvo.limiter.limits import Limits
from nbconvo.limiter.refusals import (
    paused,
    refuse,
    too_large,
    too_large_for_service,
    used_up,
)

__all__ = ["LocalLimiter"]

_STALE = 60.0  # seconds after which the word of a service is doubted, if it means hours
_TICK = 1e-6
"""Seconds that a request may go early: the rounding of a timer must not cost another round."""
_TOGETHER = 0.002
"""Seconds within which several are let go by one round of the event loop, by no other timer."""


class LocalLimiter:
    """Admits requests in order, within rates and a concurrency, stated, told or found.

    ``None`` is no limit. It outlives an event loop: who waited on a closed one is forgotten.

    Args:
        max_requests_per_minute: Rate of requests.
        max_tokens_per_minute: Rate of tokens, prompt and reply together.
        max_concurrent: How many requests may be at the service at once.
        seeks: Whether to begin gently and find the level where no rate is stated or told.
        clock: Seconds from any origin, at the pace of the event loop's time.
        name: Whose limits these are, for error texts.

    Raises:
        InputError: If a rate is not above 0.
    """

    def __init__(
        self,
        max_requests_per_minute: float | None = None,
        max_tokens_per_minute: float | None = None,
        max_concurrent: int | None = None,
        *,
        seeks: bool = False,
        clock: Callable[[], float] = time.monotonic,
        name: str = "",
    ) -> None:
        self.name = name
        self._clock = clock
        self._ledger = Ledger(seeks=seeks)
        self._lanes = Lanes()
        self._forgotten: weakref.WeakSet[Books] = weakref.WeakSet()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._alarm = Alarm(self._ring)
        self._rang_at = -math.inf
        self._next_at = -math.inf
        self.set_limits(
            max_requests_per_minute=max_requests_per_minute,
            max_tokens_per_minute=max_tokens_per_minute,
            max_concurrent=max_concurrent,
        )

    def set_limits(
        self,
        *,
        max_requests_per_minute: float | None,
        max_tokens_per_minute: float | None,
        max_concurrent: int | None,
    ) -> None:
        """Change the limits from now on; what was taken lately still counts.

        Whoever waits and is now too large to be ever admitted gets ``RequestTooLarge``.

        Raises:
            InputError: If a rate is not above 0; then nothing is changed.
        """
        now = self._clock()
        self._ledger.state(max_requests_per_minute, max_tokens_per_minute, max_concurrent, now)
        self._max_tokens = max_tokens_per_minute
        if (most := max_tokens_per_minute) is not None:
            for turn, permit in self._lanes:
                if permit.tokens > most:
                    refuse(turn, too_large(self.name, permit.tokens, most))
        self._wake()

    async def acquire(
        self,
        tokens: int,
        *,
        output: int = 0,
        first: bool = False,
        bulk: Hashable = None,
        model: str | None = None,
    ) -> Permit:
        """Wait for leave to send a request of ``tokens``, in turn; ``first`` at the head.

        Raises:
            RequestTooLarge: If ``tokens`` is more than a whole minute admits, or than the service
                allows at all: one that it refused is not sent again, nor a larger one.
            RateLimited: If more than ``LONGEST_WAIT`` seconds are left of a pause, or until a
                limit of an hour or longer allows it.
        """
        if self._max_tokens is not None and tokens > self._max_tokens:
            raise too_large(self.name, tokens, self._max_tokens)
        now, limits = self._clock(), self._ledger.limits(model)
        if (left := limits.paused_until - now) > LONGEST_WAIT:
            raise paused(self.name, left)
        permit = Books(tokens, first, output, bulk, model)
        if (limit := limits.exceeded(permit.amounts)) is not None:
            raise too_large_for_service(self.name, tokens, limit)
        self._adopt_loop()
        if not self._lanes and limits.has_room and self._ledger.has_place():
            limits.refresh(now)
            if limits.delay(permit.amounts, now) <= _TICK:
                self._grant(permit, limits, now)
                return permit
        turn: Turn = asyncio.get_running_loop().create_future()
        is_next = self._lanes.clear_for(permit)
        self._lanes.join(turn, permit)
        try:
            if is_next:
                self._wake()
            return await turn
        except BaseException:
            self._abandon(turn, permit)
            raise

    def observe(self, permit: Permit, told: Sequence[Told], *, refused: bool = False) -> None:
        """Learn from the reply to a request that is in flight, as soon as its headers came."""
        books = _books(permit)
        if books not in self._ledger.held:
            return
        self._ledger.observe(books, told, refused=refused, now=self._clock())
        if self._lanes:
            if refused:
                self._refuse_larger(books)
            self._wake()

    def settle(self, permit: Permit, tokens: int | None, output: int | None = None) -> None:
        """End a request that used ``tokens``; ``None`` means that it was never sent.

        Raises:
            RuntimeError: If the permit is settled already, or is another limiter's.
        """
        books = _books(permit)
        freed = self._ledger.settle(books, tokens, output, self._clock())
        if freed is None and books not in self._forgotten:  # whose loop was closed meanwhile
            raise RuntimeError(f"{permit} is settled already, or is not of this limiter")
        if freed and self._lanes:
            self._wake()

    def pause(self, seconds: float, permit: Permit | None = None) -> None:
        """Admit nothing for ``seconds`` from now: the service answered 429.

        If it told, in reply to ``permit``'s request, that a limit of its model is reached, other
        models go on. Nobody waits out more than ``LONGEST_WAIT``: they get ``RateLimited``, those
        who wait too.
        """
        now = self._clock()
        self._ledger.pause(now + seconds, None if permit is None else _books(permit))
        for turn, waiting in self._lanes:
            if (left := self._ledger.limits(waiting.model).paused_until - now) > LONGEST_WAIT:
                refuse(turn, paused(self.name, left))
        self._wake()

    def wait(self, tokens: int, model: str | None = None) -> float:
        """Estimate the seconds until a request of ``tokens`` asked now would be admitted.

        While a level is looked for, that is as soon as the next reply begins: 0.
        """
        if self._max_tokens is not None and tokens > self._max_tokens:
            return math.inf
        limits = self._ledger.seen(model)
        if not self._ledger.has_place() or limits.is_crowded:
            return math.inf
        requests, before = self._lanes.before_an_ask(model)
        ahead = (float(requests), float(before), float(before), 0.0)
        delay = limits.delay((1.0, tokens, tokens, 0.0), self._clock(), ahead)
        return delay if delay > _TICK else 0.0

    def usage(self) -> LimiterUsage:
        """Return a snapshot; cheap, and safe from any thread."""
        now, queued = self._clock(), len(self._lanes)
        next_in = max(0.0, self._next_at - now) if queued else 0.0
        return self._ledger.usage(now, queued=queued, next_in=next_in)

    def history(self) -> tuple[int, ...]:
        """Return the requests sent in each 5 s of the last 5 minutes, oldest first."""
        return self._ledger.counted.history(int(self._clock()))

    def _grant(self, permit: Books, limits: Limits, now: float) -> None:
        self._lanes.went(permit, limits.cost)
        self._ledger.grant(permit, now)

    def _abandon(self, turn: Turn, permit: Books) -> None:
        """Give back all that a waiter held: its place, or the permit that it was just given."""
        if self._lanes.leave(turn, permit):
            self._wake()
        elif turn.done() and not turn.cancelled() and turn.exception() is None:
            self.settle(permit, None)

    def _wake(self) -> None:
        """Admit those whose turn it is, in order, and set the timer for the next."""
        if self._loop is not None and self._loop.is_closed():
            self._forget_loop()
        now = self._clock()
        for model in self._lanes.models:
            self._ledger.limits(model).refresh(now)
        passed: set[str | None] = set()  # models whose own limits are reached
        soonest = math.inf
        while (head := self._lanes.head(passed)) is not None:
            turn, permit = head
            if not turn.done():
                limits = self._ledger.limits(permit.model)
                delay = self._delay(limits, permit, now)
                if delay <= _TICK and not limits.has_room:
                    delay = max(limits.has_room_in(now), _TOGETHER)
                if delay > _TICK:
                    if not self._goes_on_without(turn, limits, permit, now):
                        soonest = min(soonest, delay)
                        if self._ledger.stated.delay(permit.amounts, now) > _TICK:
                            break  # before those of other models, whom the same holds up
                        passed.add(permit.model)
                        continue
                elif not self._ledger.has_place():
                    break
                else:
                    self._grant(permit, limits, now)
                    turn.set_result(permit)
            self._lanes.leave(turn, permit)
        self._next_at = now + (0.0 if soonest == math.inf else soonest)
        if soonest < math.inf and self._loop is not None:
            self._alarm.set(self._loop, max(soonest, _TOGETHER))
        else:
            self._alarm.stop()

    def _ring(self, was_busy: bool) -> None:
        """Admit whose turn it is; what was let go while the loop was busy is sent only now."""
        now = self._clock()
        if was_busy:
            self._ledger.postpone(self._rang_at, now)
        self._rang_at = now
        self._wake()

    def _refuse_larger(self, refused: Books) -> None:
        """Refuse who waits with a request as large as one that the service never admits."""
        limits = self._ledger.limits(refused.model)
        if limits.exceeded(refused.amounts) is None:
            return
        for turn, waiting in self._lanes:
            limit = limits.exceeded(waiting.amounts)
            if limit is not None and waiting.model == refused.model:
                refuse(turn, too_large_for_service(self.name, waiting.tokens, limit))

    def _delay(self, limits: Limits, permit: Books, now: float) -> float:
        delay = limits.delay(permit.amounts, now)
        return 0.0 if delay > _TICK and self._is_tried(limits, permit, now) else delay

    def _is_tried(self, limits: Limits, permit: Books, now: float) -> bool:
        """Return whether a person's lone ask goes although a limit of hours seems used up.

        What was told a while ago may have been wrong: only a reply can tell.
        """
        alone = permit.bulk is None and not self._ledger.held and now - limits.told_at >= _STALE
        return alone and limits.hopeless(permit.amounts, now) is not None

    def _goes_on_without(self, turn: Turn, limits: Limits, permit: Books, now: float) -> bool:
        """Refuse one who would have to wait for hours; return whether it is so."""
        if (wait := limits.hopeless(permit.amounts, now)) is None:
            return False
        refuse(turn, used_up(self.name, wait))
        return True

    def _adopt_loop(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # without one nobody can wait
            return
        if self._loop is not loop:
            if self._loop is not None and self._loop.is_closed():
                self._forget_loop()
            elif self._lanes:
                raise RuntimeError("a limiter with a queue cannot be asked from another event loop")
            self._loop = loop

    def _forget_loop(self) -> None:
        self._alarm.stop()
        self._lanes = Lanes()
        self._loop = None
        for permit in tuple(self._ledger.held):  # whoever had these will not settle them
            self.settle(permit, None)
            self._forgotten.add(permit)


def _books(permit: Permit) -> Books:
    if not isinstance(permit, Books):
        raise RuntimeError(f"{permit} is not of this limiter")
    return permit
