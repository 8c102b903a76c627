"""A conversation and its log, changed together: what is on the tree is on disk."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from nbconvo.conversation import Conversation
from nbconvo.log import Log, encode_message
from nbconvo.messages import Message

__all__ = ["Record"]


class Record:
    """Every change to :attr:`conversation` goes through here, and into the log if there is one."""

    def __init__(self) -> None:
        self.conversation = Conversation()
        self._log: Log | None = None

    @property
    def dir(self) -> str | None:
        """The directory of the log; ``None`` if there is none."""
        return str(self._log.path.parent) if self._log else None

    def log_to(self, directory: str | os.PathLike[str] | None, name: str) -> None:
        """Log to ``directory`` from now on (``None``: nowhere), with all said so far.

        Raises:
            LogError: If it cannot be written; the old log goes on.
        """
        log = Log(directory, name) if directory else None
        if self._log is not None:
            self._log.close()
        self._log = log

    def copy_to_log(self) -> None:
        """Write the whole tree into the log."""
        for message in self.conversation:
            self._write(encode_message(message, self.conversation.parent(message.id)))
        if self.conversation.leaf is not None:
            self.log_active()

    def note(self, event: str, **fields: Any) -> None:
        """Write an event that is not a message."""
        self._write({"event": event, **fields})

    def commit(self, messages: Sequence[Message], parent: str | None) -> None:
        """Put ``messages`` one below the other under ``parent``, and end the path there."""
        leaf = self.keep(messages, parent)
        self.conversation.branch(leaf)
        self.log_active()

    def keep(self, messages: Sequence[Message], parent: str | None) -> str | None:
        """Put ``messages`` one below the other under ``parent``, off the active path.

        Returns:
            The id of the last one.
        """
        # The tree first, all of it: a disk that fails must not lose what was said.
        for message in messages:
            self.conversation.add(message, parent)
            parent = message.id
        for message in messages:
            self._write(encode_message(message, self.conversation.parent(message.id)))
        return parent

    def undo(self) -> None:
        """Take the last exchange off the active path."""
        self.conversation.undo()
        self.log_active()

    def branch(self, message: str | None) -> None:
        """End the active path at ``message``; ``None`` begins afresh."""
        self.conversation.branch(message)
        self.log_active()

    def select(self, message: str) -> None:
        """Lead the active path through ``message``."""
        self.conversation.select(message)
        self.log_active()

    def log_active(self) -> None:
        """Write where the active path ends."""
        self._write({"event": "active", "leaf": self.conversation.leaf})

    def close(self) -> None:
        """Close the log; the conversation stays."""
        if self._log is not None:
            self._log.close()

    def _write(self, event: Mapping[str, Any]) -> None:
        if self._log is not None:
            self._log.write(event)
