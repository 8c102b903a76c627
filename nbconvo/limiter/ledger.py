"""What one account may send, what is under way, and what was sent, of all its models."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nbconvo.limiter.allowance import REQUESTS, TOKENS
from nbconvo.limiter.base import LimiterUsage, Told
from nbconvo.limiter.books import Books
from nbconvo.limiter.counted import Counted
from nbconvo.limiter.limits import Limits
from nbconvo.limiter.stated import Stated

__all__ = ["Ledger"]


class Ledger:
    """The limits of each model that was asked, under those that are stated for all together.

    Args:
        seeks: Whether to begin gently and find the level where no rate is stated or told.

    Attributes:
        stated: The rates that are stated.
        max_concurrent: How many requests may be at the service at once; ``None`` is no limit.
        held: Each permit in flight, with the second of the clock in which it was counted.
        counted: What was sent.
    """

    __slots__ = ("_limits", "_paused_until", "_seeks", "counted", "held", "max_concurrent",
                 "stated")  # fmt: skip

    def __init__(self, *, seeks: bool) -> None:
        self._seeks = seeks
        self._limits: dict[str | None, Limits] = {}
        self._paused_until = -math.inf
        self.stated = Stated()
        self.max_concurrent: int | None = None
        self.held: dict[Books, int] = {}
        self.counted = Counted()

    def state(
        self,
        requests: float | None,
        tokens: float | None,
        max_concurrent: int | None,
        now: float,
    ) -> None:
        """Keep these limits from now on; what was taken lately still counts.

        Raises:
            InputError: If a rate is not above 0; then nothing is changed.
        """
        self.stated.state(requests, tokens, now)
        self.max_concurrent = max_concurrent
        for limits in self._limits.values():
            limits.choose()

    def limits(self, model: str | None) -> Limits:
        """Return the limits of a model that is asked."""
        if (limits := self._limits.get(model)) is None:
            limits = self._limits[model] = self._new()
            if len(self._limits) == 2:
                self.stated.shared = True
                for each in self._limits.values():
                    each.choose()
        return limits

    def seen(self, model: str | None) -> Limits:
        """As :meth:`limits`, changing nothing, so that any thread may ask."""
        return self._limits.get(model) or self._new()

    def has_place(self) -> bool:
        """Return whether the service may be asked one more at the same time."""
        most = self.max_concurrent
        return most is None or len(self.held) < most

    def grant(self, permit: Books, now: float) -> None:
        """Note that a request goes now."""
        self._limits[permit.model].take(permit, now)
        second = self.held[permit] = int(now)
        self.counted.sent(second, permit)

    def postpone(self, since: float, now: float) -> None:
        """Note of the stated rates that whatever was let go after ``since`` is sent only now.

        What was let go tells by itself when it was sent, to the limits that are told.
        """
        for pace in self.stated.paces.values():
            pace.bucket.postpone(since, now)

    def observe(self, permit: Books, told: Sequence[Told], *, refused: bool, now: float) -> None:
        """Learn from the reply to a request that is in flight."""
        limits = self._limits[permit.model]
        if refused:
            limits.refused(told, permit, now)
            for each in self._limits.values():  # a stated rate that was cut is theirs, too
                each.choose()
        else:
            limits.answered(permit, now)
        limits.told_at = now
        if told:
            limits.observe(told, permit, now)

    def settle(
        self, permit: Books, tokens: int | None, output: int | None, now: float
    ) -> bool | None:
        """End a request that is in flight, as :meth:`Limiter.settle`.

        Return whether others may go now that could not before; ``None`` if it is not in flight.
        """
        if (second := self.held.pop(permit, None)) is None:
            return None
        used = permit.used(tokens, output)
        self.counted.correct(second, permit, None if tokens is None else int(used[1]))
        freed = self._limits[permit.model].settle(permit, used, now)
        return freed or self.max_concurrent is not None

    def pause(self, until: float, permit: Books | None) -> None:
        """Admit nothing until then, since the service answered 429.

        Where it told, in reply to ``permit``'s request, that a limit of its model is reached,
        other models go on.
        """
        self.counted.rate_limited += 1
        if permit is not None and permit.explained:
            self._limits[permit.model].pause(until)
            return
        self._paused_until = max(self._paused_until, until)
        for limits in self._limits.values():
            limits.pause(until)

    def usage(self, now: float, *, queued: int, next_in: float) -> LimiterUsage:
        """Return a snapshot; cheap, and safe from any thread."""
        models = tuple(self._limits.values())
        requests, tokens = self.counted.minute(int(now))
        rates = [limits.per_minute for limits in models]
        pauses = (limits.paused_until for limits in models)
        return LimiterUsage(
            max_requests_per_minute=self.stated.least(REQUESTS, [rate for rate, _ in rates]),
            max_tokens_per_minute=self.stated.least(TOKENS, [rate for _, rate in rates]),
            max_concurrent=self.max_concurrent,
            requests=requests,
            tokens=tokens,
            in_flight=len(self.held),
            queued=queued,
            next_in=next_in,
            paused_for=max(0.0, max(pauses, default=self._paused_until) - now),
            total_requests=self.counted.requests,
            total_tokens=self.counted.tokens,
            rate_limited=self.counted.rate_limited,
            retries=self.counted.retries,
        )

    def _new(self) -> Limits:
        limits = Limits(self.stated, seeks=self._seeks)
        limits.pause(self._paused_until)
        return limits
