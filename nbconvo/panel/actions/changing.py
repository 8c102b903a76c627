"""What a page changes: the path, a session's settings, the panel itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbconvo.errors import InputError
from nbconvo.panel.actions.requests import Answer, Request, open_session, session_of
from nbconvo.session.profile import chosen

if TYPE_CHECKING:
    from nbconvo.panel.widget import Panel

__all__ = [
    "choose",
    "close",
    "fork",
    "keep",
    "model",
    "remove",
    "restore",
    "system",
    "twin",
]


def choose(panel: Panel, request: Request) -> Answer:
    """Lead the path through another alternative."""
    open_session(panel, request).select(request["id"])
    return {}


def remove(panel: Panel, request: Request) -> Answer:
    """Take a message off the path."""
    session = open_session(panel, request)
    leaf = session.conversation.leaf
    session.remove(request["id"])
    undo = {"s": request["s"], "leaf": leaf, "since": session.conversation.leaf}
    panel.toast("removed from the conversation; the log keeps it", undo=undo)
    return {}


def restore(panel: Panel, request: Request) -> Answer:
    """Take a removal back."""
    session = open_session(panel, request)
    if session.conversation.leaf != request["since"]:
        raise InputError("more was said since: what was removed stays in the log")
    session.branch(request["leaf"])
    return {}


def fork(panel: Panel, request: Request) -> Answer:
    """Begin another session with what was said."""
    session = session_of(panel, request)
    name = request["name"].strip()
    if not name:
        raise InputError("a fork needs a name of its own")
    forked = session.fork(name, request["id"])
    said = len(forked.conversation.messages)
    panel.toast(f"{name} begins with {said} messages of {session.name or 'this session'}")
    return {}


def system(panel: Panel, request: Request) -> Answer:
    """Change the instructions."""
    session = open_session(panel, request)
    session.set_system(request["text"].strip() or None)
    panel.toast("the instructions are changed; the history stays")
    return {}


def model(panel: Panel, request: Request) -> Answer:
    """Change the service and the model."""
    session, named = open_session(panel, request), request["text"].strip() or None
    service, model = chosen(None, named)
    answering = service or session.service
    if model is not None:
        answering.check_model(model)
    elif answering.default_model is None:
        raise InputError(f"{answering.typed_as} has no default model: name one")
    session.set_model(named)
    panel.toast(f"from now on {session.service.typed_as}:{session.model or '?'} answers")
    return {}


def twin(panel: Panel, request: Request) -> Answer:
    """Give what the panel shows as static data."""
    return {"data": panel.twin(), "model": panel.model_id}


def keep(panel: Panel, request: Request) -> Answer:
    """Leave what the panel shows as a static output."""
    panel.keep()
    return {}


def close(panel: Panel, request: Request) -> Answer:
    """Close the panel."""
    panel.close()
    return {}
