"""One turn: its way to the service, and the reply that comes of it, put on record."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING

from nbconvo.budget import Budget
from nbconvo.errors import Endless, Halted, Unfit
from nbconvo.keys import scrub
from nbconvo.messages import Delta, Message
from nbconvo.session.ask import Ask, asked_by, parent_of, sent_by
from nbconvo.session.asker import Question
from nbconvo.session.record import Record
from nbconvo.session.reply import Reply
from nbconvo.session.rounds import Rounds
from nbconvo.session.tally import Tally

if TYPE_CHECKING:
    from nbconvo.client import Client

__all__ = ["Item", "Turn"]

#: What a turn yields.
Item = Delta | Question | Reply


class Turn:
    """An ask under way, on the event loop that it was made on; any thread may look at it.

    Attributes:
        ask: What is asked, and how.
        asked: The user's message; empty for another reply to an earlier one.
        tally: What has come.
        begun: Whether its turn has come; before, it waits for an earlier one.
        parent: Id of the message that it goes below, once its turn has come.
        error: Why it failed, once it has.
        kept: Whether what had come was kept when it was stopped.
        ended: When it ended without a reply, once it has.
        dismissed: Whether nobody wants to know of the failure any more.
        loop: The event loop that it runs on.
    """

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.asked = asked_by(ask)
        self.tally = Tally()
        self.begun = False
        self.parent: str | None = None
        self.error: Exception | None = None
        self.kept = False
        self.ended: datetime | None = None
        self.dismissed = False
        self._task = asyncio.current_task()
        self.loop = asyncio.get_running_loop()
        self._halted = False

    @property
    def id(self) -> str:
        """The id that the reply will have."""
        return self.tally.id

    @property
    def question(self) -> str:
        """The id of the turn that this one repeats, else its own."""
        return self.ask.repeats or self.id

    def ended_since(self, reply: Message) -> bool:
        """Whether it ended without a reply after ``reply`` had come."""
        return self.ended is not None and self.ended >= reply.created

    def halt(self) -> None:
        """End it from any thread: what has come is kept, who waits for it gets ``Halted``."""
        with contextlib.suppress(RuntimeError):  # the loop is closed, so nothing runs any more
            self.loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self._task is not None and not self._halted:
            self._halted = True
            self._task.cancel()

    def end(self, error: BaseException | None) -> None:
        """Let go of the task, which the turn ended on with ``error``.

        Raises:
            Halted: In its place, if :meth:`halt`, and nobody else, cancelled the turn.
        """
        task, self._task = self._task, None  # what comes after on it is not this turn's to end
        if not self._halted or not isinstance(error, asyncio.CancelledError):
            return
        if task is None or task.uncancel() == 0:
            kept = len(self.tally.texts.get(0, ""))
            raise Halted(f"stopped; {kept:,} characters kept") from None

    def begin(self, record: Record) -> None:
        """Take one's place on the tree: the turn has come."""
        self.parent = parent_of(self.ask, record)
        self.begun = True

    async def take(
        self, record: Record, client: Client, budgets: Sequence[Budget] = ()
    ) -> AsyncGenerator[Sequence[Item]]:
        """Yield the deltas of the reply, together as they came, then the reply as a whole.

        The turn is put on record at its end, the user's message and the reply together, with all
        that tools were asked between: a failure leaves the active path as it was; an interrupt
        keeps what had come, marked ``stopped``. What had come of a reply that broke off stays in
        the tree, off the path, marked ``cut``; calls without an end are kept, as far as they came.
        """
        ask, parent = self.ask, self.parent
        rounds = Rounds(ask, self.asked, sent_by(ask, self.asked, record), self.tally)
        try:
            async with aclosing(rounds.run(client, budgets)) as batches:
                async for batch in batches:
                    yield batch
        except (asyncio.CancelledError, GeneratorExit) as end:
            said, choices = rounds.ended("stopped")
            if said:
                record.commit(said, parent, [*choices, *rounds.unfit])
                self.kept = True
            if rounds.left and not isinstance(end, GeneratorExit):  # somebody may still read
                yield [Delta(steps=rounds.left)]
            raise
        except Exception as error:  # a user's own service may raise anything
            endless = isinstance(error, Endless)
            why = "unfit" if isinstance(error, Unfit) else "cut"
            said, choices = rounds.ended("too many rounds" if endless else why)
            if said:
                record.commit(said, parent, [*choices, *rounds.unfit], active=endless)
            if endless:
                yield [Delta(steps=rounds.left)]
            record.note(
                "error", error=type(error).__name__, text=scrub(str(error)), asked=ask.content
            )
            raise
        said, choices = rounds.ended()
        record.commit(said, parent, [*choices, *rounds.unfit])
        texts = (said[-1].content, *(other.content for other in choices))
        read = {} if ask.profile.form is None else {"parsed": rounds.parsed}
        yield [Reply(said[-1], texts, steps=rounds.steps, **read)]
