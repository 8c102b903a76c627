"""How much of an allowed rate a client uses, and how often it is refused."""

from __future__ import annotations

import json
import random
import urllib.request
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from benchmarks.peers import found
from benchmarks.plans import Plan
from benchmarks.processes import Worker, serving, workers
from benchmarks.table import Table, spread
from nbconvo.testing.limits import Limit

__all__ = ["asked", "measure", "outcomes"]

RPM, TPM = 1200, 920_000  # the same number of requests a minute, at the sizes that are asked for
PATIENCE = 130  # seconds after which what is unfinished is given up

_SECOND = Limit("requests", RPM, holds=1)
_NO_HEADERS = {"dialect": "none", "other": 0.5}

# Those of a group run at the same time. The second group has the bursts of a minute's amount.
STEADY = (
    Plan("requests, bucket of 1 s", 600, (_SECOND,), RPM),
    Plan("tokens, bucket of 1 s", 600, (Limit("tokens", TPM, holds=1),), None, TPM),
    Plan("half taken by another", 300, (_SECOND,), RPM, options={"other": 0.5}),
    Plan("half taken, no headers", 300, (_SECOND,), RPM, options=_NO_HEADERS),
    Plan("4 % faults", 600, (_SECOND,), RPM, faults=0.04),
    Plan("30 s answers, 600 in flight", 900, (_SECOND,), RPM, latency=30),
    Plan(
        "requests a day, tokens a minute (Groq)",
        500,
        (Limit("tokens", TPM, holds=1), Limit("requests", 1000, 86_400)),
        tokens=TPM,
        options={"dialect": "groq"},
    ),
    Plan(
        "input and output apart (Anthropic)",
        600,
        (_SECOND, Limit("input", 30_000), Limit("output", TPM * 0.8, holds=10)),
        RPM,
        options={"dialect": "anthropic"},
        uses=(0.3, 0.9),
    ),
)
BURSTS = (
    Plan("requests, bucket of 60 s", 850, (Limit("requests", RPM / 2),), RPM / 2),
    Plan("tokens, bucket of 60 s", 850, (Limit("tokens", TPM / 2),), None, TPM / 2),
    Plan(
        "tokens, refunds",
        1000,
        (Limit("tokens", TPM / 3),),
        tokens=TPM / 3,
        options={"refunds": True},
        uses=(0.3, 0.9),
    ),
    Plan("sliding window", 850, (Limit("requests", RPM / 2, kind="sliding"),), RPM / 2),
    # It lasts one to two minutes, whenever in a minute it begins: just before the end of one there
    # would be next to nothing to measure.
    Plan("clock minute", 1250, (Limit("requests", RPM / 2, kind="fixed"),), RPM / 2),
    Plan(
        "half taken, bucket of 60 s",
        750,
        (Limit("requests", RPM / 2),),
        RPM / 2,
        options={"other": 0.5},
    ),
)
COLUMNS = (
    "scenario",
    "client",
    "share, %",
    "rate kept, %",
    "refused",
    "lost",
    "twice",
    "other's refused, %",
)
APART = 3.0  # seconds between the bursts, that they do not wait for each other


def measure(rounds: int) -> Table:
    """Take all clients in turn; each does all scenarios of a group at once, with new seeds."""
    names, missing = found("rates")
    taken: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    chance = random.Random()
    with serving("benchmarks.limited") as url, workers(names) as clients:
        for _ in range(rounds):
            for group, apart in ((STEADY, 0.0), (BURSTS, APART)):
                plans = [_reserving(replace(p, seed=chance.randrange(2**31))) for p in group]
                for client in clients:
                    for plan, outcome in zip(
                        plans, outcomes(url, client, plans, apart), strict=True
                    ):
                        taken[plan.name, client.peer].append(outcome)
    table = Table(
        "Limits: share of the allowed rate, and refusals",
        f"Requests of lognormal sizes, all asked for at once by a client that is told the limit, "
        f"on servers with different books. The share is the least time in which one who knows the "
        f"server could have had all of them admitted, over the time that it took; the rate kept is "
        f"the amount asked for over what the limit allows in that time, bursts left aside. "
        f"It stands only where all were answered. Refused counts "
        f"429s, lost what the client gave up or had not done after {PATIENCE} s, twice what it "
        f"asked for after it had been answered; a share above 100 is what another client went "
        f"without, whose refused requests are in the last column. {rounds} rounds with seeds of "
        f"their own; min / median / max.",
        COLUMNS,
        notes=missing,
    )
    for plan in (*STEADY, *BURSTS):
        for name in names:
            table.rows.append((plan.name, name, *_cells(taken[plan.name, name])))
    return table


def outcomes(
    url: str, client: Worker, plans: Sequence[Plan], apart: float = 0.0
) -> list[dict[str, Any]]:
    """Let a client do some plans at once; return what the server and the client saw of each."""
    numbers = [asked(f"{url}/open", asdict(plan))["number"] for plan in plans]
    jobs = [
        {
            "url": f"{url}/{number}/v1",
            "requests": plan.requests,
            "tokens": plan.tokens,
            "sizes": plan.sizes(),
            "start": place * apart,
            "seconds": PATIENCE,
        }
        for place, (number, plan) in enumerate(zip(numbers, plans, strict=True))
    ]
    seen = client.do("rates", plans=jobs)["outcomes"]
    reports = [asked(f"{url}/{number}") for number in numbers]
    return [
        {**told, **report, "kept": plan.rate_kept(max(report["seconds"], 1e-3))}
        for told, report, plan in zip(seen, reports, plans, strict=True)
    ]


def asked(url: str, body: Any = None) -> dict[str, Any]:
    """Ask the server itself: post ``body``, or get."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data)) as response:
        found: dict[str, Any] = json.load(response)
    return found


def _reserving(plan: Plan) -> Plan:
    """Let limits on tokens take prompt and reply together, as all clients reckon."""
    return replace(plan, options={"reserves": "sum", **plan.options})


def _cells(outcomes: Sequence[dict[str, Any]]) -> list[str]:
    whole = [each for each in outcomes if not each["lost"] and not each["unfinished"]]
    share = [100 * each["best"] / max(each["seconds"], 1e-3) for each in whole]
    kept = [100 * each["kept"] for each in whole]
    refused = [each["refused"] for each in outcomes]
    lost = [each["lost"] + each["unfinished"] for each in outcomes]
    twice = [each["twice"] for each in outcomes]
    others = [100 * each["other_refused"] for each in outcomes]
    return [
        " / ".join(spread(share, 1)) if whole else "",
        spread(kept, 1)[1],
        " / ".join(spread(refused, 0)),
        " / ".join(spread(lost, 0)) if any(lost) else "0",
        " / ".join(spread(twice, 0)) if any(twice) else "0",
        spread(others, 0)[1] if any(others) else "",
    ]
