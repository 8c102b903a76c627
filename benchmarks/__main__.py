"""``python -m benchmarks [TABLE ...] [--rounds N] [--write]``: measure, and show the tables."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from benchmarks.peers import DISTRIBUTIONS, PEERS, choose
from benchmarks.table import Table, machine

# In the order of the page. Those that take long or need a browser are chosen by name.
TABLES = ("requests", "kernel", "streaming", "rates", "unknown", "limiter", "fairness", "load_ext")
BY_NAME = ("instructions", "panel", "soak")
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

What nbconvo costs and how well it keeps to limits, beside its peers; `python -m benchmarks --write`
writes this page. Peers are used as their users would, each in a process of its own that the others
don't disturb; servers have their own, too. Clients take turns, and what counts is the ratio of CPU
times within one run: absolute times are this machine's and this hour's. To have the peers in the
tables, install them beside nbconvo:

```
pip install openai anthropic litellm langchain-openai aiolimiter pyrate-limiter lionagi
```
"""


def main() -> None:
    """Measure the chosen tables, print each when it is there, and write the page if told to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=", ".join((*TABLES, *BY_NAME)))
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (5)")
    parser.add_argument("--minutes", type=float, default=15.0, help="of the soak (15)")
    parser.add_argument("--write", action="store_true", help=f"write into docs/{PAGE.name}")
    parser.add_argument(
        "--peer", action="append", default=[], choices=PEERS, help="compare with this one only"
    )
    given = parser.parse_args()
    if given.rounds < 1:
        parser.error(f"--rounds must be 1 or more, not {given.rounds}")
    choose(given.peer)
    for name in given.tables:
        if name not in TABLES + BY_NAME:
            parser.error(f"no table {name!r}; there are {', '.join(TABLES + BY_NAME)}")
    for name in given.tables or TABLES:
        measure = import_module(f"benchmarks.{name}").measure
        more = {"minutes": given.minutes} if name == "soak" else {}
        table: Table = measure(given.rounds, **more)
        taken = f"{datetime.now(UTC):%Y-%m-%d}: {machine(DISTRIBUTIONS)}."
        section = f"{table.markdown()}\n{taken}\n"
        print(section, flush=True)
        if given.write:
            page = PAGE.read_text("utf-8") if PAGE.exists() else ""
            PAGE.write_text(placed(page, name, section), "utf-8")


def placed(page: str, name: str, section: str) -> str:
    """Return the page with a table's section in its place, instead of an older one."""
    parts = dict(re.findall(r"^<!-- (\w+) -->\n\n(.*?)(?=^<!-- |\Z)", page, re.M | re.S))
    parts[name] = f"{section}\n"
    order = [table for table in TABLES + BY_NAME if table in parts]
    body = "".join(f"<!-- {table} -->\n\n{parts[table].rstrip()}\n\n" for table in order)
    return f"{HEAD}\n{body.rstrip()}\n"


if __name__ == "__main__":
    main()
