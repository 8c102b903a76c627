"""A response to deltas, or to the error that it stands for."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urljoin

import aiohttp

from nbconvo.client.encoding import decoded, decoded_all
from nbconvo.client.http import Response
from nbconvo.client.own import broken
from nbconvo.client.patience import Link
from nbconvo.client.pieces import Pieces, clean
from nbconvo.client.ready import Ready
from nbconvo.errors import ProtocolError, ServiceError, StreamCut
from nbconvo.messages import Delta
from nbconvo.services import BaseService
from nbconvo.services.checks import shown_url
from nbconvo.services.failures import status_of
from nbconvo.sse import Decoder

__all__ = ["Reading", "failure_of", "object_of", "redirected"]

_LONGEST_ERROR = 65536  # bytes of an error body that are read
_DONE = b"[DONE]"
_LAST_BYTES = 0.1  # seconds that a service has to end a response whose reply is complete


class Reading:
    """The reply that a response brings, streamed or whole, one buffer of bytes after the other.

    A stream is complete when a ``finish_reason`` was seen of each alternative, not when it
    merely ends.

    Args:
        ready: What was asked.
        response: Where the stream comes from.
        link: Told when the reply begins.
    """

    __slots__ = (
        "_decoder",
        "_ended",
        "_error",
        "_is_whole",
        "_link",
        "_now",
        "_pieces",
        "_ready",
        "_response",
    )

    def __init__(self, ready: Ready, response: Response, link: Link) -> None:
        self._ready = ready
        self._response = response
        self._link = link
        self._decoder = Decoder()
        self._pieces = Pieces()
        self._error: Exception | None = None
        self._ended = False
        self._now = asyncio.get_running_loop().time
        self._is_whole = response.content_type == "application/json"

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
        if self._is_whole:
            self._ended = True
            return await self._whole()
        self._link.heard = self._now()
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

    async def _whole(self) -> list[Delta]:
        service, response = self._ready.service, self._response
        self._link.begun = True  # it is answered, and is paid for
        self._link.heard = self._now()
        try:
            chunks = [await response.chunk()]
            while not response.read:
                self._link.heard = self._now()
                chunks.append(await response.chunk())
        except aiohttp.ClientError:
            raise _cut(service) from None
        finally:
            self._link.heard = math.inf
        said = object_of(service, b"".join(chunks))
        if "error" in said:
            _check(service, response, said, self._ready.model)
        try:
            found = [self._pieces.guarded(clean(delta)) for delta in service.reply(said)]
        except Exception as error:
            raise (failed := broken(service, "reply", error)) from failed.__cause__
        if not any(delta.finish_reason for delta in found):
            raise ProtocolError(f"{service.name}: the response holds no reply")
        return found

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
                    _check(service, self._response, event, self._ready.model)
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
            raise _cut(self._ready.service) from None
        raise error from error.__cause__

    async def _finish(self) -> None:
        if self._is_whole:
            return
        await self._read_to_end()
        # Of a stream that ends well no more is to come: some services give one reply for any n.
        if not self._pieces.complete(1):
            service = self._ready.service
            raise _cut(service) if self._link.begun else _no_reply(service, self._response)

    async def _read_to_end(self) -> None:
        """Read the end of the response: a connection with a rest in it serves no other request."""
        if self._response.read:
            return
        with suppress(aiohttp.ClientError, TimeoutError):
            async with asyncio.timeout(_LAST_BYTES):
                while await self._response.chunk():
                    pass


async def failure_of(
    service: BaseService, response: Response, link: Link, model: str | None
) -> ServiceError:
    """Return the error that a response with an error status, or a redirect, stands for."""
    if response.status < 400:
        return redirected(service, response.headers)
    body = await _start_of_body(response, link)
    error = service.failure(response.status, response.headers, body, model)
    if (said := response.headers.get("x-should-retry")) in {"true", "false"}:
        error.retryable = said == "true"
    return error


def redirected(service: BaseService, headers: Mapping[str, str]) -> ServiceError:
    """Return the error for a redirect, which is not followed: a key would go along."""
    where = headers.get("Location")
    told = f" to {shown_url(urljoin(service.base_url, where))!r}" if where else ""
    return ProtocolError(f"{service.name}: it redirects{told}; is base_url right?")


def object_of(service: BaseService, data: bytes) -> dict[str, Any]:
    """Return the JSON object that ``data`` is; blank lines before it are allowed.

    Raises:
        ProtocolError: If it is none.
    """
    try:
        found = decoded(data)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        said = _start(service, data.decode("utf-8", "replace"))
        raise ProtocolError(f"{service.name}: what came is not a reply: {said}")
    return found


async def _start_of_body(response: Response, link: Link) -> str:
    """Return the first bytes of an error's body: enough of it to tell what it says."""
    body, now = bytearray(), asyncio.get_running_loop().time
    link.heard = now()
    # The status is known, so a part will do.
    with suppress(aiohttp.ClientError, TimeoutError, ServiceError):
        while len(body) < _LONGEST_ERROR and (chunk := await response.chunk()):
            body += chunk
            link.heard = now()
    return body.decode("utf-8", "replace")


def _check(
    service: BaseService, response: Response, data: Mapping[str, Any], model: str | None
) -> None:
    """Raise what an ``error`` in the data reports; it counts even under HTTP 200."""
    if error := data.get("error"):
        raise service.failure(status_of(error), response.headers, json.dumps(data), model)


def _cut(service: BaseService) -> StreamCut:
    return StreamCut(f"{service.name}: the reply broke off before its end; ask again")


def _no_reply(service: BaseService, response: Response) -> ServiceError:
    if response.content_type == "text/event-stream":
        return _cut(service)
    return ProtocolError(
        f"{service.name}: sent {response.content_type}, not a reply; is base_url right?"
    )


def _start(service: BaseService, text: str) -> str:
    from nbconvo.keys import scrub

    return repr(scrub(text[:80], service.key))
