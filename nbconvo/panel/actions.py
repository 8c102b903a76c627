"""What the page may ask for: each request is checked, done, and answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nbconvo.errors import InputError, NbConvoError
from nbconvo.markdown import plain
from nbconvo.panel.rows import row
from nbconvo.panel.search import search
from nbconvo.panel.window import BUDGET, EVERYONE, PAGE
from nbconvo.session import Session, export
from nbconvo.session.ask import Ask
from nbconvo.session.profile import chosen
from nbconvo.session.workspace import workspace

if TYPE_CHECKING:
    from nbconvo.panel.widget import Panel

__all__ = ["Answer", "Request", "answer", "checked", "one_line"]

Answer = dict[str, Any]
Request = Mapping[str, Any]

_LONGEST = 2_000_000  # characters of a text from the page
_MODELS = 1_000  # that are offered for completion


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


def one_line(error: Exception) -> str:
    """Return what the page is told of an error."""
    return " ".join(plain(str(error)).split())


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


# --- reading ---------------------------------------------------------------------------------


def _hello(panel: Panel, request: Request) -> Answer:
    return panel.greet(request["seq"])


def _bye(panel: Panel, request: Request) -> Answer:
    panel.watched = False
    panel.say({"left": True})  # another page that shows it greets again
    return {}


def _show(panel: Panel, request: Request) -> Answer:
    key = request["key"]
    if panel.window.only is None:
        if key != EVERYONE:
            workspace.get(key)
        panel.window.shown = key
    return {}


def _page(panel: Panel, request: Request) -> Answer:
    start = request["at"]
    end = start + max(1, min(request["n"], 2 * PAGE))
    scroll = panel.window.scroll()
    at, rows = scroll.rows(start, end, BUDGET)
    return {"at": at, "rows": rows, "n": len(scroll)}


def _search(panel: Panel, request: Request) -> Answer:
    return search(panel.window.scroll(), request["text"])


def _source(panel: Panel, request: Request) -> Answer:
    session, row = _session(panel, request), request["id"]
    for turn in (*session.turns, *session.failed_turns):
        if turn.asked and row in (f"failed-{turn.id}", turn.asked[0].id):
            return {"text": turn.asked[0].content}
    return {"text": session.conversation[row].content}


def _whole(panel: Panel, request: Request) -> Answer:
    session = _session(panel, request)
    everyone = panel.window.shown == EVERYONE
    message = session.conversation[request["id"]]
    return {"row": row(session, message, everyone=everyone, whole=True)}


def _export(panel: Panel, request: Request) -> Answer:
    if request["format"] not in _FORMATS:
        raise InputError(f"no format {request['format']!r}; known are {', '.join(_FORMATS)}")
    written, kind = _FORMATS[request["format"]]
    sessions = panel.window.sessions()
    if panel.window.shown == EVERYONE:
        title, messages = "conversations", panel.window.scroll().messages
    else:
        title, messages = sessions[0].name or "conversation", sessions[0].messages
    return {"name": f"{title}.{request['format']}", "type": kind, "text": written(messages)}


def _models(panel: Panel, request: Request) -> None:
    service = _session(panel, request).service

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


# --- asking ----------------------------------------------------------------------------------


def _send(panel: Panel, request: Request) -> Answer:
    if not request["text"].strip():
        raise InputError("nothing to send: the message is empty")
    named = dict.fromkeys(request["to"])
    _check_there(panel)
    sessions = [panel.window.session(key) for key in named] or [workspace.own()]
    _begin([(session, session.prepare(request["text"])) for session in sessions])
    return {}


def _stop(panel: Panel, request: Request) -> Answer:
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


def _again(panel: Panel, request: Request) -> Answer:
    session = _open_session(panel, request)
    for turn in session.failed_turns:
        if turn.id == request["turn"]:
            session.dismiss(turn)
            _begin([(session, turn.ask)])
    return {}


def _dismiss(panel: Panel, request: Request) -> Answer:
    session = _session(panel, request)
    for turn in session.failed_turns:
        if turn.id == request["turn"]:
            session.dismiss(turn)
    return {}


def _retry(panel: Panel, request: Request) -> Answer:
    session = _open_session(panel, request)
    _begin([(session, session.prepare_retry(request["id"]))])
    return {}


def _edit(panel: Panel, request: Request) -> Answer:
    session = _open_session(panel, request)
    _begin([(session, session.prepare_edit(request["id"], request["text"]))])
    return {}


def _begin(asked: list[tuple[Session, Ask]]) -> None:
    """Begin all of them, or none: they were prepared, and so checked, before."""
    for session, ask in asked:
        # Not the cell's that may be running now: it would replace that one's turn.
        session.start(replace(ask, cell=None))


# --- changing --------------------------------------------------------------------------------


def _choose(panel: Panel, request: Request) -> Answer:
    _open_session(panel, request).select(request["id"])
    return {}


def _remove(panel: Panel, request: Request) -> Answer:
    session = _open_session(panel, request)
    leaf = session.conversation.leaf
    session.remove(request["id"])
    undo = {"s": request["s"], "leaf": leaf, "since": session.conversation.leaf}
    panel.toast("removed from the conversation; the log keeps it", undo=undo)
    return {}


def _restore(panel: Panel, request: Request) -> Answer:
    session = _open_session(panel, request)
    if session.conversation.leaf != request["since"]:
        raise InputError("more was said since: what was removed stays in the log")
    session.branch(request["leaf"])
    return {}


def _fork(panel: Panel, request: Request) -> Answer:
    session = _session(panel, request)
    name = request["name"].strip()
    if not name:
        raise InputError("a fork needs a name of its own")
    forked = session.fork(name, request["id"])
    said = len(forked.conversation.messages)
    panel.toast(f"{name} begins with {said} messages of {session.name or 'this session'}")
    return {}


def _system(panel: Panel, request: Request) -> Answer:
    session = _open_session(panel, request)
    session.set_system(request["text"].strip() or None)
    panel.toast("the instructions are changed; the history stays")
    return {}


def _model(panel: Panel, request: Request) -> Answer:
    session, named = _open_session(panel, request), request["text"].strip() or None
    service, model = chosen(None, named)
    answering = service or session.service
    if model is not None:
        answering.check_model(model)
    elif answering.default_model is None:
        raise InputError(f"{answering.typed_as} has no default model: name one")
    session.set_model(named)
    panel.toast(f"from now on {session.service.typed_as}:{session.model or '?'} answers")
    return {}


def _twin(panel: Panel, request: Request) -> Answer:
    return {"data": panel.twin(), "model": panel.model_id}


def _keep(panel: Panel, request: Request) -> Answer:
    panel.keep()
    return {}


def _close(panel: Panel, request: Request) -> Answer:
    panel.close()
    return {}


def _session(panel: Panel, request: Request) -> Session:
    return panel.window.session(request["s"])


def _open_session(panel: Panel, request: Request) -> Session:
    """Return a session that may be changed: a closed one can only be read."""
    _check_there(panel)
    return _session(panel, request)


def _check_there(panel: Panel) -> None:
    if panel.window.gone:
        raise InputError("this session was closed; its history can only be read")


_FORMATS: dict[str, tuple[Callable[[Any], str], str]] = {
    "md": (export.to_markdown, "text/markdown"),
    "csv": (export.to_csv, "text/csv"),
    "jsonl": (export.to_jsonl, "application/jsonl"),
}

_MESSAGE = {"s": "text", "id": "text"}
_TURN = {"s": "text", "turn": "text"}

#: What each request does, and the fields that it has.
_ACTIONS: dict[str, tuple[Callable[[Panel, Request], Answer | None], dict[str, str]]] = {
    "hello": (_hello, {"seq": "number"}),
    "bye": (_bye, {}),
    "show": (_show, {"key": "text"}),
    "page": (_page, {"at": "number", "n": "number"}),
    "search": (_search, {"text": "text"}),
    "source": (_source, _MESSAGE),
    "whole": (_whole, _MESSAGE),
    "export": (_export, {"format": "text"}),
    "models": (_models, {"s": "text"}),
    "send": (_send, {"to": "texts", "text": "text"}),
    "stop": (_stop, {"turns": "texts"}),
    "again": (_again, _TURN),
    "dismiss": (_dismiss, _TURN),
    "retry": (_retry, _MESSAGE),
    "edit": (_edit, {**_MESSAGE, "text": "text"}),
    "choose": (_choose, _MESSAGE),
    "remove": (_remove, _MESSAGE),
    "restore": (_restore, {"s": "text", "leaf": "text?", "since": "text?"}),
    "fork": (_fork, {**_MESSAGE, "name": "text"}),
    "system": (_system, {"s": "text", "text": "text"}),
    "model": (_model, {"s": "text", "text": "text"}),
    "twin": (_twin, {}),
    "keep": (_keep, {}),
    "close": (_close, {}),
}
