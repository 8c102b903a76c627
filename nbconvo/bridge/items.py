"""Items on their way from the I/O thread to whoever reads them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing
from typing import TypeVar

from nbconvo.bridge.interrupts import Watch
from nbconvo.bridge.job import Job

__all__ = ["JOIN_TIMEOUT", "pump", "read"]

T = TypeVar("T")

JOIN_TIMEOUT = 5.0  # seconds that who leaves waits for what runs on the thread to end


async def pump(items: AsyncGenerator[T], put: Callable[[T], None]) -> None:
    """Run ``items``; hand over together what comes in one step of the loop.

    Who waits for the first would wake as soon as this thread does as little as write a line to
    disk, and find that the rest is still to come.
    """
    loop = asyncio.get_running_loop()
    held: list[T] = []

    def hand_over() -> None:
        for item in held:
            put(item)
        held.clear()

    async with aclosing(items) as source:
        async for item in source:
            if not held:
                loop.call_soon(hand_over)
            held.append(item)


def read(
    take: Callable[[], tuple[list[T], bool]], job: Job[None], watch: Watch | None
) -> Generator[list[T]]:
    """Yield what ``take`` finds until ``job`` has ended, which it does if the reader leaves."""
    try:
        yield []  # for whoever began it
        more = True
        while more:
            batch, more = take()
            yield batch
    except BaseException:  # the reader left, or could not go on
        job.cancel()
        if watch is None or not watch.stopped:  # else a second interrupt: waited long enough
            with contextlib.suppress(BaseException):
                job.result(JOIN_TIMEOUT)
        raise
    job.result()
