"""How providers count what is taken: a bucket, a sliding window, a fixed window. Pure."""

from __future__ import annotations

import math
from collections import deque
from typing import Protocol

__all__ = ["Bucket", "FixedWindow", "Meter", "SlidingWindow", "Taken"]

_ROUNDING = 1e-6  # of the capacity; Unix time in floating point is not finer


class Taken:
    """An amount that was taken at ``time``; to be changed through its meter."""

    __slots__ = ("amount", "time")

    def __init__(self, amount: float, time: float) -> None:
        self.amount = amount
        self.time = time


class Meter(Protocol):
    """Keeps the books of one limit. Times are seconds of one clock that never goes back."""

    @property
    def capacity(self) -> float:
        """The most that can be taken at once."""
        ...

    def remaining(self, now: float) -> float:
        """What is left to be taken; below 0 when a correction has taken more."""
        ...

    def wait(self, amount: float, now: float) -> float:
        """Seconds until ``amount`` is left, if nothing else is taken; infinity if it never is."""
        ...

    def full_in(self, now: float) -> float:
        """Seconds until all is left again."""
        ...

    def take(self, amount: float, now: float) -> Taken:
        """Take ``amount``, whether it is left or not."""
        ...

    def change(self, taken: Taken, amount: float, now: float) -> None:
        """Let ``taken`` be ``amount`` instead, as far as it still counts."""
        ...


class Bucket:
    """A bucket that is refilled all the time, full at first.

    Args:
        rate: What is refilled in a second.
        capacity: What it holds.
    """

    def __init__(self, rate: float, capacity: float) -> None:
        self.capacity = capacity
        self._rate = rate
        self._level = capacity
        self._time = -math.inf

    def remaining(self, now: float) -> float:
        """What it holds."""
        if now > self._time:
            refilled = self._level + (now - self._time) * self._rate
            self._level, self._time = min(self.capacity, refilled), now
        return self._level

    def wait(self, amount: float, now: float) -> float:
        """Seconds until it holds ``amount``."""
        if amount > self.capacity:
            return math.inf
        short = amount - self.remaining(now)
        return short / self._rate if short > _ROUNDING * self.capacity else 0.0

    def full_in(self, now: float) -> float:
        """Seconds until it is full."""
        return (self.capacity - self.remaining(now)) / self._rate

    def take(self, amount: float, now: float) -> Taken:
        """Take ``amount``, into debt if need be."""
        self.remaining(now)
        self._level -= amount
        return Taken(amount, now)

    def change(self, taken: Taken, amount: float, now: float) -> None:
        """Put back, or take, the difference; what does not fit is lost."""
        self._level = min(self.capacity, self.remaining(now) + taken.amount - amount)
        taken.amount = amount


class SlidingWindow:
    """All that was taken in the last ``period`` seconds counts."""

    def __init__(self, capacity: float, period: float) -> None:
        self.capacity = capacity
        self._period = period
        self._taken: deque[Taken] = deque()
        self._sum = 0.0

    def remaining(self, now: float) -> float:
        """What the window leaves."""
        while self._taken and self._taken[0].time <= now - self._period:
            self._sum -= self._taken.popleft().amount
        return self.capacity - self._sum

    def wait(self, amount: float, now: float) -> float:
        """Seconds until enough has left the window."""
        if amount > self.capacity:
            return math.inf
        left = self.remaining(now)
        if left >= amount:
            return 0.0
        for taken in self._taken:
            left += taken.amount
            if left >= amount:
                return taken.time + self._period - now
        return self.full_in(now)

    def full_in(self, now: float) -> float:
        """Seconds until the last has left the window."""
        self.remaining(now)
        return self._taken[-1].time + self._period - now if self._taken else 0.0

    def take(self, amount: float, now: float) -> Taken:
        """Take ``amount`` for as long as the window is."""
        self.remaining(now)
        taken = Taken(amount, now)
        self._taken.append(taken)
        self._sum += amount
        return taken

    def change(self, taken: Taken, amount: float, now: float) -> None:
        """Count ``amount`` instead, if it is in the window."""
        self.remaining(now)
        if taken.time > now - self._period:
            self._sum += amount - taken.amount
        taken.amount = amount


class FixedWindow:
    """What was taken since the clock last showed a whole ``period`` counts."""

    def __init__(self, capacity: float, period: float) -> None:
        self.capacity = capacity
        self._period = period
        self._window = -math.inf
        self._sum = 0.0

    def remaining(self, now: float) -> float:
        """What this window leaves."""
        if (window := now // self._period) > self._window:
            self._window, self._sum = window, 0.0
        return self.capacity - self._sum

    def wait(self, amount: float, now: float) -> float:
        """Seconds until the next window, if this one does not leave enough."""
        if amount > self.capacity:
            return math.inf
        return 0.0 if self.remaining(now) >= amount else self._period - now % self._period

    def full_in(self, now: float) -> float:
        """Seconds until the next window, if anything was taken in this."""
        return self._period - now % self._period if self.remaining(now) < self.capacity else 0.0

    def take(self, amount: float, now: float) -> Taken:
        """Take ``amount`` for the rest of the window."""
        self.remaining(now)
        self._sum += amount
        return Taken(amount, now)

    def change(self, taken: Taken, amount: float, now: float) -> None:
        """Count ``amount`` instead, if it was taken in this window."""
        self.remaining(now)
        if taken.time // self._period == self._window:
            self._sum += amount - taken.amount
        taken.amount = amount
