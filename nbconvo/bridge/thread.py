"""The I/O thread: one daemon thread with the only event loop that sends requests.

A thread rather than a nested kernel loop: nothing queued behind a cell is lost, it works under
uvloop, an interrupt closes a request within milliseconds, and requests go on while a cell
computes.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from functools import partial
from typing import Any, TypeVar

from nbconvo.bridge.inbox import LoopInbox, ThreadInbox
from nbconvo.bridge.interrupts import Watch, interruptible
from nbconvo.bridge.items import JOIN_TIMEOUT, pump, read
from nbconvo.bridge.job import Job
from nbconvo.bridge.loop import IOLoop
from nbconvo.bridge.nested import kernel_loop
from nbconvo.bridge.waker import Waker, Wakers
from nbconvo.errors import NbConvoError

__all__ = ["Bridge"]

T = TypeVar("T")


class Bridge:
    """Three doors to the I/O thread.

    Sync: :meth:`run` and :meth:`batches`. From any event loop: ``await start(...)`` and
    :meth:`relay`. In the background: :meth:`start`. The thread starts on first use, again
    after a fork, and ends with :meth:`close`, or with the process.

    Args:
        last: Called when the thread is to end, before another can begin; what it returns runs on
            the thread, as the last thing, to close what was opened there.
    """

    def __init__(self, last: Callable[[], Coroutine[Any, Any, None]] | None = None) -> None:
        self._last = last
        self._lock = threading.Lock()
        self._loop: IOLoop | None = None
        self._waker: Waker | None = None
        self._wakers = Wakers()
        self._thread: threading.Thread | None = None
        self._inherited: list[IOLoop] = []
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=partial(_begin_anew, weakref.ref(self)))

    @property
    def running(self) -> bool:
        """Whether the I/O thread runs, in this process."""
        return self._thread is not None and self._thread.is_alive()

    def start(
        self, coroutine: Coroutine[Any, Any, T], on_end: Callable[[], None] | None = None
    ) -> Job[T]:
        """Begin ``coroutine`` on the I/O thread and return at once."""
        with self._lock:  # begun before close() looks for what runs, or on the next thread
            return Job(coroutine, self._begun(), self._wakers, on_end)

    def run(self, coroutine: Coroutine[Any, Any, T], *, nested: bool = False) -> T:
        """Run ``coroutine`` on the I/O thread and return its result; SIGINT cancels it.

        With ``nested`` the event loop that runs here goes on meanwhile (``loop = "kernel"``).

        Raises:
            Stopped: If the user interrupted.
            NbConvoError: If called on the I/O thread itself, which would wait for itself.
        """
        try:
            self._check_thread()
            loop = kernel_loop() if nested else None
        except NbConvoError:
            coroutine.close()
            raise
        with interruptible() as watch:
            job = self.start(coroutine)
            watch.over(job)
            if loop is not None:
                loop.run_until_complete(job.ended())
            return job.result()
        raise AssertionError("interruptible() swallows nothing")

    def batches(
        self,
        items: AsyncGenerator[T],
        interval: float,
        *,
        watch: Watch | None = None,
        nested: bool = False,
    ) -> Generator[list[T]]:
        """Begin ``items`` on the I/O thread, at once; return what yields what has come.

        It yields every ``interval`` seconds; a batch may be empty, so that whoever paints can
        show that time passes. What ``items`` raises is raised there, after the items that came
        before it. To be read to its end or closed, which ends ``items``::

            with interruptible() as watch, closing(bridge.batches(..., watch=watch)) as batches:
                for batch in batches: ...

        Args:
            items: What to run.
            interval: Seconds from batch to batch.
            watch: Cancels ``items`` on SIGINT, so that ``Stopped`` is raised; see
                :func:`~nbconvo.bridge.interrupts.interruptible`.
            nested: As in :meth:`run`.

        Raises:
            NbConvoError: If called on the I/O thread itself, which would wait for itself.
        """
        self._check_thread()
        loop = kernel_loop() if nested else None
        inbox: ThreadInbox[T] | LoopInbox[T]
        inbox = ThreadInbox() if loop is None else LoopInbox(self._wakers.of(loop))
        job = self.start(pump(items, inbox.put), inbox.close)
        if watch is not None:
            watch.over(job)

        def take() -> tuple[list[T], bool]:
            if isinstance(inbox, ThreadInbox):
                return inbox.take(interval)
            assert loop is not None
            return loop.run_until_complete(inbox.take(interval))

        batches = read(take, job, watch)
        next(batches)  # into its try block: closing it ends the items even if none was read
        return batches

    async def relay(self, items: AsyncGenerator[T]) -> AsyncGenerator[T]:
        """Run ``items`` on the I/O thread; yield each on whatever event loop this runs on."""
        waker = self._wakers.of(asyncio.get_running_loop())
        inbox: LoopInbox[T] = LoopInbox(waker)
        job = self.start(pump(items, inbox.put), inbox.close)
        try:
            with waker.heartbeat():
                more = True
                while more:
                    batch, more = await inbox.take()
                    for item in batch:
                        yield item
            await job
        finally:
            if not job.done():
                job.cancel()
                with contextlib.suppress(BaseException):
                    await job

    def close(self) -> None:
        """End the thread: cancel what runs on it, and wait for the end."""
        with self._lock:
            if not self.running:
                return
            thread, waker = self._thread, self._waker
            self._thread = self._loop = self._waker = None
            assert thread is not None
            assert waker is not None
            last = None if self._last is None else self._last()
            # By the waker: after all that was begun before.
            finish = _finish(waker.loop, last)
            waker.call(partial(asyncio.run_coroutine_threadsafe, finish, waker.loop))
            atexit.unregister(self.close)
        thread.join(JOIN_TIMEOUT)

    def _check_thread(self) -> None:
        if threading.current_thread() is self._thread:
            raise NbConvoError(
                "this would wait on the I/O thread for the I/O thread itself; "
                "await the session instead"
            )

    def _begin_anew(self) -> None:
        """In a forked child: leave the thread, its loop and its connections to the parent."""
        self._lock = threading.Lock()  # another thread of the parent may have held it
        self._thread = self._waker = None
        self._wakers = Wakers()  # one may have been about to wake its loop
        if self._loop is not None:
            self._loop.let_go()
            # Never collected: that would end the parent's requests once more, on record too.
            self._inherited.append(self._loop)
            self._loop = None

    def _begun(self) -> Waker:
        """Return the thread's waker, the thread begun if need be; to be called with the lock."""
        if not self.running or self._waker is None:
            # Not through the policy: immune to uvloop.install() and to patched policies.
            self._loop = IOLoop()
            self._waker = Waker(self._loop)
            self._thread = threading.Thread(
                target=_serve, args=(self._loop,), name="nbconvo-io", daemon=True
            )
            self._thread.start()
            atexit.register(self.close)
        return self._waker


def _begin_anew(reference: weakref.ref[Bridge]) -> None:
    if (bridge := reference()) is not None:
        bridge._begin_anew()


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        asyncio.set_event_loop(None)
        loop.close()


async def _finish(loop: asyncio.AbstractEventLoop, last: Coroutine[Any, Any, None] | None) -> None:
    try:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if last is not None:
            await last
        await loop.shutdown_asyncgens()
        await loop.shutdown_default_executor()
    finally:
        loop.stop()
