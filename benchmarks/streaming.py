"""CPU that a client takes for a chunk of a stream, and how late it delivers it."""

from __future__ import annotations

from benchmarks.peers import found
from benchmarks.processes import serving, workers
from benchmarks.table import Table, spread

__all__ = ["measure"]

BASE = "aiohttp"
SHAPES = {  # model, streams at once
    "one stream, 1 ms apart": ("stream-600-1", 1),
    "50 streams, 20 ms apart": ("stream-60-20", 50),
    "one burst of 5,000": ("stream-5000-0", 1),
}


def measure(rounds: int) -> Table:
    """Take all clients in turn with each shape of stream, after one round to warm up."""
    names, missing = found("streaming")
    taken: dict[tuple[str, str], list[float]] = {}
    delays: dict[str, list[float]] = {name: [] for name in names}
    paced = next(iter(SHAPES))
    with serving("benchmarks.server") as url, workers(names) as clients:
        for turn in range(rounds + 1):
            for shape, (model, at_once) in SHAPES.items():
                for client in clients:
                    got = client.do("streams", url=f"{url}/v1", model=model, at_once=at_once)
                    if not turn:
                        continue
                    taken.setdefault((client.peer, shape), []).append(got["cpu"])
                    if shape == paced:
                        delays[client.peer].append(got["delay"])
    table = Table(
        "Streaming: CPU per chunk",
        f"CPU time of the client's process for each chunk that holds text, up to the text, as a "
        f"ratio to iterating over aiohttp's lines with the standard json module in the same "
        f"round. Delivery is the median time from the server's sending a chunk to the reader's "
        f"having it, with one stream 1 ms apart. Aims: 0.80, 0.95, 0.45, and no later than "
        f"aiohttp. {rounds} interleaved rounds; min / median / max.",
        ("client", *SHAPES, "delivery, µs"),
        notes=missing,
    )
    for name in names:
        ratios = [
            [a / b for a, b in zip(taken[name, shape], taken[BASE, shape], strict=True)]
            for shape in SHAPES
        ]
        microseconds = spread([delay * 1e6 for delay in delays[name]], 0)
        table.rows.append(
            (name, *(" / ".join(spread(each)) for each in ratios), " / ".join(microseconds))
        )
    base = ", ".join(f"{spread([c * 1e6 for c in taken[BASE, s]], 1)[1]} µs" for s in SHAPES)
    table.notes.append(f"1.00 is {base}.")
    return table
