"""A response to deltas, or to the error that it stands for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any

import aiohttp

from nbconvo.client.connection import Link
from nbconvo.client.ready import Ready
from nbconvo.errors import ProtocolError, ServiceError, StreamCut
from nbconvo.messages import Delta
from nbconvo.services import BaseService
from nbconvo.services.failures import status_of
from nbconvo.sse import Decoder

__all__ = ["deltas_of", "failure_of", "json_of"]

_LONGEST_ERROR = 65536  # bytes of an error body that are read
_LAST_BYTES = 0.1  # seconds that a service has to end a response whose reply is complete


async def deltas_of(
    ready: Ready, response: aiohttp.ClientResponse, link: Link
) -> AsyncGenerator[Delta]:
    """Yield the deltas of a response, streamed or whole; ``link`` is told when it begins.

    A stream is complete when a ``finish_reason`` was seen of each alternative, not when it
    merely ends.

    Raises:
        StreamCut: If the stream ends before its reply does.
        ProtocolError: If what came is no reply.
        ServiceError: If an event reports a failure.
    """
    service, model = ready.service, ready.model
    if response.content_type == "application/json":
        try:
            body = await json_of(service, response)
        except aiohttp.ClientError:
            link.begun = True  # it was answered, and is paid for
            raise _cut(service) from None
        _check(service, response, body, model)
        found = list(service.reply(body))
        if not any(delta.finish_reason for delta in found):
            raise ProtocolError(f"{service.name}: the response holds no reply")
        for delta in found:
            yield _clean(delta)
        return
    pieces = _Pieces()
    try:
        async with aclosing(_events(service, response)) as events:
            async for event in events:
                _check(service, response, event, model)
                link.begun = True
                for delta in service.deltas(event):
                    if (piece := pieces.joined(delta)) is not None:
                        yield piece
    except (aiohttp.ClientError, TimeoutError, ServiceError) as error:
        # What comes after the end of the reply cannot harm it, nor can its not coming.
        if pieces.complete(ready.replies):
            return
        is_cut = isinstance(error, aiohttp.ClientError) and not isinstance(error, TimeoutError)
        if link.begun and is_cut:
            raise _cut(service) from None
        raise
    # Of a stream that ends well no more is to come: some services give one reply for any n.
    if not pieces.complete(1):
        raise _cut(service) if link.begun else _no_reply(service, response)


async def failure_of(
    service: BaseService, response: aiohttp.ClientResponse, model: str | None
) -> ServiceError:
    """Return the error that a response with an error status stands for."""
    body = await _start_of_body(response)
    error = service.failure(response.status, response.headers, body, model)
    if (said := response.headers.get("x-should-retry")) in {"true", "false"}:
        error.retryable = said == "true"
    return error


async def json_of(service: BaseService, response: aiohttp.ClientResponse) -> Mapping[str, Any]:
    """Return the JSON object that a response holds; blank lines before it are allowed."""
    return _object(service, (await response.read()).decode("utf-8", "replace"))


async def _start_of_body(response: aiohttp.ClientResponse) -> str:
    body = bytearray()
    with suppress(aiohttp.ClientError, TimeoutError):  # the status is known, so part will do
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) >= _LONGEST_ERROR:
                break
    return body.decode("utf-8", "replace")


async def _events(
    service: BaseService, response: aiohttp.ClientResponse
) -> AsyncGenerator[Mapping[str, Any]]:
    decoder = Decoder()
    async for chunk in response.content.iter_any():
        for event in decoder.feed(chunk):
            if event.data.strip() == "[DONE]":
                await _read_to_end(response)
                return
            yield _object(service, event.data)
    for event in decoder.end():
        if event.data.strip() != "[DONE]":
            yield _object(service, event.data)


async def _read_to_end(response: aiohttp.ClientResponse) -> None:
    """Read the end of the response: a connection with a rest in it serves no other request."""
    with suppress(aiohttp.ClientError, TimeoutError):
        async with asyncio.timeout(_LAST_BYTES):
            while await response.content.readany():
                pass


def _object(service: BaseService, text: str) -> Mapping[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise ProtocolError(f"{service.name}: what came is not a reply: {_start(service, text)}")
    return data


def _check(
    service: BaseService,
    response: aiohttp.ClientResponse,
    data: Mapping[str, Any],
    model: str | None,
) -> None:
    """Raise what an ``error`` in the data reports; it counts even under HTTP 200."""
    if not (error := data.get("error")):
        return
    raise service.failure(status_of(error), response.headers, json.dumps(data), model)


def _cut(service: BaseService) -> StreamCut:
    return StreamCut(f"{service.name}: the reply broke off before its end; ask again")


def _no_reply(service: BaseService, response: aiohttp.ClientResponse) -> ServiceError:
    if response.content_type == "text/event-stream":
        return _cut(service)
    return ProtocolError(
        f"{service.name}: sent {response.content_type}, not a reply; is base_url right?"
    )


def _start(service: BaseService, text: str) -> str:
    from nbconvo.keys import scrub

    return repr(scrub(text[:80], service.key))


class _Pieces:
    """Makes deltas that each say something, and knows which alternatives have ended."""

    def __init__(self) -> None:
        self._begun: set[int] = set()
        self._finished: set[int] = set()
        self._held: dict[int, tuple[str, str]] = {}
        self._model: str | None = None

    def complete(self, replies: int) -> bool:
        """Whether all alternatives that began have ended, and at least so many."""
        return self._begun == self._finished and len(self._finished) >= replies

    def joined(self, delta: Delta) -> Delta | None:
        """Return the delta with what earlier ones left for it, or ``None`` if it says nothing.

        A model's name waits for the first words, and so does the first half of a character that
        the service cut in two: half a surrogate pair at a delta's end.
        """
        delta = self._whole(delta)
        says = delta.text or delta.reasoning or delta.finish_reason
        if says:
            self._begun.add(delta.index)
        if delta.finish_reason:
            self._finished.add(delta.index)
        self._model = delta.model or self._model
        if not says and delta.usage is None:
            return None
        model, self._model = self._model, None
        return delta if delta.model == model else replace(delta, model=model)

    def _whole(self, delta: Delta) -> Delta:
        text, reasoning = self._held.pop(delta.index, ("", ""))
        if text or reasoning or not _is_whole(delta):
            text, half = _split(text + delta.text)
            reasoning, other_half = _split(reasoning + delta.reasoning)
            if delta.finish_reason is not None:
                text, reasoning = text + half, reasoning + other_half
            elif half or other_half:
                self._held[delta.index] = (half, other_half)
            delta = replace(delta, text=text, reasoning=reasoning)
        return _clean(delta)


def _split(text: str) -> tuple[str, str]:
    """Split off the first half of a surrogate pair at the end of ``text``."""
    return (text[:-1], text[-1]) if "\ud800" <= text[-1:] <= "\udbff" else (text, "")


def _is_whole(delta: Delta) -> bool:
    return delta.text.isascii() and delta.reasoning.isascii()


def _clean(delta: Delta) -> Delta:
    """Return the delta with surrogates paired, or replaced where they can't be."""
    if _is_whole(delta):
        return delta
    return replace(delta, text=_paired(delta.text), reasoning=_paired(delta.reasoning))


def _paired(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
