"""A loopback server in a daemon thread, with an event loop that nothing else shares."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable

from nbconvo.testing.wire import WatchedReader

__all__ = ["LoopbackServer"]

Converse = Callable[[int, WatchedReader, asyncio.StreamWriter], Awaitable[None]]


class LoopbackServer:
    """Listens on a free port of 127.0.0.1 and gives each connection to a coroutine.

    Args:
        converse: Called with the connection's number (from 1), its reader and its writer; the
            connection is closed when it returns.
    """

    def __init__(self, converse: Converse) -> None:
        self._converse = converse
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.port: int | None = None
        self.connections = 0

    def start(self) -> None:
        """Returns when the server listens; raises OSError when it cannot."""
        if self._thread is not None:
            raise RuntimeError("the fake provider is running already; call stop() first")
        ready = threading.Event()
        failures: list[BaseException] = []
        self._thread = threading.Thread(
            target=self._run, args=(ready, failures), name="nbconvo-fake-provider", daemon=True
        )
        self._thread.start()
        ready.wait()
        if failures:
            self.stop()
            raise failures[0]

    def stop(self) -> None:
        """Closes all connections and ends the thread; does nothing when it is not running."""
        if self._thread is None:
            return
        if self._loop is not None and self._stopping is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._thread = self._loop = self._stopping = None

    def _run(self, ready: threading.Event, failures: list[BaseException]) -> None:
        # A plain loop, whatever policy or patch the kernel has put on asyncio.
        loop = asyncio.SelectorEventLoop()
        try:
            loop.run_until_complete(self._serve(ready))
        except BaseException as error:  # handed to start(), which is waiting
            failures.append(error)
        finally:
            loop.close()
            ready.set()

    async def _serve(self, ready: threading.Event) -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._protocol, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._loop, self._stopping = loop, asyncio.Event()
        ready.set()
        await self._stopping.wait()
        await self._abort_all()
        server.close()  # not before: asyncio forgets a socket that it is just then accepting

    async def _abort_all(self) -> None:
        # In a loop, because a connection just accepted shows up only after a turn or two.
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for writer in self._writers:
                writer.transport.abort()
            await asyncio.wait(others, timeout=0.01)

    def _protocol(self) -> asyncio.StreamReaderProtocol:
        reader = WatchedReader()

        async def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            self._writers.add(writer)
            try:
                with contextlib.suppress(ConnectionError):  # the client left between requests
                    await self._converse(self.connections, reader, writer)
            finally:
                writer.close()
                with contextlib.suppress(ConnectionError):
                    await writer.wait_closed()  # else stop() may leave the socket open
                self._writers.discard(writer)

        return asyncio.StreamReaderProtocol(reader, connected)
