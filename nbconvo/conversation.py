"""A conversation: a tree of messages with an active path. Pure, no I/O.

Nothing said is ever destroyed: undo, retry, edit and re-running a cell all make a new child of
an earlier message the active one, and leave what was there beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nbconvo.errors import InputError
from nbconvo.messages import Cell, Message, ToolCall
from nbconvo.usage import Usage

__all__ = ["Conversation", "readable", "with_results"]


def readable(path: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return the messages of a path without the steps, but for a last one that leads nowhere.

    It is the very same path if there are none.
    """
    if not any(message.is_step for message in path):
        return path
    following = (*path[1:], None)
    return tuple(
        message
        for message, after in zip(path, following, strict=True)
        if not message.is_step or after is None or after.role == "user"
    )


def with_results(
    messages: Sequence[Message],
) -> Iterator[tuple[Message | None, list[tuple[ToolCall | None, Message | None]]]]:
    """Yield each message with the calls that it asks for, each call with its result, if any.

    A result without its call comes with neither, after the results of what stands before it.
    """
    place = 0
    while place < len(messages):
        said = messages[place] if messages[place].role != "tool" else None
        place += said is not None
        results: list[Message] = []
        while place < len(messages) and messages[place].role == "tool":
            results.append(messages[place])
            place += 1
        pairs: list[tuple[ToolCall | None, Message | None]] = []
        for call in said.calls if said else ():
            # Ids are unique within a reply only.
            result = next((one for one in results if one.call_id == call.id), None)
            results = [one for one in results if one is not result]
            pairs.append((call, result))
        yield said, [*pairs, *((None, result) for result in results)]


def _beginnings(path: Sequence[Message]) -> list[int]:
    """Return where exchanges begin: at users' messages, but for words of others after one."""
    return [
        place
        for place, message in enumerate(path)
        if message.role == "user"
        and not (message.name is not None and place and path[place - 1].role == "user")
    ]


def _unknown(message: str) -> InputError:
    return InputError(f"no message {message!r} in this conversation")


