"""A reply that comes while other cells run."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Callable, Generator, Sequence
from typing import Any

from nbconvo.bridge.waker import Waker
from nbconvo.display.show import Item
from nbconvo.errors import Halted, NbConvoError, Stopped

__all__ = ["Pending"]

Batches = Generator[Sequence[Item]]


class Pending:
    """Shows a reply from a thread of its own; ``await`` it, or take its :meth:`result`.

    Args:
        batches: What comes of an ask that has begun.
        show: Paints what comes until it ends.
        outcome: Returns the reply, or raises what went wrong.
        stop: Ends the ask, from any thread.
    """

    def __init__(
        self,
        batches: Batches,
        show: Callable[[Batches], None],
        outcome: Callable[[], Any],
        stop: Callable[[], None],
    ) -> None:
        self._future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        self._stop = stop

        def run() -> None:
            try:
                # Closed here and now: else the error's traceback keeps the request open.
                with contextlib.closing(batches):
                    show(batches)
                self._future.set_result(outcome())
            except Stopped as stopped:  # in a task it would end the kernel's loop
                self._future.set_exception(Halted(f"stopped; {stopped}"))
            except BaseException as error:  # handed to whoever asks for the result
                self._future.set_exception(error)

        # Not a daemon's job to paint into a kernel that ends: the bridge closes first, and
        # with it what this thread waits for.
        threading.Thread(target=run, name="nbconvo-background", daemon=True).start()

    def done(self) -> bool:
        """Whether the reply is there, or will not come."""
        return self._future.done()

    def cancel(self) -> None:
        """Stop it; what has come is kept."""
        self._stop()

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the reply, ``timeout`` seconds at most, and return it.

        Raises:
            TimeoutError: If it has not come by then.
            Halted: If it was cancelled.
            NbConvoError: If the service did not answer as asked.
        """
        return self._future.result(timeout)

    def __await__(self) -> Generator[Any, None, Any]:
        return self._wait().__await__()

    async def _wait(self) -> Any:
        with Waker(asyncio.get_running_loop()).heartbeat():
            # Whoever stops waiting does not stop the reply: cancel() does.
            return await asyncio.shield(asyncio.wrap_future(self._future))

    def __repr__(self) -> str:
        if not self.done():
            return "Pending(still answering: await it, or .result(), or .cancel())"
        try:
            return f"Pending({self.result()!r})"
        except NbConvoError as error:
            return f"Pending(failed: {error})"
