"""What one limit admits: a bucket, a window, or both at once."""

from __future__ import annotations

from nbconvo.limiter.bucket import Bucket
from nbconvo.limiter.window import Window

__all__ = ["INPUT", "NOTHING", "OUTPUT", "REQUESTS", "TOKENS", "Allowance", "Amounts"]

REQUESTS, TOKENS, INPUT, OUTPUT = range(4)

Amounts = tuple[float, float, float, float]
"""How much a request takes: itself, tokens in all, those of its prompt, those of its reply."""

NOTHING: Amounts = (0.0, 0.0, 0.0, 0.0)


class Allowance:
    """Admits what its bucket and its window both do; without either, everything.

    Attributes:
        counts: The place in ``Amounts`` of what is limited.
        reserve: What is kept back in the bucket.
        refund: The part of what a request leaves unused that comes back.
    """

    __slots__ = ("bucket", "counts", "refund", "reserve", "window")

    def __init__(self, counts: int, bucket: Bucket | None, window: Window | None) -> None:
        self.counts = counts
        self.bucket = bucket
        self.window = window
        self.reserve = 0.0
        self.refund = 1.0

    def delay(self, amount: float, now: float, ahead: float = 0.0) -> float:
        """Return the seconds until ``amount`` may be taken; changes nothing."""
        delay = 0.0
        # Every request comes through here.
        if (bucket := self.bucket) is not None:
            delay = bucket.delay(amount, now, ahead, self.reserve)
        if (window := self.window) is not None and amount:
            wait = window.delay(amount, now, ahead)
            return wait if wait > delay else delay
        return delay

    def level(self, now: float) -> float:
        """Return how much may be taken."""
        levels = [part.level(now) for part in (self.bucket, self.window) if part is not None]
        return min(levels)

    def take(self, amount: float, now: float) -> None:
        """Take ``amount``."""
        if self.bucket is not None:
            self.bucket.take(amount, now)
        if self.window is not None:
            self.window.take(amount, now)

    def change(self, amount: float, then: float, now: float) -> None:
        """Take so much more for what was taken ``then``, or give it back where it is below 0."""
        if (bucket := self.bucket) is not None:
            if amount < 0.0:
                bucket.give_back(-amount)
            else:
                # The figure is the service's: a wrong one may hold up others for a minute at most.
                bucket.take(min(amount, bucket.rate * 60.0), now)
        if (window := self.window) is not None:
            window.change(min(amount, window.capacity), then)
