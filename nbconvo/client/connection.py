"""Connections: the pool, the time-outs, the proxies, and what it means when one fails."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import aiohttp

from nbconvo.errors import ConnectionFailed, InputError, ProtocolError, TimedOut
from nbconvo.services import BaseService
from nbconvo.services.base import shown_url

__all__ = ["connected", "new_http", "proxy_for", "timeouts"]

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
        total=None, sock_connect=min(seconds, _CONNECT_TIMEOUT), sock_read=seconds
    )


def proxy_for(url: str) -> str | None:
    """Return the environment's proxy for ``url``; never one for this machine itself."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in _LOOPBACK or urllib.request.proxy_bypass(host):
        return None
    return urllib.request.getproxies().get(parts.scheme)


@contextmanager
def connected(service: BaseService) -> Iterator[None]:
    """Turn what aiohttp raises into our errors, which name the service and the remedy."""
    try:
        yield
    except aiohttp.ClientConnectorCertificateError as error:
        raise ConnectionFailed(
            f"{service.name}: the certificate of {error.host} is not trusted: "
            f"{error.certificate_error}",
            retryable=False,
        ) from None
    except aiohttp.ClientConnectorError as error:
        raise ConnectionFailed(
            f"{service.name}: cannot connect to {error.host}:{error.port} "
            f"({error.os_error.strerror or error.os_error}); is the server running, and "
            f"is base_url {shown_url(service.base_url)!r} right?"
        ) from None
    except aiohttp.InvalidURL:
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
