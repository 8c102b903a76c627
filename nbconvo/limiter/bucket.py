"""A quantity that refills at a steady rate, kept as a single number."""

from __future__ import annotations

import math

__all__ = ["Bucket"]

_ROUNDING = 0.002  # of an amount as large as all that fits: its capacity was told in whole numbers


class Bucket:
    """A quantity of which ``rate`` comes back each second, until it holds ``capacity``.

    What is kept is the moment when the bucket will be full again (virtual scheduling), so that
    time refills it without anything being done, and it can never hold more than its capacity.
    An amount above the capacity waits until the bucket is full and then takes it into debt:
    the rate stays right on average, and no amount waits for ever.

    Args:
        rate: Refill per second; above 0.
        capacity: The most that it holds; above 0.
        full_at: When it will be full, in seconds of the limiter's clock.

    Attributes:
        full_until: When it was full last, if something was taken since.
    """

    __slots__ = ("capacity", "full_at", "full_until", "rate")

    def __init__(self, rate: float, capacity: float, full_at: float) -> None:
        self.rate = rate
        self.capacity = capacity
        self.full_at = full_at
        self.full_until = -math.inf

    def level(self, now: float) -> float:
        """Return how much it holds; below 0 is a debt."""
        missing = self.full_at - now
        return self.capacity - missing * self.rate if missing > 0.0 else self.capacity

    def delay(self, amount: float, now: float, ahead: float = 0.0, reserve: float = 0.0) -> float:
        """Return the seconds until ``amount`` may be taken; 0 or less when it may be now.

        ``ahead`` is what others will have taken by then, ``reserve`` what is to be left, as far
        as it fits.
        """
        full_at = self.full_at
        if ahead:
            full_at = max(full_at, now) + ahead / self.rate
        spare = self.capacity - amount - reserve
        if spare < 0.0:
            spare = -_ROUNDING * amount if reserve else 0.0
        return full_at - now - spare / self.rate

    def take(self, amount: float, now: float) -> None:
        """Take ``amount``, into debt if need be."""
        if self.full_at <= now:
            self.full_at = self.full_until = now
        self.full_at += amount / self.rate

    def postpone(self, since: float, now: float) -> None:
        """Take only now what was taken when it was full, if that was after ``since``.

        It is empty then at most: it is not known when the rest was taken.
        """
        if self.full_until > since:
            full_at = self.full_at + now - self.full_until
            self.full_at = max(self.full_at, min(full_at, now + self.capacity / self.rate))
            self.full_until = now

    def give_back(self, amount: float) -> None:
        """Put ``amount`` back; what does not fit is lost."""
        self.full_at -= amount / self.rate

    def refit(self, now: float, *, rate: float, capacity: float) -> None:
        """Refill at another rate, up to another capacity, from now on; what it holds stays."""
        level = min(self.level(now), capacity)
        self.rate, self.capacity = rate, capacity
        self.full_at = now + (capacity - level) / rate
