"""Asks whether the calls of a model may run: in the cell, or by a function of the user."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from nbconvo.messages import Delta
from nbconvo.session.ask import Ask
from nbconvo.session.notices import may_run, now_running
from nbconvo.tools import Call, outcome

__all__ = ["Asker", "Question"]


@dataclass(frozen=True, slots=True)
class Question:
    """Whether a call may run: whoever reads it has to :meth:`answer`, from any thread.

    Attributes:
        speaker: Whose model asks for it.
        call: The call.
    """

    speaker: str | None
    call: Call
    _answer: asyncio.Future[bool | None] = field(repr=False)

    def answer(self, allowed: bool | None) -> None:
        """Let it run, or not; ``None`` says that nobody can tell. A second answer is too late."""

        def settle() -> None:
            if not self._answer.done():
                self._answer.set_result(allowed)

        self._answer.get_loop().call_soon_threadsafe(settle)


class Asker:
    """Asks about one call at a time; made anew for the calls of each reply.

    Args:
        ask: Whose tools are called, and who tells.
        notice: Says in words, to whoever looks at the turn, why nothing is coming.

    Attributes:
        said: What it says to whoever reads the turn.
    """

    def __init__(self, ask: Ask, notice: Callable[[str], Delta]) -> None:
        self._ask = ask
        self._notice = notice
        self.said: asyncio.Queue[Delta | Question] = asyncio.Queue()
        self._allowed: list[str] = []
        self._one_at_a_time = asyncio.Lock()

    async def __call__(self, call: Call) -> bool | None:
        """Return whether the call may run; ``None`` where nobody can be asked."""
        async with self._one_at_a_time:
            answer = await self._answered(call)
            if answer:
                self._allowed.append(str(call))
            self._tell(now_running(self._allowed) if self._allowed else "")
            return answer

    async def _answered(self, call: Call) -> bool | None:
        confirm = self._ask.profile.confirm
        if not callable(confirm) and not self._ask.answers:
            return None
        self._tell(may_run(str(call)))
        if callable(confirm):
            # In a thread: it may well wait for somebody, and no other request must.
            return bool(await outcome(partial(confirm, call)))
        answer: asyncio.Future[bool | None] = asyncio.get_running_loop().create_future()
        self.said.put_nowait(Question(self._ask.name, call, answer))
        return await answer

    def _tell(self, words: str) -> None:
        self.said.put_nowait(self._notice(words))
