"""One HTTP request over aiohttp's pool of connections: bytes out, a status and bytes in.

Of aiohttp this takes what is hard: resolving, TLS, proxies, keeping connections, and parsing what
comes. The head of a request is the same each time, so it is written once for each address; what
aiohttp's own session does anew for every request costs four times as much.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache, partial
from time import monotonic
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpProcessingError
from yarl import URL

from nbconvo.client.connection import proxy_for
from nbconvo.errors import InputError

if TYPE_CHECKING:
    from aiohttp.connector import Connection
    from multidict import CIMultiDictProxy

__all__ = ["Pool", "Response", "Route"]

_KEPT = 90.0  # seconds that an idle connection is kept: a reader is typing the next question
_RESOLVED = 300  # seconds that an address is believed to stay the same
_PROXY_BELIEVED = 5.0  # seconds; to look into the environment costs as much as a request
_ROUTES = 64  # that are kept at most


class Route:
    """Where a request goes, and the head that it goes with. Its repr holds no secret.

    Attributes:
        proxy: The proxy that it leads through.
        until: How long that is believed to be the way, by the monotonic clock.
    """

    __slots__ = ("_head", "proxy", "request", "until")

    def __init__(
        self, method: str, url: str, headers: Mapping[str, str], proxy: str | None
    ) -> None:
        try:
            address = URL(url)
        except ValueError:
            raise aiohttp.InvalidURL(url) from None
        # Of names that differ in case only, the last one counts.
        folded = {name.lower(): (name, value) for name, value in headers.items()}
        self.request = aiohttp.ClientRequest(
            method,
            address,
            headers=dict(folded.values()),
            proxy=None if proxy is None else URL(proxy),
            loop=asyncio.get_running_loop(),
        )
        self._head = b""
        self.proxy = proxy
        self.until = 0.0

    def head(self, size: int, more: Mapping[str, str]) -> bytes:
        """Return the head of a request with a body of ``size`` bytes and ``more`` headers."""
        # Not before a connection is there: aiohttp adds what an http proxy asks for then.
        if not self._head:
            request = self.request
            through = request.proxy is not None and not request.is_ssl()
            target = str(request.url) if through else request.url.raw_path_qs
            request.headers.popall("Content-Length", None)
            line = f"{request.method} {target} HTTP/1.1\r\n"
            self._head = line.encode() + _lines(request.headers)
        lines = _lines(more) if more else b""
        return b"%b%bContent-Length: %d\r\n\r\n" % (self._head, lines, size)


def _lines(headers: Mapping[str, str]) -> bytes:
    for name, value in headers.items():
        if not (name + value).isprintable():
            raise InputError(f"header {name!r} holds a line break or the like")
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()


class Response:
    """The response to a request that was sent: first its head comes, then its body.

    To be closed, after which its connection may be reused.

    Args:
        connection: Over which it comes.
        protocol: What reads from it.
        transport: What writes to it.
    """

    __slots__ = ("_connection", "_content", "_protocol", "_transport", "chunk", "headers",
                 "status")  # fmt: skip

    #: Returns what has come, waiting for some; nothing is the end.
    chunk: Callable[[], Awaitable[bytes]]
    status: int
    headers: CIMultiDictProxy[str]
    _content: aiohttp.StreamReader

    def __init__(
        self, connection: Connection, protocol: ResponseHandler, transport: asyncio.Transport
    ) -> None:
        self._connection = connection
        self._protocol = protocol
        self._transport = transport

    async def head(self) -> None:
        """Wait for the status and the headers; the connection is closed if this fails.

        Raises:
            aiohttp.ClientError: If none comes that can be read.
        """
        try:
            code = 100
            while 100 <= code < 200 and code != 101:
                message, self._content = await self._protocol.read()
                code = message.code
        except HttpProcessingError as error:
            self._connection.close()
            # What came may tell the key back, and stays in the context of what is raised.
            error.message, error.args = "", ()
            error.__cause__ = error.__context__ = None
            raise aiohttp.ClientError from None
        except BaseException:
            self._connection.close()
            raise
        self.status, self.headers, self.chunk = code, message.headers, self._content.readany

    def fail(self, error: BaseException) -> None:
        """End it from outside: who waits for its head or its body gets ``error``."""
        self._protocol.set_exception(error)
        content = getattr(self, "_content", None)
        if content is not None:
            content.set_exception(error)

    def unsent(self) -> int:
        """Return how many bytes of the request have not left yet."""
        return self._transport.get_write_buffer_size()

    @property
    def content_type(self) -> str:
        """The media type, without parameters, in lower case."""
        kind = self.headers.get("Content-Type", "application/octet-stream")
        return kind.partition(";")[0].strip().lower()

    @property
    def is_json(self) -> bool:
        """Whether the body is one JSON value, by its media type."""
        kind = self.headers.get("Content-Type")
        return kind == "application/json" or self.content_type == "application/json"

    @property
    def read(self) -> bool:
        """Whether the whole body was read."""
        return self._content.at_eof()

    def close(self) -> None:
        """Keep the connection for another request if the body has come, else close it."""
        # What was answered before all of it had gone would hold up the next request.
        if self._content.is_eof() and not self._transport.get_write_buffer_size():
            self._connection.release()
        else:
            self._connection.close()


class _Handler(ResponseHandler):
    """Parses what comes over one connection.

    aiohttp 3.14 resumes the connection at each chunk that is read, and its parser with it: five
    calls. There is nothing to resume where nothing was ever paused; once it was, the parser may
    keep a rest back.
    """

    _was_paused = False

    def pause_reading(self) -> None:
        """Read no more for now: nobody takes what came."""
        self._was_paused = True
        super().pause_reading()

    def resume_reading(self, *given: Any, **named: Any) -> None:
        """Go on to read and to parse, if there may be anything to go on with."""
        if self._was_paused:
            super().resume_reading(*given, **named)


class Pool:
    """Connections to all services, on one event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._connector = aiohttp.TCPConnector(
            # No limit here: the limiter decides who goes, and a second queue behind it would
            # hold back requests whose permit is already counted as spent.
            limit=0,
            keepalive_timeout=_KEPT,
            ttl_dns_cache=_RESOLVED,
        )
        handler: type[ResponseHandler] = _Handler
        self._connector._factory = partial(handler, loop=self._loop)
        self._routes: dict[object, Route] = {}

    def route(self, method: str, url: str, headers: Mapping[str, str]) -> Route:
        """Return the way to ``url``, through the environment's proxy if there is one.

        Raises:
            aiohttp.InvalidURL: If there is no such way.
        """
        key = (method, url, *headers.items())
        route, now = self._routes.get(key), monotonic()
        if route is None or route.until < now:
            proxy = proxy_for(url)
            # Else the same: aiohttp may have added what the proxy asks for.
            if route is None or route.proxy != proxy:
                if len(self._routes) >= _ROUTES:
                    self._routes.clear()
                route = self._routes[key] = Route(method, url, headers, proxy)
            route.until = now + _PROXY_BELIEVED
        return route

    async def connect(self, route: Route, seconds: float) -> Connection:
        """Return a connection, one that was kept if there is one.

        Raises:
            aiohttp.ConnectionTimeoutError: If there is none within so many ``seconds``.
            aiohttp.ClientError: If there is none for another reason.
        """
        try:
            return await self._connector.connect(route.request, traces=[], timeout=_within(seconds))
        except TimeoutError:
            raise aiohttp.ConnectionTimeoutError from None
        except aiohttp.ClientError:
            raise
        except OSError as error:
            raise aiohttp.ClientOSError(*error.args) from None

    def send(
        self, connection: Connection, route: Route, payload: bytes, more: Mapping[str, str]
    ) -> Response:
        """Send a request; return the response, whose head is yet to come.

        Args:
            connection: Over which; it is closed if this fails.
            route: Where to, and with which headers.
            payload: The body.
            more: Headers of this request alone.
        """
        try:
            protocol = connection.protocol
            transport = connection.transport
            assert protocol is not None
            if transport is None:
                raise aiohttp.ServerDisconnectedError
            protocol.set_response_params(read_until_eof=True)
            transport.writelines((route.head(len(payload), more), payload))
        except BaseException:
            connection.close()
            raise
        return Response(connection, protocol, transport)

    async def close(self) -> None:
        """Close all connections."""
        await self._connector.close()

    @property
    def connector(self) -> aiohttp.TCPConnector:
        """The connections, for aiohttp's own session."""
        return self._connector


@lru_cache(maxsize=8)
def _within(seconds: float) -> Any:
    return aiohttp.ClientTimeout(total=None, connect=seconds, sock_connect=seconds)
