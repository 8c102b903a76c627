"""How long ``%load_ext nbconvo`` takes in a fresh kernel, beside what it does not import.

``python benchmarks/load_ext.py [ROUNDS]`` starts a kernel for each figure, in interleaved rounds,
runs a first cell so that IPython is up, and times one statement in the next.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
from importlib.metadata import version

from jupyter_client.manager import start_new_kernel

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


def milliseconds(statement: str) -> float:
    """Return how long ``statement`` takes in a kernel that has run one cell."""
    manager, client = start_new_kernel(kernel_name="python3")
    said: list[str] = []

    def listen(message: dict) -> None:
        if message["msg_type"] == "stream":
            said.append(message["content"]["text"])

    try:
        client.execute_interactive("1 + 1", output_hook=listen)
        client.execute_interactive(TIMED.format(statement=statement), output_hook=listen)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return float(said[-1])


def main(rounds: int) -> None:
    """Print the table."""
    times: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    for _ in range(rounds):
        for name, statement in STATEMENTS.items():
            times[name].append(milliseconds(statement))
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, ",
        end="",
    )
    print(
        ", ".join(f"{name} {version(name)}" for name in ("ipython", "ipykernel", "aiohttp")), end=""
    )
    print(f"; {rounds} interleaved rounds; milliseconds\n")
    print("| | min | median | max | ratio |\n|---|--:|--:|--:|--:|")
    base = statistics.median(times["%load_ext nbconvo"])
    for name, taken in times.items():
        least, median, most = min(taken), statistics.median(taken), max(taken)
        print(f"| `{name}` | {least:.1f} | {median:.1f} | {most:.1f} | {median / base:.1f} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
