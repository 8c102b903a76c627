"""What is said, as values: messages, and the deltas that they stream in as."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from nbconvo.usage import Usage

__all__ = [
    "Attachment",
    "CallDelta",
    "Carry",
    "Cell",
    "Delta",
    "Message",
    "Role",
    "ToolCall",
    "Usage",  # services of others look for it here
    "new_id",
    "paired",
]

Role = Literal["system", "user", "assistant", "tool"]


# Seeded by the operating system once, rather than asked of it for each id.
_chance = random.Random()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_chance.seed)  # else it would repeat its parent's ids


def new_id() -> str:
    """Return an id for a message or a request, unique within and across conversations."""
    return _chance.getrandbits(128).to_bytes(16).hex()


def paired(text: str) -> str:
    """Return ``text`` with its surrogates paired, or replaced where they can't be."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Cell:
    """Where a turn was asked: a notebook cell, and one execution of it."""

    id: str
    execution: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """An image or a file that goes along with a message.

    Attributes:
        media_type: Such as ``image/png``, ``application/pdf`` or ``text/plain``.
        data: Its bytes, as they are sent.
        name: A file name, where there is one.
        width: In pixels, for an image; ``height`` likewise.
        digest: The SHA-256 of its bytes, in hexadecimal: the name under which a log keeps them.
            Where that has lost them, ``data`` is empty.
    """

    media_type: str
    data: bytes = field(repr=False)
    name: str | None = None
    width: int | None = None
    height: int | None = None
    digest: str = ""

    def __post_init__(self) -> None:
        if not self.digest:
            object.__setattr__(self, "digest", hashlib.sha256(self.data).hexdigest())

    @property
    def is_image(self) -> bool:
        """Whether it is a picture, rather than a document or a text."""
        return self.media_type.startswith("image/")


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool that a model asks for.

    Attributes:
        id: What its result refers to; unique within the reply.
        name: The tool's name, as the model wrote it: there may be no such tool.
        arguments: JSON text as the model wrote it, perhaps no JSON at all.
    """

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class CallDelta:
    """One streamed piece of a tool call.

    Attributes:
        place: Which call of the reply it belongs to. A new ``id`` at the same place begins another
            call: there are servers that give every call the place 0. So does a new ``name``, or
            one that comes again after whole arguments, where there are no ids.
        id: The call's id, told once; ``""`` elsewhere.
        name: The tool's name, told once; ``""`` elsewhere.
        arguments: Text to append to the arguments.
    """

    place: int = 0
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Carry:
    """One streamed piece of a block that goes back to its service as it came, in later requests.

    Pieces with the same place make one block: their texts are appended to each other, other values
    replace each other.

    Attributes:
        protocol: Which protocol understands the block; no other is sent it.
        place: Which block of the reply it belongs to; blocks go back in this order.
        fields: A part of the block.
        needed: Whether the blocks of a reply have to be kept. Those of a reply in which none is
            needed say no more than its text and its calls, and are dropped.
    """

    protocol: str
    place: int
    fields: Mapping[str, Any]
    needed: bool = False


# Not frozen: that takes five times as long to make, and each chunk makes one.
@dataclass(slots=True, unsafe_hash=True)
class Delta:
    """One streamed piece of a reply, as a value: not to be changed. ``str(delta)`` is its text.

    Attributes:
        text: Text to append to the reply.
        reasoning: Text to append to the model's reasoning.
        index: Which of ``n`` alternatives the piece belongs to.
        finish_reason: Why the reply ended (``stop``, ``length``, ...); ``None`` before the end.
        usage: Usage as known so far; the last one holds.
        model: The model that answers, as the service names it.
        notice: Why nothing is coming just now, in words for the reader; never part of the reply.
            ``""`` says that the wait is over and the request on its way.
        calls: Pieces of tool calls.
        carry: Pieces of blocks that go back to the service unchanged.
        steps: What was said on the way to the reply, which only begins after it: a reply that
            calls tools, then what came of that, or one that is to be mended.
    """

    text: str = ""
    reasoning: str = ""
    index: int = 0
    finish_reason: str | None = None
    usage: Usage | None = None
    model: str | None = None
    notice: str | None = None
    calls: tuple[CallDelta, ...] = ()
    carry: tuple[Carry, ...] = ()
    steps: tuple[Message, ...] = ()

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a conversation.

    Attributes:
        role: Who speaks: ``system``, ``user`` or ``assistant``; ``tool`` gives a call's result.
        content: The text.
        name: The speaker's name: for the assistant that of its session; for a user's message
            that of the participants whose words it holds, ``None`` for the user's own.
        id: Unique within and across conversations.
        created: When it was complete, in UTC.
        cell: The notebook cell that asked, for a user's message.
        service: The service that answered, for a reply; likewise what follows.
        model: The model that answered.
        usage: What the request took.
        finish_reason: ``stop``, ``length``, ``tool_calls``, ``content_filter``, ... in the words of
            chat completions; ``stopped`` when the user interrupted, ``cut`` when the stream broke
            off; ``unfit`` when it did not keep to a schema. For a tool's result, ``refused``
            where the call was not allowed.
        seconds: From sending the request to the last byte; for a tool's result, of the call.
        reasoning: The model's reasoning text.
        calls: The tools that a reply asks to be called.
        call_id: For a tool's result, the id of the call.
        failed: For a tool's result, whether it tells why there is none.
        attachments: Images and files that go along with a user's message.
        carried: Blocks of a reply that go back to the service unchanged: pairs of the protocol
            that understands the block, and the block.
        turn_usage: What all requests of its turn took, where a reply took more than one: calls of
            tools and repairs lead to it, whose messages have a usage of their own.
    """

    role: Role
    content: str
    name: str | None = None
    id: str = field(default_factory=new_id)
    created: datetime = field(default_factory=_now)
    cell: Cell | None = None
    service: str | None = None
    model: str | None = None
    usage: Usage | None = None
    finish_reason: str | None = None
    seconds: float | None = None
    reasoning: str = ""
    calls: tuple[ToolCall, ...] = ()
    call_id: str | None = None
    failed: bool = False
    attachments: tuple[Attachment, ...] = ()
    carried: tuple[tuple[str, Mapping[str, Any]], ...] = field(default=(), repr=False)
    turn_usage: Usage | None = None

    @property
    def is_step(self) -> bool:
        """Whether it only leads to a reply: it calls tools, or is what came of that."""
        return self.role == "tool" or bool(self.calls)

    @property
    def took(self) -> Usage | None:
        """What it took to come by it, if anything is known of that."""
        return self.turn_usage or self.usage

    def copied(self, cell: Cell | None) -> Message:
        """Return a copy for another place: it was not asked again, so it takes no usage along."""
        return replace(self, id=new_id(), usage=None, turn_usage=None, cell=cell)
