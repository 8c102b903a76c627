"""Instructions that a client runs for a request and a chunk: what no noise of a machine changes.

Takes some 20 minutes: valgrind is slow.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.peers import found
from benchmarks.processes import Worker, serving
from benchmarks.requests import LIGHT, STREAMED
from benchmarks.table import Table

__all__ = ["measure"]

_COUNT, _COLLECTED = 200, re.compile(r"Collected : (\d+)")
# Slower by the fifty than without valgrind: chunks further apart, so that none come together.
_STREAMS = {"one stream": ("stream-200-5", 1, 200), "50 streams": ("stream-20-200", 50, 1000),
            "burst": ("stream-2000-0", 1, 2000)}  # fmt: skip


def measure(rounds: int) -> Table:
    """Take each client once with each shape: further rounds would count the same within 1 %."""
    names, missing = found("requests")
    shown = [name for name in names if name.startswith(LIGHT)]
    table = Table(
        "Client: instructions",
        "Thousands of instructions in user space (callgrind) for one small chat completion, and "
        "for each chunk of a stream, with the ratio to plain aiohttp: what the tables of CPU time "
        "show without the noise, and without what the kernel does for both. A call of a Python "
        "function is some 500 to 1,000. `ask()` has its reply streamed, in 9 deltas, as have the "
        "two rows before it.",
        ("client", "1 at once", "100 at once", *_STREAMS),
        notes=missing,
    )
    if shutil.which("valgrind") is None:
        table.notes.append("valgrind is not installed.")
        return table
    base: dict[str, float] = {}
    with serving("benchmarks.server") as url:
        for name in shown:
            cells = []
            for shape, job, count in _jobs(name, f"{url}/v1"):
                each = _instructions(name, job) / count / 1e3
                first = base.setdefault(shape, each)
                cells.append(f"{each:,.1f} ({each / first:.2f})")
            cells += [""] * (len(table.columns) - 1 - len(cells))  # it takes no part in the others
            table.rows.append((name, *cells))
    return table


def _jobs(peer: str, url: str) -> list[tuple[str, dict[str, Any], int]]:
    model = STREAMED.get(peer, "whole")
    jobs = [
        (f"{at_once}", {"job": "requests", "url": url, "model": model, "count": _COUNT,
                        "at_once": at_once}, _COUNT)
        for at_once in (1, 100)
    ]  # fmt: skip
    if peer not in STREAMED:
        jobs += [
            (shape, {"job": "streams", "url": url, "model": model, "at_once": at_once}, count)
            for shape, (model, at_once, count) in _STREAMS.items()
        ]
    return jobs


def _instructions(peer: str, job: dict[str, Any]) -> int:
    """Return what doing the job takes once it was done before."""
    once, twice = (_collected(peer, job, times) for times in (1, 2))
    return twice - once


def _collected(peer: str, job: dict[str, Any], times: int) -> int:
    with tempfile.TemporaryDirectory() as directory:
        said = Path(directory) / "callgrind"
        under = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                 f"--log-file={said}")  # fmt: skip
        with Worker(peer, under) as worker:
            for _ in range(times):
                worker.do(**job)
        collected = _COLLECTED.search(said.read_text())
        assert collected is not None
        return int(collected[1])
