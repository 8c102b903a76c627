"""A reply that comes in one piece, from its JSON to deltas."""

from __future__ import annotations

import math
from time import monotonic

import aiohttp

from nbconvo.client.http import Response
from nbconvo.client.own import broken
from nbconvo.client.patience import Link
from nbconvo.client.pieces import clean, guarded, held_back
from nbconvo.client.reading import check, cut, object_of
from nbconvo.client.ready import Ready
from nbconvo.errors import ProtocolError
from nbconvo.keys import Guard
from nbconvo.messages import Delta

__all__ = ["Whole"]


class Whole:
    """The reply that a response holds as JSON.

    Args:
        ready: What was asked.
        response: What holds it.
        link: Told when the reply begins.
    """

    __slots__ = ("_link", "_ready", "_response", "_was_read")

    def __init__(self, ready: Ready, response: Response, link: Link) -> None:
        self._ready = ready
        self._response = response
        self._link = link
        self._was_read = False

    async def next(self) -> list[Delta] | None:
        """Return the deltas of the reply, all at once; ``None`` after that.

        Raises:
            StreamCut: If the response ends before the reply does.
            ProtocolError: If what came is no reply.
            ServiceError: If it reports a failure.
        """
        if self._was_read:
            return None
        self._was_read = True
        self._link.begun = True  # it is answered, and is paid for
        return self._deltas(await self._body())

    async def _body(self) -> bytes:
        link, response = self._link, self._response
        link.heard = monotonic()
        try:
            chunks = [await response.chunk()]
            while not response.read:
                link.heard = monotonic()
                chunks.append(await response.chunk())
        except aiohttp.ClientError:
            raise cut(self._ready.service) from None
        finally:
            link.heard = math.inf
        return b"".join(chunks)

    def _deltas(self, body: bytes) -> list[Delta]:
        service, guard = self._ready.service, Guard()
        said = object_of(service, body)
        if "error" in said:
            check(service, self._response, said, self._ready.model)
        try:
            found = [guarded(guard, clean(delta)) for delta in service.reply(said)]
        except Exception as error:  # a user's own service may raise anything
            raise (failed := broken(service, "reply", error)) from failed.__cause__
        for delta in found:
            if delta.finish_reason:
                return found + held_back(guard) if guard.held else found
        raise ProtocolError(f"{service.name}: the response holds no reply")
