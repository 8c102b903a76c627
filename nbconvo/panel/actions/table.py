"""What the page may ask for: each request is checked, done, and answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from nbconvo.panel.actions import asking, changing, reading
from nbconvo.panel.actions.requests import Answer, Request

if TYPE_CHECKING:
    from nbconvo.panel.widget import Panel

__all__ = ["answer", "checked"]

_LONGEST = 2_000_000  # characters of a text from the page


def checked(content: object) -> Request | None:
    """Return what the page sent, if it is a request of the form that :data:`_ACTIONS` tells."""
    if not isinstance(content, dict) or not isinstance(content.get("do"), str):
        return None
    if content["do"] not in _ACTIONS:
        return None
    _, fields = _ACTIONS[content["do"]]
    if not isinstance(content.get("re"), int):
        return None
    fitting = all(_fits(content.get(name), kind) for name, kind in fields.items())
    return content if fitting else None


def answer(panel: Panel, request: Request) -> Answer | None:
    """Do what a checked request says; return the answer, ``None`` if it comes later.

    Raises:
        NbConvoError: If it cannot be done, in one line.
    """
    action, _ = _ACTIONS[request["do"]]
    return action(panel, request)


def _fits(value: object, kind: str) -> bool:
    match kind:
        case "text":
            return isinstance(value, str) and len(value) <= _LONGEST
        case "text?":
            return value is None or _fits(value, "text")
        case "number":
            return isinstance(value, int) and not isinstance(value, bool)
        case _:
            return isinstance(value, list) and all(_fits(each, "text") for each in value)


_MESSAGE = {"s": "text", "id": "text"}
_TURN = {"s": "text", "turn": "text"}

#: What each request does, and the fields that it has.
_ACTIONS: dict[str, tuple[Callable[[Panel, Request], Answer | None], dict[str, str]]] = {
    "hello": (reading.hello, {"seq": "number"}),
    "bye": (reading.bye, {}),
    "show": (reading.show, {"key": "text"}),
    "page": (reading.page, {"at": "number", "n": "number"}),
    "search": (reading.found, {"text": "text"}),
    "source": (reading.source, _MESSAGE),
    "picture": (reading.shown_picture, {**_MESSAGE, "at": "number"}),
    "whole": (reading.whole, _MESSAGE),
    "export": (reading.exported, {"format": "text"}),
    "models": (reading.models, {"s": "text"}),
    "send": (asking.send, {"to": "texts", "text": "text"}),
    "stop": (asking.stop, {"turns": "texts"}),
    "again": (asking.again, _TURN),
    "dismiss": (asking.dismiss, _TURN),
    "retry": (asking.retry, _MESSAGE),
    "edit": (asking.edit, {**_MESSAGE, "text": "text"}),
    "choose": (changing.choose, _MESSAGE),
    "remove": (changing.remove, _MESSAGE),
    "restore": (changing.restore, {"s": "text", "leaf": "text?", "since": "text?"}),
    "fork": (changing.fork, {**_MESSAGE, "name": "text"}),
    "system": (changing.system, {"s": "text", "text": "text"}),
    "model": (changing.model, {"s": "text", "text": "text"}),
    "twin": (changing.twin, {}),
    "keep": (changing.keep, {}),
    "close": (changing.close, {}),
}
