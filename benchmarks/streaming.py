"""CPU that a client takes for a chunk of a stream, and how late it delivers it."""

from __future__ import annotations

from collections import defaultdict
from statistics import median

from benchmarks.peers import found
from benchmarks.processes import serving, workers
from benchmarks.requests import BASE, LIGHT
from benchmarks.table import Table, spread

__all__ = ["measure"]

LIGHT_SLICES = 4  # of a round
SHAPES = {  # model, streams at once
    "one stream, 1 ms apart": ("stream-600-1", 1),
    "50 streams, 20 ms apart": ("stream-60-20", 50),
    "one burst of 5,000": ("stream-5000-0", 1),
}

PACED = next(iter(SHAPES))


def measure(rounds: int) -> Table:
    """Take all clients in turn with each shape of stream, after one round to warm up."""
    names, missing = found("streaming")
    ratios: dict[tuple[str, str], list[float]] = defaultdict(list)
    cpus: dict[str, list[float]] = defaultdict(list)
    delays: dict[str, list[float]] = defaultdict(list)
    with serving("benchmarks.server") as url, workers(names) as clients:
        base = clients[names.index(BASE)]
        for turn in range(rounds + 1):
            for shape, (model, at_once) in SHAPES.items():
                job = {"url": f"{url}/v1", "model": model, "at_once": at_once}
                for client in clients:
                    slices = LIGHT_SLICES if client.peer.startswith(LIGHT) and turn else 1
                    pairs = [
                        (base.do("streams", **job), client.do("streams", **job))
                        for _ in range(slices)
                    ]
                    if not turn:
                        continue
                    there, own = (
                        sum(one["cpu"] for one in side) for side in zip(*pairs, strict=True)
                    )
                    ratios[client.peer, shape].append(own / there)
                    cpus[shape].append(there / slices)
                    if shape == PACED:
                        delays[client.peer].append(median(one["delay"] for _, one in pairs))
    table = Table(
        "Streaming: CPU per chunk",
        f"CPU time of the client's process for each chunk that holds text, up to the text, as a "
        f"ratio to iterating over aiohttp's lines with the standard json module, measured in turn "
        f"with it; the first row shows the noise. Delivery is the median time from the server's "
        f"sending a chunk to the reader's having it, with one stream 1 ms apart. Aims: 0.80, 0.95, "
        f"0.45, and no later than aiohttp. nbconvo is told a limit that is never reached: its "
        f"streams begin together, as the others' do. {rounds} interleaved rounds; min / median / "
        f"max.",
        ("client", *SHAPES, "delivery, µs"),
        notes=missing,
    )
    for name in names:
        shown = [" / ".join(spread(ratios[name, shape])) for shape in SHAPES]
        late = spread([delay * 1e6 for delay in delays[name]], 0)
        table.rows.append((name, *shown, " / ".join(late)))
    ones = ", ".join(f"{spread([cpu * 1e6 for cpu in cpus[shape]], 1)[1]} µs" for shape in SHAPES)
    table.notes.append(f"1.00 is {ones}.")
    return table
