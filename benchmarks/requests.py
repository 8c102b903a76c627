"""CPU that a client takes for a small request, beside plain aiohttp."""

from __future__ import annotations

from benchmarks.peers import found
from benchmarks.processes import Worker, serving, workers
from benchmarks.table import Table, spread

__all__ = ["measure"]

BASE = "aiohttp"
AT_ONCE = (1, 100)
FEW, SLOW = 300, 100  # requests in a round; fewer of the clients that take long
STREAMED = {"nbconvo ask()": "stream-9-0"}  # what it asks for, unless it is told not to


def measure(rounds: int) -> Table:
    """Take all clients in turn, one request at a time and 100 at once, after one round to warm up.

    The ratio of a round is the CPU of the client's process to that of plain aiohttp's in the same
    round.
    """
    names, missing = found("requests")
    taken: dict[tuple[str, int], list[float]] = {}
    with serving("benchmarks.server") as url, workers(names) as clients:
        for turn in range(rounds + 1):
            for at_once in AT_ONCE:
                for client in clients:
                    cpu = _cpu(client, f"{url}/v1", at_once, warm=turn == 0)
                    if turn:
                        taken.setdefault((client.peer, at_once), []).append(cpu)
    table = Table(
        "Client: CPU per request",
        f"One small chat completion; CPU time of the client's process, all its threads, as a ratio "
        f"to plain aiohttp with the standard json module in the same round. Aims: nbconvo 0.90 and "
        f"0.85, `await session.ask()` with a log on disk, its reply streamed, 2.5. "
        f"{rounds} interleaved rounds; min / median / max.",
        ("client", *(f"{head}, {n} at once" for n in AT_ONCE for head in ("µs", "ratio"))),
        notes=missing,
    )
    for name in names:
        cells = []
        for at_once in AT_ONCE:
            cpus = taken[name, at_once]
            ratios = [a / b for a, b in zip(cpus, taken[BASE, at_once], strict=True)]
            cells += [spread([cpu * 1e6 for cpu in cpus], 0)[1], " / ".join(spread(ratios))]
        table.rows.append((name, *cells))
    return table


def _cpu(client: Worker, url: str, at_once: int, *, warm: bool) -> float:
    light = client.peer.startswith(("aiohttp", "nbconvo"))
    count = 100 if warm else (FEW * 3 if light else SLOW if at_once == 1 else FEW)
    model = STREAMED.get(client.peer, "whole")
    found: float = client.do("requests", url=url, model=model, count=count, at_once=at_once)["cpu"]
    return found
