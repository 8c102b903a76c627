"""``await session.ask()`` as in a notebook: bridge, tree, limiter, and a log on disk."""

from __future__ import annotations

import tempfile

import nbconvo
from benchmarks.peers.base import Peer, Told
from benchmarks.peers.ours import UNLIMITED, service

__all__ = ["Client"]


class Client(Peer):
    """Asks sessions that nobody else is asking just now; each begins afresh every time.

    So all requests are of one size; else it is what ``ask()`` does.
    """

    unlimited = UNLIMITED

    def __init__(self, url: str, told: Told) -> None:
        super().__init__(url, told)
        self._service = service(url, told)
        self._dir = tempfile.TemporaryDirectory()
        self._idle: list[nbconvo.Session] = []

    async def ask(self, model: str, text: str, max_tokens: int) -> str:
        session = self._idle.pop() if self._idle else self._new(model)
        reply = await session.initiate(text, max_tokens=max_tokens)
        self._idle.append(session)
        return str(reply)

    async def close(self) -> None:
        nbconvo.sessions.close()
        self._idle.clear()
        self._dir.cleanup()

    def _new(self, model: str) -> nbconvo.Session:
        return nbconvo.Session(service=self._service, model=model, dir=self._dir.name)
