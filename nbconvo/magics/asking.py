"""Ask, from a cell: now, in the background, as an exchange, or only to see what would be sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Generator, Iterator, Sequence
from contextlib import aclosing, closing, contextmanager
from dataclasses import replace
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from nbconvo import host, tokens
from nbconvo.bridge.interrupts import Watch, interruptible
from nbconvo.bridge.nested import kernel_loop
from nbconvo.client.encoding import decoded, encoded
from nbconvo.client.own import requested
from nbconvo.display.column import Column
from nbconvo.display.preview import Preview, readable
from nbconvo.display.replies import Replies, Transcript
from nbconvo.display.screens import NoScreen, NotebookScreen, Screen, TerminalScreen
from nbconvo.display.show import Item, show
from nbconvo.errors import InputError, NbConvoError
from nbconvo.magics.allowing import allowed
from nbconvo.magics.background import Pending
from nbconvo.participants import chorus, conversing
from nbconvo.session import Reply, Session, workspace
from nbconvo.session.ask import Ask

__all__ = ["Asking"]

Asked = Sequence[tuple[Session, Ask]]


class Asking:
    """How a cell asks: whether it shows the reply, and which variable gets it."""

    def __init__(
        self, shell: InteractiveShell, *, quiet: bool = False, to: str | None = None
    ) -> None:
        self._shell = shell
        self._in_notebook = hasattr(shell, "kernel")  # a terminal shows text only
        self._quiet = quiet
        self._to = to

    def now(self, asked: Asked) -> Any:
        """Ask, show the replies as they come, and return them: one, or several by name."""
        loop = kernel_loop() if workspace.nested else None
        asked = [(session, replace(ask, answers=True, loop=loop)) for session, ask in asked]
        columns = _columns(asked)
        try:
            with self._begun(_items(asked)) as batches:
                # Made while the request is on its way.
                screen = self._screen(side_by_side=len(asked) > 1)
                show(batches, screen, columns, allowed=allowed)
        finally:
            self._give(_replies(columns))
        return self._result(_replies(columns), columns)

    def in_background(self, asked: Asked) -> None:
        """Ask while other cells run; the variable gets what the replies can be awaited from."""
        columns = _columns(asked)
        screen = self._screen(side_by_side=len(asked) > 1, at_once=True)
        watch = Watch()
        pending = Pending(
            # Of one or of several, an error stays with its column: no cell waits to show it.
            workspace.bridge.batches(chorus(asked), workspace.settings.repaint, watch=watch),
            lambda batches: show(batches, screen, columns),
            lambda: _outcome(columns),
            watch.stop,
        )
        if self._to is not None:
            self._shell.user_ns[self._to] = pending
        # From here on the sessions are busy: the next cell's undo finds them so, and what it
        # asks comes after.
        workspace.bridge.run(_first_steps())

    def exchange(self, sessions: Sequence[Session], opening: str, rounds: int) -> Any:
        """Let the sessions talk, show their turns one below the other, and return them."""
        columns: list[Column] = []
        spoken = conversing(sessions, opening, rounds=rounds)
        try:
            with self._begun(spoken) as batches:
                show(batches, self._screen(), columns, [session.name for session in sessions])
        finally:
            said = Transcript(column.reply for column in columns if column.reply is not None)
            self._give(said)
        return self._result(said, columns)

    def preview(self, asked: Asked) -> Preview:
        """Return what would be sent, to be shown; send nothing."""
        requests = []
        for session, ask in asked:
            messages = session.asking.request_messages(ask)
            request = requested(ask.service, messages, ask.model, ask.options)
            body = readable(decoded(encoded(request.body)))
            text = json.dumps(body, ensure_ascii=False, indent=2)
            estimate = tokens.prompt_tokens(messages, ask.model)
            requests.append((session.name, request.url, text, estimate))
        return Preview(tuple(requests))

    @contextmanager
    def _begun(self, items: AsyncGenerator[Item]) -> Iterator[Generator[Sequence[Item]]]:
        """Begin ``items``; an interrupt ends them from here on, and so does the end of the block.

        The handler stays until the last paint.
        """
        with interruptible() as watch:
            batches = workspace.bridge.batches(
                items, workspace.settings.repaint, watch=watch, nested=workspace.nested
            )
            with closing(batches):
                yield batches

    def _screen(self, *, side_by_side: bool = False, at_once: bool = False) -> Screen:
        if self._quiet:
            return NoScreen()
        if self._in_notebook:
            return NotebookScreen(side_by_side=side_by_side, at_once=at_once)
        return TerminalScreen()

    def _give(self, result: Reply | Replies | Transcript | None) -> None:
        """Give the variable what was said, however the cell ends; it stays if nothing was."""
        if self._to is not None and (result or isinstance(result, Reply)):
            self._shell.user_ns[self._to] = result

    def _result(self, result: Reply | Replies | Transcript, columns: Sequence[Column]) -> Any:
        """Give the result to ``_`` and ``Out``, but not to the page again."""
        errors = [column.error for column in columns if column.error is not None]
        if errors:
            raise errors[0]
        if self._in_notebook and host.running_magic() not in ("ask", "exchange"):
            return result.shown(self._shell.execution_count)
        # For what shows nothing the display hook does this too, but would also print an empty
        # Out[n] in a terminal, and wait twice for the thread that sends outputs in a kernel.
        self._shell.displayhook.update_user_ns(result)
        self._shell.displayhook.fill_exec_result(result)
        return None


def _columns(asked: Asked) -> list[Column]:
    names = [session.name for session, _ in asked]
    if len(set(names)) < len(names):
        raise InputError("a participant is named twice; each can be asked once at a time")
    several = len(asked) > 1
    return [
        Column(
            session.name if several else None,
            speaker=None if session.name == workspace.DEFAULT else session.name,
            aside=_set_aside(session, ask),
            structured=ask.profile.form is not None,
            service=ask.service.name,
        )
        for session, ask in asked
    ]


def _set_aside(session: Session, ask: Ask) -> str | None:
    """Say what leaves the active path because the cell was run again."""
    later = session.asking.set_aside(ask)
    if not later:
        return None
    return f"{later} later message{'s' * (later > 1)} set aside"


def _items(asked: Asked) -> AsyncGenerator[Item]:
    return chorus(asked) if len(asked) > 1 else _alone(*asked[0])


async def _alone(session: Session, ask: Ask) -> AsyncGenerator[Item]:
    async with aclosing(session.asking.batches(ask)) as batches:
        async for batch in batches:
            for item in batch:
                yield 0, item


async def _first_steps() -> None:
    """Let what was begun before on the I/O thread, and the tasks of that, take a first step."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


def _replies(columns: Sequence[Column]) -> Any:
    if len(columns) == 1:
        return columns[0].reply
    return Replies(
        {column.name or "": column.reply for column in columns if column.reply is not None}
    )


def _outcome(columns: Sequence[Column]) -> Any:
    errors: list[NbConvoError] = [c.error for c in columns if c.error is not None]
    if errors:
        raise errors[0]
    return _replies(columns)
