"""How long a ``%%ask`` takes in a real kernel, over the request that it makes."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jupyter_client.manager import start_new_kernel

from benchmarks.peers.base import KEY
from benchmarks.processes import serving
from benchmarks.table import Table, spread

__all__ = ["measure"]

TIMES = 20  # that each cell runs in a round
TEXT = "Tell me something about whales, please, in a sentence or two."
ASK = f"%%ask whale\n{TEXT}"
BARE = "bare()"
ACROSS = "across()"
SHOWN = "across(); handle = display(output, raw=True, display_id=True)"
CELLS = {
    ASK: "`%%ask`",
    BARE: "bare request",
    ACROSS: "the same on the I/O thread",
    SHOWN: "the same there, and an output",
    f"reply = nbconvo.run(whale.ask({TEXT!r}))": "`nbconvo.run(session.ask())`",
    f"%%ask whale --quiet\n{TEXT}": "`%%ask --quiet`",
}
SETUP = """
%load_ext nbconvo
import http.client, json, nbconvo, os, time
from urllib.parse import urlsplit

taken = {}
def began(info):
    taken["began"] = time.perf_counter()
def ended(result):
    taken.setdefault(result.info.raw_cell, []).append(time.perf_counter() - taken["began"])
get_ipython().events.register("pre_run_cell", began)
get_ipython().events.register("post_run_cell", ended)

connection = http.client.HTTPConnection(urlsplit(os.environ["OPENAI_BASE_URL"]).netloc)
body = json.dumps({
    "model": "stream-9-0",
    "messages": [{"role": "user", "content": "Tell me something about whales, please."}],
    "stream": True,
})
def bare():
    connection.request("POST", "/v1/chat/completions", body)
    connection.getresponse().read()
def across():
    async def there():
        bare()
    nbconvo.run(there())
"""
SESSION = "%session whale --service openai --model stream-9-0"
OUTPUT = "output = whale.last._repr_mimebundle_()"


class Kernel:
    """A kernel whose service ``openai`` is a server on loopback."""

    def __init__(self, url: str) -> None:
        environment = {**os.environ, "OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": KEY}
        self._manager, self._client = start_new_kernel(kernel_name="python3", env=environment)
        self._said: list[str] = []

    def run(self, cell: str) -> str:
        """Run a cell and return what it printed; raise RuntimeError if it fails."""
        self._said.clear()
        reply = self._client.execute_interactive(cell, output_hook=self._listen)
        if reply["content"]["status"] != "ok":
            raise RuntimeError(f"{cell!r} failed: {reply['content'].get('evalue')}")
        return "".join(self._said)

    def close(self) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)

    def _listen(self, message: dict[str, Any]) -> None:
        if message["msg_type"] == "stream":
            self._said.append(message["content"]["text"])


@contextmanager
def running(url: str) -> Iterator[Kernel]:
    """Run a kernel."""
    kernel = Kernel(url)
    try:
        yield kernel
    finally:
        kernel.close()


def measure(rounds: int) -> Table:
    """Run cells of all kinds in turn, in one kernel, after one round to warm up."""
    found: dict[str, list[float]] = {cell: [] for cell in CELLS}
    with serving("benchmarks.server") as url, running(url) as kernel:
        for cell in (SETUP, SESSION, ASK, OUTPUT):
            kernel.run(cell)
        for turn in range(rounds + 1):
            kernel.run("taken.clear()")
            for _ in range(TIMES):
                for cell in CELLS:
                    kernel.run("%convo reset whale")  # each has had the same cell before it
                    kernel.run(cell)
            times = json.loads(kernel.run("print(json.dumps(taken))"))
            for cell, each in found.items():
                if turn:
                    each.append(1000 * statistics.median(times[cell]))
    return _table(found, rounds)


def _table(found: dict[str, list[float]], rounds: int) -> Table:
    table = Table(
        "`%%ask` in a kernel",
        f"Milliseconds that a cell runs in a real kernel, from its begin to its end, its reply "
        f"streamed in 9 deltas and shown: medians of {TIMES} cells in each of {rounds} rounds. The "
        f"bare request is the same over `http.client`. Aim: less than 2 ms over it.",
        ("cell", "min", "median", "max"),
    )
    table.rows += [(CELLS[cell], *spread(each)) for cell, each in found.items()]
    table.rows += [
        ("`%%ask` over the bare request", *spread(_over(found[ASK], found[BARE]))),
        ("`%%ask` over the same with an output", *spread(_over(found[ASK], found[SHOWN]))),
    ]
    table.notes.append(
        "The bare request runs on the kernel's main thread, and nothing is made of its reply. Part "
        "of what an ask takes beyond it is no work of ours: another thread is woken for the "
        "request, and wakes the main one; and for an output ipykernel flushes both streams, each "
        "time waiting for the thread that sends to the page. With both the bare request takes as "
        "long as an ask could at best."
    )
    return table


def _over(cell: list[float], other: list[float]) -> list[float]:
    return [a - b for a, b in zip(cell, other, strict=True)]
