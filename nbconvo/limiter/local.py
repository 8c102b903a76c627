"""The limiter of one process: requests, tokens and concurrency in one queue with one timer."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from nbconvo.limiter.alarm import Alarm
from nbconvo.limiter.base import LONGEST_WAIT, LimiterUsage, Permit
from nbconvo.limiter.bucket import Bucket
from nbconvo.limiter.recent import Recent
from nbconvo.limiter.refusals import paused, refuse, too_large
from nbconvo.limiter.turns import Turn, Turns

__all__ = ["LocalLimiter"]

_TICK = 1e-6
"""Seconds that a request may go early: the rounding of a timer must not cost another round."""


class LocalLimiter:
    """Admits requests first come, first served, within rates per minute and a concurrency.

    ``None`` is no limit. It outlives an event loop: who waited on a closed one is forgotten.

    Args:
        max_requests_per_minute: Rate of requests.
        max_tokens_per_minute: Rate of tokens, prompt and reply together.
        max_concurrent: How many requests may be at the service at once.
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
        clock: Callable[[], float] = time.monotonic,
        name: str = "",
    ) -> None:
        self.name = name
        self._clock = clock
        self._requests: Bucket | None = None
        self._tokens: Bucket | None = None
        self._turns = Turns()
        # Each permit in flight, with the second of the clock in which it was counted.
        self._held: dict[Permit, int] = {}
        self._recent = Recent()
        self._total_requests = self._total_tokens = self._rate_limited = self._retries = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._alarm = Alarm(self._wake)
        self._next_at = self._paused_until = -math.inf
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
        old = self._requests, self._tokens
        self._requests, self._tokens = (
            Bucket.of("max_requests_per_minute", max_requests_per_minute, 1.0, old[0], now),
            Bucket.of("max_tokens_per_minute", max_tokens_per_minute, 0.0, old[1], now),
        )
        self._max_requests = max_requests_per_minute
        self._max_tokens = max_tokens_per_minute
        self._max_concurrent = max_concurrent
        if max_tokens_per_minute is not None:
            for turn, tokens in self._turns.larger_than(max_tokens_per_minute):
                refuse(turn, too_large(self.name, tokens, max_tokens_per_minute))
        self._wake()

    async def acquire(self, tokens: int, *, first: bool = False) -> Permit:
        """Wait for leave to send a request of ``tokens``, in turn; ``first`` at the head.

        Raises:
            RequestTooLarge: If ``tokens`` is more than a whole minute admits.
            RateLimited: If more than ``LONGEST_WAIT`` seconds are left of a pause.
        """
        if self._max_tokens is not None and tokens > self._max_tokens:
            raise too_large(self.name, tokens, self._max_tokens)
        now = self._clock()
        if (left := self._paused_until - now) > LONGEST_WAIT:
            raise paused(self.name, left)
        if self._turns.clear_for(first) and self._has_room() and self._delay(tokens, now) <= _TICK:
            return self._grant(tokens, now, first)
        loop = self._adopt_loop()
        turn: Turn = loop.create_future()
        is_head = self._turns.clear_for(first)
        self._turns.join(turn, tokens, first)
        if is_head:
            self._wake()
        try:
            return await turn
        except BaseException:
            self._abandon(turn)
            raise

    def settle(self, permit: Permit, tokens: int | None) -> None:
        """End a request that used ``tokens``; ``None`` means that it was never sent.

        Raises:
            RuntimeError: If the permit is settled already, or is another limiter's.
        """
        second = self._held.pop(permit, None)
        if second is None:
            raise RuntimeError(f"{permit} is settled already, or is not of this limiter")
        change = (tokens if tokens is not None and tokens > 0 else 0) - permit.tokens
        if tokens is None and self._requests is not None:
            self._requests.give_back(1)
        if change and self._tokens is not None:
            self._correct(self._tokens, change)
        unsent = 1 if tokens is None else 0
        if change or unsent:
            self._recent.add(second, -unsent, change)
            self._total_requests -= unsent
            if unsent and permit.first:
                self._retries -= 1
            self._total_tokens += change
        if self._turns:
            self._wake()

    def pause(self, seconds: float) -> None:
        """Admit nothing for ``seconds`` from now: the service answered 429.

        Nobody waits out more than ``LONGEST_WAIT``: they get ``RateLimited``, those who wait too.
        """
        self._rate_limited += 1
        now = self._clock()
        self._paused_until = max(self._paused_until, now + seconds)
        if (left := self._paused_until - now) > LONGEST_WAIT:
            for turn, _ in self._turns.larger_than(-math.inf):
                refuse(turn, paused(self.name, left))
        self._wake()

    def wait(self, tokens: int) -> float:
        """Estimate the seconds until a request of ``tokens`` asked now would be admitted."""
        if not self._has_room() or (self._max_tokens is not None and tokens > self._max_tokens):
            return math.inf
        delay = self._delay(tokens, self._clock(), len(self._turns), self._turns.tokens)
        return delay if delay > _TICK else 0.0

    def usage(self) -> LimiterUsage:
        """Return a snapshot; cheap, and safe from any thread."""
        now = self._clock()
        requests, tokens = self._recent.minute(int(now))
        queued = len(self._turns)
        return LimiterUsage(
            max_requests_per_minute=self._max_requests,
            max_tokens_per_minute=self._max_tokens,
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
        return self._max_concurrent is None or len(self._held) < self._max_concurrent

    def _delay(self, tokens: int, now: float, ahead: int = 0, tokens_ahead: int = 0) -> float:
        # Every request comes through here, and max() takes longer than the rest together.
        delay = self._paused_until - now
        if (bucket := self._requests) and (wait := bucket.delay(1, now, ahead)) > delay:
            delay = wait
        if (bucket := self._tokens) and (wait := bucket.delay(tokens, now, tokens_ahead)) > delay:
            delay = wait
        return delay

    def _grant(self, tokens: int, now: float, first: bool) -> Permit:
        if self._requests is not None:
            self._requests.take(1, now)
        if self._tokens is not None:
            self._tokens.take(tokens, now)
        permit = Permit(tokens, first)
        second = self._held[permit] = int(now)
        self._recent.add(second, 1, tokens)
        self._total_requests += 1
        self._total_tokens += tokens
        if first:
            self._retries += 1
        return permit

    def _correct(self, bucket: Bucket, change: int) -> None:
        if change < 0:
            bucket.give_back(-change)
        else:
            # The figure is the service's: a wrong one may hold up the others for a minute at most.
            bucket.take(min(change, bucket.rate * 60.0), self._clock())

    def _abandon(self, turn: Turn) -> None:
        """Give back all that a waiter held: its place, or the permit that it was just given."""
        if self._turns.leave(turn):
            self._wake()
        elif turn.done() and not turn.cancelled() and turn.exception() is None:
            self.settle(turn.result(), None)

    def _wake(self) -> None:
        """Admit those whose turn it is, in order, and set the timer for the next."""
        if self._loop is not None and self._loop.is_closed():
            self._forget_loop()
        now = self._clock()
        while (head := self._turns.head()) is not None:
            turn, tokens, first = head
            if not turn.done():
                delay = self._delay(tokens, now)
                self._next_at = now + delay
                if not self._has_room():
                    break
                if delay > _TICK:
                    self._alarm.set(turn.get_loop(), delay)
                    return
                turn.set_result(self._grant(tokens, now, first))
            self._turns.leave(turn)
        self._alarm.stop()

    def _adopt_loop(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            if self._loop is not None and self._turns and not self._loop.is_closed():
                raise RuntimeError("a limiter with a queue cannot be asked from another event loop")
            self._forget_loop()
            self._loop = loop
        return loop

    def _forget_loop(self) -> None:
        self._alarm.stop()
        self._turns = Turns()
        self._loop = None
