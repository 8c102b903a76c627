"""Reading a log: the tree with its active path, and the settings, from one file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from nbconvo.conversation import Conversation
from nbconvo.errors import InputError, LogError
from nbconvo.log.encoding import VERSION, decode_message
from nbconvo.log.keeping import kept

__all__ = ["Recorded", "read"]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a log file holds.

    Attributes:
        conversation: The tree with its active path, as it was last.
        settings: What the last ``session`` event said; empty if there was none.
    """

    conversation: Conversation
    settings: Mapping[str, Any]


def read(path: str | os.PathLike[str]) -> Recorded:
    """Return what the log file at ``path`` holds.

    A last line without its end, as a kernel killed in mid-write leaves it, is passed over.

    Raises:
        LogError: If the file cannot be read, or a line of it is damaged.
    """
    shown = os.fspath(path)
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise LogError(f"cannot read the log {shown!r}: {error.strerror}") from None
    conversation = Conversation()
    settings: Mapping[str, Any] = {}
    for number, line in _lines(data):
        try:
            settings = _apply(_decoded(line), conversation, Path(path).parent) or settings
        except (LogError, InputError) as error:
            raise LogError(f"cannot read the log '{shown}:{number}': {error}") from None
    return Recorded(conversation, settings)


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the lines with their numbers, but not a last one that was torn off."""
    *whole, rest = data.split(b"\n")
    for number, line in enumerate(whole, 1):
        if line.strip():
            yield number, line
    try:
        _decoded(rest)
    except LogError:
        return
    yield len(whole) + 1, rest


def _decoded(line: bytes) -> Mapping[str, Any]:
    try:
        event = json.loads(line.decode())
    except (ValueError, RecursionError):
        raise LogError("the line is damaged; mend or remove it") from None
    if not isinstance(event, dict):
        raise LogError("the line is not an event; mend or remove it")
    version = event.get("version", VERSION)
    if version != VERSION:
        raise LogError(f"version {version!r} is unknown; upgrade nbconvo")
    return event


def _apply(
    event: Mapping[str, Any], conversation: Conversation, directory: Path
) -> Mapping[str, Any] | None:
    """Do to ``conversation`` what ``event`` says; return the settings if it holds some."""
    match event.get("event"):
        case "message":
            conversation.add(*decode_message(event, partial(kept, directory)))
        case "active":
            leaf = event.get("leaf")
            if not isinstance(leaf, str | None):
                raise LogError(f"no message {leaf!r} in this conversation")
            conversation.branch(leaf)
        case "session":
            return {k: v for k, v in event.items() if k not in {"event", "time", "version"}}
    return None
