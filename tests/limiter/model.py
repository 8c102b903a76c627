"""A service's rate limits and its callers, in virtual time: a model to learn from and be scored by.

It counts as services do: what is told in headers is what was left when a request came in.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from nbconvo.limiter import LocalLimiter
from nbconvo.services.limits import limits_told

Headers = dict[str, str]


class Bucket:
    """Refills all the time; holds ``holds`` seconds of it."""

    def __init__(self, limit: float, holds: float = 60.0, period: float = 60.0) -> None:
        self.limit, self.rate, self.period = limit, limit / period, period
        self.capacity = self.level = self.rate * holds
        self.at: float | None = None

    def left(self, now: float) -> float:
        if self.at is not None:
            self.level = min(self.capacity, self.level + (now - self.at) * self.rate)
        self.at = now
        return self.level

    def take(self, amount: float, now: float) -> None:
        self.level = min(self.capacity, self.left(now) - amount)

    def reset(self, now: float) -> float:
        return (self.capacity - self.left(now)) / self.rate

    def wait(self, amount: float, now: float) -> float:
        return (amount - self.left(now)) / self.rate

    def ideal(self, total: float, begin: float) -> float:
        return max(0.0, total - self.capacity) / self.rate


class Sliding:
    """Counts what was taken in the last minute."""

    def __init__(self, limit: float, period: float = 60.0) -> None:
        self.limit, self.period = limit, period
        self.capacity = limit
        self.taken: deque[tuple[float, float]] = deque()

    def left(self, now: float) -> float:
        while self.taken and self.taken[0][0] <= now - self.period:
            self.taken.popleft()
        return self.limit - sum(amount for _, amount in self.taken)

    def take(self, amount: float, now: float) -> None:
        self.taken.append((now, amount))

    def reset(self, now: float) -> float:
        return self.taken[-1][0] + self.period - now if self.left(now) < self.limit else 0.0

    def wait(self, amount: float, now: float) -> float:
        missing = amount - self.left(now)
        for then, taken in self.taken:
            missing -= taken
            if missing <= 0:
                return then + self.period - now
        return self.period

    def ideal(self, total: float, begin: float) -> float:
        return self.period * (math.ceil(total / self.limit) - 1)


class Fixed:
    """Counts anew when the clock shows a whole minute."""

    def __init__(self, limit: float, period: float = 60.0, phase: float = 0.0) -> None:
        self.limit = self.capacity = limit
        self.period, self.phase = period, phase
        self.window, self.used = -1, 0.0

    def left(self, now: float) -> float:
        window = int((now + self.phase) // self.period)
        if window != self.window:
            self.window, self.used = window, 0.0
        return self.limit - self.used

    def take(self, amount: float, now: float) -> None:
        self.left(now)
        self.used += amount

    def reset(self, now: float) -> float:
        return self.period - (now + self.phase) % self.period

    def wait(self, amount: float, now: float) -> float:
        return self.reset(now)

    def ideal(self, total: float, begin: float) -> float:
        windows = math.ceil(total / self.limit) - 1
        return 0.0 if not windows else self.reset(begin) + self.period * (windows - 1)


Meter = Bucket | Sliding | Fixed


@dataclass
class Server:
    """Admits what its meters allow.

    Attributes:
        meters: By what they count: ``requests`` and ``tokens``.
        headers: Whether replies tell of the limits; ``reset`` whether of resets too.
        refunds: Whether what a reply left unused is given back.
        other: The share of the rate that somebody else takes.
        faults: The share of requests that fail with 500.
        hint: Whether a refusal says, in milliseconds, when to come again; else in whole seconds.
    """

    meters: dict[str, Meter]
    headers: bool = True
    reset: bool = True
    refunds: bool = False
    other: float = 0.0
    faults: float = 0.0
    hint: bool = True
    seed: int = 0
    refused: int = 0
    admitted: int = 0
    taken: dict[str, float] = field(default_factory=dict)
    others: float = 0.0
    last: float = 0.0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.next_other: float | None = None

    def admit(self, amounts: dict[str, float], now: float) -> tuple[int, Headers]:
        self._let_others(now)
        waits = [
            meter.wait(amounts[name], now)
            for name, meter in self.meters.items()
            if meter.left(now) < amounts[name] - 1e-6
        ]
        if waits:
            self.refused += 1
            wait = max(waits)
            told = {"retry-after": str(max(1, math.ceil(wait)))}
            if self.hint:
                told["retry-after-ms"] = str(math.ceil(wait * 1000))
            return 429, self.told(now) | told
        if self.chance.random() < self.faults:
            return 500, self.told(now)
        self.admitted += 1
        self.last = now
        for name, meter in self.meters.items():
            meter.take(amounts[name], now)
            self.taken[name] = self.taken.get(name, 0.0) + amounts[name]
        return 200, self.told(now)

    def give_back(self, tokens: float, now: float) -> None:
        if self.refunds and "tokens" in self.meters:
            self.meters["tokens"].take(-tokens, now)
            self.taken["tokens"] -= tokens

    def told(self, now: float) -> Headers:
        told: Headers = {}
        for name, meter in self.meters.items() if self.headers else ():
            told[f"x-ratelimit-limit-{name}"] = f"{meter.limit:g}"
            told[f"x-ratelimit-remaining-{name}"] = str(max(0, math.floor(meter.left(now) + 1e-9)))
            if self.reset:
                told[f"x-ratelimit-reset-{name}"] = f"{math.ceil(meter.reset(now) * 1000)}ms"
        return told

    def _let_others(self, now: float) -> None:
        if not self.other:
            return
        if self.next_other is None:
            self.next_other = now
        while self.next_other <= now:
            at = self.next_other
            self.next_other += 0.1 * (0.5 + self.chance.random())
            for meter in self.meters.values():
                amount = self.other * meter.limit / meter.period * 0.1  # type: ignore[union-attr]
                if meter.left(at) >= amount:
                    meter.take(amount, at)
                    self.others += amount


@dataclass
class Score:
    share: float
    refused: int
    answered: int
    asked: int
    seconds: float
    moments: list[float]

    def __str__(self) -> str:
        lost = "" if self.answered == self.asked else f", {self.asked - self.answered} lost"
        return f"{self.share:7.2%} of the rate, {self.refused} refused{lost}, {self.seconds:.1f} s"


async def score(
    limiter: LocalLimiter,
    server: Server,
    *,
    requests: int = 700,
    seed: int = 0,
    latency: tuple[float, float] = (0.2, 1.2),
    early: bool = True,
    reserve: float = 0.0,
    jitter: float = 0.004,
    for_seconds: float | None = None,
) -> Score:
    """Send all at once through ``limiter``; return how near the server's ideal it came.

    Args:
        latency: Seconds that replies take, least and most.
        early: Whether headers come at once, as those of a stream; else with the reply.
        reserve: The part of a reservation that replies leave unused.
        jitter: Seconds that requests take on their way, at most.
        for_seconds: Stop then; the share is that of the rate in the last half of it.
    """
    loop = asyncio.get_running_loop()
    chance = random.Random(seed)
    begin = loop.time()
    moments: list[float] = []

    async def ask(tokens: int) -> None:
        first = False
        while True:
            permit = await limiter.acquire(tokens, first=first)
            used = 0
            try:
                await asyncio.sleep(chance.random() * jitter)
                amounts = {"requests": 1.0, "tokens": float(tokens)}
                status, headers = server.admit(amounts, loop.time())
                if status == 200:
                    moments.append(loop.time() - begin)
                takes = chance.uniform(*latency) if status == 200 else 0.02
                await asyncio.sleep(0.02 if early else takes)
                limiter.observe(permit, limits_told(headers), refused=status == 429)
                if status == 200:
                    await asyncio.sleep(takes if early else 0.0)
                    used = int(tokens * (1.0 - reserve * 2 * chance.random()))
                    server.give_back(tokens - used, loop.time())
                    return
                if status == 429:
                    wait = headers.get("retry-after-ms")
                    limiter.pause(float(wait) / 1000 if wait else float(headers["retry-after"]))
            finally:
                limiter.settle(permit, used)
            if status == 500:
                await asyncio.sleep(0.5)
            first = True

    most = min((meter.capacity / 2 for meter in server.meters.values()), default=math.inf)
    most = max(most, 20) if "tokens" in server.meters else math.inf
    sizes = [min(most, max(20, int(chance.lognormvariate(5.5, 0.8)))) for _ in range(requests)]
    tasks = [asyncio.create_task(ask(size)) for size in sizes]
    if for_seconds is not None:
        await asyncio.sleep(for_seconds)
        for task in tasks:
            task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    answered = sum(end is None for end in ended)
    took = server.last - begin
    if for_seconds is not None:
        meter = server.meters["requests"]
        late = sum(moment > for_seconds / 2 for moment in moments)
        share = late / (meter.limit / 60.0 * for_seconds / 2)
    else:
        share = min(_share(name, meter, server, begin, took)
                    for name, meter in server.meters.items()
                    if name == _tight(server, begin))  # fmt: skip
    return Score(share, server.refused, answered, len(tasks), took, moments)


def _tight(server: Server, begin: float) -> str:
    return max(server.meters, key=lambda name: server.meters[name].ideal(server.taken[name], begin))


def _share(name: str, meter: Any, server: Server, begin: float, took: float) -> float:
    if server.other:
        allowed = meter.capacity + meter.limit / meter.period * took
        return server.taken[name] / (allowed - server.others)
    return meter.ideal(server.taken[name], begin) / took
