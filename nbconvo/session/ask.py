"""What is asked, and where on the tree it goes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from nbconvo.conversation import Conversation
from nbconvo.media import file_of, image_of, is_address
from nbconvo.messages import Attachment, Cell, Message
from nbconvo.services import BaseService
from nbconvo.session.profile import Profile
from nbconvo.session.record import Record

__all__ = [
    "Ask",
    "Said",
    "asked_by",
    "fetched",
    "messages_of",
    "parent_of",
    "place_of",
    "said_in",
    "sent_by",
    "set_aside",
]

#: Who said something, ``None`` for the user, and what.
Said = tuple[str | None, str]


# Not frozen: that takes five times as long to make, and each request makes one.
@dataclass(slots=True)
class Ask:
    """One ask and all that holds for it only, as a value: not to be changed once it has begun.

    Attributes:
        name: Who is asked.
        profile: Whom to ask, and how: service and model are decided.
        content: The user's message; ``None`` asks for another reply to ``parent``.
        placed: Whether the turn goes below ``parent``, rather than at the end of the path or
            in the place of an earlier run of ``cell``.
        parent: Id of the message that a placed turn goes below; ``None`` begins afresh.
        cell: The cell that asks; its own earlier turn is replaced.
        heard: Whose words the content holds, where they are not all the user's own.
        attachments: Images and files that go along with the user's message.
        answers: Whether whoever reads the turn answers its questions.
        loop: The event loop on which async tools run; ``None`` is the I/O thread's.
        bulk: The work of a program that it belongs to; ``None`` if a person waits for it.
        given: What was given for this call only, in place of the session's own.
        repeats: Id of the first turn that asked it, and got no reply.
    """

    name: str | None
    content: str | None
    profile: Profile
    placed: bool = False
    parent: str | None = None
    cell: Cell | None = None
    heard: tuple[Said, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    answers: bool = False
    loop: asyncio.AbstractEventLoop | None = None
    bulk: str | None = None
    given: Mapping[str, Any] = field(default_factory=dict)
    repeats: str | None = None

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
        """The options of the request, tools and a schema among them."""
        return self.profile.asked_options


async def fetched(overrides: Mapping[str, Any]) -> Any:
    """Return what one call is given, with what stands at an address fetched, in other threads.

    Raises:
        InputError: If it cannot be fetched, or is not what it should be.
    """
    given = dict(overrides)
    for name, made in (("images", image_of), ("files", file_of)):
        items = given.get(name)
        if items is None or not isinstance(items, Sequence) or isinstance(items, str | bytes):
            continue
        given[name] = [
            await asyncio.to_thread(made, item) if is_address(item) else item for item in items
        ]
    return given


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
    return sent_by(ask, asked_by(ask), record)


def sent_by(ask: Ask, asked: Sequence[Message], record: Record) -> tuple[Message, ...]:
    """Return what a request sends: the system prompt, the path, and what is ``asked``."""
    system = ask.profile.system
    said = (*record.conversation.path(parent_of(ask, record)), *asked)
    opening = (Message(role="system", content=system),) if system else ()
    return (*opening, *_joined([_told(message) for message in _paired(said)]))


def _told(message: Message) -> Message:
    """Return a message as it is sent: words of others go under their names."""
    if message.role != "user" or message.name is None:
        return message
    return replace(message, content=f"{message.name}: {message.content}", name=None)


def _paired(messages: Sequence[Message]) -> list[Message]:
    """Leave out calls without all their results, and results without a call.

    A path may end, or begin, between them; services refuse to go on from there.
    """
    paired: list[Message] = []
    results: list[Message] = []  # read backwards: they are met before the call
    for message in reversed(messages):
        if message.role == "tool":
            results.append(message)
            continue
        following, results = results, []
        if message.calls:
            if {call.id for call in message.calls} <= {result.call_id for result in following}:
                paired += following
            elif message.content:
                message = replace(message, calls=(), carried=())
            else:
                continue
        paired.append(message)
    return paired[::-1]


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


def asked_by(ask: Ask) -> tuple[Message, ...]:
    """Return the user's message, if the ask brings one; one for each whose words it holds."""
    if ask.content is None:
        return ()
    said = said_in(ask.heard or ((None, ask.content),), ask.cell)
    if not ask.attachments:
        return said
    *before, last = said
    return (*before, replace(last, attachments=ask.attachments))


def said_in(words: Sequence[Said], cell: Cell | None) -> tuple[Message, ...]:
    """Return what was said, in ``cell``, as messages to one who hears it."""
    return tuple([Message(role="user", content=text, name=name, cell=cell) for name, text in words])
