"""One limited quantity: a bucket that refills at a steady rate, kept as a single number."""

from __future__ import annotations

import math

from nbconvo.errors import InputError

__all__ = ["BURST_SECONDS", "Bucket"]

BURST_SECONDS = 0.5
"""A bucket holds this much refill. Services hold a second's or a minute's; half of the smaller
leaves room for requests that bunch up on their way."""


class Bucket:
    """A quantity of which ``per_minute`` may be taken each minute, half a second's at once.

    What is kept is the moment when the bucket will be full again (virtual scheduling), so that
    time refills it without anything being done, and it can never hold more than its capacity.
    An amount above the capacity waits until the bucket is full and then takes it into debt:
    the rate stays right on average, and no amount waits for ever.

    Args:
        per_minute: The rate; above 0.
        least: Smallest capacity, whatever the rate.
        full_at: When it will be full, in seconds of the limiter's clock.
    """

    __slots__ = ("capacity", "full_at", "rate")

    def __init__(self, per_minute: float, least: float, full_at: float) -> None:
        self.rate = per_minute / 60.0
        self.capacity = max(self.rate * BURST_SECONDS, least)
        self.full_at = full_at

    @classmethod
    def of(
        cls, label: str, per_minute: float | None, least: float, old: Bucket | None, now: float
    ) -> Bucket | None:
        """Return a bucket of which as much is taken as of the ``old`` one; ``None`` is no limit.

        Raises:
            InputError: If ``per_minute`` is not above 0; ``label`` names it.
        """
        if per_minute is None:
            return None
        if not 0 < per_minute < math.inf:
            raise InputError(
                f"{label} must be a number above 0, not '{per_minute}'; None is no limit"
            )
        bucket = cls(per_minute, least, now)
        if old is not None and old.full_at > now:
            bucket.take((old.full_at - now) * old.rate, now)
        return bucket

    def delay(self, amount: float, now: float, ahead: float = 0.0) -> float:
        """Return the seconds until ``amount`` may be taken; 0 or less when it may be now.

        ``ahead`` is what others will have taken by then.
        """
        full_at = self.full_at
        if ahead:
            full_at = max(full_at, now) + ahead / self.rate
        spare = self.capacity - amount
        return full_at - now - (spare / self.rate if spare > 0.0 else 0.0)

    def take(self, amount: float, now: float) -> None:
        """Take ``amount``, into debt if need be."""
        full_at = self.full_at
        self.full_at = (full_at if full_at > now else now) + amount / self.rate

    def give_back(self, amount: float) -> None:
        """Put ``amount`` back; what does not fit is lost."""
        self.full_at -= amount / self.rate
