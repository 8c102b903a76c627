"""A rate that nothing but refusals tells of: stated by the user at best, or found."""

from __future__ import annotations

import math

from nbconvo.limiter.allowance import REQUESTS, Allowance
from nbconvo.limiter.bucket import Bucket

__all__ = ["BURST_SECONDS", "Pace"]

BURST_SECONDS = 0.5
"""A bucket holds this much refill. Services hold a second's or a minute's; half of the smaller
leaves room for requests that bunch up on their way."""

_CUT, _SMALL_CUT = 0.7, 0.9
_BELOW = 0.98  # of the rate that was measured
_LEAST = 0.05  # of the first rate: while a service refuses all, nothing is measured
_MEASURE = 2.0  # seconds between two refusals that make a measurement,
_COUNT = 20.0  # or so many requests, if they are fewer
_LATE = 0.02  # seconds, and part of them, that timers may be late
_GROWTH, _SOON = 0.001, 8.0  # per second, and the seconds in which it becomes double


class Pace:
    """Keeps an allowance at the rate that the service grants (AIMD).

    A refusal shows that nothing is left, so what was granted between two of them is what came
    back in that time: the rate is set a little below it. Without a second one it is cut by a
    factor, but never to less than a twentieth of what it was at first. It grows again until the
    next refusal or to the stated rate, the faster the longer none comes; but not in time in which
    it is not used, which shows nothing.

    Attributes:
        allowance: Admits at the rate.
        ceiling: The rate that it never exceeds, per second; infinity if there is none.
        per_minute: The same as it was stated.
    """

    __slots__ = ("_base", "_calm", "_cut_at", "_grown_at", "_least", "_refused", "allowance",
                 "ceiling", "per_minute")  # fmt: skip

    def __init__(
        self, allowance: Allowance, ceiling: float = math.inf, per_minute: float = math.inf
    ) -> None:
        self.allowance = allowance
        self.ceiling = ceiling
        self.per_minute = per_minute
        self._least = _LEAST * self.bucket.rate
        self._base: tuple[float, float] | None = None
        self._refused = self._calm = 0.0
        self._cut_at = self._grown_at = -math.inf

    @classmethod
    def found(cls, rate: float, at: float, granted: float, refused: float, now: float) -> Pace:
        """Keep requests at a rate that two refusals showed, the second of one that went ``at``.

        Until then ``granted`` had gone, and ``refused`` were refused.
        """
        bucket = Bucket(rate, max(1.0, rate * BURST_SECONDS), now)
        pace = cls(Allowance(REQUESTS, bucket, None))
        pace._base, pace._refused = (at, granted), refused
        pace._cut_at = pace._grown_at = now
        return pace.emptied(now)

    @property
    def bucket(self) -> Bucket:
        """The bucket whose rate is kept."""
        bucket = self.allowance.bucket
        assert bucket is not None
        return bucket

    def refused(self, at: float, amount: float, total: float, now: float) -> None:
        """Slow down: what went ``at`` was refused, when ``total`` had been taken, itself too.

        Those that went before the last time that this led to something belong to the same burst.
        """
        if at <= self._cut_at:
            self._refused += amount
            return
        bucket, base = self.bucket, self._base
        granted = total - amount - self._refused
        self._refused += amount
        self._cut_at = self._grown_at = now
        self._calm = 0.0
        if base is None or (at - base[0] < _MEASURE and granted - base[1] < _COUNT * amount):
            rate = (_CUT if base is None else _SMALL_CUT) * bucket.rate
        else:
            measured = _BELOW * (granted - base[1]) / (at - base[0])
            rate = min(max(measured, 0.5 * bucket.rate), _BELOW * bucket.rate)
        if base is None or at - base[0] >= _MEASURE:
            self._base = at, granted
        self._set(rate, now)
        self.emptied(now)

    def emptied(self, now: float) -> Pace:
        """Have nothing left, since something was refused; return itself."""
        bucket = self.bucket
        bucket.full_at = max(bucket.full_at, now + bucket.capacity / bucket.rate)
        return self

    def grow(self, now: float) -> None:
        """Let the rate grow for the time that has passed, if any of it was cut."""
        bucket = self.bucket
        if bucket.rate >= self.ceiling or (passed := now - self._grown_at) < 0.2:
            return
        self._grown_at = now
        if now - bucket.full_at > _LATE + _LATE * passed:  # it was full: nobody waited for it
            return
        passed = min(passed, 1.0)
        self._calm += passed / _SOON
        growth = _GROWTH * (1.0 + self._calm * self._calm)
        self._set(min(self.ceiling, bucket.rate * (1.0 + growth * passed)), now)

    def _set(self, rate: float, now: float) -> None:
        rate = max(rate, self._least)
        least = 1.0 if self.allowance.counts == REQUESTS else 0.0
        self.bucket.refit(now, rate=rate, capacity=max(rate * BURST_SECONDS, least))
