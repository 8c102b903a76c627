"""What is kept of a request from its leave to its end."""

from __future__ import annotations

from collections.abc import Hashable

from nbconvo.limiter.allowance import NOTHING, Amounts
from nbconvo.limiter.base import Permit
from nbconvo.limiter.marks import Mark

__all__ = ["Books"]


class Books(Permit):
    """A permit with what is kept of its request.

    Attributes:
        amounts: What it reserves.
        number: Its place among all that ever waited.
        before: What all of its model had reserved before it, and those that went together with
            it, went.
        totals: What all of its model had reserved when it went, itself included.
        in_all: Likewise of all models.
        unused: What all of its model had left unused by then.
        marks: What was believed then of each limit that was told.
        answered: Whether a reply to it has begun to come, or a refusal has come.
        others: How many of its model were under way when it went, and had been refused before;
            those that were refused since were not admitted, so that they take no place.
        others_before: Likewise of those that went before it, but not together with it.
        refused: Whether it was refused.
        explained: Whether headers told why.
    """

    __slots__ = ("__weakref__", "amounts", "answered", "before", "explained", "in_all", "marks",
                 "number", "others", "others_before", "refused", "totals", "unused")  # fmt: skip

    def __init__(
        self, tokens: int, first: bool, output: int, bulk: Hashable, model: str | None
    ) -> None:
        # Every request comes through here, and what super() would add is a third of it.
        self.tokens, self.first, self.output, self.bulk, self.at = tokens, first, output, bulk, 0.0
        self.model, self.sent_at = model, None
        self.amounts: Amounts = (1.0, tokens, tokens - output, output)
        self.before = self.totals = self.in_all = self.unused = NOTHING
        self.marks: tuple[Mark, ...] = ()
        self.answered = self.refused = self.explained = False
        self.number = self.others = self.others_before = 0

    def left_at(self, now: float) -> float:
        """Return when it was sent, whose reply comes ``now``; else when it was let go."""
        sent_at = self.sent_at
        return sent_at if sent_at is not None and self.at < sent_at <= now else self.at

    def used(self, tokens: int | None, output: int | None) -> Amounts:
        """Return what it took: so many tokens, if known those of the reply; ``None``: nothing."""
        if tokens is None:
            return NOTHING
        if tokens == self.tokens and output is None:
            return self.amounts
        tokens = max(tokens, 0)
        said = max(tokens - self.tokens + self.output, 0) if output is None else output
        said = min(said, tokens)
        return 1.0, tokens, tokens - said, said
