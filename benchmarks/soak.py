"""Whether memory, tasks, sockets or files grow in a quarter of an hour at 100 in flight."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import time
from contextlib import aclosing
from pathlib import Path

from benchmarks.peers.base import KEY
from benchmarks.processes import serving
from benchmarks.table import Table
from nbconvo.client import Client
from nbconvo.errors import NbConvoError
from nbconvo.messages import Message
from nbconvo.services import ChatService

__all__ = ["measure"]

IN_FLIGHT = 100
MODELS = ("whole-500", "stream-20-50", "stream-200-0")
_LEFT = 0.02  # the share of streams that their reader leaves early
_BREAK = 0.01  # the share that is cancelled, wherever it is


def measure(rounds: int, minutes: float = 15.0) -> Table:
    """Ask for whole replies and streams, leave some early, cancel some; once, whatever rounds."""
    table = Table(
        "Soak",
        f"{IN_FLIGHT} requests in flight for {minutes:g} minutes, on an account with limits that "
        f"are not reached: whole replies and streams; {_LEFT:.0%} of the streams are left early, "
        f"{_BREAK:.0%} of all are cancelled. Resident memory in MB, tasks, sockets and files of "
        f"the process; the last row is after the client was closed. Aim: memory flat within 5 MB "
        f"after the first minute, nothing left at the end.",
        ("minute", "memory, MB", "tasks", "sockets", "other files", "requests"),
    )
    with serving("benchmarks.server") as url:
        asyncio.run(_soak(f"{url}/v1", minutes, table))
    return table


async def _soak(url: str, minutes: float, table: Table) -> None:
    done = [0]
    table.rows.append(("before", *_state(done)))
    client = Client()
    service = ChatService(
        api_key=KEY,
        base_url=url,
        max_requests_per_minute=1e6,
        max_tokens_per_minute=1e9,
        max_concurrent=IN_FLIGHT,
    )
    until = time.monotonic() + minutes * 60
    asking = [
        asyncio.create_task(_keep_asking(client, service, until, done)) for _ in range(IN_FLIGHT)
    ]
    began = time.monotonic()
    minute = 0.0
    while minute < minutes:
        step = min(1.0, minutes - minute)
        minute += step
        await asyncio.sleep(max(0.0, began + minute * 60 - time.monotonic() - 0.5))
        table.rows.append((f"{minute:g}", *_state(done)))
    await asyncio.gather(*asking)
    usage = client.limiter(service).usage()
    await client.close()
    await asyncio.sleep(0.1)  # transports close at the loop's next turn
    table.rows.append(("closed", *_state(done)))
    table.notes.append(
        f"At the end {usage.in_flight} in flight and {usage.queued} queued by the limiter's books."
    )


async def _keep_asking(client: Client, service: ChatService, until: float, done: list[int]) -> None:
    while time.monotonic() < until:
        asking = asyncio.create_task(_ask(client, service))
        if random.random() < _BREAK:
            await asyncio.sleep(random.random())
            asking.cancel()
        await asyncio.wait([asking])
        if not asking.cancelled() and (error := asking.exception()):
            raise error
        done[0] += 1


async def _ask(client: Client, service: ChatService) -> None:
    model = random.choice(MODELS)
    asked = [Message(role="user", content="Tell me something about whales, please.")]
    options = {"stream": True} if model.startswith("stream") else {}
    left_at = random.randrange(8) if random.random() < _LEFT else None
    try:
        async with aclosing(client.stream(service, asked, model, options)) as batches:
            place = 0
            async for _ in batches:
                if place == left_at:
                    break
                place += 1
    except NbConvoError as error:
        raise RuntimeError(f"{model}: {error}") from error


def _state(done: list[int]) -> tuple[str, ...]:
    """What the process holds, for a row."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    memory = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    kinds = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            kinds.append(os.readlink(link).startswith("socket:"))
        except FileNotFoundError:  # the one that lists them
            continue
    tasks = len(asyncio.all_tasks())
    figures = (tasks, sum(kinds), len(kinds) - sum(kinds), done[0])
    return (f"{memory:.1f}", *(f"{figure:,}" for figure in figures))
