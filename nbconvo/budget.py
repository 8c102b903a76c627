"""Dollars that may be spent: what is spent, and what requests under way may take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from nbconvo.errors import BudgetExceeded, InputError

__all__ = ["Budget", "Hold", "checked_budget"]


@dataclass(slots=True)
class Budget:
    """A limit of what requests may cost, all together; its methods are the I/O thread's.

    What is spent counts without a limit too, so that one that is set later holds for all.

    Attributes:
        whose: Whose it is, for an error's text: ``comedian's budget``.
        remedy: How to raise it.
        limit: US dollars; ``None`` is no limit. May be set from any thread.
        spent: What requests cost so far, as far as it is known.
        reserved: What those under way are expected to cost.
    """

    whose: str
    remedy: str
    limit: float | None = None
    spent: float = 0.0
    reserved: float = field(default=0.0, init=False)

    def check(self, cost: float | None, model: str) -> None:
        """Raise ``BudgetExceeded`` if a request of so many dollars does not fit in.

        ``None`` is an unknown cost, which fits into no limit: it could not be kept. What costs
        nothing fits into each, one that is spent too.
        """
        if self.limit is None or cost == 0:
            return
        if cost is None:
            raise BudgetExceeded(
                f"{self.whose} of {_dollars(self.limit)} cannot be kept: the price of {model} is "
                "not known; ask another model, say price= on the service, or take the budget off: "
                f"{self.remedy.format('None')}"
            )
        if self.spent + self.reserved + cost > self.limit:
            waiting = f", {_dollars(self.reserved)} under way" if self.reserved else ""
            enough = _dollars(self.spent + self.reserved + cost, up=True)[1:]
            raise BudgetExceeded(
                f"{self.whose} of {_dollars(self.limit)} would be passed: {_dollars(self.spent)} "
                f"spent{waiting}, about {_dollars(cost)} for this; not sent; "
                f"{self.remedy.format(enough)} allows it"
            )


class Hold:
    """What one request may take of several budgets, until it has ended.

    Args:
        budgets: Those that it has to fit into.
        cost: What it is expected to cost, in US dollars; ``None`` is unknown.
        model: What is asked, for an error's text.
    """

    __slots__ = ("_budgets", "_cost", "_model", "_taken")

    def __init__(self, budgets: Sequence[Budget], cost: float | None, model: str) -> None:
        self._budgets = budgets
        self._cost = cost
        self._model = model
        self._taken = False

    def check(self) -> None:
        """Raise ``BudgetExceeded`` if the request does not fit in."""
        for budget in self._budgets:
            budget.check(self._cost, self._model)

    def take(self) -> None:
        """Keep its dollars back from others; raises as :meth:`check`.

        Nothing else runs between the check and this: two requests cannot take the same dollars.
        """
        for budget in self._budgets:
            budget.check(self._cost, self._model)
        self._taken = True
        for budget in self._budgets:
            budget.reserved += self._cost or 0.0

    def settle(self, cost: float | None, *, used: bool) -> None:
        """Give back what was kept back, and count what it did cost, if it ``used`` anything.

        A cost that is not known in the end counts as it was expected.
        """
        if self._taken:
            self._taken = False
            spent = (self._cost if cost is None else cost) if used else None
            for budget in self._budgets:
                # Sums of floats: no rest of one may stay behind.
                budget.reserved = max(0.0, round(budget.reserved - (self._cost or 0.0), 12))
                budget.spent += spent or 0.0


def checked_budget(value: object) -> float | None:
    """Return ``value`` if it can be a limit.

    Raises:
        InputError: If it is neither ``None`` nor a number of dollars, 0 or more.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise InputError(f"budget must be dollars, 0 or more, or None, not {value!r}")
    return float(value)


def _dollars(amount: float, *, up: bool = False) -> str:
    digits = 2 if amount >= 0.1 or amount == 0 else 6
    if up:
        return f"${math.ceil(amount * 10**digits) / 10**digits:.{digits}f}"
    return f"${amount:.{digits}f}"
