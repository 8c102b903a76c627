"""Which way a request goes, and what it means when its connection fails."""

from __future__ import annotations

import os
import urllib.request
from urllib.parse import urlsplit

import aiohttp

from nbconvo.client.patience import Link
from nbconvo.errors import ConnectionFailed, InputError, ProtocolError, ServiceError, TimedOut
from nbconvo.keys import Masked
from nbconvo.services import BaseService
from nbconvo.services.checks import shown_url

__all__ = ["error_of", "proxy_for", "took_too_long", "was_silent"]

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def proxy_for(url: str) -> str | None:
    """Return the environment's proxy for ``url``; never one for this machine itself.

    One without a scheme is an http one, as curl and requests take it.

    Raises:
        InputError: If it is no http proxy.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in _LOOPBACK or urllib.request.proxy_bypass(host):
        return None
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy is None:
        return None
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    _check_proxy(proxy, parts.scheme)
    return Masked(proxy)  # it may hold a password


def _check_proxy(proxy: str, scheme: str) -> None:
    try:
        parts = urlsplit(proxy)
        usable = bool(parts.hostname) and parts.scheme in {"http", "https"} and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        names = (f"{scheme}_proxy", f"{scheme}_proxy".upper())
        where = next((name for name in names if os.environ.get(name)), None)
        raise InputError(
            f"the proxy {shown_url(proxy)!r} of {where or 'the system settings'} cannot be used: "
            "it is not an http address such as http://127.0.0.1:3128; "
            "no_proxy names the hosts that need none"
        )


def was_silent(link: Link) -> TimedOut:
    """Return the error of a service that sent nothing for as long as it may."""
    service = link.service
    where = "in the middle of the reply" if link.begun else "after the request was sent"
    return TimedOut(
        f"{service.name}: nothing came for {service.timeout:g} s {where}; "
        "a longer wait is set with timeout= on the service"
    )


def took_too_long(service: BaseService) -> TimedOut:
    """Return the error of a request that took longer in all than it may."""
    return TimedOut(
        f"{service.name}: the reply was not complete within {service.total_timeout:g} s; "
        "a longer time is set with total_timeout= on the service",
        retryable=False,
    )


def error_of(error: Exception, link: Link) -> ServiceError:
    """Return our error for what aiohttp raised; it names the service and the remedy.

    Raises:
        InputError: If the address cannot be used.
    """
    if isinstance(error, ServiceError):
        return error
    service = link.service
    name, address = service.name, shown_url(service.base_url)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return ConnectionFailed(
            f"{name}: the certificate of {error.host} is not trusted: {error.certificate_error}",
            retryable=False,
        )
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return ConnectionFailed(
            f"{name}: no address found for {error.host} ({_reason(error.os_error)}); is there a "
            f"network, and is base_url {address!r} right?"
        )
    if isinstance(error, aiohttp.ClientConnectorError):
        return ConnectionFailed(
            f"{name}: cannot connect to {error.host}:{error.port} "
            f"({_reason(error.os_error)}); is the server running, and "
            f"is base_url {address!r} right?"
        )
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return ConnectionFailed(
            f"{name}: no connection within {service.connect_timeout:g} s; is base_url {address!r} "
            "right, and does a proxy stand between? a longer wait is set with connect_timeout= "
            "on the service"
        )
    if isinstance(error, aiohttp.InvalidURL):
        raise InputError(f"{name}: base_url {address!r} cannot be used") from None
    if isinstance(error, TimeoutError):
        return was_silent(link)
    if isinstance(
        error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError | aiohttp.ClientPayloadError
    ):
        return ConnectionFailed(f"{name}: the connection was lost")
    kind = "" if type(error) is aiohttp.ClientError else f" ({type(error).__name__})"
    return ProtocolError(f"{name}: what came is not HTTP that can be read{kind}")


def _reason(error: OSError) -> str:
    # asyncio writes the address where the system's own words would be.
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error)
