"""What a page reads: rows, texts, images, files. Nothing of the sessions is changed."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nbconvo.errors import InputError, NbConvoError
from nbconvo.media import picture, thumbnail
from nbconvo.panel.actions.requests import Answer, Request, message_of, one_line, session_of
from nbconvo.panel.rows import row
from nbconvo.panel.search import search
from nbconvo.panel.window import BUDGET, EVERYONE, PAGE
from nbconvo.session import export
from nbconvo.session.workspace import workspace

if TYPE_CHECKING:
    from nbconvo.panel.widget import Panel

__all__ = [
    "bye",
    "exported",
    "found",
    "hello",
    "models",
    "page",
    "show",
    "shown_picture",
    "source",
    "whole",
]

_MODELS = 1_000  # that are offered for completion

_FORMATS: dict[str, tuple[Callable[[Any], str], str]] = {
    "md": (export.to_markdown, "text/markdown"),
    "csv": (export.to_csv, "text/csv"),
    "jsonl": (export.to_jsonl, "application/jsonl"),
}


def hello(panel: Panel, request: Request) -> Answer:
    """Welcome the page."""
    return panel.greet(request["seq"])


def bye(panel: Panel, request: Request) -> Answer:
    """Send no more, until a page greets again."""
    panel.watched = False
    panel.say({"left": True})  # another page that shows it greets again
    return {}


def show(panel: Panel, request: Request) -> Answer:
    """Show a session, or all together."""
    key = request["key"]
    if panel.window.only is None:
        if key != EVERYONE:
            workspace.get(key)
        panel.window.shown = key
    return {}


def page(panel: Panel, request: Request) -> Answer:
    """Give rows of the history."""
    start = request["at"]
    end = start + max(1, min(request["n"], 2 * PAGE))
    scroll = panel.window.scroll()
    at, rows = scroll.rows(start, end, BUDGET)
    return {"at": at, "rows": rows, "n": len(scroll)}


def found(panel: Panel, request: Request) -> Answer:
    """Give what a search finds."""
    return search(panel.window.scroll(), request["text"])


def source(panel: Panel, request: Request) -> Answer:
    """Give a message as it was written."""
    return {"text": message_of(panel, request).content}


def shown_picture(panel: Panel, request: Request) -> Answer:
    """Give an image of a message, the one at a place among those that the page shows, large."""
    shown = [
        each for each in message_of(panel, request).attachments if each.is_image and thumbnail(each)
    ]
    if not 0 <= request["at"] < len(shown):
        raise InputError("there is no such image any more")
    data = b64encode(picture(shown[request["at"]]) or b"").decode()
    return {"url": f"data:image/jpeg;base64,{data}"}


def whole(panel: Panel, request: Request) -> Answer:
    """Give all of a long message."""
    session = session_of(panel, request)
    everyone = panel.window.shown == EVERYONE
    message = session.conversation[request["id"]]
    return {"row": row(session, message, everyone=everyone, whole=True)}


def exported(panel: Panel, request: Request) -> Answer:
    """Give the history as the text of a file."""
    if request["format"] not in _FORMATS:
        raise InputError(f"no format {request['format']!r}; known are {', '.join(_FORMATS)}")
    written, kind = _FORMATS[request["format"]]
    sessions = panel.window.sessions()
    if panel.window.shown == EVERYONE:
        title, messages = "conversations", panel.window.scroll().messages
    else:
        title, messages = sessions[0].name or "conversation", sessions[0].messages
    return {"name": f"{title}.{request['format']}", "type": kind, "text": written(messages)}


def models(panel: Panel, request: Request) -> None:
    """Give the models of a session's service, later."""
    service = session_of(panel, request).service

    async def tell() -> None:
        try:
            offered = await workspace.client.models(service)
        except NbConvoError as error:
            panel.tell(request["re"], {"error": one_line(error)})
            return
        except Exception as error:  # a user's own service may raise anything
            panel.tell(request["re"], {"error": f"models failed: {type(error).__name__}"})
            return
        panel.tell(request["re"], {"models": [model.id for model in offered[:_MODELS]]})

    workspace.bridge.start(tell())
