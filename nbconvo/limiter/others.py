"""How much of a bucket's refill others take, who share it."""

from __future__ import annotations

import math

from nbconvo.limiter.allowance import OUTPUT, Allowance
from nbconvo.limiter.bucket import Bucket
from nbconvo.limiter.marks import Mark, Sent

__all__ = ["JITTER", "Others"]

JITTER = 0.03
"""Seconds of refill kept back: requests overtake each other on their way."""
_WARY = 0.06  # of a bucket, but of two seconds at most, is left to others who drink from it,
_MOST_WARY = 0.3  # and the more, the more often that was too little
_MEASURE = 1.0  # seconds between two samples, for the refill to show over their noise
_CUT = 0.7
_CALM = 5  # so many measurements in a row show that nobody else takes any more


class Others:
    """Measures the refill between two replies: what others take of it is not ours.

    Args:
        allowance: What the limit admits, which is fitted to what was measured.

    Attributes:
        shared: Whether somebody else takes of it.
    """

    __slots__ = ("_allowance", "_base", "_calm", "_cut_at", "_wary", "shared")

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._base: tuple[float, float, float, float, float] | None = None
        self._calm = _CALM
        self._wary = _WARY
        self._cut_at = -math.inf
        self.shared = False

    def begin_anew(self) -> None:
        """Forget the last sample: nothing is to be measured from it."""
        self._base = None

    def measure(
        self, bucket: Bucket, nominal: float, remaining: float, mark: Mark, sent: Sent, now: float
    ) -> None:
        """Measure what came back since the last sample.

        Args:
            bucket: That of the allowance.
            nominal: The refill that the service states, per second.
            remaining: What was left when the request came in.
            mark: What was believed when it went.
            sent: The request; one that was not refused.
            now: The time.
        """
        base = self._base
        if self._allowance.counts == OUTPUT:  # it is not known when which of it was made
            return
        blur = mark.high - sent.amount - mark.lowest()  # of those that went together
        if base is None or remaining >= 0.98 * bucket.capacity:
            if blur <= 0.2 * nominal:
                self._base = sent.at, remaining, sent.total, sent.unused, blur
            return
        at, then, total, unused, blur_then = base
        if sent.total <= total:  # it was let go before, and sent after
            return
        seconds = sent.at - at
        if seconds < _MEASURE or (noise := blur + blur_then + 1.0) > 0.3 * nominal * seconds:
            return
        self._base = sent.at, remaining, sent.total, sent.unused, blur
        taken, unused = sent.total - total, sent.unused - unused
        gained = remaining - then + taken
        if unused > 0.1 * taken:
            back = (gained - bucket.rate * seconds) / unused
            refund = self._allowance.refund
            self._allowance.refund += 0.3 * (min(1.0, max(0.0, back)) - refund)
        rate = (gained - self._allowance.refund * unused) / seconds
        self._calm += 1
        if rate + max(noise / seconds, 0.05 * nominal) < nominal:
            self._calm = 0
        self._set_shared(bucket, nominal, shared=self._calm < _CALM)
        rate = bucket.rate + 0.5 * (min(rate, nominal) - bucket.rate) if self.shared else nominal
        bucket.refit(now, rate=max(rate, 0.02 * nominal), capacity=bucket.capacity)

    def refused(self, bucket: Bucket, nominal: float, at: float, now: float) -> None:
        """Leave others more: what went ``at`` was refused."""
        if at > self._cut_at:
            self._cut_at = now
            self._calm = 0
            if self.shared:
                self._wary = min(_MOST_WARY, 1.5 * self._wary)
            self._set_shared(bucket, nominal, shared=True)
            bucket.refit(now, rate=_CUT * bucket.rate, capacity=bucket.capacity)

    def _set_shared(self, bucket: Bucket, nominal: float, *, shared: bool) -> None:
        self.shared = shared
        wary = self._wary * min(bucket.capacity, 2.0 * nominal) if shared else 0.0
        self._allowance.reserve = JITTER * nominal + wary
