"""One turn: what is asked and how, its way to the service, and the reply that comes of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nbconvo.budget import Budget
from nbconvo.conversation import Conversation
from nbconvo.errors import Halted
from nbconvo.keys import scrub
from nbconvo.messages import Cell, Delta, Message
from nbconvo.services import BaseService
from nbconvo.session.profile import Profile
from nbconvo.session.record import Record
from nbconvo.session.reply import Reply
from nbconvo.session.tally import Tally

if TYPE_CHECKING:
    from nbconvo.client import Client

__all__ = ["Ask", "Turn", "messages_of", "parent_of", "place_of", "set_aside"]


@dataclass(frozen=True, slots=True)
class Ask:
    """One ask, with everything that holds for this call only.

    Attributes:
        name: Who is asked.
        profile: Whom to ask, and how: service and model are decided.
        content: The user's message; ``None`` asks for another reply to ``parent``.
        placed: Whether the turn goes below ``parent``, rather than at the end of the path or
            in the place of an earlier run of ``cell``.
        parent: Id of the message that a placed turn goes below; ``None`` begins afresh.
        cell: The cell that asks; its own earlier turn is replaced.
        speaker: Whose words the user's message holds, where they are not the user's own.
    """

    name: str | None
    content: str | None
    profile: Profile
    placed: bool = False
    parent: str | None = None
    cell: Cell | None = None
    speaker: str | None = None

    @property
    def service(self) -> BaseService:
        """The service to ask."""
        return self.profile.asked_service

    @property
    def model(self) -> str | None:
        """The model to ask."""
        return self.profile.model

    @property
    def options(self) -> Mapping[str, Any]:
        """The options of the request."""
        return self.profile.options


def parent_of(ask: Ask, record: Record) -> str | None:
    """Return the id of the message that the turn goes below, as of now."""
    if ask.placed:
        return ask.parent
    return place_of(ask.cell, record.conversation)


def set_aside(ask: Ask, record: Record) -> int:
    """Return how many messages, said after the turn that ``ask`` replaces, leave the path."""
    if ask.cell is None or ask.placed:
        return 0
    kept = len(record.conversation.path(parent_of(ask, record)))
    later, own = 0, False
    for message in record.conversation.messages[kept:]:
        if message.role == "user":
            own = message.cell is not None and message.cell.id == ask.cell.id
        later += not own
    return later


def place_of(cell: Cell | None, conversation: Conversation) -> str | None:
    """Return where what ``cell`` says goes: where its earlier run said it, else at the end."""
    if cell is not None and (earlier := conversation.asked_from(cell)):
        return conversation.parent(earlier.id)
    return conversation.leaf


def messages_of(ask: Ask, record: Record) -> tuple[Message, ...]:
    """Return the messages that the turn would send, as of now: what to answer is the last."""
    return _sent(ask, _asked(ask), record)


def _sent(ask: Ask, asked: Sequence[Message], record: Record) -> tuple[Message, ...]:
    system = ask.profile.system
    said = (*record.conversation.path(parent_of(ask, record)), *asked)
    return (*((Message(role="system", content=system),) if system else ()), *_joined(said))


class Turn:
    """An ask under way, on the event loop that it was made on; any thread may look at it.

    Attributes:
        ask: What is asked, and how.
        asked: The user's message; empty for another reply to an earlier one.
        tally: What has come.
        begun: Whether its turn has come; before, it waits for an earlier one.
        parent: Id of the message that it goes below, once its turn has come.
        error: Why it failed, once it has.
        dismissed: Whether nobody wants to know of the failure any more.
        loop: The event loop that it runs on.
    """

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.asked = _asked(ask)
        self.tally = Tally()
        self.begun = False
        self.parent: str | None = None
        self.error: Exception | None = None
        self.dismissed = False
        self._task = asyncio.current_task()
        self.loop = asyncio.get_running_loop()
        self._halted = False

    @property
    def id(self) -> str:
        """The id that the reply will have."""
        return self.tally.id

    def halt(self) -> None:
        """End it from any thread: what has come is kept, who waits for it gets ``Halted``."""
        with contextlib.suppress(RuntimeError):  # the loop is closed, so nothing runs any more
            self.loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self._task is not None and not self._halted:
            self._halted = True
            self._task.cancel()

    @contextmanager
    def stoppable(self) -> Iterator[None]:
        """Raise ``Halted`` at the end of the block if :meth:`halt`, and nobody else, ended it."""
        try:
            yield
        except asyncio.CancelledError:
            if not self._halted or (self._task is not None and self._task.uncancel() > 0):
                raise
            kept = len(self.tally.texts.get(0, ""))
            raise Halted(f"stopped; {kept:,} characters kept") from None
        finally:
            self._task = None  # what comes after on the same task is not this turn's to end

    def begin(self, record: Record) -> None:
        """Take one's place on the tree: the turn has come."""
        self.parent = parent_of(self.ask, record)
        self.begun = True

    async def take(
        self, record: Record, client: Client, budgets: Sequence[Budget] = ()
    ) -> AsyncGenerator[Sequence[Delta | Reply]]:
        """Yield the deltas of the reply, together as they came, then the reply as a whole.

        The turn is put on record at its end, the user's message and the reply together: a failure
        leaves the active path as it was; an interrupt keeps what had come, marked ``stopped``.
        What had come of a reply that broke off stays in the tree, off the path, marked ``cut``.
        """
        ask, tally = self.ask, self.tally
        parent, messages = self.parent, _sent(self.ask, self.asked, record)
        tally.begin()
        stream = client.batches(ask.service, messages, ask.model, ask.options, budgets=budgets)
        try:
            async with aclosing(stream) as batches:
                async for batch in batches:
                    for delta in batch:
                        tally.add(delta)
                    yield batch
        except (asyncio.CancelledError, GeneratorExit):
            tally.estimate(messages)
            if replies := self._replies("stopped"):
                record.commit([*self.asked, replies[0]], parent, replies[1:])
            raise
        except Exception as error:  # a user's own service may raise anything
            tally.estimate(messages)
            if replies := self._replies("cut"):
                record.commit([*self.asked, replies[0]], parent, replies[1:], active=False)
            record.note(
                "error", error=type(error).__name__, text=scrub(str(error)), asked=ask.content
            )
            raise
        replies = self._replies()
        record.commit([*self.asked, replies[0]], parent, replies[1:])
        yield [Reply(replies[0], tuple(reply.content for reply in replies))]

    def _replies(self, reason: str | None = None) -> list[Message]:
        ask, tally = self.ask, self.tally
        if tally.usage is not None:
            tally.usage = ask.service.priced(tally.usage, tally.model, ask.model)
        return self.tally.messages(ask.name, ask.service.name, ask.model, reason)


def _joined(messages: Sequence[Message]) -> list[Message]:
    """Join neighbours of one role: chat templates refuse two users' messages in a row."""
    joined: list[Message] = []
    for message in messages:
        last = joined[-1] if joined else None
        if last is None or last.role != message.role or message.role == "tool" or last.calls:
            joined.append(message)
            continue
        joined[-1] = replace(
            message,
            content=f"{last.content}\n\n{message.content}",
            attachments=last.attachments + message.attachments,
            carried=(),
        )
    return joined


def _asked(ask: Ask) -> tuple[Message, ...]:
    if ask.content is None:
        return ()
    return (Message(role="user", content=ask.content, name=ask.speaker, cell=ask.cell),)
