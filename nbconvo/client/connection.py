"""Connections: the pool, the time-outs, the proxies, and what it means when one fails."""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import aiohttp

from nbconvo.errors import ConnectionFailed, InputError, ProtocolError, TimedOut
from nbconvo.services import BaseService
from nbconvo.services.checks import shown_url

__all__ = ["Link", "connected", "new_http", "proxy_for", "timeouts"]

_CONNECT_TIMEOUT = 10.0  # seconds
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def new_http() -> aiohttp.ClientSession:
    """Return a pool of connections for all services."""
    return aiohttp.ClientSession(
        # No limit here: the limiter decides who goes, and a second queue behind it would
        # hold back requests whose permit is already counted as spent.
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
    )


def timeouts(seconds: float) -> aiohttp.ClientTimeout:
    """Time to wait for the first byte and between two; a reply as a whole may take any time."""
    return aiohttp.ClientTimeout(
        total=None, sock_connect=_connect_timeout(seconds), sock_read=seconds
    )


def _connect_timeout(seconds: float) -> float:
    return min(seconds, _CONNECT_TIMEOUT)


def proxy_for(url: str) -> str | None:
    """Return the environment's proxy for ``url``; never one for this machine itself."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in _LOOPBACK or urllib.request.proxy_bypass(host):
        return None
    return urllib.request.getproxies().get(parts.scheme)


class Link:
    """How far a request got.

    Attributes:
        reached: False when it surely never left.
        begun: Whether any of the reply has come, if only who speaks: it is paid for.
    """

    __slots__ = ("begun", "reached")

    def __init__(self) -> None:
        self.reached = True
        self.begun = False


@contextmanager
def connected(service: BaseService, link: Link) -> Iterator[None]:
    """Turn what aiohttp raises into our errors, which name the service and the remedy."""
    try:
        yield
    except aiohttp.ClientConnectorCertificateError as error:
        link.reached = False
        raise ConnectionFailed(
            f"{service.name}: the certificate of {error.host} is not trusted: "
            f"{error.certificate_error}",
            retryable=False,
        ) from None
    except aiohttp.ClientConnectorError as error:
        link.reached = False
        raise ConnectionFailed(
            f"{service.name}: cannot connect to {error.host}:{error.port} "
            f"({_reason(error.os_error)}); is the server running, and "
            f"is base_url {shown_url(service.base_url)!r} right?"
        ) from None
    except aiohttp.ConnectionTimeoutError:
        link.reached = False
        raise ConnectionFailed(
            f"{service.name}: no connection within {_connect_timeout(service.timeout):g} s; is "
            f"base_url {shown_url(service.base_url)!r} right, and does a proxy stand between?"
        ) from None
    except aiohttp.InvalidURL:
        link.reached = False
        raise InputError(
            f"{service.name}: base_url {shown_url(service.base_url)!r} cannot be used"
        ) from None
    except TimeoutError:
        raise TimedOut(
            f"{service.name}: nothing came for {service.timeout:g} s; "
            "a longer wait is set with timeout= on the service"
        ) from None
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientPayloadError):
        raise ConnectionFailed(f"{service.name}: the connection was lost") from None
    except aiohttp.ClientError as error:
        raise ProtocolError(
            f"{service.name}: what came is not HTTP that can be read ({type(error).__name__})"
        ) from None


def _reason(error: OSError) -> str:
    # asyncio writes the address where the system's own words would be.
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error)
