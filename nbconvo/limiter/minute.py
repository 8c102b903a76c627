"""What went out in the last 60 seconds, for the reader's eyes only."""

from __future__ import annotations

__all__ = ["Minute"]

_Slot = tuple[int, int, int]


class Minute:
    """Counts of requests and tokens over the last 60 seconds, in slots of one second.

    A slot is a tuple and replaced whole, so that another thread always reads a consistent one.
    """

    __slots__ = ("_slots",)

    def __init__(self) -> None:
        self._slots: list[_Slot] = [(-1, 0, 0)] * 60

    def add(self, second: int, requests: int, tokens: int) -> None:
        """Count in the given second of the clock; a second longer ago than a minute is dropped."""
        at = second % 60
        then, had_requests, had_tokens = self._slots[at]
        if then == second:
            self._slots[at] = (second, had_requests + requests, had_tokens + tokens)
        elif then < second:
            self._slots[at] = (second, requests, tokens)

    def counts(self, second: int) -> tuple[int, int]:
        """Return the requests and tokens of the 60 seconds that end with ``second``."""
        recent = [slot for slot in self._slots if second - 60 < slot[0] <= second]
        return sum(slot[1] for slot in recent), sum(slot[2] for slot in recent)
