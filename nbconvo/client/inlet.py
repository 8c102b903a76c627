"""Where a response's bytes come in: who waits for them goes on at once, in the same turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context
from typing import Any, Self

from aiohttp.client_proto import ResponseHandler

__all__ = ["Inlet"]


class Inlet(asyncio.Protocol):
    """Stands between a transport and aiohttp's protocol for it, until it is removed.

    To be awaited by one task at a time: it waits until something has come or gone wrong. It is
    what :func:`asyncio.isfuture` calls a future, but one that lets its task go on when it is
    done, not in the next turn of the event loop: that would look for events once more, which
    costs as much as to read the bytes, and makes each come later.
    """

    __slots__ = (
        "_asyncio_future_blocking",
        "_cancelled",
        "_loop",
        "_protocol",
        "_transport",
        "_waiting",
    )

    def __init__(self, protocol: ResponseHandler, transport: asyncio.Transport) -> None:
        self._asyncio_future_blocking = False
        self._cancelled = False
        self._loop = asyncio.get_running_loop()
        self._protocol = protocol
        self._transport = transport
        self._waiting: tuple[Callable[[Any], object], Context | None] | None = None
        transport.set_protocol(self)

    def remove(self) -> None:
        """Let the transport feed aiohttp's protocol again."""
        if self._transport.get_protocol() is self:
            self._transport.set_protocol(self._protocol)

    def wake(self) -> None:
        """Let who waits look again, in the next turn."""
        if self._waiting is not None:
            (callback, context), self._waiting = self._waiting, None
            self._loop.call_soon(callback, self, context=context)

    # --- as the transport's protocol ---------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Pass bytes on, then let who waits go on."""
        self._protocol.data_received(data)
        if self._waiting is None:
            return
        if asyncio.current_task(self._loop) is not None:
            self.wake()  # a task that closes a TLS connection may be handed the last bytes
            return
        (callback, context), self._waiting = self._waiting, None
        if context is None:
            callback(self)
        else:
            context.run(callback, self)

    def eof_received(self) -> None:
        """Pass the end of what comes on, then wake who waits; the connection is closed."""
        self._protocol.eof_received()
        self.wake()

    def connection_lost(self, error: BaseException | None) -> None:
        """Pass the end on, then wake who waits."""
        self._protocol.connection_lost(error)
        self.wake()

    def pause_writing(self) -> None:
        """Pass it on."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._protocol.resume_writing()

    # --- as a future -------------------------------------------------------------------------

    def __await__(self) -> Generator[Self, None, None]:
        self._cancelled = False
        self._asyncio_future_blocking = True
        yield self

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the event loop on which it can be awaited."""
        return self._loop

    def add_done_callback(
        self, callback: Callable[[Any], object], *, context: Context | None = None
    ) -> None:
        """Remember what lets the task that waits go on."""
        self._waiting = callback, context

    def cancel(self, msg: object = None) -> bool:
        """Wake who waits with a ``CancelledError``; return whether anybody waits."""
        if self._waiting is None:
            return False
        self._cancelled = True
        self.wake()
        return True

    def result(self) -> None:
        """Raise ``CancelledError`` if the wait was cancelled."""
        if self._cancelled:
            raise asyncio.CancelledError
