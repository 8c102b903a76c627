"""What the page may ask for, as it comes, and whom it concerns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nbconvo.errors import InputError
from nbconvo.markdown import plain
from nbconvo.messages import Message
from nbconvo.session import Session

if TYPE_CHECKING:
    from nbconvo.panel.widget import Panel

__all__ = [
    "Answer",
    "Request",
    "check_there",
    "message_of",
    "one_line",
    "open_session",
    "session_of",
]

Answer = dict[str, Any]
Request = Mapping[str, Any]


def one_line(error: Exception) -> str:
    """Return what the page is told of an error."""
    return " ".join(plain(str(error)).split())


def session_of(panel: Panel, request: Request) -> Session:
    """Return the session that a request names."""
    return panel.window.session(request["s"])


def open_session(panel: Panel, request: Request) -> Session:
    """Return a session that may be changed: a closed one can only be read."""
    check_there(panel)
    return session_of(panel, request)


def check_there(panel: Panel) -> None:
    """Raise ``InputError`` if the panel's session was closed."""
    if panel.window.gone:
        raise InputError("this session was closed; its history can only be read")


def message_of(panel: Panel, request: Request) -> Message:
    """Return the message that a request names, by its id or by the row that shows it."""
    session, row = session_of(panel, request), request["id"]
    for turn in (*session.turns, *session.failed_turns):
        for asked in turn.asked:
            if row in (f"failed-{turn.id}", asked.id):
                return asked
    return session.conversation[row]
