"""The calls that a model asks for, run: at once, each within its time, and never another."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from nbconvo.context import as_text, is_table
from nbconvo.errors import InputError, nearest
from nbconvo.keys import without_keys
from nbconvo.messages import Message, ToolCall
from nbconvo.schemas import Misfit
from nbconvo.specs import ToolSpec
from nbconvo.spelling import called
from nbconvo.tools.describing import Tool, tool_of
from nbconvo.tools.outcomes import outcome, told

__all__ = ["Call", "Result", "Toolbox"]

_LONGEST_RESULT = 100_000  # characters of a result that a model is told

_REFUSED = "the user did not allow this call"
_NOBODY = "not run: nobody could be asked whether to allow this call"


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
        refused: Whether that is so because nobody allowed it.
        seconds: How long it took.
    """

    text: str
    failed: bool = False
    refused: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The tools of one ask, and how they are run.

    Attributes:
        tools: The tools; nothing else is ever called.
        timeout: Seconds that one call may take.
        rounds: How often the model may call tools before it has to answer.
        confirm: Asked before each call whether it may run, and returns ``None`` where nobody can
            tell; without it, all run.
        loop: The event loop on which async tools run; ``None`` is that of the I/O thread.
    """

    tools: tuple[Tool, ...] = ()
    timeout: float = 60.0
    rounds: int = 10
    confirm: Callable[[Call], Awaitable[bool | None]] | None = None
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
        if not self.tools or not any(tool.look_up for tool in self.tools):
            return self
        return replace(self, tools=_differing(tool.current() for tool in self.tools))

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """What a model is told of the tools."""
        return tuple([tool.spec for tool in self.tools])

    async def run(
        self, calls: Sequence[ToolCall], came: dict[int, Message | None] | None = None
    ) -> list[Message]:
        """Run the calls, at once, and return their results as messages, in their order.

        No call fails: what is wrong with it is its result, for the model to mend. ``came`` is told,
        by the call's place, of each that begins (``None``), and of its result.
        """
        told = {} if came is None else came

        async def run(place: int, call: ToolCall) -> Message:
            result = await self._result(call, lambda: told.setdefault(place, None))
            told[place] = message = Message(
                role="tool",
                content=result.text,
                name=call.name,
                call_id=call.id,
                failed=result.failed,
                finish_reason="refused" if result.refused else None,
                seconds=round(result.seconds, 3),
            )
            return message

        return await asyncio.gather(*[run(place, call) for place, call in enumerate(calls)])

    async def _result(self, call: ToolCall, begins: Callable[[], object]) -> Result:
        began = time.monotonic()
        try:
            tool = self._tool(call.name)
            positional, named = tool.bound(call.arguments)
            if self.confirm is not None and not (allowed := await self.confirm(_shown(call))):
                return Result(_NOBODY if allowed is None else _REFUSED, failed=True, refused=True)
            begins()
            began = time.monotonic()
            async with asyncio.timeout(self.timeout):
                value = await self._called(tool, positional, named)
            return Result(_bounded(without_keys(_text(value))), seconds=time.monotonic() - began)
        except Misfit as error:
            said = str(error)
        except TimeoutError as error:
            is_ours = time.monotonic() - began >= self.timeout
            said = f"it took longer than {self.timeout:g} s" if is_ours else told(error)
        except Exception as error:  # the user's function may raise anything
            said = told(error)
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
