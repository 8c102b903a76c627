"""How many requests may be under way at once, where a service refuses more and does not say so."""

from __future__ import annotations

import math

__all__ = ["Crowd"]

_BEGIN, _DOUBLE = 16.0, 0.15  # under way at first, and the seconds in which they become double
_ENOUGH = 4096.0  # so many are as good as any number
_LOOK, _LONGEST_LOOK = 1.0, 60.0  # seconds until one more is tried
_FADES = 300.0  # seconds in which what was admitted comes to count half


class Crowd:
    """Allows so many under way as were admitted when more were refused, and tries more at times.

    A service that admits N at once refuses no request when fewer are under way. So the number is
    to blame for a refusal only if it was larger than with any that was admitted lately. One more
    is tried the later, the more often the same number was found; where that goes well, twice as
    many the next time, so that a cap that was found wrongly is soon gone.

    Args:
        gently: Whether to begin with a few, so that only few can be refused at first.

    Attributes:
        most: How many may be under way; infinity if any number.
    """

    __slots__ = ("_admitted", "_cut_at", "_faded_at", "_look", "_looks_at", "_pause", "_step",
                 "most")  # fmt: skip

    def __init__(self, *, gently: bool) -> None:
        self.most = _BEGIN if gently else math.inf
        self._step, self._pause = _BEGIN, _DOUBLE
        self._look = _LOOK
        self._looks_at = self._cut_at = self._faded_at = -math.inf
        self._admitted = 0.0

    def answered(self, others: int, now: float) -> None:
        """Note that a request was admitted that went when so many others were under way."""
        # Of a burst some were refused: those that went after them met fewer than it seems.
        if others >= self._admitted and others < self.most:
            self._admitted, self._faded_at = others, now

    def refused(self, at: float, others: int, now: float, *, no_rate: bool = False) -> bool:
        """Return whether a request that went ``at`` was refused since too many were under way.

        ``no_rate`` says that no rate can be to blame: then what was admitted with more under way
        is doubted, since some of these may have ended there before that was known here.
        """
        admitted = self._admitted * 0.5 ** ((now - self._faded_at) / _FADES)
        if at <= self._cut_at:  # one of the same burst
            self.most = min(self.most, max(others, math.floor(admitted) + 1.0))
            return True
        if others < 1 or others <= admitted:
            if no_rate:
                self._admitted, self._faded_at = 0.5 * admitted, now
            return False
        self._cut_at = now
        # Found again, when one more was tried.
        self._look = min(2.0 * self._look, _LONGEST_LOOK) if others >= self.most - 1.0 else _LOOK
        self.most = min(self.most, others)
        self._step, self._pause = 1.0, _LOOK
        self._looks_at = now + self._look
        return True

    def grow(self, under_way: int, now: float) -> None:
        """Allow more, if somebody waits and as many as are allowed were under way."""
        if self.most == math.inf or under_way < self.most - 1.0:
            return
        if self._looks_at == -math.inf:
            self._looks_at = now + self._pause
        if now < self._looks_at:
            return
        self.most += self._step
        self._step *= 2.0
        self._looks_at = now + self._pause
        if self.most > _ENOUGH:
            self.most = math.inf

    def grows_in(self, now: float) -> float:
        """Return the seconds until more may be allowed; infinity if never."""
        return self._looks_at - now if self.most < math.inf else math.inf
