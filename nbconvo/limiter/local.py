"""The limiter of one process: all limits in one queue with one timer."""

from __future__ import annotations

import asyncio
import math
import time
import weakref
from collections.abc import Callable, Hashable, Sequence

from nbconvo.errors import NbConvoError
from nbconvo.limiter.alarm import Alarm
from nbconvo.limiter.base import LONGEST_WAIT, LimiterUsage, Permit, Told
from nbconvo.limiter.books import Books
from nbconvo.limiter.lane import Turn
from nbconvo.limiter.lanes import Lanes
from nbconvo.limiter.ledger import Ledger
from nbconvo.limiter.queue import TICK, TOGETHER, Queue
from nbconvo.limiter.refusals import paused, too_large, too_large_for_service

__all__ = ["LocalLimiter"]


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
        self._queue = Queue(self._ledger, name)
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
        self._queue.refuse(self._refusal)
        self._wake()

    def acquire_nowait(
        self,
        tokens: int,
        *,
        output: int = 0,
        first: bool = False,
        bulk: Hashable = None,
        model: str | None = None,
    ) -> Permit | None:
        """Return leave to send, or ``None`` where others wait, or a request of ``tokens`` has to.

        Raises:
            RequestTooLarge, RateLimited: As :meth:`acquire`.
        """
        permit = Books(tokens, first, output, bulk, model)
        return permit if self._goes_at_once(permit) else None

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
        permit = Books(tokens, first, output, bulk, model)
        if self._goes_at_once(permit):
            return permit
        lanes = self._queue.lanes
        turn: Turn = asyncio.get_running_loop().create_future()
        is_next = lanes.clear_for(permit)
        lanes.join(turn, permit)
        try:
            if is_next:
                self._wake()
            return await turn
        except BaseException:
            self._abandon(turn, permit)
            raise

    def observe(self, permit: Permit, told: Sequence[Told], *, refused: bool = False) -> None:
        """Learn from the reply to a request that is in flight, as soon as its headers came."""
        if not isinstance(permit, Books):
            raise _foreign(permit)
        if permit not in self._ledger.held:
            return
        self._ledger.observe(permit, told, refused=refused, now=self._clock())
        if self._queue.lanes:
            if refused and self._refusal(permit):
                self._queue.refuse(self._refusal)
            self._wake()

    def settle(self, permit: Permit, tokens: int | None, output: int | None = None) -> None:
        """End a request that used ``tokens``; ``None`` means that it was never sent.

        Raises:
            RuntimeError: If the permit is settled already, or is another limiter's.
        """
        if not isinstance(permit, Books):
            raise _foreign(permit)
        freed = self._ledger.settle(permit, tokens, output, self._clock())
        if freed is None and permit not in self._forgotten:  # whose loop was closed meanwhile
            raise RuntimeError(f"{permit} is settled already, or is not of this limiter")
        if freed and self._queue.lanes:
            self._wake()

    def pause(self, seconds: float, permit: Permit | None = None) -> None:
        """Admit nothing for ``seconds`` from now: the service answered 429.

        If it told, in reply to ``permit``'s request, that a limit of its model is reached, other
        models go on. Nobody waits out more than ``LONGEST_WAIT``: they get ``RateLimited``, those
        who wait too.
        """
        if not isinstance(permit, Books | None):
            raise _foreign(permit)
        self._ledger.pause(self._clock() + seconds, permit)
        if seconds > LONGEST_WAIT:
            self._queue.refuse(self._refusal)
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
        requests, before = self._queue.lanes.before_an_ask(model)
        ahead = (float(requests), float(before), float(before), 0.0)
        delay = limits.delay((1.0, tokens, tokens, 0.0), self._clock(), ahead)
        return delay if delay > TICK else 0.0

    def usage(self) -> LimiterUsage:
        """Return a snapshot; cheap, and safe from any thread."""
        now, queued = self._clock(), len(self._queue.lanes)
        next_in = max(0.0, self._next_at - now) if queued else 0.0
        return self._ledger.usage(now, queued=queued, next_in=next_in)

    def history(self) -> tuple[int, ...]:
        """Return the requests sent in each 5 s of the last 5 minutes, oldest first."""
        return self._ledger.counted.history(int(self._clock()))

    def _goes_at_once(self, permit: Books) -> bool:
        """Let a request go if it need not wait; return whether it does."""
        if (error := self._refusal(permit)) is not None:
            raise error
        self._adopt_loop()
        limits = self._ledger.limits(permit.model)
        if self._queue.lanes or not (limits.has_room and self._ledger.has_place()):
            return False
        now = self._clock()
        limits.refresh(now)
        if limits.delay(permit.amounts, now) > TICK:
            return False
        self._queue.grant(permit, limits, now)
        return True

    def _refusal(self, permit: Books) -> NbConvoError | None:
        """Return why a request will not be admitted, however long it waits; mostly ``None``."""
        limits, tokens, most = self._ledger.limits(permit.model), permit.tokens, self._max_tokens
        if most is not None and tokens > most:
            return too_large(self.name, tokens, most)
        if limits.paused_until > -math.inf:
            left = limits.paused_until - self._clock()
            if left > LONGEST_WAIT:
                return paused(self.name, left)
        limit = limits.exceeded(permit.amounts)
        return None if limit is None else too_large_for_service(self.name, tokens, limit)

    def _abandon(self, turn: Turn, permit: Books) -> None:
        """Give back all that a waiter held: its place, or the permit that it was just given."""
        if self._queue.lanes.leave(turn, permit):
            self._wake()
        elif turn.done() and not turn.cancelled() and turn.exception() is None:
            self.settle(permit, None)

    def _wake(self) -> None:
        """Admit those whose turn it is, and set the timer for the next."""
        if self._loop is not None and self._loop.is_closed():
            self._forget_loop()
        now = self._clock()
        soonest = self._queue.admit(now)
        self._next_at = now + (0.0 if soonest == math.inf else soonest)
        if soonest < math.inf and self._loop is not None:
            self._alarm.set(self._loop, max(soonest, TOGETHER))
        else:
            self._alarm.stop()

    def _ring(self, was_busy: bool) -> None:
        """Admit whose turn it is; what was let go while the loop was busy is sent only now."""
        now = self._clock()
        if was_busy:
            self._ledger.postpone(self._rang_at, now)
        self._rang_at = now
        self._wake()

    def _adopt_loop(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # without one nobody can wait
            return
        if self._loop is not loop:
            if self._loop is not None and self._loop.is_closed():
                self._forget_loop()
            elif self._queue.lanes:
                raise RuntimeError("a limiter with a queue cannot be asked from another event loop")
            self._loop = loop

    def _forget_loop(self) -> None:
        self._alarm.stop()
        self._queue.lanes = Lanes()
        self._loop = None
        for permit in tuple(self._ledger.held):  # whoever had these will not settle them
            self.settle(permit, None)
            self._forgotten.add(permit)


def _foreign(permit: Permit) -> RuntimeError:
    return RuntimeError(f"{permit} is not of this limiter")
