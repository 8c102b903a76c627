"""The connections to all services: what is ready goes out, what takes too long is given up."""

from __future__ import annotations

import asyncio
import math
from time import monotonic

from nbconvo.client.connection import took_too_long, was_silent
from nbconvo.client.http import Pool, Response
from nbconvo.client.patience import Link, Patience
from nbconvo.client.ready import Ready

__all__ = ["Connections"]


class Connections:
    """Sends requests, on one event loop.

    Attributes:
        pool: The connections themselves.
    """

    def __init__(self) -> None:
        self.pool = Pool()
        self._patience = Patience(asyncio.get_running_loop(), _given_up)

    async def send(self, ready: Ready, link: Link) -> Response:
        """Send the request; return the response once its head has come."""
        route = self.pool.route("POST", ready.url, ready.headers)
        connection = await self.pool.connect(route, ready.service.connect_timeout)
        link.sent_at = now = monotonic()
        response = self.pool.send(connection, route, ready.payload, ready.more)
        self._patience.watch(link, response, now)
        await response.head()
        link.heard = math.inf
        return response

    async def close(self) -> None:
        """Close all connections."""
        self._patience.stop()
        await self.pool.close()


def _given_up(link: Link, in_all: bool) -> Exception:
    return took_too_long(link.service) if in_all else was_silent(link)
