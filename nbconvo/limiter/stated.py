"""The limits that the user states of an account, whichever of its models is asked."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nbconvo.errors import InputError
from nbconvo.limiter.allowance import NOTHING, REQUESTS, TOKENS, Allowance, Amounts
from nbconvo.limiter.bucket import Bucket
from nbconvo.limiter.pace import BURST_SECONDS, Pace
from nbconvo.limiter.window import Window

__all__ = ["MINUTE", "Stated", "paced"]

MINUTE = 60.0
_LABELS = ((REQUESTS, "max_requests_per_minute", 1.0), (TOKENS, "max_tokens_per_minute", 0.0))
_SHY = 200  # one in so many is left of a minute's, for requests that overtake each other


class Stated:
    """Upper bounds, kept by half a second's bucket, and requests by what goes in any minute too.

    So a service refuses none, however it counts.

    Attributes:
        paces: One for each of ``REQUESTS`` and ``TOKENS`` that is limited.
        shared: Whether several models are asked.
        totals: What all requests have reserved.
    """

    __slots__ = ("paces", "shared", "totals")

    def __init__(self) -> None:
        self.paces: dict[int, Pace] = {}
        self.shared = False
        self.totals: Amounts = NOTHING

    def state(self, requests: float | None, tokens: float | None, now: float) -> None:
        """Keep these limits per minute from now on; what was taken lately still counts.

        Raises:
            InputError: If one is not above 0; then nothing is changed.
        """
        paces = {}
        for (counts, label, least), per_minute in zip(_LABELS, (requests, tokens), strict=True):
            if per_minute is None:
                continue
            if not 0 < per_minute < math.inf:
                raise InputError(
                    f"{label} must be a number above 0, not '{per_minute}'; None is no limit"
                )
            paces[counts] = paced(counts, per_minute, least, self.paces.get(counts), now)
        self.paces = paces

    def least(self, counts: int, told: Sequence[float | None]) -> float | None:
        """Return what may go in a minute, given what was ``told`` of each model, if anything."""
        known = [rate for rate in told if rate is not None]
        rates = [sum(known)] if known and len(known) == len(told) else []
        if (pace := self.paces.get(counts)) is not None:
            rates.append(pace.per_minute)
        return min(rates, default=None)

    def take(self, amounts: Amounts) -> Amounts:
        """Count what a request reserves; return what all have, itself included."""
        a, b, c, d = self.totals
        one, tokens, prompt, output = amounts
        self.totals = (a + one, b + tokens, c + prompt, d + output)
        return self.totals

    def delay(self, amounts: Amounts, now: float) -> float:
        """Return the seconds until ``amounts`` may be taken; changes nothing."""
        waits = (pace.allowance.delay(amounts[counts], now) for counts, pace in self.paces.items())
        return max(waits, default=0.0)


def paced(counts: int, per_minute: float, least: float, old: Pace | None, now: float) -> Pace:
    """Return what keeps a limit, of which as much is taken as of the ``old`` one."""
    rate = per_minute / MINUTE
    bucket = Bucket(rate, max(rate * BURST_SECONDS, least), now)
    # Sizes of many tokens never fill a minute to the brim: it would cost part of the rate.
    window = Window(per_minute, MINUTE) if counts == REQUESTS else None
    if old is not None:
        taken = old.bucket.full_at - now
        if taken > 0.0:
            bucket.take(taken * old.bucket.rate, now)
        window = old.allowance.window
    if window is not None:
        window.capacity = per_minute - per_minute // _SHY
    return Pace(Allowance(counts, bucket, window), rate, per_minute)
