"""The rows that a panel shows: one session's active path, or all of them in the order of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from nbconvo.conversation import readable
from nbconvo.messages import Message
from nbconvo.panel.rows import Row, row, size
from nbconvo.session import Session

__all__ = ["Scroll", "is_heard", "merged", "path_of"]


@dataclass(frozen=True, slots=True)
class Scroll:
    """Messages in the order in which they are read, and whose they are.

    Attributes:
        messages: The messages, first one first.
        owners: The session of each; of a single one, the session itself.
    """

    messages: tuple[Message, ...]
    owners: Session | tuple[Session, ...]

    def __len__(self) -> int:
        return len(self.messages)

    def owner(self, place: int) -> Session:
        """Return the session of the message at ``place``."""
        return self.owners if isinstance(self.owners, Session) else self.owners[place]

    def common(self, other: Scroll) -> int:
        """Return how many messages at the beginning are the same."""
        pairs = enumerate(zip(self.messages, other.messages, strict=False))
        shorter = min(len(self), len(other))
        return next((place for place, (mine, its) in pairs if mine is not its), shorter)

    def rows(self, start: int, end: int, budget: int) -> tuple[int, list[Row]]:
        """Return rows up to ``end``, and the place of the first.

        They reach back to ``start``, or to where they take ``budget`` bytes; one at least.
        """
        end = min(end, len(self))
        everyone = not isinstance(self.owners, Session)
        made: list[Row] = []
        for place in range(end - 1, max(start, 0) - 1, -1):
            next_one = row(self.owner(place), self.messages[place], everyone=everyone)
            budget -= size(next_one)
            if made and budget < 0:
                break
            made.append(next_one)
        return end - len(made), made[::-1]

    def __iter__(self) -> Iterator[tuple[Session, Message]]:
        return ((self.owner(place), message) for place, message in enumerate(self.messages))


def path_of(session: Session) -> tuple[Message, ...]:
    """Return the active path as it is to be read: up to where a turn goes that has begun.

    A turn that replaces an earlier one is shown in its place from its beginning on; if it fails,
    what was there is there again.
    """
    for turn in session.turns:
        if turn.begun and turn.id not in session.conversation:
            return readable(session.conversation.path(turn.parent))
    return session.conversation.readable


def merged(sessions: Sequence[Session], paths: Sequence[tuple[Message, ...]]) -> Scroll:
    """Return all that was said in several sessions in the order of time.

    What one heard of another is left out: it stands there as the other's own words. So is an
    opening that one heard with them: it stands where the first who spoke was told it.
    """
    told = [
        (when, message, session)
        for session, path in zip(sessions, paths, strict=True)
        for (when, message), after in zip(_times(path), (*path[1:], None), strict=False)
        if not (is_heard(message) or (message.role == "user" and after and is_heard(after)))
    ]
    told.sort(key=lambda each: each[0])
    return Scroll(
        tuple(message for _, message, _ in told), tuple(session for _, _, session in told)
    )


def is_heard(message: Message) -> bool:
    """Whether these are the words of another participant."""
    return message.role == "user" and message.name is not None


def _times(path: Sequence[Message]) -> Iterator[tuple[datetime, Message]]:
    """Yield each message with its time, but none before that of the one it follows.

    A question that waited for an earlier reply was asked before that reply was there.
    """
    latest = datetime.min.replace(tzinfo=UTC)
    for message in path:
        latest = max(latest, message.created)
        yield latest, message
