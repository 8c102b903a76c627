"""All that a service tells of the limits of one model, and what was sent that they count."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nbconvo.limiter.allowance import (
    INPUT,
    NOTHING,
    OUTPUT,
    REQUESTS,
    TOKENS,
    Allowance,
    Amounts,
)
from nbconvo.limiter.base import Told
from nbconvo.limiter.belief import Belief
from nbconvo.limiter.books import Books
from nbconvo.limiter.marks import TOGETHER, Sent
from nbconvo.limiter.stated import MINUTE

__all__ = ["Beliefs", "explains"]

_COUNTS = {"requests": REQUESTS, "tokens": TOKENS, "input_tokens": INPUT, "output_tokens": OUTPUT}


class Beliefs:
    """A belief of each limit that was told, by its name."""

    __slots__ = ("_before", "_by_name", "_owed", "_totals", "_unused", "_went_at")

    def __init__(self) -> None:
        # In the order in which they were told of first: a permit holds a mark of each.
        self._by_name: dict[str, Belief] = {}
        self._totals = self._before = self._unused = NOTHING
        self._went_at = -math.inf
        self._owed = 0.0  # tokens of replies under way

    @property
    def all(self) -> tuple[Belief, ...]:
        """The beliefs; any thread may ask."""
        return tuple(self._by_name.values())

    @property
    def quick(self) -> tuple[Belief, ...]:
        """Those of limits of a minute or less."""
        return tuple(belief for belief in self.all if belief.seconds <= MINUTE)

    @property
    def allowances(self) -> tuple[Allowance, ...]:
        """What they admit."""
        return tuple(belief.allowance for belief in self.all)

    def per_minute(self, counts: int) -> float | None:
        """Return the least rate that was told; any thread may ask."""
        rates = [b.per_minute for b in self.quick if b.allowance.counts == counts]
        return min(rates, default=None)

    def exceeded(self, amounts: Amounts) -> float | None:
        """Return the limit of which ``amounts`` are more than all, as a refusal has shown."""
        for belief in self._by_name.values():
            if amounts[belief.allowance.counts] >= belief.hopeless:
                return belief.limit
        return None

    def sent(self, books: Books, now: float) -> bool:
        """Note what a request reserves; return whether it goes with no other."""
        amounts = books.amounts
        alone = now > self._went_at + TOGETHER
        if alone:
            self._went_at, self._before = now, self._totals
        one, tokens, prompt, output = amounts
        a, b, c, d = self._totals
        self._totals = (a + one, b + tokens, c + prompt, d + output)
        self._owed += output
        books.before, books.totals, books.unused = self._before, self._totals, self._unused
        if self._by_name:
            books.marks = tuple(
                belief.mark(
                    amounts[belief.allowance.counts],
                    now,
                    self._owed if belief.allowance.counts == OUTPUT else 0.0,
                )
                for belief in self._by_name.values()
            )
        return alone

    def ended(self, books: Books, used: Amounts) -> None:
        """Note that nothing more of a request's reply is to come, and how much it ``used``."""
        self._owed -= books.amounts[OUTPUT]
        if not self._by_name or used == books.amounts:  # else nobody will ask
            return
        a, b, c, d = self._unused
        left = (max(0.0, r - u) for r, u in zip(books.amounts, used, strict=True))
        _, tokens, prompt, output = left
        self._unused = (a, b + tokens, c + prompt, d + output)

    def observe(self, told: Sequence[Told], books: Books, now: float, *, last: bool) -> bool:
        """Learn what the reply to a request tells; return whether a limit is another one now.

        It is the ``last`` if no other request is without an answer.
        """
        changed = False
        for one in told:
            belief = self._by_name.get(one.name)
            if belief is None:
                if one.limit is None or one.limit <= 0 or one.remaining is None:
                    continue
                belief = Belief(_COUNTS[one.counts], one.limit, one.window)
                self._by_name[one.name] = belief
                changed = True
            before = belief.limit, belief.seconds
            belief.observe(one, self._sent(one.name, belief, books, last, now), now)
            changed = changed or before != (belief.limit, belief.seconds)
        return changed

    def _sent(self, name: str, belief: Belief, books: Books, last: bool, now: float) -> Sent:
        counts = belief.allowance.counts
        place = list(self._by_name).index(name)
        since = self._totals[counts] - books.before[counts] - books.amounts[counts]
        if counts == OUTPUT:  # of what is under way nothing was counted yet
            since = self._owed
        at = books.left_at(now)
        return Sent(
            at=at,
            late=at - books.at,
            mark=books.marks[place] if place < len(books.marks) else None,
            amount=books.amounts[counts],
            total=books.totals[counts],
            since=since,
            unused=books.unused[counts],
            refused=books.refused,
            last=last,
        )


def explains(told: Sequence[Told], amounts: Amounts) -> bool:
    """Return whether what was ``told`` says why a request of ``amounts`` was refused."""
    return any(
        one.remaining is not None and one.remaining < amounts[_COUNTS[one.counts]] for one in told
    )
