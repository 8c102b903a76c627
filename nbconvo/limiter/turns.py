"""The queue of those who wait for leave to send."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from itertools import chain

from nbconvo.limiter.base import Permit

__all__ = ["Turn", "Turns"]

Turn = asyncio.Future[Permit]


class Turns:
    """First come, first served, but those whom the service sent back before all others.

    Joining, leaving from any place and looking at the head take the same time however many wait.

    Attributes:
        tokens: Tokens that all in the queue ask for together.
    """

    __slots__ = ("_returned", "_waiting", "tokens")

    def __init__(self) -> None:
        # Ordered dictionaries, because a deque cannot be left from its middle in O(1).
        self._returned: OrderedDict[Turn, int] = OrderedDict()
        self._waiting: OrderedDict[Turn, int] = OrderedDict()
        self.tokens = 0

    def __len__(self) -> int:
        return len(self._returned) + len(self._waiting)

    def clear_for(self, first: bool) -> bool:
        """Return whether nobody is before one who comes now."""
        return not self._returned and (first or not self._waiting)

    def join(self, turn: Turn, tokens: int, first: bool) -> None:
        """Add one at the end, or with ``first`` behind those who were sent back before."""
        (self._returned if first else self._waiting)[turn] = tokens
        self.tokens += tokens

    def leave(self, turn: Turn) -> bool:
        """Remove one from any place; return whether it was there."""
        for lane in (self._returned, self._waiting):
            if (tokens := lane.pop(turn, None)) is not None:
                self.tokens -= tokens
                return True
        return False

    def head(self) -> tuple[Turn, int, bool] | None:
        """Return whose turn is next, its tokens, and whether it was sent back before."""
        for lane in (self._returned, self._waiting):
            for turn, tokens in lane.items():
                return turn, tokens, lane is self._returned
        return None

    def larger_than(self, tokens: float) -> list[tuple[Turn, int]]:
        """Return all who ask for more than ``tokens``."""
        everyone = chain(self._returned.items(), self._waiting.items())
        return [(turn, asked) for turn, asked in everyone if asked > tokens]
