"""How long ``%load_ext nbconvo`` takes in a fresh kernel, beside what it does not import."""

from __future__ import annotations

import statistics

from benchmarks.kernel import running
from benchmarks.table import Table, spread

__all__ = ["measure"]

STATEMENTS = {
    "%load_ext nbconvo": "get_ipython().run_line_magic('load_ext', 'nbconvo')",
    "import aiohttp": "import aiohttp",
    "import ipywidgets": "import ipywidgets",
}
TIMED = """
import time
began = time.perf_counter()
{statement}
print((time.perf_counter() - began) * 1000)
"""


def measure(rounds: int) -> Table:
    """Start a kernel for each figure, run a first cell so that IPython is up, time the next."""
    times: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    for _ in range(rounds):
        for name, statement in STATEMENTS.items():
            with running("http://127.0.0.1:9") as kernel:
                kernel.run("1 + 1")
                times[name].append(float(kernel.run(TIMED.format(statement=statement))))
    table = Table(
        "`%load_ext nbconvo`",
        f"Milliseconds in the second cell of a fresh kernel. {rounds} interleaved rounds.",
        ("", "min", "median", "max", "ratio"),
    )
    base = statistics.median(times["%load_ext nbconvo"])
    for name, taken in times.items():
        ratio = f"{statistics.median(taken) / base:.1f}"
        table.rows.append((f"`{name}`", *spread(taken, 1), ratio))
    return table
