"""The calls that a model asks for, run: at once, each within its time, and never another."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from nbconvo.context import as_text, is_table
from nbconvo.errors import InputError, nearest
from nbconvo.keys import scrub, without_keys
from nbconvo.messages import Message, ToolCall
from nbconvo.schemas import Misfit
from nbconvo.specs import ToolSpec
from nbconvo.spelling import called
from nbconvo.tools.describing import Tool, tool_of

__all__ = ["Call", "Result", "Toolbox", "outcome"]

_LONGEST_ERROR = 2000  # characters of an exception's text that a model is told
_LONGEST_RESULT = 100_000  # characters of a result that a model is told


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it would run, to be shown to whoever allows it.

    Attributes:
        name: The tool's name.
        arguments: The arguments by name, as JSON values.
    """

    name: str
    arguments: dict[str, Any]

    def __str__(self) -> str:
        return called(self.name, json.dumps(self.arguments))


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a call.

    Attributes:
        text: The value as text, or why there is none.
        failed: Whether it is the latter.
        seconds: How long it took.
    """

    text: str
    failed: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The tools of one ask, and how they are run.

    Attributes:
        tools: The tools; nothing else is ever called.
        timeout: Seconds that one call may take.
        rounds: How often the model may call tools before it has to answer.
        confirm: Asked before each call whether it may run; ``None`` lets all run.
        loop: The event loop on which async tools run; ``None`` is that of the I/O thread.
    """

    tools: tuple[Tool, ...] = ()
    timeout: float = 60.0
    rounds: int = 10
    confirm: Callable[[Call], Awaitable[bool]] | None = None
    loop: asyncio.AbstractEventLoop | None = None

    @classmethod
    def of(cls, functions: Any, **settings: Any) -> Toolbox:
        """Return the toolbox of these functions, or of this one.

        Raises:
            InputError: If one cannot be told to a model, or two have the same name.
        """
        if isinstance(functions, Tool) or callable(functions):
            functions = (functions,)
        elif isinstance(functions, str) or not isinstance(functions, Iterable):
            kind = type(functions).__name__
            raise InputError(f"tools must be a list of functions, such as tools=[f], not a {kind}")
        return cls(_differing(tool_of(function) for function in functions), **settings)

    def current(self) -> Toolbox:
        """Return it with the tools that were given by name as those names are defined now.

        Raises:
            InputError: As :meth:`of`, or if a name is gone.
        """
        if not any(tool.look_up for tool in self.tools):
            return self
        return replace(self, tools=_differing(tool.current() for tool in self.tools))

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """What a model is told of the tools."""
        return tuple(tool.spec for tool in self.tools)

    async def run(self, calls: Sequence[ToolCall]) -> list[Message]:
        """Run the calls, at once, and return their results as messages, in their order.

        No call fails: what is wrong with it is its result, for the model to mend.
        """
        results = await asyncio.gather(*[self._result(call) for call in calls])
        return [
            Message(
                role="tool",
                content=result.text,
                name=call.name,
                call_id=call.id,
                failed=result.failed,
                seconds=round(result.seconds, 3),
            )
            for call, result in zip(calls, results, strict=True)
        ]

    async def _result(self, call: ToolCall) -> Result:
        began = time.monotonic()
        try:
            tool = self._tool(call.name)
            positional, named = tool.bound(call.arguments)
            if self.confirm is not None and not await self.confirm(_shown(call)):
                return Result("the user did not allow this call", failed=True)
            began = time.monotonic()
            async with asyncio.timeout(self.timeout):
                value = await self._called(tool, positional, named)
            return Result(_bounded(without_keys(_text(value))), seconds=time.monotonic() - began)
        except Misfit as error:
            said = str(error)
        except TimeoutError as error:
            is_ours = time.monotonic() - began >= self.timeout
            said = f"it took longer than {self.timeout:g} s" if is_ours else _spelled(error)
        except Exception as error:  # the user's function may raise anything
            said = _spelled(error)
        return Result(f"error: {said}", failed=True, seconds=time.monotonic() - began)

    async def _called(self, tool: Tool, positional: Sequence[Any], named: dict[str, Any]) -> Any:
        call = partial(tool.function, *positional, **named)
        return await outcome(call, is_async=tool.is_async, loop=self.loop)

    def _tool(self, name: str) -> Tool:
        for tool in self.tools:
            if tool.name == name:
                return tool
        names = [tool.name for tool in self.tools]
        near = nearest(name, names)
        hint = f"did you mean {near!r}?" if near else f"there are {', '.join(names)}"
        raise Misfit(f"no tool {name!r}; {hint}")


def _differing(tools: Iterable[Tool]) -> tuple[Tool, ...]:
    tools = tuple(tools)
    names = [tool.name for tool in tools]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"two tools have the name {twice!r}; rename one")
    return tools


def _shown(call: ToolCall) -> Call:
    found = json.loads(call.arguments.strip() or "{}")
    return Call(call.name, found)


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
        if not inspect.isawaitable(value):
            return value

    async def call() -> Any:  # what the function makes before its first await is that loop's
        try:
            return await (function() if is_async else value)
        except (SystemExit, KeyboardInterrupt) as error:  # they would end the event loop
            raise RuntimeError(_spelled(error)) from None
        except asyncio.CancelledError as error:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            raise RuntimeError(_spelled(error)) from None  # its own, nobody stops it

    if loop is None or loop is asyncio.get_running_loop():
        return await call()
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call(), loop))


async def _in_thread(function: Callable[[], Any]) -> Any:
    """Run ``function`` in a thread of its own and return its result.

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
            value = context.run(function)
        except Exception as error:
            failed = error
        except BaseException as error:  # SystemExit and the like must not end the event loop
            failed = RuntimeError(_spelled(error))
        if isinstance(failed, StopIteration):  # which no future takes
            failed = RuntimeError(_spelled(failed))
        try:
            loop.call_soon_threadsafe(settle, value, failed)
        except RuntimeError:  # the loop was closed meanwhile
            return

    threading.Thread(target=run, name="nbconvo-tool", daemon=True).start()
    return await done


def _text(value: Any) -> str:
    """Return a result as a model reads it: text as it is, a table as Markdown, else JSON."""
    import pydantic_core

    if isinstance(value, str):
        return value
    if is_table(value):
        return as_text(value, "result")
    if isinstance(value, bytes | bytearray):
        return f"{len(value):,} bytes"
    return pydantic_core.to_json(value, fallback=str, inf_nan_mode="constants").decode()


def _bounded(text: str) -> str:
    """Return a result as far as a model is told it: it is paid for, with each request anew."""
    if len(text) <= _LONGEST_RESULT:
        return text
    kept = f"the first {_LONGEST_RESULT:,} of {len(text):,} characters"
    return f"{text[:_LONGEST_RESULT]}\n[cut: {kept}]"


def _spelled(error: BaseException) -> str:
    said = scrub(str(error))
    name = type(error).__name__
    return f"{name}: {said}"[:_LONGEST_ERROR] if said else name
