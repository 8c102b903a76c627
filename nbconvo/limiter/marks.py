"""What was believed of a limit when requests went, to be compared with what their replies tell."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

__all__ = ["MOST_LAG", "TOGETHER", "Mark", "Marks", "Sent"]

TOGETHER = 0.03
"""Seconds; what goes within them may come in in any order."""
MOST_LAG = 0.6
"""Seconds that some may take longer on their way than others."""
_ON_ITS_WAY = 1.0  # seconds that some of a burst may take to come in


class Mark:
    """What was believed to be left when some requests went together, corrections apart.

    Nobody knows in which order they came in, nor whether before those that went a moment later.

    Attributes:
        epoch: Marks of different ones cannot be compared.
        at: When the first of them went.
        before: What was left before any of them.
        high: What was left before all that may be on their way still when they come in.
        low: What was left after all of them.
        next: Those that went after them.
    """

    __slots__ = ("at", "before", "epoch", "high", "low", "next")

    def __init__(self, epoch: int, at: float, before: float, high: float, low: float) -> None:
        self.epoch = epoch
        self.at = at
        self.before = before
        self.high = high
        self.low = low
        self.next: Mark | None = None

    def lowest(self) -> float:
        """Return what was left after all that may have come in before the last of them."""
        after = self.next
        if after is None or after.at > self.at + 2.0 * TOGETHER:
            return self.low
        return min(self.low, after.low)


@dataclass(slots=True)
class Sent:
    """The request whose reply tells something.

    Attributes:
        at: When it was sent.
        late: How many seconds after it was let go.
        mark: What was believed then; ``None`` if nothing was that can be compared.
        amount: What it took.
        total: What all requests took until then, itself included.
        since: What the others took since, or at the same time.
        unused: What all replies had left unused of it until then.
        refused: Whether it was refused, with 429.
        last: Whether all that went have been answered by now: none is on its way.
    """

    at: float
    late: float
    mark: Mark | None
    amount: float
    total: float
    since: float
    unused: float
    refused: bool
    last: bool


class Marks:
    """The marks of one limit: of those requests that may be on their way, and how long that is.

    Attributes:
        lag: Seconds that some take longer on their way, from their leave on, than others.
    """

    __slots__ = ("_epoch", "_kept", "lag")

    def __init__(self) -> None:
        self._epoch = 0
        self._kept: deque[Mark] = deque()
        self.lag = 2.0 * TOGETHER

    def mark(self, amount: float, left: float, burst: float, now: float) -> Mark:
        """Return the mark of a request that goes now.

        Args:
            amount: What it takes.
            left: What is believed to be left after it, corrections apart.
            burst: If so much goes together, the last of it may be long on its way.
            now: The time.
        """
        marks = self._kept
        last = marks[-1] if marks else None
        if last is not None and last.epoch == self._epoch and now - last.at <= TOGETHER:
            last.low = left
            return last
        before = left + amount
        while marks and marks[0].at < now - _ON_ITS_WAY:
            marks.popleft()
        high = max(
            (
                earlier.before
                for earlier in marks
                if now - earlier.at <= self.lag or earlier.before - earlier.low > burst
            ),
            default=before,
        )
        mark = Mark(self._epoch, now, before, max(high, before), left)
        marks.append(mark)
        if last is not None:
            last.next = mark
        return mark

    def comparable(self, mark: Mark | None) -> Mark | None:
        """Return ``mark`` if it can be compared with what is believed now."""
        return mark if mark is not None and mark.epoch == self._epoch else None

    def came(self, late: float) -> None:
        """Learn how long requests are on their way: one was sent ``late``, so many seconds."""
        self.lag = max(2.0 * TOGETHER, 0.99 * self.lag, min(2.0 * TOGETHER + late, MOST_LAG))

    def begin_anew(self, *, raised: float | None = None) -> None:
        """Let no later mark be compared with those so far.

        Those that may be on their way count on, ``raised`` by what was corrected, if it is given.
        """
        self._epoch += 1
        if raised is None:
            self._kept = deque()
        else:
            for mark in self._kept:
                mark.before += raised
