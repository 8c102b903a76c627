"""What a response holds: the JSON of a reply, or the error that it stands for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic
from typing import Any
from urllib.parse import urljoin

import aiohttp

from nbconvo.client.encoding import decoded
from nbconvo.client.http import Response
from nbconvo.client.patience import Link
from nbconvo.errors import ProtocolError, ServiceError, StreamCut
from nbconvo.keys import scrub
from nbconvo.services import BaseService
from nbconvo.services.checks import shown_url
from nbconvo.services.failures import status_of

__all__ = ["check", "cut", "failure_of", "object_of", "redirected"]

_LONGEST_ERROR = 65536  # bytes of an error body that are read


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
    body = bytearray()
    link.heard = monotonic()
    # The status is known, so a part will do.
    with suppress(aiohttp.ClientError, TimeoutError, ServiceError):
        while len(body) < _LONGEST_ERROR and (chunk := await response.chunk()):
            body += chunk
            link.heard = monotonic()
    return body.decode("utf-8", "replace")


def check(
    service: BaseService, response: Response, data: Mapping[str, Any], model: str | None
) -> None:
    """Raise what an ``error`` in the data reports; it counts even under HTTP 200."""
    if error := data.get("error"):
        raise service.failure(status_of(error), response.headers, json.dumps(data), model)


def cut(service: BaseService) -> StreamCut:
    """Return the error of a reply of which not all came."""
    return StreamCut(f"{service.name}: the reply broke off before its end; ask again")


def _start(service: BaseService, text: str) -> str:
    return repr(scrub(text[:80], service.key))
