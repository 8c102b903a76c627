"""The offline service: chat completions, answered by a server of our own on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nbconvo.errors import ConnectionFailed, InputError
from nbconvo.messages import Message
from nbconvo.services import ChatService, Request
from nbconvo.services.traits import Traits

if TYPE_CHECKING:
    from nbconvo.offline.server import OfflineServer

__all__ = ["OfflineService"]


class OfflineService(ChatService):
    """Answers without a model, a key or a download, through the same client as all others.

    The server starts with the first request and ends with the I/O thread.
    """

    name = "offline"
    default_model = "guide"
    # Only echo plays them; the others tell in words that they don't, and how to try it.
    features = frozenset({"tools", "schema", "images", "files"})
    traits = Traits(pdf=True)
    keyless = True
    takes_key = False

    def __init__(self) -> None:
        super().__init__()
        # By event loop: one may begin while the last one ends.
        self._serving: dict[asyncio.AbstractEventLoop, tuple[OfflineServer, asyncio.Task[str]]] = {}
        self._url = ""

    @property
    def base_url(self) -> str:
        """The address of the running server, or where one will be."""
        return self._url or "http://127.0.0.1/v1"

    @property
    def key(self) -> None:
        """None, and none is looked for."""
        return None

    @property
    def key_at_hand(self) -> bool:
        """Always."""
        return True

    @property
    def account(self) -> tuple[str, None]:
        """One for the service, whichever port its server got."""
        return ("offline", None)

    def check_model(self, model: str) -> None:
        """Refuse what only a connected service can have."""
        from nbconvo.offline.models import MODELS

        if model not in MODELS:
            raise InputError(
                f"no service is connected that could have the model {model!r}: set a key such as "
                f"OPENAI_API_KEY, or name a --service; offline there are {', '.join(MODELS)}"
            )

    def request(
        self, messages: Sequence[Message], model: str | None, options: Mapping[str, Any]
    ) -> Request:
        """Return the request; words that keep to no schema would only be asked to be mended.

        Raises:
            InputError: If a schema is asked of a model that doesn't fill it in.
        """
        if options.get("schema") is not None and model != "echo":
            raise InputError(
                f"offline:{model} fills in no schema, a connected model does; to try it without "
                "one, add --model offline:echo"
            )
        return super().request(messages, model, options)

    async def open(self) -> None:
        """Start the server unless it runs on this event loop already.

        Raises:
            ConnectionFailed: If it cannot start; the next request tries again.
        """
        loop = asyncio.get_running_loop()
        if loop not in self._serving:
            server = self._new_server()
            self._serving[loop] = server, loop.create_task(server.start())
        mine = server, started = self._serving[loop]
        try:
            # Shielded: the first to ask may give up while others wait for the same server.
            self._url = await asyncio.shield(started)
        except OSError as error:
            reason = error.strerror or str(error)
            raise ConnectionFailed(f"offline: its server cannot start: {reason}") from None
        finally:
            failed = started.done() and (started.cancelled() or started.exception() is not None)
            if failed and self._serving.get(loop) is mine:
                del self._serving[loop]

    async def close(self) -> None:
        """Stop the server of this event loop."""
        server, started = self._serving.pop(asyncio.get_running_loop(), (None, None))
        if not self._serving:
            self._url = ""
        if server is not None and started is not None:
            started.cancel()
            await asyncio.gather(started, return_exceptions=True)
            await server.stop()

    def _new_server(self) -> OfflineServer:
        from nbconvo.offline.server import OfflineServer

        return OfflineServer()
