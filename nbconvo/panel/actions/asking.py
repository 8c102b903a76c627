"""What a page asks of participants, and ends."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nbconvo.errors import InputError
from nbconvo.panel.actions.requests import Answer, Request, check_there, open_session, session_of
from nbconvo.session import Session
from nbconvo.session.ask import Ask
from nbconvo.session.workspace import workspace

if TYPE_CHECKING:
    from nbconvo.panel.widget import Panel

__all__ = ["again", "dismiss", "edit", "retry", "send", "stop"]


def send(panel: Panel, request: Request) -> Answer:
    """Ask those whom the page names."""
    if not request["text"].strip():
        raise InputError("nothing to send: the message is empty")
    named = dict.fromkeys(request["to"])
    check_there(panel)
    sessions = [panel.window.session(key) for key in named] or [workspace.own()]
    _begin([(session, session.asking.prepare(request["text"])) for session in sessions])
    return {}


def stop(panel: Panel, request: Request) -> Answer:
    """End turns."""
    # Those that the page names, no others: it may be heard only when these have long ended, or
    # when the panel shows another session.
    meant = [
        turn
        for session in panel.window.all_sessions()
        for turn in session.turns
        if turn.id in request["turns"]
    ]
    for turn in meant:
        turn.halt()
    return {"stopped": len(meant)}


def again(panel: Panel, request: Request) -> Answer:
    """Ask once more what failed."""
    session = open_session(panel, request)
    for turn in session.failed_turns:
        if turn.id == request["turn"]:
            # It stays the cell's, which replaces it when it is run again.
            ask = session.asking.prepare_again(turn)
            session.dismiss(turn)
            session.asking.start(ask)
    return {}


def dismiss(panel: Panel, request: Request) -> Answer:
    """Show a failure no more."""
    session = session_of(panel, request)
    for turn in session.failed_turns:
        if turn.id == request["turn"]:
            session.dismiss(turn)
    return {}


def retry(panel: Panel, request: Request) -> Answer:
    """Ask for another reply."""
    session = open_session(panel, request)
    _begin([(session, session.asking.prepare_retry(request["id"]))])
    return {}


def edit(panel: Panel, request: Request) -> Answer:
    """Say something else in place of a message."""
    session = open_session(panel, request)
    _begin([(session, session.asking.prepare_edit(request["id"], request["text"]))])
    return {}


def _begin(asked: list[tuple[Session, Ask]]) -> None:
    """Begin all of them, or none: they were prepared, and so checked, before."""
    for session, ask in asked:
        # Not the cell's that may be running now: it would replace that one's turn.
        session.asking.start(replace(ask, cell=None))
