"""One turn: what is asked and how, its way to the service, and the reply that comes of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from nbconvo import tokens
from nbconvo.conversation import Conversation
from nbconvo.messages import Cell, Delta, Message, Usage
from nbconvo.services import BaseService
from nbconvo.session.profile import Profile
from nbconvo.session.record import Record
from nbconvo.session.reply import Reply

if TYPE_CHECKING:
    from nbconvo.client import Client

__all__ = ["Ask", "messages_of", "parent_of", "place_of", "set_aside", "take"]


@dataclass(frozen=True, slots=True)
class Ask:
    """One ask, with everything that holds for this call only.

    Attributes:
        name: Who is asked.
        profile: Whom to ask, and how: service and model are decided.
        content: The user's message; ``None`` asks again for a reply to ``again``.
        begin: Whether to begin afresh rather than go on.
        again: Id of the user's message that is to get another reply.
        cell: The cell that asks; its own earlier turn is replaced.
    """

    name: str | None
    content: str | None
    profile: Profile
    begin: bool = False
    again: str | None = None
    cell: Cell | None = None

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
    if ask.again is not None or ask.begin:
        return ask.again
    return place_of(ask.cell, record.conversation)


def set_aside(ask: Ask, record: Record) -> int:
    """Return how many messages, said after the turn that ``ask`` replaces, leave the path."""
    if ask.cell is None or ask.begin or ask.again is not None:
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
    system = ask.profile.system
    said = (*record.conversation.path(parent_of(ask, record)), *_asked(ask))
    return (*((Message(role="system", content=system),) if system else ()), *_joined(said))


async def take(ask: Ask, record: Record, client: Client) -> AsyncGenerator[Delta | Reply]:
    """Yield the deltas of the reply to ``ask``, then the reply as a whole.

    The turn is put on record at its end, the user's message and the reply together: a failure
    leaves the active path as it was; an interrupt keeps what had come, marked ``stopped``.
    What had come of a reply that broke off stays in the tree, off the path, marked ``cut``.
    """
    parent, asked = parent_of(ask, record), _asked(ask)
    messages, tally = messages_of(ask, record), _Tally()
    try:
        async with aclosing(client.stream(ask.service, messages, ask.model, ask.options)) as deltas:
            async for delta in deltas:
                tally.add(delta)
                yield delta
    except (asyncio.CancelledError, GeneratorExit):
        tally.estimate(messages)
        if replies := tally.messages(ask, "stopped"):
            record.commit([*asked, replies[0]], parent, replies[1:])
        raise
    except Exception as error:  # a user's own service may raise anything
        tally.estimate(messages)
        if replies := tally.messages(ask, "cut"):
            record.commit([*asked, replies[0]], parent, replies[1:], active=False)
        record.note("error", error=type(error).__name__, text=str(error), asked=ask.content)
        raise
    replies = tally.messages(ask)
    record.commit([*asked, replies[0]], parent, replies[1:])
    yield Reply(replies[0], tuple(reply.content for reply in replies))


def _joined(messages: Sequence[Message]) -> list[Message]:
    """Join neighbours of one role: chat templates refuse two users' messages in a row."""
    joined: list[Message] = []
    for message in messages:
        if joined and joined[-1].role == message.role:
            content = f"{joined[-1].content}\n\n{message.content}"
            joined[-1] = replace(joined[-1], content=content)
        else:
            joined.append(message)
    return joined


def _asked(ask: Ask) -> tuple[Message, ...]:
    if ask.content is None:
        return ()
    return (Message(role="user", content=ask.content, cell=ask.cell),)


@dataclass(slots=True)
class _Tally:
    """Adds up the deltas of a reply, its alternatives (by index) apart."""

    clock: Callable[[], float] = time.monotonic
    texts: dict[int, str] = field(default_factory=dict)
    reasonings: dict[int, str] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    usage: Usage | None = None
    model: str | None = None
    sent: float = field(init=False)

    def __post_init__(self) -> None:
        self.sent = self.clock()

    def add(self, delta: Delta) -> None:
        """Count a delta in; the time that a reply takes begins when its request is sent."""
        if delta.notice is not None:
            self.sent = self.clock()
        if delta.text:
            self.texts[delta.index] = self.texts.get(delta.index, "") + delta.text
        if delta.reasoning:
            self.reasonings[delta.index] = self.reasonings.get(delta.index, "") + delta.reasoning
        if delta.finish_reason:
            self.reasons[delta.index] = delta.finish_reason
        self.usage = delta.usage or self.usage
        self.model = delta.model or self.model

    def estimate(self, sent: Sequence[Message]) -> None:
        """Estimate the usage of a reply that ended before the service told it."""
        if self.usage is None:
            said = "".join((*self.texts.values(), *self.reasonings.values()))
            self.usage = Usage(
                tokens.prompt_tokens(sent), tokens.estimate(said), requests=1, estimated=True
            )

    def messages(self, ask: Ask, reason: str | None = None) -> list[Message]:
        """Return the alternatives as messages, the first one with the usage of all.

        Args:
            ask: What was asked.
            reason: Why the reply ended, where it was not the service that ended it.
        """
        seconds = round(self.clock() - self.sent, 3)
        said = self.texts.keys() | self.reasonings.keys()
        indices = sorted(said if reason else said | self.reasons.keys())
        return [
            Message(
                role="assistant",
                content=self.texts.get(index, ""),
                name=ask.name,
                service=ask.service.name,
                model=self.model or ask.model,
                usage=self.usage if index == indices[0] else None,
                finish_reason=reason or self.reasons.get(index),
                seconds=seconds,
                reasoning=self.reasonings.get(index, ""),
            )
            for index in indices
        ]
