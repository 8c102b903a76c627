"""A client in a process of its own: ``python -m benchmarks.worker PEER``.

Each line on standard input is a job as a JSON object; the answer is a line on standard output.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.peers import Peer, Told, peer_class

__all__ = ["main"]

_TEXT = "Tell me something about whales, please, in a sentence or two."


class Jobs:
    """What a worker can be told to do with its peer; a connection stays open from job to job."""

    def __init__(self, peer: type[Peer]) -> None:
        self._peer = peer
        self._peers: dict[str, Peer] = {}

    async def requests(self, url: str, model: str, count: int, at_once: int) -> dict[str, float]:
        """Ask ``count`` times, ``at_once`` at a time; return CPU seconds per request."""
        peer = self._at(url)
        began = time.process_time()
        for _ in range(count // at_once):
            if at_once == 1:
                await peer.ask(model, _TEXT, 100)
            else:
                await asyncio.gather(*[peer.ask(model, _TEXT, 100) for _ in range(at_once)])
        return {"cpu": (time.process_time() - began) / count}

    async def streams(self, url: str, model: str, at_once: int) -> dict[str, float]:
        """Read so many streams at once.

        Returns:
            CPU seconds per chunk, how many came, and the median of the seconds from sending to
            delivery.
        """
        peer = self._at(url)
        began = time.process_time()
        found = await asyncio.gather(*[_read(peer, model) for _ in range(at_once)])
        cpu = time.process_time() - began
        delays = [delay for each in found for delay in each]
        return {
            "cpu": cpu / len(delays),
            "chunks": len(delays),
            "delay": statistics.median(delays),
        }

    async def rates(self, plans: list[dict[str, Any]]) -> dict[str, Any]:
        """Ask for many replies at each of several limited servers, all at once.

        Returns:
            For each plan, how many were answered, and how many were lost or unfinished.
        """
        return {"outcomes": await asyncio.gather(*[self._rate(**plan) for plan in plans])}

    async def _rate(
        self,
        url: str,
        requests: float | None,
        tokens: float | None,
        sizes: list[int],
        start: float,
        seconds: float,
    ) -> dict[str, int]:
        await asyncio.sleep(start)
        peer = self._peer(url, Told(requests, tokens))
        asked = [
            asyncio.create_task(peer.ask("limited", f"row {row}", size))
            for row, size in enumerate(sizes)
        ]
        await asyncio.wait(asked, timeout=seconds)
        unfinished = [task for task in asked if not task.done()]
        for task in unfinished:
            task.cancel()
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        await peer.close()
        answered = sum(isinstance(outcome, str) for outcome in outcomes)
        lost = len(asked) - len(unfinished) - answered
        return {"answered": answered, "lost": lost, "unfinished": len(unfinished)}

    async def close(self) -> None:
        """Close what the jobs have left open."""
        for peer in self._peers.values():
            await peer.close()

    def _at(self, url: str) -> Peer:
        if url not in self._peers:
            self._peers[url] = self._peer(url, self._peer.unlimited)
        return self._peers[url]


async def _read(peer: Peer, model: str) -> list[float]:
    """Return for each delta of a stream the seconds from when the server sent it.

    Where a peer joins several into one, the first counts: the others came too late.
    """
    delays = []
    async for text in peer.stream(model, _TEXT):
        now = time.monotonic()
        delays += [now - float(moment) for moment in text.split()]
    return delays


async def main(name: str) -> None:
    """Do jobs until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the peer prints must not mix with the answers
    jobs = Jobs(peer_class(name))
    while line := await asyncio.to_thread(sys.stdin.readline):
        given = json.loads(line)
        job: Callable[..., Awaitable[dict[str, Any]]] = getattr(jobs, given.pop("job"))
        try:
            found = await job(**given)
        except Exception as error:  # told to whoever asked
            found = {"error": repr(error)}
        answers.write(json.dumps(found) + "\n")
        answers.flush()
    await jobs.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
