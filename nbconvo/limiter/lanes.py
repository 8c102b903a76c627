"""The queue of those who wait for leave to send."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator

from nbconvo.limiter.allowance import Amounts
from nbconvo.limiter.base import Permit
from nbconvo.limiter.limits import Books

__all__ = ["Lanes", "Turn"]

Turn = asyncio.Future[Permit]

_Lane = OrderedDict[Turn, Books]  # a deque cannot be left from its middle in O(1)

_IN_A_ROW = 4  # asks of people that go while bulk work waits; then one of that


class Lanes:
    """Those sent back, then people's asks, and after four of these one of the bulk work.

    Each lane is first come, first served. The lanes of bulk work get equal shares: next is the
    one that was served least since it came, in seconds of the limits' refill. Whoever is next
    stays so until it has gone, but for those who were sent back and people's asks within their
    four; so no request waits for more than what was before it in its own lane, for as much of
    each other lane of bulk work and one request more, and for four asks of people for each.

    Joining, leaving from any place and looking at the head take the same time however many wait.

    Attributes:
        tokens: Tokens that all in the queue ask for together.
    """

    __slots__ = ("_asks", "_bulk", "_bulk_total", "_in_a_row", "_returned", "_served",
                 "_served_to", "tokens")  # fmt: skip

    def __init__(self) -> None:
        self._returned: _Lane = OrderedDict()
        self._asks: _Lane = OrderedDict()
        self._bulk: dict[Hashable, _Lane] = {}
        self._bulk_total = 0
        self._served: dict[Hashable, float] = {}
        self._served_to = 0.0
        self._in_a_row = 0
        self.tokens = 0

    def __len__(self) -> int:
        return len(self._returned) + len(self._asks) + self._bulk_total

    def __iter__(self) -> Iterator[tuple[Turn, Books]]:
        for lane in (self._returned, self._asks, *self._bulk.values()):
            yield from list(lane.items())

    def clear_for(self, permit: Books) -> bool:
        """Return whether nobody is before one who comes now."""
        if permit.first:
            return not self._returned
        if self._returned or self._asks:
            return False
        return not self._bulk_total or (permit.bulk is None and self._in_a_row < _IN_A_ROW)

    def join(self, turn: Turn, permit: Books) -> None:
        """Add one at the end of its lane."""
        if permit.first:
            self._returned[turn] = permit
        elif permit.bulk is None:
            self._asks[turn] = permit
        else:
            if (lane := self._bulk.get(permit.bulk)) is None:
                lane = self._bulk[permit.bulk] = OrderedDict()
                # Who comes anew has no claim for the time in which it asked for nothing.
                served = self._served.get(permit.bulk, 0.0)
                self._served[permit.bulk] = max(served, self._served_to)
            lane[turn] = permit
            self._bulk_total += 1
        self.tokens += permit.tokens

    def leave(self, turn: Turn, permit: Books) -> bool:
        """Remove one from any place; return whether it was there."""
        lane = self._lane_of(permit)
        if lane is None or lane.pop(turn, None) is None:
            return False
        self.tokens -= permit.tokens
        if lane is not self._returned and lane is not self._asks:
            self._bulk_total -= 1
            if not lane:
                del self._bulk[permit.bulk]
                if not self._bulk:
                    self._served.clear()
                    self._served_to = 0.0
        return True

    def head(self) -> tuple[Turn, Books] | None:
        """Return whose turn is next."""
        lane = self._returned
        if not lane and (not self._bulk_total or self._in_a_row < _IN_A_ROW):
            lane = self._asks
        if not lane and self._bulk:
            lane = min(self._bulk.items(), key=self._served_of)[1]
        for first in lane.items():
            return first
        return None

    def went(self, permit: Books, cost: Callable[[Amounts], float]) -> None:
        """Note who went; ``cost`` tells what amounts cost, in seconds of the limits' refill."""
        if permit.first:
            return
        if permit.bulk is None:
            self._in_a_row = self._in_a_row + 1 if self._bulk_total else 0
            return
        self._in_a_row = 0
        if permit.bulk in self._served:
            self._served_to = self._served[permit.bulk]
            self._served[permit.bulk] += cost(permit.amounts)

    def before_an_ask(self) -> tuple[int, int]:
        """Return how many requests, and tokens, go before a person's ask that comes now."""
        requests, tokens = len(self._returned) + len(self._asks), self.tokens
        if (bulk := self._bulk_total) and (all_waiting := len(self)):
            going = min(bulk, (requests + self._in_a_row) // _IN_A_ROW)
            tokens = int(tokens * (requests + going) / all_waiting)
            requests += going
        return requests, tokens

    def _served_of(self, item: tuple[Hashable, _Lane]) -> float:
        return self._served[item[0]]

    def _lane_of(self, permit: Books) -> _Lane | None:
        if permit.first:
            return self._returned
        return self._asks if permit.bulk is None else self._bulk.get(permit.bulk)
