"""The limiter of one process: all limits in one queue with one timer."""

from __future__ import annotations

import asyncio
import math
import time
import weakref
from collections.abc import Callable, Hashable, Sequence

from nbconvo.limiter.alarm import Alarm
from nbconvo.limiter.allowance import Amounts
from nbconvo.limiter.base import LONGEST_WAIT, LimiterUsage, Permit, Told
from nbconvo.limiter.lanes import Lanes, Turn
from nbconvo.limiter.limits import Books, Limits
from nbconvo.limiter.recent import Recent
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
        self._limits = Limits(seeks=seeks)
        self._lanes = Lanes()
        # Each permit in flight, with the second of the clock in which it was counted.
        self._held: dict[Books, int] = {}
        self._forgotten: weakref.WeakSet[Books] = weakref.WeakSet()
        self._recent = Recent()
        self._total_requests = self._total_tokens = self._rate_limited = self._retries = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._alarm = Alarm(self._wake)
        self._next_at = self._paused_until = self._told_at = -math.inf
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
        self._limits.state(max_requests_per_minute, max_tokens_per_minute, self._clock())
        self._max_tokens = max_tokens_per_minute
        self._max_concurrent = max_concurrent
        if (most := max_tokens_per_minute) is not None:
            for turn, permit in self._lanes:
                if permit.tokens > most:
                    refuse(turn, too_large(self.name, permit.tokens, most))
        self._wake()

    async def acquire(
        self, tokens: int, *, output: int = 0, first: bool = False, bulk: Hashable = None
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
        now = self._clock()
        if (left := self._paused_until - now) > LONGEST_WAIT:
            raise paused(self.name, left)
        permit = Books(tokens, first, output, bulk)
        if (limit := self._limits.exceeded(permit.amounts)) is not None:
            raise too_large_for_service(self.name, tokens, limit)
        self._adopt_loop()
        is_head = self._lanes.clear_for(permit)
        if is_head and self._has_room():
            self._limits.refresh(now)
            if self._delay(permit.amounts, now) <= _TICK:
                self._grant(permit, now)
                return permit
        turn: Turn = asyncio.get_running_loop().create_future()
        self._lanes.join(turn, permit)
        try:
            if is_head or len(self._lanes) == 1:
                self._wake()
            return await turn
        except BaseException:
            self._abandon(turn, permit)
            raise

    def observe(self, permit: Permit, told: Sequence[Told], *, refused: bool = False) -> None:
        """Learn from the reply to a request that is in flight, as soon as its headers came."""
        books = _books(permit)
        if books not in self._held:
            return
        now = self._clock()
        if refused:
            quiet = self._limits.refused(told, books, now)
            self._paused_until = max(self._paused_until, now + quiet)
        else:
            self._limits.answered(books, now)
        self._told_at = now
        if told:
            self._limits.observe(told, books, now)
        if self._lanes:
            self._wake()

    def settle(self, permit: Permit, tokens: int | None, output: int | None = None) -> None:
        """End a request that used ``tokens``; ``None`` means that it was never sent.

        Raises:
            RuntimeError: If the permit is settled already, or is another limiter's.
        """
        books = _books(permit)
        second = self._held.pop(books, None)
        if second is None and books in self._forgotten:
            return  # its loop was closed meanwhile
        if second is None:
            raise RuntimeError(f"{permit} is settled already, or is not of this limiter")
        used = _used(books, tokens, output)
        freed = self._limits.settle(books, used, self._clock())
        change = int(used[1]) - permit.tokens
        unsent = 1 if tokens is None else 0
        if change or unsent:
            self._recent.add(second, -unsent, change)
            self._total_requests -= unsent
            if unsent and permit.first:
                self._retries -= 1
            self._total_tokens += change
        if (freed or self._max_concurrent is not None) and self._lanes:
            self._wake()

    def pause(self, seconds: float) -> None:
        """Admit nothing for ``seconds`` from now: the service answered 429.

        Nobody waits out more than ``LONGEST_WAIT``: they get ``RateLimited``, those who wait too.
        """
        self._rate_limited += 1
        now = self._clock()
        self._paused_until = max(self._paused_until, now + seconds)
        if (left := self._paused_until - now) > LONGEST_WAIT:
            for turn, _ in self._lanes:
                refuse(turn, paused(self.name, left))
        self._wake()

    def wait(self, tokens: int) -> float:
        """Estimate the seconds until a request of ``tokens`` asked now would be admitted."""
        if not self._has_room() or (self._max_tokens is not None and tokens > self._max_tokens):
            return math.inf
        requests, before = self._lanes.before_an_ask()
        ahead = (float(requests), float(before), float(before), 0.0)
        delay = self._delay((1.0, tokens, tokens, 0.0), self._clock(), ahead)
        return delay if delay > _TICK else 0.0

    def usage(self) -> LimiterUsage:
        """Return a snapshot; cheap, and safe from any thread."""
        now = self._clock()
        requests, tokens = self._recent.minute(int(now))
        queued = len(self._lanes)
        most_requests, most_tokens = self._limits.per_minute
        return LimiterUsage(
            max_requests_per_minute=most_requests,
            max_tokens_per_minute=most_tokens,
            max_concurrent=self._max_concurrent,
            requests=requests,
            tokens=tokens,
            in_flight=len(self._held),
            queued=queued,
            next_in=max(0.0, self._next_at - now) if queued else 0.0,
            paused_for=max(0.0, self._paused_until - now),
            total_requests=self._total_requests,
            total_tokens=self._total_tokens,
            rate_limited=self._rate_limited,
            retries=self._retries,
        )

    def history(self) -> tuple[int, ...]:
        """Return the requests sent in each 5 s of the last 5 minutes, oldest first."""
        return self._recent.history(int(self._clock()))

    def _has_room(self) -> bool:
        most = self._max_concurrent
        return (most is None or len(self._held) < most) and self._limits.has_room

    def _delay(self, amounts: Amounts, now: float, ahead: Amounts | None = None) -> float:
        delay = self._paused_until - now
        wait = self._limits.delay(amounts, now, ahead)
        return wait if wait > delay else delay

    def _grant(self, permit: Books, now: float) -> None:
        self._lanes.went(permit, self._limits.cost)
        self._limits.take(permit, now)
        second = self._held[permit] = int(now)
        self._recent.add(second, 1, permit.tokens)
        self._total_requests += 1
        self._total_tokens += permit.tokens
        if permit.first:
            self._retries += 1

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
        if self._lanes:
            self._limits.refresh(now)
        while (head := self._lanes.head()) is not None:
            turn, permit = head
            if not turn.done():
                delay = self._delay(amounts := permit.amounts, now)
                self._next_at = now + delay
                if delay > _TICK and not self._is_tried(permit, now):
                    if not self._goes_on_without(turn, amounts, now):
                        self._alarm.set(turn.get_loop(), max(delay, _TOGETHER))
                        return
                elif not self._has_room():
                    if (wait := self._limits.has_room_in(now)) < math.inf:
                        self._alarm.set(turn.get_loop(), max(wait, _TOGETHER))
                        return
                    break
                else:
                    self._grant(permit, now)
                    turn.set_result(permit)
            self._lanes.leave(turn, permit)
        self._alarm.stop()

    def _is_tried(self, permit: Books, now: float) -> bool:
        """Return whether a person's lone ask goes although a limit of hours seems used up.

        What was told a while ago may have been of another model, or wrong: only a reply can tell.
        """
        alone = permit.bulk is None and not self._held and now - self._told_at >= _STALE
        return alone and self._limits.hopeless(permit.amounts, now) is not None

    def _goes_on_without(self, turn: Turn, amounts: Amounts, now: float) -> bool:
        """Refuse one who would have to wait for hours; return whether it is so."""
        if (wait := self._limits.hopeless(amounts, now)) is None:
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
        for permit in tuple(self._held):  # whoever had these will not settle them
            self.settle(permit, None)
            self._forgotten.add(permit)


def _books(permit: Permit) -> Books:
    if not isinstance(permit, Books):
        raise RuntimeError(f"{permit} is not of this limiter")
    return permit


def _used(permit: Books, tokens: int | None, output: int | None) -> Amounts:
    if tokens is None:
        return 0.0, 0.0, 0.0, 0.0
    if tokens == permit.tokens and output is None:
        return permit.amounts
    tokens = max(tokens, 0)
    said = max(tokens - permit.tokens + permit.output, 0) if output is None else output
    said = min(said, tokens)
    return 1.0, tokens, tokens - said, said
