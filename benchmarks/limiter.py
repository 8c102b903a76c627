"""What a limiter alone costs, without a network."""

from __future__ import annotations

import asyncio
import gc
import math
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from benchmarks.table import Table, installed, spread
from nbconvo.limiter import LocalLimiter

__all__ = ["measure", "out_of_order"]

QUEUED = 10_000
SECOND = 5_000.0  # requests a second that let the queue pass in two seconds
FREE, ROUND = 20_000, 1e9  # acquisitions without a wait, and a rate per minute that makes none

Gate = Callable[[int], Awaitable[Any]]


def _ours(per_minute: float) -> Gate:
    limiter = LocalLimiter(per_minute, per_minute * 1000)

    async def gate(tokens: int) -> None:
        limiter.settle(await limiter.acquire(tokens), tokens)

    return gate


def _nothing(per_minute: float) -> Gate:
    async def gate(tokens: int) -> None:
        await asyncio.sleep(0 if per_minute >= ROUND else QUEUED / (per_minute / 60))

    return gate


def _aiolimiter(per_minute: float) -> Gate:
    from aiolimiter import AsyncLimiter

    limiter = AsyncLimiter(per_minute / 60, 1)

    async def gate(tokens: int) -> None:
        await limiter.acquire()

    return gate


def _pyrate(per_minute: float) -> Gate:
    from pyrate_limiter import Limiter, Rate

    limiter = Limiter(Rate(int(per_minute / 60), 1000))

    async def gate(tokens: int) -> None:
        await limiter.try_acquire_async("requests", 1)

    return gate


_GATES: dict[str, tuple[Callable[[float], Gate], str]] = {
    "bare tasks": (_nothing, "aiohttp"),
    "nbconvo, requests and tokens": (_ours, "aiohttp"),
    "aiolimiter, requests": (_aiolimiter, "aiolimiter"),
    "pyrate-limiter, requests": (_pyrate, "pyrate-limiter"),
}


def measure(rounds: int) -> Table:
    """Take all limiters in turn, in this process."""
    gates = {name: make for name, (make, needs) in _GATES.items() if installed(needs)}
    free: dict[str, list[float]] = {name: [] for name in gates}
    queued: dict[str, list[float]] = {name: [] for name in gates}
    memory: dict[str, list[float]] = {name: [] for name in gates}
    early: dict[str, list[float]] = {name: [] for name in gates}
    for _ in range(rounds):
        for name, make in gates.items():
            free[name].append(asyncio.run(_free(make(ROUND))))
            cpu, order = asyncio.run(_queued(make(SECOND * 60)))
            queued[name].append(cpu)
            early[name].append(out_of_order(order))
            memory[name].append(asyncio.run(_memory(make(1.0 * 60))))
    table = Table(
        "Limiters alone",
        f"CPU of one acquisition without a wait (of {FREE:,}, `settle` included where there is "
        f"one); CPU and bytes of each of {QUEUED:,} tasks that wait at once and are let go at "
        f"{SECOND:,.0f} a second, their sizes mixed; and how many of these went before one that "
        f"had asked earlier. Bare tasks wait for nothing but a timer: what is above them is the "
        f"limiter's. Aims: 15 µs and 2 kB each, in order. {rounds} interleaved rounds; "
        f"min / median / max.",
        ("limiter", "free, µs", "queued, µs", "queued, bytes", "out of order"),
        notes=[
            f"{name} is left out: {needs} is not installed."
            for name, (_, needs) in _GATES.items()
            if not installed(needs)
        ],
    )
    for name in gates:
        table.rows.append(
            (
                name,
                " / ".join(spread([cpu * 1e6 for cpu in free[name]])),
                " / ".join(spread([cpu * 1e6 for cpu in queued[name]], 1)),
                " / ".join(spread(memory[name], 0)),
                spread(early[name], 0)[1],
            )
        )
    return table


async def _free(gate: Gate) -> float:
    """CPU seconds of an acquisition that need not wait."""
    began = time.process_time()
    for _ in range(FREE):
        await gate(100)
    return (time.process_time() - began) / FREE


async def _queued(gate: Gate) -> tuple[float, Sequence[int]]:
    """CPU seconds of each task that waits, and the order in which they were let go."""
    order: list[int] = []

    async def wait(number: int) -> None:
        await gate(10 if number % 7 else 500)
        order.append(number)

    began = time.process_time()
    tasks = [asyncio.create_task(wait(number)) for number in range(QUEUED)]
    await asyncio.wait(tasks)
    return (time.process_time() - began) / QUEUED, order


async def _memory(gate: Gate) -> float:
    """Bytes of each task that waits."""
    gc.collect()
    tracemalloc.start()
    tasks = [asyncio.create_task(_hold(gate)) for _ in range(QUEUED)]
    await asyncio.sleep(0.2)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return held / QUEUED


async def _hold(gate: Gate) -> None:
    await gate(10)


def out_of_order(order: Sequence[int]) -> float:
    """Return how many went before one with a lower number."""
    lowest = math.inf
    early = 0
    for number in reversed(order):
        early += number > lowest
        lowest = min(lowest, number)
    return early
