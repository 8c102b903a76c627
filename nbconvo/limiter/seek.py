"""The search for a limit of which nothing is known."""

from __future__ import annotations

import math

from nbconvo.limiter.pace import Pace

__all__ = ["QUIET", "Seek"]

_BEGIN = 3.0  # requests without an answer
_DOUBLE = 2.0  # seconds in which there may become twice as many,
_STEP, _FEW = 0.1, 16.0  # or so many more with each answer that comes sooner, up to a few
_RISK = 24.0  # so many may be refused at once before the level is found,
_SHARE = 0.02  # and this part of what was answered well
QUIET = 0.25  # seconds without a request after a refusal, for something to come back
_COUNT = 3.0  # requests granted between two refusals, that make a measurement


class Seek:
    """Allows ever more requests without an answer, until two refusals have shown the rate.

    What has no answer yet when the limit is met is all that can be refused, so that it is limited
    instead of the rate, to a few and a small part of what was answered so far.

    Attributes:
        most: How many may be under way of which it is not known whether they are refused.
    """

    __slots__ = ("_answered", "_base", "_cut_at", "_grown_at", "_refused", "most")

    def __init__(self) -> None:
        self.most = _BEGIN
        self._answered = 0
        self._base: tuple[float, float] | None = None
        self._refused = 0.0
        self._cut_at = self._grown_at = -math.inf

    def answered(self, unanswered: int, now: float) -> None:
        """Allow more after a request was answered well, if all that was allowed was used."""
        self._answered += 1
        passed, self._grown_at = now - self._grown_at, now
        if unanswered < self.most - 1.0:
            return
        doubled = self.most * 2.0 ** (min(passed, _DOUBLE) / _DOUBLE)
        grown = min(self.most + 1.0, max(doubled, min(self.most + _STEP, _FEW)))
        self.most = max(self.most, min(grown, _RISK + _SHARE * self._answered))

    def refused(self, at: float, total: float, now: float) -> Pace | None:
        """Allow fewer; return what keeps the rate, once it is known.

        What went ``at`` was refused, when ``total`` had been sent, itself too.
        """
        granted = total - 1.0 - self._refused
        self._refused += 1.0
        if at <= self._cut_at:
            return None
        self._cut_at = now
        self.most = max(1.0, self.most / 2.0)
        if (base := self._base) is None:
            self._base = at, granted
            return None
        if granted < base[1] + _COUNT or at <= base[0]:
            return None
        return Pace.found((granted - base[1]) / (at - base[0]), at, granted, self._refused, now)
