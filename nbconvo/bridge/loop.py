"""The I/O thread's event loop, which a forked process leaves to its parent."""

from __future__ import annotations

import asyncio
import os
import selectors
from typing import Any

__all__ = ["IOLoop"]


class IOLoop(asyncio.SelectorEventLoop):
    """An event loop that is closed, quietly, in every process but the one that made it.

    A forked child inherits the loop with its connections, but not the thread that runs it.
    What it did to them it would do to the parent's: forgetting a socket, if only because Python
    collects it, takes it out of the epoll object that both share, and the parent waits for ever.
    """

    def __init__(self) -> None:
        self._watched = selectors.DefaultSelector()
        self._pid = os.getpid()
        super().__init__(self._watched)

    def is_closed(self) -> bool:
        """Whether it is of no use here; asyncio and aiohttp then touch nothing."""
        return os.getpid() != self._pid or super().is_closed()

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Tell of what went wrong; in a child nothing did, it only was left behind."""
        if os.getpid() == self._pid:
            super().call_exception_handler(context)

    def let_go(self) -> None:
        """In a forked child: let go of the parent's connections, without a word to the others.

        Else one that the parent closes stays open for as long as the child lives.
        """
        null = os.open(os.devnull, os.O_RDWR)
        # In their place, so that the numbers are not given to files of the child, which Python
        # would close when it collects the sockets.
        for key in list((self._watched.get_map() or {}).values()):
            os.dup2(null, key.fd, inheritable=False)
        if isinstance(self._watched, getattr(selectors, "EpollSelector", ())):
            os.dup2(null, self._watched.fileno(), inheritable=False)
        os.close(null)
