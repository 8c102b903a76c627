"""A streamed reply, from the bytes of its response to deltas."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from contextlib import suppress
from time import monotonic
from typing import Any

import aiohttp

from nbconvo.client.encoding import decoded_all
from nbconvo.client.http import Response
from nbconvo.client.own import broken
from nbconvo.client.patience import Link
from nbconvo.client.pieces import Pieces
from nbconvo.client.reading import check, cut, object_of
from nbconvo.client.ready import Ready
from nbconvo.errors import ProtocolError, ServiceError
from nbconvo.messages import Delta
from nbconvo.services import BaseService
from nbconvo.sse import Decoder

__all__ = ["Streamed"]

_DONE = b"[DONE]"
_LAST_BYTES = 0.1  # seconds that a service has to end a response whose reply is complete


class Streamed:
    """The reply that a stream brings, one buffer of bytes after the other.

    It is complete when a ``finish_reason`` was seen of each alternative, not when it
    merely ends.

    Args:
        ready: What was asked.
        response: Where the stream comes from.
        link: Told when the reply begins.
    """

    __slots__ = ("_decoder", "_ended", "_error", "_link", "_pieces", "_ready",
                 "_response")  # fmt: skip

    def __init__(self, ready: Ready, response: Response, link: Link) -> None:
        self._ready = ready
        self._response = response
        self._link = link
        self._decoder = Decoder()
        self._pieces = Pieces()
        self._error: Exception | None = None
        self._ended = False

    async def next(self) -> list[Delta] | None:
        """Return the deltas that the next bytes bring, perhaps none; ``None`` at the end.

        Raises:
            StreamCut: If the stream ends before its reply does.
            ProtocolError: If what came is no reply.
            ServiceError: If an event reports a failure; the deltas before it were returned.
        """
        if (self._error is not None or self._ended) and (rest := self._pieces.rest()):
            return rest
        if self._error is not None:
            self._fail(self._error)
            return None
        if self._ended:
            await self._finish()
            return None
        self._link.heard = monotonic()
        try:
            data = await self._response.chunk()
        except (aiohttp.ClientError, TimeoutError, ServiceError) as error:
            self._error = error
            return []
        finally:
            self._link.heard = math.inf
        if data:
            return self._deltas(self._decoder.data(data))
        self._ended = True
        return self._deltas(self._decoder.end_data())

    def _deltas(self, values: list[bytes]) -> list[Delta]:
        """Return the deltas of events; what one of them reports is raised next time."""
        found: list[Delta] = []
        if not values:
            return found
        if values[-1] == _DONE:
            self._ended = True
            values.pop()
        joined = self._pieces.joined
        try:
            for delta in self._ready.service.together(self._events(values)):
                if (piece := joined(delta)) is not None:
                    found.append(piece)
        except Exception as error:  # a user's own service may raise anything
            self._error = broken(self._ready.service, "deltas", error)
        return found

    def _events(self, values: list[bytes]) -> list[dict[str, Any]]:
        """Return the events up to one that reports a failure."""
        service = self._ready.service
        found: list[dict[str, Any]] = []
        events = decoded_all(values)
        try:
            one_by_one = self._one_by_one(values) if events is None else events
            for place, event in enumerate(one_by_one):
                if type(event) is not dict:
                    event = object_of(service, values[place])
                if "error" in event:
                    check(service, self._response, event, self._ready.model)
                found.append(event)
        except ServiceError as error:
            self._error = error
        if found:
            self._link.begun = True
        return found

    def _one_by_one(self, values: list[bytes]) -> Iterator[dict[str, Any]]:
        for value in values:
            if (said := value.strip()) == _DONE:
                self._ended = True
                return
            if said:  # else it only keeps the connection alive
                yield object_of(self._ready.service, value)

    def _fail(self, error: Exception) -> None:
        # What comes after the end of the reply cannot harm it, nor can its not coming.
        of_the_service = isinstance(error, aiohttp.ClientError | TimeoutError | ServiceError)
        if of_the_service and self._pieces.complete(self._ready.replies):
            return
        is_cut = isinstance(error, aiohttp.ClientError) and not isinstance(error, TimeoutError)
        if self._link.begun and is_cut:
            raise cut(self._ready.service) from None
        raise error from error.__cause__

    async def _finish(self) -> None:
        await self._read_to_end()
        # Of a stream that ends well no more is to come: some services give one reply for any n.
        if not self._pieces.complete(1):
            service = self._ready.service
            raise cut(service) if self._link.begun else _no_reply(service, self._response)

    async def _read_to_end(self) -> None:
        """Read the end of the response: a connection with a rest in it serves no other request."""
        if self._response.read:
            return
        with suppress(aiohttp.ClientError, TimeoutError):
            async with asyncio.timeout(_LAST_BYTES):
                while await self._response.chunk():
                    pass


def _no_reply(service: BaseService, response: Response) -> ServiceError:
    if response.content_type == "text/event-stream":
        return cut(service)
    return ProtocolError(
        f"{service.name}: sent {response.content_type}, not a reply; is base_url right?"
    )
