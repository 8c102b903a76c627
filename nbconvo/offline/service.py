"""The offline service: chat completions, answered by a server of our own on loopback."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from nbconvo.services import ChatService

if TYPE_CHECKING:
    from nbconvo.offline.server import OfflineServer

__all__ = ["OfflineService"]


class OfflineService(ChatService):
    """Answers without a model, a key or a download, through the same client as all others.

    The server starts with the first request and ends with the I/O thread.
    """

    name = "offline"
    default_model = "guide"

    def __init__(self) -> None:
        super().__init__()
        self._server: OfflineServer | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._started: asyncio.Task[str] | None = None
        self._url = ""

    @property
    def base_url(self) -> str:
        """The address of the running server, or where one will be."""
        return self._url or "http://127.0.0.1/v1"

    @property
    def needs_key(self) -> bool:
        """Never."""
        return False

    @property
    def account(self) -> tuple[str, None]:
        """One for the service, whichever port its server got."""
        return ("offline", None)

    async def open(self) -> None:
        """Start the server unless it runs on this event loop already."""
        loop = asyncio.get_running_loop()
        if self._started is None or self._loop is not loop:
            from nbconvo.offline.server import OfflineServer

            self._loop, self._server = loop, OfflineServer()
            self._started = loop.create_task(self._server.start())
        # Shielded: the first to ask may give up while others wait for the same server.
        self._url = await asyncio.shield(self._started)

    async def close(self) -> None:
        """Stop the server."""
        server, self._server, self._started, self._url = self._server, None, None, ""
        if server is not None:
            await server.stop()
