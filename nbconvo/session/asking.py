"""How a session is asked: asks are made, begun, and answered when their turn has come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Unpack

from nbconvo.bridge import Job
from nbconvo.budget import Budget
from nbconvo.context import with_context
from nbconvo.errors import InputError
from nbconvo.host import running_cell
from nbconvo.media import attached
from nbconvo.messages import Attachment, Cell, Delta, Message
from nbconvo.session.ask import Ask, Said, messages_of, place_of, said_in, set_aside
from nbconvo.session.line import Line
from nbconvo.session.profile import Overrides, Profile
from nbconvo.session.record import Record
from nbconvo.session.reply import Reply
from nbconvo.session.turn import Item, Turn
from nbconvo.session.turns import Turns
from nbconvo.session.workspace import split_model, workspace

__all__ = ["Asking"]


class Asking:
    """How one session is asked, by itself and by cells, panels and other sessions.

    Args:
        name: That of the session, ``None`` if it has none.
        profile: Whom to ask, and how.
        record: Where turns end.
        budget: What they may cost in all.

    Attributes:
        profile: As given; changed, it holds for asks that are made from then on.
        line: Whose turn it is.
        turns: The asks under way, and those that failed.
    """

    def __init__(self, name: str | None, profile: Profile, record: Record, budget: Budget) -> None:
        self.profile = profile
        self.line = Line(repr(name) if name else "the session")
        self.turns = Turns(workspace.changed)
        self._name = name
        self._record = record
        self._budget = budget

    def prepare(
        self,
        instruction: object,
        context: object = None,
        *,
        placed: bool = False,
        parent: str | None = None,
        **overrides: Unpack[Overrides],
    ) -> Ask:
        """Check what is to be asked, before anything is sent, and return it for :meth:`answer`.

        A ``placed`` ask goes below ``parent``, the id of a message, or begins afresh.
        """
        content = with_context(instruction, context)
        given: dict[str, Any] = dict(overrides)
        images, files = given.pop("images", None) or (), given.pop("files", None) or ()
        profile = self.profile.overridden(given)
        attachments: tuple[Attachment, ...] = ()
        if images or files:
            attachments = attached(images, files, side=profile.asked_service.image_side)
        return Ask(
            self._name,
            content,
            profile,
            placed,
            parent,
            running_cell(),
            attachments=attachments,
            given=given,
        )

    def prepare_retry(self, reply: str | None = None, **overrides: Unpack[Overrides]) -> Ask:
        """Return the ask that repeats the one before ``reply``, an id, or else the last.

        That is one that got no reply, if none came since, else the one before the last reply.
        """
        conversation = self._record.conversation
        last = conversation.last if reply is None else conversation[reply]
        turn = self.turns.unanswered if reply is None else None
        if turn is not None and (last is None or turn.ended_since(last)):
            return self.prepare_again(turn, **overrides)
        if last is None:
            raise InputError(f"nothing to retry: {self.line.name} has not replied yet")
        if last.role != "assistant":
            raise InputError("only a reply can be asked for again; edit() says something else")
        profile = self.profile.overridden(overrides)
        parent = self._asked_by(last.id)
        return Ask(self._name, None, profile, placed=True, parent=parent, given=overrides)

    def prepare_again(self, turn: Turn, **overrides: Unpack[Overrides]) -> Ask:
        """Return the ask that repeats ``turn``, which got no reply, as the session asks now.

        What was given for that call only holds again, but for what is given now.
        """
        given = _given_again(turn.ask.given, overrides)
        again = replace(
            turn.ask,
            profile=self.profile.overridden(given),
            given=given,
            repeats=turn.question,
            # Who asked it may not be there any more to answer questions, or turn a loop.
            answers=False,
            loop=None,
            bulk=None,
        )
        if (kept := self._kept(turn)) is None:
            return again
        return replace(again, content=None, placed=True, parent=kept, heard=(), attachments=())

    def _kept(self, turn: Turn) -> str | None:
        """Return the id of what ``turn`` asked, if it is on the active path all the same."""
        told, asked = self._record.conversation, turn.asked
        if asked and asked[-1].id in told and told.place(asked[-1].id) is not None:
            return asked[-1].id
        # What others said is heard, at the end of an exchange, also by whom it did not reach.
        heard = turn.ask.heard and [(m.name, m.content) for m in told.messages[-len(asked) :]]
        return told.leaf if heard and heard == list(turn.ask.heard) else None

    def prepare_edit(
        self, message: str, instruction: object, **overrides: Unpack[Overrides]
    ) -> Ask:
        """Return the ask that says something else in the place of ``message``, an id."""
        old = self._record.conversation[message]
        if old.role != "user":
            raise InputError("only a user's message can be edited; retry() asks for another reply")
        parent = self._record.conversation.parent(old.id)
        ask = self.prepare(instruction, placed=True, parent=parent, **overrides)
        return replace(ask, attachments=old.attachments + ask.attachments)

    def _asked_by(self, reply: str) -> str | None:
        """Return the id of the message that ``reply`` answers, before all steps to it."""
        conversation = self._record.conversation
        parent = conversation.parent(reply)
        while parent is not None and conversation[parent].is_step:
            parent = conversation.parent(parent)
        return parent

    def set_aside(self, ask: Ask) -> int:
        """Return how many messages after its own earlier turn ``ask`` takes off the path."""
        return set_aside(ask, self._record)

    def request_messages(self, ask: Ask) -> tuple[Message, ...]:
        """Return the messages that ``ask`` would send now."""
        return messages_of(ask, self._record)

    def start(self, ask: Ask) -> Job[Reply]:
        """Begin a prepared turn on the I/O thread, from any thread; the job can be awaited."""
        return workspace.bridge.start(self._whole(ask))

    async def answer(self, ask: Ask) -> AsyncGenerator[Item]:
        """Run one turn, on the I/O thread: yield its deltas, then the reply as a whole.

        Questions come between only if the ask says that somebody ``answers`` them.

        Turns of one session wait for each other.
        """
        async with aclosing(self.batches(ask)) as batches:
            async for batch in batches:
                for item in batch:
                    yield item

    async def batches(self, ask: Ask) -> AsyncGenerator[Sequence[Item]]:
        """As :meth:`answer`, yielding together what came together.

        The turn is put on record at its end, the user's message and the reply together: a failure
        leaves the active path as it was, an interrupt keeps what had come.
        """
        waits = self.line.busy
        with self.turns.under_way(ask) as turn:
            if waits:
                busy = f"{self.line.name} is still answering what was asked before"
                yield [Delta(notice=busy)]
            async with self.line.turn():
                rounds = turn.begin(self._record)
                workspace.changed()
                if waits:
                    yield [Delta(notice="")]
                coming = rounds.run(workspace.client, (self._budget, workspace.budget))
                try:
                    async with aclosing(coming) as batches:
                        async for batch in batches:
                            yield batch
                except (Exception, asyncio.CancelledError, GeneratorExit) as error:
                    if left := turn.give_up(rounds, self._record, error):
                        yield [Delta(steps=left)]
                    raise
                yield [turn.finish(rounds, self._record)]

    async def _whole(self, ask: Ask) -> Reply:
        reply = None
        async for batch in self.batches(ask):  # which ends by itself: nobody leaves early
            reply = batch[-1]
        assert isinstance(reply, Reply)
        return reply

    async def hear(self, words: Sequence[Said], cell: Cell | None = None) -> None:
        """Put what others said on the path, without asking for a reply; on the I/O thread.

        What was heard in an earlier run of ``cell`` gives place.
        """
        async with self.line.turn():
            place = place_of(cell, self._record.conversation)
            self._record.commit(said_in(words, cell), place)


def _given_again(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Return what holds for a repeated call; a service that is named now asks its own model."""
    given = dict(before)
    model = now.get("model")
    if now.get("service") or (isinstance(model, str) and split_model(model)[0]):
        given = {name: value for name, value in given.items() if name not in ("service", "model")}
    return given | dict(now)
