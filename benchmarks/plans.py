"""Which limits a server has in a scenario, what it is asked for, and how soon that can be done."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from nbconvo.testing.limits import Admitted, Limit, Limits, Refused

__all__ = ["PROMPT", "Plan"]

PROMPT = 8  # tokens of each request's prompt, by the server's count


@dataclass(frozen=True)
class Plan:
    """One scenario.

    Attributes:
        name: What is shown.
        count: How many requests there are.
        limits: The server's limits.
        requests: The rate of requests per minute that the client is told; ``None`` for none.
        tokens: The same for tokens.
        options: Further arguments of :class:`~nbconvo.testing.limits.Limits`.
        faults: The share of requests that fail after they were admitted.
        latency: Seconds that an answer takes, the median of a lognormal distribution.
        uses: The shares of ``max_tokens`` between which replies use.
        seed: Of all that is left to chance.
    """

    name: str
    count: int
    limits: tuple[Limit, ...]
    requests: float | None = None
    tokens: float | None = None
    options: dict[str, Any] = field(default_factory=dict)
    faults: float = 0.0
    latency: float = 0.4
    uses: tuple[float, float] = (1.0, 1.0)
    seed: int = 0

    @classmethod
    def of(cls, given: dict[str, Any]) -> Plan:
        """Return the plan that was sent as JSON, with :func:`dataclasses.asdict`."""
        limits = tuple(Limit(**limit) for limit in given.pop("limits"))
        return cls(**given, limits=limits)

    @property
    def other(self) -> float:
        """The share of the limits that another client takes."""
        share: float = self.options.get("other", 0.0)
        return share

    def books(self, clock: Callable[[], float]) -> Limits:
        """Return the server's limits, full."""
        return Limits(*self.limits, **self.options, seed=self.seed, clock=clock)

    def sizes(self) -> list[int]:
        """Return ``max_tokens`` of each request: a few are ten times as large as most."""
        chance = random.Random(self.seed)
        return [max(16, int(chance.lognormvariate(math.log(600), 0.7))) for _ in range(self.count)]

    def answer(self, row: int, size: int) -> tuple[float, int]:
        """Return after how many seconds a request is answered, and with how many tokens."""
        chance = random.Random(f"{self.seed} {row}")
        seconds = chance.lognormvariate(math.log(self.latency), 0.25)
        return seconds, int(size * chance.uniform(*self.uses))

    def rate_kept(self, seconds: float) -> float:
        """Return the amount asked for, over what the first limit allows in so many seconds."""
        limit = self.limits[0]
        sizes = self.sizes()
        asked = len(sizes) if limit.counts == "requests" else sum(sizes) + PROMPT * len(sizes)
        return asked / (limit.amount / limit.period * (1 - self.other) * seconds)

    def best(self, start: float, again: int) -> float:
        """Return the seconds in which all could have been admitted, by one who knows the server.

        Requests are sent in order, each as soon as it would be admitted; ``again`` of them twice,
        since they failed. Another client leaves its share of the refill, and nothing that was
        there before it began.
        """
        now = start
        books = self._left_by_other().books(lambda: now)
        ends: list[tuple[float, int, Admitted, int]] = []
        sizes = self.sizes()
        for row, size in itertools.chain(enumerate(sizes), enumerate(sizes[:again])):
            while isinstance(found := books.admit(PROMPT, size), Refused):
                due = now + found.wait
                if ends and ends[0][0] <= due:
                    now, _, ended, used = heapq.heappop(ends)
                    books.settle(ended, used)
                else:
                    now = due
            seconds, used = self.answer(row, size)
            heapq.heappush(ends, (now + seconds, books.admitted, found, used))
        return now - start

    def _left_by_other(self) -> Plan:
        limits: Sequence[Limit] = self.limits
        if self.other:
            limits = [
                replace(
                    limit,
                    amount=limit.amount * (1 - self.other),
                    holds=(limit.period if limit.holds is None else limit.holds) / (1 - self.other),
                )
                for limit in self.limits
            ]
        return replace(self, limits=tuple(limits), options={**self.options, "other": 0.0})
