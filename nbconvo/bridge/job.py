"""A coroutine under way on the I/O thread, as any other thread sees it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

from nbconvo.bridge.outcome import Outcome
from nbconvo.bridge.waker import Waker, Wakers
from nbconvo.errors import NbConvoError, Stopped

__all__ = ["Job"]

T = TypeVar("T")

_UNLOADED = "nbconvo was unloaded"
_CLEAN_UP = 1.0  # seconds that a cancelled wait waits for what it cancelled


class Job(Generic[T]):
    """Can be awaited from any event loop, waited for from any thread, and cancelled from both.

    It is done when the coroutine has really ended, its clean-up after a cancellation included;
    ``on_end`` is called after that, on the I/O thread.

    Args:
        coroutine: What is to run.
        waker: The I/O thread's.
        wakers: Those of the loops on which it is awaited.
        on_end: Called at the end.
    """

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, T],
        waker: Waker,
        wakers: Wakers,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        self._outcome: Outcome[T] = Outcome()  # Outcome[T]() takes five times as long
        self._waker, self._wakers = waker, wakers
        # What runs for it prints where its caller does, whoever woke the thread.
        self._context = contextvars.copy_context()
        self._coroutine = coroutine
        self._on_end = on_end
        self._task: asyncio.Task[None] | None = None
        # Unless somebody cancels the job, only the end of its thread does.
        self._ending: BaseException = Stopped(_UNLOADED)
        self._cancelled = False
        waker.call(self._start)

    def cancel(self, why: str | None = None) -> None:
        """Ask the coroutine to end; does nothing if it has.

        Who waits for it gets a ``CancelledError``, or, told ``why``, ``Stopped``.
        """
        if not self._cancelled:
            self._cancelled = True
            self._ending = Stopped(why) if why else concurrent.futures.CancelledError()
        with contextlib.suppress(RuntimeError):  # the loop is closed, so nothing runs any more
            self._waker.call(self._cancel)

    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self._outcome.known

    def result(self, timeout: float | None = None) -> T:
        """Wait for the end; return the result or raise what the coroutine raised.

        Raises:
            Stopped: If it was cancelled with a reason, or its thread was ended.
            concurrent.futures.CancelledError: If it was cancelled without one.
        """
        return self._outcome.wait(timeout)

    def __await__(self) -> Generator[Any, None, T]:
        return self.wait().__await__()

    async def wait(self) -> T:
        """Wait on the event loop that runs here; a cancellation is passed on to the job.

        Raises as :meth:`result`, but ``NbConvoError`` for ``Stopped``: a ``KeyboardInterrupt``
        from a task would end the event loop, the kernel's with the kernel.
        """
        await self.ended()
        try:
            return self._outcome.get()
        except Stopped as stopped:
            raise NbConvoError(str(stopped)) from None

    async def ended(self) -> None:
        """As :meth:`wait`, without the outcome."""
        waker = self._wakers.of(asyncio.get_running_loop())
        with waker.heartbeat():
            try:
                await self._end_on(waker)
            except asyncio.CancelledError:
                self.cancel()
                # What was said so far is being put on record: that is over when this returns.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_CLEAN_UP):
                        await self._end_on(waker)
                raise

    def _end_on(self, waker: Waker) -> asyncio.Future[None]:
        """Return what is done on the loop of ``waker``, which runs here, once the job has ended."""
        ended = waker.loop.create_future()

        def settle() -> None:
            if not ended.done():  # nobody waits any more
                ended.set_result(None)

        def on_end() -> None:
            if asyncio.get_running_loop() is self._waker.loop:
                waker.gather(settle, self._waker.loop)
            else:  # it had ended before
                settle()

        self._outcome.then(on_end)
        return ended

    def _start(self) -> None:
        self._task = self._waker.loop.create_task(self._run(), context=self._context)
        self._task.add_done_callback(self._end, context=self._context)

    def _cancel(self) -> None:
        # Called on the loop, after _start: the calls of one thread keep their order, and a
        # job is cancelled only by who holds it.
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        try:
            result = await self._coroutine
        except asyncio.CancelledError:
            cancelled = self._task is not None and self._task.cancelling()  # else from within
            self._outcome.fail(self._ending if cancelled else concurrent.futures.CancelledError())
        except BaseException as error:  # handed to whoever waits
            self._outcome.fail(error)
        else:
            self._outcome.set(result)

    def _end(self, _: object) -> None:
        if not self._outcome.known:  # cancelled before its first step, so _run never ran
            self._coroutine.close()
            self._outcome.fail(self._ending)
        if self._on_end is not None:
            self._on_end()
