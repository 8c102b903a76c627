"""A queue in which who waits for one model does not hold up who waits for another."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Container, Iterator

from nbconvo.limiter.base import Permit
from nbconvo.limiter.books import Books

__all__ = ["Lane", "Turn"]

Turn = asyncio.Future[Permit]

_Queue = OrderedDict[Turn, Books]  # a deque cannot be left from its middle in O(1)


class Lane:
    """First come, first served, of those whose model need not wait.

    Joining, leaving from any place and looking at the first take the same time however many wait.
    """

    __slots__ = ("_by_model", "_waiting")

    def __init__(self) -> None:
        self._by_model: dict[str | None, _Queue] = {}
        self._waiting = 0

    def __len__(self) -> int:
        return self._waiting

    def __iter__(self) -> Iterator[tuple[Turn, Books]]:
        for queue in list(self._by_model.values()):
            yield from list(queue.items())

    def count(self, model: str | None) -> int:
        """Return how many wait for ``model``; any thread may ask."""
        queue = self._by_model.get(model)
        return 0 if queue is None else len(queue)

    def join(self, turn: Turn, books: Books) -> None:
        """Add one at the end."""
        queue = self._by_model.get(books.model)
        if queue is None:
            queue = self._by_model[books.model] = OrderedDict()
        queue[turn] = books
        self._waiting += 1

    def leave(self, turn: Turn, books: Books) -> bool:
        """Remove one from any place; return whether it was there."""
        queue = self._by_model.get(books.model)
        if queue is None or queue.pop(turn, None) is None:
            return False
        self._waiting -= 1
        if not queue:
            del self._by_model[books.model]
        return True

    def first(self, passed: Container[str | None]) -> tuple[Turn, Books] | None:
        """Return who came first, of those whose model is not ``passed`` over."""
        first = None
        for model, queue in self._by_model.items():
            if model not in passed:
                for one in queue.items():
                    if first is None or one[1].number < first[1].number:
                        first = one
                    break
        return first
