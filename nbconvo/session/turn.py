"""One turn: its way to the service, and the reply that comes of it, put on record."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime

from nbconvo.errors import Endless, Halted, Unfit
from nbconvo.keys import scrub
from nbconvo.messages import Delta, Message
from nbconvo.session.ask import Ask, asked_by, parent_of, sent_by
from nbconvo.session.asker import Question
from nbconvo.session.record import Record
from nbconvo.session.reply import Reply
from nbconvo.session.rounds import Rounds
from nbconvo.session.tally import Tally

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

    def begin(self, record: Record) -> Rounds:
        """Take one's place on the tree: the turn has come. Return its way to the reply."""
        self.parent = parent_of(self.ask, record)
        self.begun = True
        return Rounds(self.ask, self.asked, sent_by(self.ask, self.asked, record), self.tally)

    def finish(self, rounds: Rounds, record: Record) -> Reply:
        """Put the turn on record, with all that tools were asked; return the reply."""
        said, choices = rounds.ended()
        record.commit(said, self.parent, [*choices, *rounds.unfit])
        texts = (said[-1].content, *[other.content for other in choices])
        read = {} if self.ask.profile.form is None else {"parsed": rounds.parsed}
        return Reply(said[-1], texts, steps=rounds.steps, **read)

    def give_up(self, rounds: Rounds, record: Record, error: BaseException) -> tuple[Message, ...]:
        """Put on record what had come before ``error``; return the steps that are yet to be told.

        What an interrupt leaves is marked ``stopped``. What had come of a reply that broke off
        stays in the tree, off the path, marked ``cut``; calls without an end are kept, as far as
        they came.
        """
        if not isinstance(error, Exception):
            said, choices = rounds.ended("stopped")
            if said:
                record.commit(said, self.parent, [*choices, *rounds.unfit])
                self.kept = True
            # To who was cancelled somebody may still listen.
            return () if isinstance(error, GeneratorExit) else rounds.left
        endless = isinstance(error, Endless)
        why = "unfit" if isinstance(error, Unfit) else "cut"
        said, choices = rounds.ended("too many rounds" if endless else why)
        if said:
            record.commit(said, self.parent, [*choices, *rounds.unfit], active=endless)
        name, text = type(error).__name__, scrub(str(error))
        record.note("error", error=name, text=text, asked=self.ask.content)
        return rounds.left if endless else ()
