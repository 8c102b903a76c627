"""The connections to all services: what is ready goes out, what takes too long is given up."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from nbconvo.client.connection import took_too_long, was_silent
from nbconvo.client.http import Pool, Response
from nbconvo.client.patience import Link, Patience
from nbconvo.client.ready import Ready

__all__ = ["Connections"]

_JSON = {"Content-Type": "application/json"}


class Connections:
    """Sends requests, on one event loop.

    Attributes:
        pool: The connections themselves.
    """

    def __init__(self) -> None:
        self.pool = Pool()
        self._patience = Patience(asyncio.get_running_loop())

    async def send(self, ready: Ready, link: Link) -> Response:
        """Send the request; return the response once its head has come."""
        service = ready.service
        headers = {**_JSON, **ready.headers, **ready.request.headers}
        route = self.pool.route("POST", ready.request.url, headers)
        connection = await self.pool.connect(route, service.connect_timeout)
        link.reached = True

        def sent(end: Callable[[BaseException], None], unsent: Callable[[], int]) -> None:
            def give_up(in_all: bool) -> None:
                end(took_too_long(service) if in_all else was_silent(service, link))

            self._patience.watch(link, give_up, unsent)

        response = await self.pool.send(connection, route, ready.payload, ready.more, sent)
        link.heard = math.inf
        return response

    async def close(self) -> None:
        """Close all connections."""
        self._patience.stop()
        await self.pool.close()
