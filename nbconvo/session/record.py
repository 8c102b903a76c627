"""A conversation and its log, changed together: what is on the tree is on disk."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from nbconvo.conversation import Conversation
from nbconvo.errors import LogError
from nbconvo.log import Log, encode_message
from nbconvo.messages import Message

__all__ = ["Record"]


class Record:
    """Every change to :attr:`conversation` goes through here, and into the log if there is one.

    Safe from any thread: replies are committed on the I/O thread, while cells undo and branch.

    Args:
        changed: Called after each change to the conversation.
    """

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self._changed = changed
        self.conversation = Conversation()
        self._log: Log | None = None
        # On the tree, but not on disk yet, which may have failed: what follows names them.
        self._unwritten: tuple[Message, ...] = ()
        self._mutex, self._pid = threading.RLock(), os.getpid()

    @property
    def dir(self) -> str | None:
        """The directory of the log; ``None`` if there is none."""
        return str(self._log.path.parent) if self._log else None

    def log_to(
        self, directory: str | os.PathLike[str] | None, name: str, settings: Mapping[str, Any]
    ) -> None:
        """Log to ``directory`` from now on (``None``: nowhere): the settings, and all said so far.

        Raises:
            LogError: If it cannot be written; the old log goes on.
        """
        with self._lock:
            old, self._log = self._log, Log(directory, name) if directory else None
            unwritten, self._unwritten = self._unwritten, ()
            try:
                session = {"event": "session", **settings}
                active = [self._active()] if self.conversation.leaf is not None else []
                self._write(session, *self._told(tuple(self.conversation)), *active)
            except LogError:
                old, self._log = self._log, old
                self._unwritten = unwritten
                raise
            finally:
                if old is not None:
                    old.close()

    def note(self, event: str, **fields: Any) -> None:
        """Write an event that is not a message."""
        with self._lock:
            self._write({"event": event, **fields})

    def commit(
        self,
        messages: Sequence[Message],
        parent: str | None,
        alternatives: Sequence[Message] = (),
        *,
        active: bool = True,
    ) -> None:
        """Put ``messages`` one below the other under ``parent``, and end the path there.

        Args:
            messages: What was said.
            parent: Id of the message before; ``None`` for a first one.
            alternatives: Put beside the last of ``messages``.
            active: Whether to end the active path there, rather than leave it as it is.
        """
        with self._changing():
            # The tree first, all of it: a disk that fails must not lose what was said.
            for message in messages:
                self.conversation.add(message, parent)
                last, parent = parent, message.id
            for alternative in alternatives:
                self.conversation.add(alternative, last)
            if active:
                self.conversation.branch(parent)
            self._unwritten += (*messages, *alternatives)
            self._write(*([self._active()] if active else []))

    def undo(self) -> None:
        """Take the last exchange off the active path."""
        with self._changing():
            self.conversation.undo()
            self._write(self._active())

    def branch(self, message: str | None) -> None:
        """End the active path at ``message``; ``None`` begins afresh."""
        with self._changing():
            self.conversation.branch(message)
            self._write(self._active())

    def select(self, message: str) -> None:
        """Lead the active path through ``message``."""
        with self._changing():
            self.conversation.select(message)
            self._write(self._active())

    def remove(self, message: str) -> None:
        """Lead the active path past ``message``, on to copies of what follows it there.

        The steps to it go with it: they are read as a part of it.

        Raises:
            InputError: If it is not on the active path.
        """
        with self._changing():
            first = next((step.id for step in self.conversation.steps(message)), message)
            parent = self.conversation.parent(first)
            copies = [m.copied(cell=m.cell) for m in self.conversation.following(message)]
            if copies:
                self.commit(copies, parent)
            else:
                self.branch(parent)

    def _changing(self) -> AbstractContextManager[None]:
        """Hold the lock; afterwards tell of the change, on disk or not."""
        return _Changing(self._lock, self._changed)

    @property
    def _lock(self) -> threading.RLock:
        if self._pid != os.getpid():  # another thread of the parent may hold a forked one for ever
            self._mutex, self._pid = threading.RLock(), os.getpid()
        return self._mutex

    def _told(self, messages: Sequence[Message]) -> list[dict[str, Any]]:
        """Return the events of ``messages``, their attachments kept; none if nobody reads them."""
        if self._log is None:
            return []
        for message in messages:
            for attachment in message.attachments:
                self._log.keep(attachment)
        parent = self.conversation.parent
        return [encode_message(message, parent(message.id)) for message in messages]

    def _active(self) -> dict[str, Any]:
        return {"event": "active", "leaf": self.conversation.leaf}

    def _write(self, *events: Mapping[str, Any]) -> None:
        if self._log is not None:
            self._log.write(*self._told(self._unwritten), *events)
        self._unwritten = ()


class _Changing:
    __slots__ = ("_changed", "_lock")

    def __init__(self, lock: threading.RLock, changed: Callable[[], None]) -> None:
        self._lock = lock
        self._changed = changed

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        self._changed()
