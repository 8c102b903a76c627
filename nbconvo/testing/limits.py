"""Rate limits of a fake provider: who is admitted, who is refused, and what both are told."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from nbconvo.testing.chat import error_body
from nbconvo.testing.dialects import Count, Counts, Dialect, headers_of, refusal_of
from nbconvo.testing.meters import Bucket, FixedWindow, Meter, SlidingWindow, Taken

__all__ = ["Admitted", "Limit", "Limits", "Refused"]


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit.

    Attributes:
        counts: ``"requests"``; ``"tokens"``, of input and output together; or one of these
            alone, ``"input"`` and ``"output"``. Output alone is counted when it was made, so
            that a limit may be in debt afterwards (Anthropic's way).
        amount: So many in each ``period``.
        period: Seconds; 86,400 is a limit per day.
        kind: A bucket that is refilled all the time (OpenAI, Anthropic, Groq), all that was
            taken in the last ``period`` seconds, or since the clock last showed a whole period.
        holds: Seconds of refill that a bucket holds: a whole period by default; 1 where a limit
            per minute is kept second by second.
        told: Whether headers tell of it.
    """

    counts: Counts
    amount: float
    period: float = 60.0
    kind: Literal["bucket", "sliding", "fixed"] = "bucket"
    holds: float | None = None
    told: bool = True

    def meter(self) -> Meter:
        """Return new books of this limit."""
        if self.kind == "sliding":
            return SlidingWindow(self.amount, self.period)
        if self.kind == "fixed":
            return FixedWindow(self.amount, self.period)
        capacity = self.amount if self.holds is None else self.amount * self.holds / self.period
        return Bucket(self.amount / self.period, capacity)


