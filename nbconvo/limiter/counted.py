"""What went out, in all and in the last five minutes, for the reader's eyes only."""

from __future__ import annotations

from nbconvo.limiter.base import Permit

__all__ = ["Counted"]

_KEPT = 300  # seconds
_STEP = 5  # seconds that the history counts together

_Slot = tuple[int, int, int]


class Counted:
    """Counts of requests and tokens, those of the last five minutes in slots of one second.

    A slot is a tuple and replaced whole, so that another thread always reads a consistent one.

    Attributes:
        requests: All requests that were sent.
        tokens: All tokens that were reserved or used.
        retries: Those of the requests that were sent once more.
        rate_limited: How often the service answered 429.
    """

    __slots__ = ("_slots", "rate_limited", "requests", "retries", "tokens")

    def __init__(self) -> None:
        self._slots: list[_Slot] = [(-1, 0, 0)] * _KEPT
        self.requests = self.tokens = self.retries = self.rate_limited = 0

    def sent(self, second: int, permit: Permit) -> None:
        """Count a request that is sent in the given second of the clock."""
        self.requests += 1
        self.tokens += permit.tokens
        self.retries += permit.first
        self._add(second, 1, permit.tokens)

    def correct(self, second: int, permit: Permit, tokens: int | None) -> None:
        """Count the ``tokens`` that were used of one sent then; ``None``: it was never sent."""
        change = (tokens or 0) - permit.tokens
        unsent = tokens is None
        if change or unsent:
            self.requests -= unsent
            self.tokens += change
            self.retries -= unsent and permit.first
            self._add(second, -unsent, change)

    def _add(self, second: int, requests: int, tokens: int) -> None:
        """Count in the given second of the clock; one that is no longer kept is dropped."""
        at = second % _KEPT
        then, had_requests, had_tokens = self._slots[at]
        if then == second:
            self._slots[at] = (second, had_requests + requests, had_tokens + tokens)
        elif then < second:
            self._slots[at] = (second, requests, tokens)

    def minute(self, second: int) -> tuple[int, int]:
        """Return the requests and tokens of the 60 seconds that end with ``second``."""
        end = second % _KEPT + 1
        slots = self._slots[max(0, end - 60) : end]
        if end < 60:
            slots += self._slots[end - 60 :]
        requests, tokens, before = 0, 0, second - 60
        for then, had_requests, had_tokens in slots:
            if before < then <= second:
                requests += had_requests
                tokens += had_tokens
        return requests, tokens

    def history(self, second: int) -> tuple[int, ...]:
        """Return the requests of every five seconds, oldest first; ``second`` is in the last.

        They begin at multiples of five seconds of the clock, so that a count stays what it was
        until it moves on as a whole.
        """
        counts = [0] * (_KEPT // _STEP)
        oldest = second // _STEP - len(counts) + 1
        for then, requests, _ in self._slots:
            if requests and 0 <= (at := then // _STEP - oldest) < len(counts):
                counts[at] += requests
        return tuple(counts)
