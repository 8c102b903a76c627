"""The queue of those who wait for leave to send."""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Iterator

from nbconvo.limiter.allowance import Amounts
from nbconvo.limiter.books import Books
from nbconvo.limiter.lane import Lane, Turn

__all__ = ["Lanes"]

_IN_A_ROW = 4  # asks of people that go while bulk work waits; then one of that


class Lanes:
    """Those sent back, then people's asks, and after four of these one of the bulk work.

    Each lane is first come, first served, but that a model whose own limits are reached holds up
    no other. The lanes of bulk work get equal shares: next is the one that was served least since
    it came, in seconds of the limits' refill. Whoever is next stays so until it has gone, but for
    those who were sent back and people's asks within their four; so no request waits for more
    than what was before it in its own lane, for as much of each other lane of bulk work and one
    request more, and for four asks of people for each.
    """

    __slots__ = ("_asks", "_bulk", "_bulk_total", "_counts", "_in_a_row", "_joined",
                 "_returned", "_served", "_served_to", "_tokens", "_total")  # fmt: skip

    def __init__(self) -> None:
        self._returned, self._asks = Lane(), Lane()
        self._bulk: dict[Hashable, Lane] = {}
        self._bulk_total = self._total = 0
        self._served: dict[Hashable, float] = {}
        self._served_to = 0.0
        self._in_a_row = self._joined = 0
        self._tokens: dict[str | None, int] = {}  # asked for together, by model
        self._counts: dict[str | None, int] = {}

    def __len__(self) -> int:
        return self._total

    def __iter__(self) -> Iterator[tuple[Turn, Books]]:
        for lane in (self._returned, self._asks, *self._bulk.values()):
            yield from lane

    @property
    def models(self) -> tuple[str | None, ...]:
        """The models that somebody waits for."""
        return tuple(self._counts)

    def clear_for(self, permit: Books) -> bool:
        """Return whether nobody of its model is before one who comes now."""
        model = permit.model
        if permit.first:
            return not self._returned.count(model)
        if self._returned.count(model) or self._asks.count(model):
            return False
        if permit.bulk is None and self._in_a_row < _IN_A_ROW:
            return True
        return not any(lane.count(model) for lane in self._bulk.values())

    def join(self, turn: Turn, permit: Books) -> None:
        """Add one at the end of its lane."""
        self._joined = permit.number = self._joined + 1
        lane = self._lane_of(permit)
        if lane is None:
            lane = self._bulk[permit.bulk] = Lane()
            # Who comes anew has no claim for the time in which it asked for nothing.
            served = self._served.get(permit.bulk, 0.0)
            self._served[permit.bulk] = max(served, self._served_to)
        lane.join(turn, permit)
        self._total += 1
        if lane is not self._returned and lane is not self._asks:
            self._bulk_total += 1
        model = permit.model
        self._counts[model] = self._counts.get(model, 0) + 1
        self._tokens[model] = self._tokens.get(model, 0) + permit.tokens

    def leave(self, turn: Turn, permit: Books) -> bool:
        """Remove one from any place; return whether it was there."""
        lane = self._lane_of(permit)
        if lane is None or not lane.leave(turn, permit):
            return False
        self._total -= 1
        model = permit.model
        self._tokens[model] -= permit.tokens
        self._counts[model] -= 1
        if not self._counts[model]:
            del self._counts[model], self._tokens[model]
        if lane is not self._returned and lane is not self._asks:
            self._bulk_total -= 1
            if not lane:
                del self._bulk[permit.bulk]
                if not self._bulk:
                    self._served.clear()
                    self._served_to = 0.0
        return True

    def head(self, passed: Container[str | None] = ()) -> tuple[Turn, Books] | None:
        """Return whose turn is next, of those whose model is not ``passed`` over."""
        first = self._returned.first(passed)
        bulk_is_next = self._bulk_total and self._in_a_row >= _IN_A_ROW
        if first is None and not bulk_is_next:
            first = self._asks.first(passed)
        if first is None and self._bulk_total:
            first = self._first_of_bulk(passed)
        if first is None and bulk_is_next:
            first = self._asks.first(passed)
        return first

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

    def before_an_ask(self, model: str | None) -> tuple[int, int]:
        """Return how many requests, and tokens, go before a person's ask of ``model`` now."""
        requests = self._returned.count(model) + self._asks.count(model)
        tokens = self._tokens.get(model, 0)
        if all_waiting := self._counts.get(model, 0):
            bulk = all_waiting - requests
            going = min(bulk, (requests + self._in_a_row) // _IN_A_ROW)
            requests += going
            tokens = int(tokens * requests / all_waiting)
        return requests, tokens

    def _first_of_bulk(self, passed: Container[str | None]) -> tuple[Turn, Books] | None:
        first, least = None, 0.0
        for bulk, lane in self._bulk.items():
            served = self._served[bulk]
            if (first is None or served < least) and (one := lane.first(passed)) is not None:
                first, least = one, served
        return first

    def _lane_of(self, permit: Books) -> Lane | None:
        if permit.first:
            return self._returned
        return self._asks if permit.bulk is None else self._bulk.get(permit.bulk)