@dataclass(slots=True, eq=False)
class Admitted:
    """A request that was admitted, with what it took; to be settled when it was answered."""

    prompt: int
    taken: tuple[Taken, ...]
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that was refused: the status 429, and what comes with it.

    Attributes:
        wait: Seconds until it would be admitted; infinity if it never is.
    """

    wait: float
    headers: dict[str, str]
    body: Any
    status: int = 429


class Limits:
    """The limits of one account at a provider; not for use from several threads.

    Args:
        limits: All of them hold at once.
        dialect: Whose headers and bodies tell of them; ``"none"`` tells nothing at all.
        hint: What a refusal says about when to come again: ``"ms"`` is ``retry-after-ms`` and
            whole seconds beside it, ``"seconds"`` these alone (rounded up), ``"none"`` nothing;
            by default what the dialect's provider says.
        reserves: What of ``max_tokens`` a limit on tokens takes at admission: the ``"larger"``
            of it and the prompt (OpenAI's guide, "Reduce the max_tokens"), or their ``"sum"``.
        refunds: Whether what a reply did not use is given back when it ends.
        at_once: So many requests are answered at the same time, and more refused, of which
            nothing is told.
        other: The share of each limit that another client takes, a request about every 0.1 s,
            as far as it gets through.
        seed: Of the other client's moments.
        clock: Seconds; Unix time, where resets are told as a date.

    Attributes:
        admitted: How many requests were admitted.
        refused: How many were refused.
        other_refused: The share of the other client's requests that were refused.
    """

    def __init__(
        self,
        *limits: Limit,
        dialect: Dialect = "openai",
        hint: Literal["ms", "seconds", "none"] | None = None,
        reserves: Literal["larger", "sum"] = "larger",
        refunds: bool = False,
        at_once: float = math.inf,
        other: float = 0.0,
        seed: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._books = tuple((limit, limit.meter()) for limit in limits)
        self._dialect: Dialect = dialect
        self._hint = hint
        self._reserves = reserves
        self._refunds = refunds
        self._other = _Other(other, random.Random(seed), self._books) if other else None
        self._clock = clock
        self._at_once = at_once
        self._under_way = 0
        self.admitted = self.refused = 0

    @property
    def other_refused(self) -> float:
        """The share of the other client's requests that were refused."""
        return self._other.refused / max(1, self._other.sent) if self._other else 0.0

    def admit(self, prompt: int, max_tokens: int | None = None) -> Admitted | Refused:
        """Admit a request of ``prompt`` tokens that asks for ``max_tokens`` at most, or refuse.

        A request that is refused takes nothing.
        """
        now = self._now()
        if self._under_way >= self._at_once:
            self.refused += 1
            body = error_body(429, "Too many concurrent requests.")
            return Refused(0.0, self._headers(now, refused=True), body)
        amounts = [self._amount(limit.counts, prompt, max_tokens or 0) for limit, _ in self._books]
        waits = [
            meter.wait(amount, now) for (_, meter), amount in zip(self._books, amounts, strict=True)
        ]
        if (wait := max(waits, default=0.0)) > 0.0:
            self.refused += 1
            at = waits.index(wait)
            limit, meter = self._books[at]
            count = _count(limit, meter, now)
            headers, body = refusal_of(
                self._dialect, count, math.ceil(amounts[at]), wait, self._hint
            )
            return Refused(wait, {**self._headers(now, refused=True), **headers}, body)
        self.admitted += 1
        self._under_way += 1
        taken = tuple(
            meter.take(amount, now) for (_, meter), amount in zip(self._books, amounts, strict=True)
        )
        return Admitted(prompt, taken, self._headers(now))

    def settle(self, admitted: Admitted, output: int) -> None:
        """Note that a request was answered with ``output`` tokens."""
        now = self._now()
        self._under_way -= 1
        for (limit, meter), taken in zip(self._books, admitted.taken, strict=True):
            if limit.counts == "output":
                meter.change(taken, output, now)
            elif limit.counts == "tokens" and self._refunds:
                meter.change(taken, admitted.prompt + output, now)

    def remaining(self, counts: Counts) -> float:
        """What is left now of the limit on ``counts``."""
        now = self._now()
        return next(meter.remaining(now) for limit, meter in self._books if limit.counts == counts)

    def _now(self) -> float:
        now = self._clock()
        if self._other is not None:
            self._other.go_on(now)
        return now

    def _amount(self, counts: Counts, prompt: int, most: int) -> float:
        if counts == "tokens":
            return prompt + most if self._reserves == "sum" else max(prompt, most)
        return {"requests": 1, "input": prompt, "output": 0}[counts]

    def _headers(self, now: float, *, refused: bool = False) -> dict[str, str]:
        counts = [_count(limit, meter, now) for limit, meter in self._books if limit.told]
        return headers_of(self._dialect, counts, now, refused=refused)


class _Other:
    """Another client of the same account; it takes what it finds when its moments come."""

    _EVERY = 0.1  # seconds from request to request, give or take a half

    def __init__(
        self, share: float, chance: random.Random, books: tuple[tuple[Limit, Meter], ...]
    ) -> None:
        self._chance = chance
        self._wants = [
            (meter, share * limit.amount / limit.period * self._EVERY) for limit, meter in books
        ]
        self._next = -math.inf
        self.sent = self.refused = 0

    def go_on(self, now: float) -> None:
        """Send what is due until ``now``."""
        if self._next == -math.inf:
            self._next = now + self._EVERY * self._chance.random()
        while (at := self._next) <= now:
            self._next = at + self._EVERY * (0.5 + self._chance.random())
            self.sent += 1
            if any(meter.wait(amount, at) > 0.0 for meter, amount in self._wants):
                self.refused += 1
                continue
            for meter, amount in self._wants:
                meter.take(amount, at)


def _count(limit: Limit, meter: Meter, now: float) -> Count:
    capacity = limit.amount if limit.kind == "bucket" else meter.capacity
    return Count(limit.counts, limit.period, capacity, meter.remaining(now), meter.full_in(now))
