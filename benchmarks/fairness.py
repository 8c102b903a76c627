"""Whose turn it is when many wait: an interactive ask, bulk jobs side by side, a large request."""

from __future__ import annotations

import asyncio

from benchmarks.table import Table, spread
from nbconvo.limiter import LocalLimiter

__all__ = ["measure"]

ROWS = 5_000
PER_MINUTE = 120_000.0  # requests; the order is what counts, not the time
SMALL, LARGE = 10, 50_000  # tokens


def measure(rounds: int) -> Table:
    """Let them wait on one limiter, and count who goes before whom."""
    table = Table(
        "Fairness and priority",
        f"On one limiter, {ROWS:,} rows of bulk work queued. Aims: an interactive ask starts "
        f"within the time of 5 requests; of two jobs on one limiter each gets half, within 10 %; a "
        f"large request waits no longer than its place in the queue. {rounds} rounds; "
        f"min / median / max.",
        ("", "figure"),
    )
    asks = [asyncio.run(_ask_behind_rows()) for _ in range(rounds)]
    shares = [asyncio.run(_two_jobs()) for _ in range(rounds)]
    through = [asyncio.run(_rows_behind_asks()) for _ in range(rounds)]
    passed = [asyncio.run(_large_behind_small()) for _ in range(rounds)]
    table.rows += [
        ("rows let go before an ask that came after them", " / ".join(spread(asks, 0))),
        ("share of the second of two jobs, %", " / ".join(spread(shares, 1))),
        ("share of bulk while asks never end, %", " / ".join(spread(through, 1))),
        ("small requests that passed a large one which came first", " / ".join(spread(passed, 0))),
    ]
    return table


def _limiter() -> LocalLimiter:
    return LocalLimiter(PER_MINUTE, PER_MINUTE * 1000)


def _queued(
    limiter: LocalLimiter, gone: list[str], label: str, bulk: str | None = None
) -> asyncio.Task[None]:
    async def wait() -> None:
        limiter.settle(await limiter.acquire(SMALL, bulk=bulk), SMALL)
        gone.append(label)

    return asyncio.create_task(wait())


async def _ask_behind_rows() -> float:
    """How many rows are let go after an ask has come, and before it goes."""
    limiter, gone = _limiter(), list[str]()
    rows = [_queued(limiter, gone, "row", bulk="job") for _ in range(ROWS)]
    await asyncio.sleep(0.3)
    before = len(gone)
    await _queued(limiter, gone, "ask")
    found = gone.index("ask") - before
    await _cancel(rows)
    return found


async def _two_jobs() -> float:
    """The second job's share, in percent, of what is let go while both wait."""
    limiter, gone = _limiter(), list[str]()
    rows = [_queued(limiter, gone, "first", bulk="first") for _ in range(ROWS)]
    await asyncio.sleep(0.1)
    before = len(gone)
    rows += [_queued(limiter, gone, "second", bulk="second") for _ in range(ROWS)]
    await asyncio.wait(rows[: before + ROWS // 4])
    later = gone[before:]
    await _cancel(rows)
    return 100 * later.count("second") / len(later)


async def _rows_behind_asks() -> float:
    """Bulk's share, in percent, while there is always an ask that waits."""
    limiter, gone = _limiter(), list[str]()
    asks = [_queued(limiter, gone, "ask") for _ in range(ROWS)]
    await asyncio.sleep(0.1)
    before = len(gone)  # what needed not wait
    rows = [_queued(limiter, gone, "row", bulk="job") for _ in range(ROWS)]
    await asyncio.wait(asks[: ROWS // 2])
    later = gone[before:]
    await _cancel(asks + rows)
    return 100 * later.count("row") / len(later)


async def _large_behind_small() -> float:
    """How many small requests that came after a large one go before it."""
    limiter, gone = LocalLimiter(None, LARGE * 20), list[str]()

    async def large() -> None:
        limiter.settle(await limiter.acquire(LARGE), LARGE)
        gone.append("large")

    first = [_queued(limiter, gone, "before") for _ in range(ROWS // 2)]
    waiting = asyncio.create_task(large())
    await asyncio.sleep(0)
    after = [_queued(limiter, gone, "after") for _ in range(ROWS // 2)]
    await waiting
    found = gone.count("after")
    await _cancel(first + after)
    return found


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
