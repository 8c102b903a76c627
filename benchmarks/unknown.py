"""Which level a client finds that is told no limits."""

from __future__ import annotations

import random
import time
from dataclasses import asdict
from typing import Any

from benchmarks.plans import Plan
from benchmarks.processes import Worker, serving, workers
from benchmarks.rates import asked
from benchmarks.table import Table, spread
from nbconvo.testing.limits import Limit

__all__ = ["measure"]

RPM = 1200
SETTLING, LASTING = 30.0, 60.0  # seconds after which the level is to be found; in all
COUNT = 3000  # requests, more than the time allows
_KINDS = {
    "headers, bucket of 1 s": (1, {}),
    "no headers, bucket of 1 s": (1, {"dialect": "none", "hint": "ms"}),
    "no headers, no hints, bucket of 1 s": (1, {"dialect": "none"}),
    "no headers, no hints, bucket of 60 s": (60, {"dialect": "none"}),
}


def measure(rounds: int) -> Table:
    """Ask for more than the time allows; look at the server's books at half time and at the end."""
    taken: dict[str, list[tuple[float, float]]] = {kind: [] for kind in _KINDS}
    with serving("benchmarks.limited") as url, workers(["nbconvo"] * len(_KINDS)) as clients:
        for _ in range(rounds):
            for kind, found in zip(_KINDS, _round(url, clients), strict=True):
                taken[kind].append(found)
    table = Table(
        "Limits that nobody told",
        f"nbconvo, told nothing, with {COUNT:,} requests at hand, on servers that allow {RPM:,} a "
        f"minute. The rate is that of the requests admitted from {SETTLING:g} to {LASTING:g} s "
        f"after the first, over the allowed one; refused are 429s over all requests sent. Aims: "
        f"90 % and 2 %. {rounds} rounds; min / median / max.",
        ("server", "rate, %", "refused, %"),
    )
    for kind, figures in taken.items():
        rate, refused = ([100 * each[at] for each in figures] for at in (0, 1))
        table.rows.append((kind, " / ".join(spread(rate, 1)), " / ".join(spread(refused, 1))))
    return table


def _round(url: str, clients: list[Worker]) -> list[tuple[float, float]]:
    """All servers at once; the share of the rate that is used, and of requests refused."""
    numbers = []
    for (holds, options), client in zip(_KINDS.values(), clients, strict=True):
        plan = Plan(
            "unknown",
            COUNT,
            (Limit("requests", RPM, holds=holds),),
            options=options,
            seed=random.randrange(2**31),
        )
        numbers.append(asked(f"{url}/open", asdict(plan))["number"])
        job = {"url": f"{url}/{numbers[-1]}/v1", "requests": None, "tokens": None}
        sizes = plan.sizes()
        client.begin("rates", plans=[{**job, "sizes": sizes, "start": 0, "seconds": LASTING + 1}])
    before = _looked_at(url, numbers, SETTLING)
    after = _looked_at(url, numbers, LASTING)
    for client in clients:
        client.result()
    allowed = RPM / 60 * (LASTING - SETTLING)
    return [
        (
            (late["admitted"] - early["admitted"]) / allowed,
            late["refused"] / max(1, late["refused"] + late["admitted"]),
        )
        for early, late in zip(before, after, strict=True)
    ]


def _looked_at(url: str, numbers: list[int], seconds: float) -> list[dict[str, Any]]:
    """The servers' reports, each so many seconds after its first request."""
    reports = [asked(f"{url}/{number}") for number in numbers]
    while any(not report["start"] for report in reports):
        time.sleep(0.05)
        reports = [asked(f"{url}/{number}") for number in numbers]
    found = []
    for number, report in zip(numbers, reports, strict=True):
        time.sleep(max(0.0, report["start"] + seconds - time.time()))
        found.append(asked(f"{url}/{number}"))
    return found
