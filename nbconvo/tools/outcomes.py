"""Functions of the user, called so that no event loop ends, or waits, with them."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from nbconvo.keys import scrub

__all__ = ["outcome", "told"]

_LONGEST_ERROR = 2000  # characters of an exception's text that a model is told
_MOST_ITEMS = 100_000  # of a generator; a model is told fewer characters than that


async def outcome(
    function: Callable[[], Any],
    *,
    is_async: bool = False,
    loop: asyncio.AbstractEventLoop | None = None,
) -> Any:
    """Call a function of the user, and return what comes of it; no event loop ends with it.

    Args:
        function: What to call: in a thread of its own, unless it ``is_async``.
        is_async: Whether what it returns is known to be awaited.
        loop: Where coroutines run; ``None`` is the event loop that this runs on.
    """
    value: Any = None
    if not is_async:
        value = await _in_thread(function)
        if not inspect.isawaitable(value) and not inspect.isasyncgen(value):
            return value

    async def call() -> Any:  # what the function makes before its first await is that loop's
        try:
            found = function() if is_async else value
            return await _listed(found) if inspect.isasyncgen(found) else await found
        except (SystemExit, KeyboardInterrupt) as error:  # they would end the event loop
            raise RuntimeError(told(error)) from None
        except asyncio.CancelledError as error:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            raise RuntimeError(told(error)) from None  # its own, nobody stops it

    if loop is None or loop is asyncio.get_running_loop():
        return await call()
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call(), loop))


async def _in_thread(function: Callable[[], Any]) -> Any:
    """Run ``function`` in a thread of its own and return its result, a generator's as a list.

    A thread of a pool would not do: Python waits for these at its end, and a function that never
    returns would keep it from ending.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def settle(value: Any, error: BaseException | None) -> None:
        if done.done():  # it took too long, and nobody waits any more
            return
        if error is None:
            done.set_result(value)
        else:
            done.set_exception(error)

    def run() -> None:
        value: Any = None
        failed: BaseException | None = None
        try:
            value = context.run(_whole, function, done.done)
        except Exception as error:
            failed = error
        except BaseException as error:  # SystemExit and the like must not end the event loop
            failed = RuntimeError(told(error))
        if isinstance(failed, StopIteration):  # which no future takes
            failed = RuntimeError(told(failed))
        try:
            loop.call_soon_threadsafe(settle, value, failed)
        except RuntimeError:  # the loop was closed meanwhile
            return

    threading.Thread(target=run, name="nbconvo-tool", daemon=True).start()
    return await done


def _whole(function: Callable[[], Any], unwanted: Callable[[], bool]) -> Any:
    value = function()
    if not inspect.isgenerator(value):
        return value
    items = []
    for item in value:
        items.append(item)
        if unwanted() or len(items) == _MOST_ITEMS:  # it may never end
            break
    return items


async def _listed(items: AsyncGenerator[Any, Any]) -> list[Any]:
    found: list[Any] = []
    async with aclosing(items):
        async for item in items:
            found.append(item)
            if len(found) == _MOST_ITEMS:  # it may never end
                break
    return found


def told(error: BaseException) -> str:
    """Return what a model is told of an exception."""
    said = scrub(str(error))
    name = type(error).__name__
    return f"{name}: {said}"[:_LONGEST_ERROR] if said else name