class Conversation:
    """A tree of messages; the *active path* leads from the first message to the active leaf."""

    def __init__(self) -> None:
        self._messages: dict[str, Message] = {}
        self._parents: dict[str, str | None] = {}
        self._children: dict[str | None, list[str]] = {None: []}
        self._depths: dict[str, int] = {}
        # Kept rather than walked: to read a long history must not cost its length.
        self._path: tuple[Message, ...] = ()
        self._usage = Usage()

    # --- reading ---------------------------------------------------------------------------

    @property
    def leaf(self) -> str | None:
        """Id of the last message of the active path; ``None`` when it is empty."""
        return self._path[-1].id if self._path else None

    @property
    def messages(self) -> tuple[Message, ...]:
        """The active path, first message first."""
        return self._path

    @property
    def responses(self) -> tuple[Message, ...]:
        """The replies on the active path."""
        return tuple(message for message in self.messages if message.role == "assistant")

    @property
    def last(self) -> Message | None:
        """The last reply of the active path, or ``None``."""
        return next((m for m in reversed(self.messages) if m.role == "assistant"), None)

    @property
    def usage(self) -> Usage:
        """What all replies took, those off the active path included: they were paid for."""
        return self._usage

    def path(self, leaf: str | None) -> tuple[Message, ...]:
        """The messages from the first to ``leaf``."""
        beside: list[Message] = []
        kept = 0
        while leaf is not None:
            if (place := self.place(leaf)) is not None:
                kept = place + 1
                break
            beside.append(self[leaf])
            leaf = self._parents[leaf]
        # The very same object for the same path: whoever watches it sees at once that it is.
        return (*self._path[:kept], *reversed(beside)) if beside else self._path[:kept]

    def place(self, message: str) -> int | None:
        """Where ``message`` stands on the active path, 0 for the first; ``None``: not on it."""
        try:
            path, depth = self._path, self._depths[message]
        except KeyError:
            raise _unknown(message) from None
        return depth if depth < len(path) and path[depth].id == message else None

    def following(self, message: str) -> tuple[Message, ...]:
        """The messages after ``message`` on the active path.

        Raises:
            InputError: If ``message`` is not on the active path.
        """
        if (place := self.place(message)) is None:
            raise InputError(f"message {message!r} is not on the active path")
        return self._path[place + 1 :]

    def parent(self, message: str) -> str | None:
        """Id of the message before ``message``; ``None`` if it is a first one."""
        try:
            return self._parents[message]
        except KeyError:
            raise _unknown(message) from None

    def steps(self, message: str) -> tuple[Message, ...]:
        """The calls of tools and their results that lead to ``message``; itself if it is one."""
        found: list[Message] = []
        at: str | None = message if self[message].is_step else self.parent(message)
        while at is not None and self[at].is_step:
            found.append(self[at])
            at = self._parents[at]
        return tuple(reversed(found)) if self[message].role != "user" else ()

    def alternatives(self, message: str) -> tuple[Message, ...]:
        """All messages said in the same place as ``message``, itself included, oldest first."""
        role = self[message].role
        siblings = (self[sibling] for sibling in self._children[self._parents[message]])
        return tuple(sibling for sibling in siblings if sibling.role == role)

    def asked_from(self, cell: Cell) -> Message | None:
        """The first message on the active path that an earlier execution of ``cell`` asked."""
        for message in self.messages:
            asked = message.cell
            if asked and asked.id == cell.id and asked.execution != cell.execution:
                return message
        return None

    @property
    def readable(self) -> tuple[Message, ...]:
        """The active path as it is read: steps are part of the message that they lead to."""
        return readable(self._path)

    def __getitem__(self, message: str) -> Message:
        try:
            return self._messages[message]
        except KeyError:
            raise _unknown(message) from None

    def __iter__(self) -> Iterator[Message]:
        """All messages in the order in which they were added, every branch included."""
        return iter(tuple(self._messages.values()))  # a copy: another thread may be adding

    def __len__(self) -> int:
        return len(self._messages)

    def __contains__(self, message: object) -> bool:
        return message in self._messages

    # --- changing --------------------------------------------------------------------------

    def add(self, message: Message, parent: str | None) -> None:
        """Put ``message`` below ``parent`` (``None``: as a first one); the path stays.

        Raises:
            InputError: If ``parent`` is unknown, or the message is already here.
        """
        if parent is not None:
            parent = self[parent].id
        if message.id in self._messages:
            raise InputError(f"message {message.id!r} is already in this conversation")
        self._messages[message.id] = message
        self._parents[message.id] = parent
        self._children[message.id] = []
        self._depths[message.id] = 0 if parent is None else self._depths[parent] + 1
        self._children[parent].append(message.id)
        if message.usage is not None:
            self._usage += message.usage

    def append(self, *messages: Message) -> None:
        """Go on: put ``messages`` one below the other at the end of the active path."""
        ids = [message.id for message in messages]
        for place, new in enumerate(ids):
            # Looked for before anything is added, so that a refusal leaves nothing behind.
            if new in self._messages or new in ids[:place]:
                raise InputError(f"message {new!r} is already in this conversation")
        for message in messages:
            self.add(message, self.leaf)
            self.branch(message.id)

    def branch(self, message: str | None) -> None:
        """End the active path at ``message``, to go on from there; ``None`` begins afresh."""
        self._path = self.path(message)

    def select(self, message: str) -> None:
        """Lead the active path through ``message`` and on to the newest that follows it."""
        leaf = self[message].id
        while children := self._children[leaf]:
            leaf = children[-1]
        self.branch(leaf)

    def reset(self) -> None:
        """Begin afresh; what was said stays in the tree."""
        self.branch(None)

    def undo(self) -> tuple[Message, ...]:
        """Take the last exchange off the path: a user's message, the reply, and what follows.

        Returns:
            What was taken off. Where nothing was replied yet, it is the last user's message.
        """
        path = self.messages
        asked = _beginnings(path)
        if not asked:
            raise InputError("nothing to undo: nothing has been asked")
        replied = max((n for n, m in enumerate(path) if m.role == "assistant"), default=len(path))
        place = max((n for n in asked if n < replied), default=asked[-1])
        self.branch(path[place - 1].id if place else None)
        return path[place:]

    def keep_last_n_exchanges(self, n: int) -> tuple[Message, ...]:
        """Begin afresh with copies of the last ``n`` exchanges; return the copies.

        An exchange is a user's message and what follows it up to the next one.
        """
        if n < 0:
            raise InputError(f"n must be 0 or more, not {n!r}")
        path = self.messages
        starts = _beginnings(path)
        kept = path[starts[-n] :] if 0 < n <= len(starts) else path if n else ()
        copies = tuple(message.copied(cell=None) for message in kept)
        self.reset()
        self.append(*copies)
        return copies
