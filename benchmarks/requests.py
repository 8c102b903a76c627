"""CPU that a client takes for a small request, beside plain aiohttp."""

from __future__ import annotations

from collections import defaultdict

from benchmarks.peers import found
from benchmarks.processes import Worker, serving, workers
from benchmarks.table import Table, spread

__all__ = ["measure"]

BASE = "aiohttp"
AT_ONCE = (1, 100)
LIGHT = (BASE, "nbconvo")  # whose names begin so take little, and differ by little
# Of a round, each right after one of plain aiohttp, since the machine's pace changes.
SLICES, LIGHT_SLICES = 4, 16
# ``ask()`` has its replies streamed, unless it is told not to: beside it, what that alone takes.
STREAMED = dict.fromkeys(("aiohttp, streamed", "nbconvo, streamed", "nbconvo ask()"), "stream-9-0")


def measure(rounds: int) -> Table:
    """Take all clients in turn, one request at a time and 100 at once, after one round to warm up.

    The ratio of a round is the CPU of the client's process to that of plain aiohttp's.
    """
    names, missing = found("requests")
    cpus: dict[tuple[str, int], list[float]] = defaultdict(list)
    ratios: dict[tuple[str, int], list[float]] = defaultdict(list)
    with serving("benchmarks.server") as url, workers(names) as clients:
        base = clients[names.index(BASE)]
        for turn in range(rounds + 1):
            for at_once in AT_ONCE:
                for client in clients:
                    there = own = 0.0
                    slices = (
                        LIGHT_SLICES if client.peer.startswith(LIGHT) else SLICES if turn else 1
                    )
                    for _ in range(slices):
                        there += _cpu(base, f"{url}/v1", at_once)
                        own += _cpu(client, f"{url}/v1", at_once)
                    if turn:
                        cpus[client.peer, at_once].append(own / slices)
                        ratios[client.peer, at_once].append(own / there)
    table = Table(
        "Client: CPU per request",
        f"One small chat completion; CPU time of the client's process, all its threads, as a ratio "
        f"to plain aiohttp with the standard json module, measured in turn with it; so the first "
        f"row is plain aiohttp beside itself, and shows the noise. Aims: nbconvo 0.90 and 0.85, "
        f"`await session.ask()` with a log on disk 2.5. Its reply is streamed, in 9 deltas, as are "
        f"those of the rows that say so: what that takes more is no work of sessions. HTTP alone "
        f"is the floor: the same over nbconvo's connections without limiter, retries, checks and "
        f"messages. nbconvo is told a limit that is never reached, as by a service's headers. "
        f"{rounds} interleaved rounds; min / median / max.",
        ("client", *(f"{head}, {n} at once" for n in AT_ONCE for head in ("µs", "ratio"))),
        notes=missing,
    )
    for name in names:
        cells = []
        for at_once in AT_ONCE:
            cells.append(spread([cpu * 1e6 for cpu in cpus[name, at_once]], 0)[1])
            cells.append(" / ".join(spread(ratios[name, at_once])))
        table.rows.append((name, *cells))
    return table


def _cpu(client: Worker, url: str, at_once: int) -> float:
    """CPU seconds per request; of fewer requests where each takes long."""
    count = 200 if client.peer.startswith(LIGHT) else max(at_once, 50)
    model = STREAMED.get(client.peer, "whole")
    found: float = client.do("requests", url=url, model=model, count=count, at_once=at_once)["cpu"]
    return found
