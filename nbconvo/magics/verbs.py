"""The verbs of ``%convo``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from nbconvo import cards, services
from nbconvo.display.table import Table
from nbconvo.errors import InputError, UnknownName
from nbconvo.magics.arguments import overrides
from nbconvo.magics.asking import Asking
from nbconvo.magics.keys import key
from nbconvo.magics.sessions import sessions_table
from nbconvo.magics.spending import usage
from nbconvo.services.checks import shown_url
from nbconvo.session import Session, export, workspace

__all__ = ["VERBS", "run"]


def run(verb: str, words: Sequence[str], args: argparse.Namespace, asking: Asking) -> Any:
    """Do what ``%convo verb words`` says, and return what is to be shown.

    Raises:
        UnknownName: If there is no such verb, session or service.
        InputError: If there are too many words, or too few.
    """
    if verb not in VERBS:
        raise UnknownName("verb", verb, VERBS, f"known are {', '.join(VERBS)}")
    action, least, most, form = VERBS[verb]
    if not least <= len(words) <= most:
        raise InputError(f"%convo {verb} is used as: %convo {verb} {form}".rstrip())
    return action(list(words), args, asking)


def _session(words: Sequence[str]) -> Session:
    return workspace.get(words[0] if words else workspace.current)


def _list(words: list[str], args: argparse.Namespace, asking: Asking) -> Table:
    return sessions_table()


def _show(words: list[str], args: argparse.Namespace, asking: Asking) -> Any:
    return _History(_session(words))


def _reset(words: list[str], args: argparse.Namespace, asking: Asking) -> None:
    session = _session(words)
    said = len(session.conversation.messages)
    session.reset()
    print(f"{session.name} begins afresh; the {said} messages so far stay in its tree")


def _undo(words: list[str], args: argparse.Namespace, asking: Asking) -> None:
    session = _session(words)
    session.undo()
    left = len(session.conversation.messages)
    print(f"{session.name}: the last exchange is taken back; {left} messages are left")


def _retry(words: list[str], args: argparse.Namespace, asking: Asking) -> Any:
    session = _session(words)
    return asking.now([(session, session.prepare_retry(**overrides(args)))])


def _services(words: list[str], args: argparse.Namespace, asking: Asking) -> Table:
    rows = []
    known = {services.get(name): name for name in services.names()}
    in_use = (workspace.default_service(), *(session.service for session in workspace))
    for service in dict.fromkeys((*known, *in_use)):
        name = known.get(service, service.name)
        key = _key_of(service)
        limits = (service.max_requests_per_minute, service.max_tokens_per_minute)
        default = " (default)" if service is workspace.default_service() else ""
        rows.append(
            (
                name + default,
                key,
                "started on first use" if name == "offline" else shown_url(service.base_url),
                *("none" if limit is None else f"{limit:,g}" for limit in limits),
            )
        )
    return Table(("service", "key", "address", "requests/min", "tokens/min"), tuple(rows))


def _key_of(service: services.BaseService) -> str:
    found = service.found_in
    if found is None:
        return f"{service.key_variable} missing" if service.needs_key else "not needed"
    return {
        "argument": "given",
        ".env": f"{service.key_variable} found in .env",
        "keyring": "found in the keyring",
        "asked": "asked for",
    }.get(found, f"{found} found")


def _models(words: list[str], args: argparse.Namespace, asking: Asking) -> Table:
    service = services.get(words[0]) if words else workspace.default_service()
    wanted = words[1].casefold() if len(words) > 1 else ""
    offered = workspace.bridge.run(_listed(service), nested=workspace.nested)
    rows = tuple(
        (model.id, f"{model.context:,}" if model.context else "")
        for model in offered
        if wanted in model.id.casefold()
    )
    none = f"{service.name} has no model with {wanted!r} in its name" if wanted else "no models"
    return Table(("model", "context"), rows, empty=none)


async def _listed(service: services.BaseService) -> tuple[services.ModelInfo, ...]:
    return await workspace.client.models(service)


def _export(words: list[str], args: argparse.Namespace, asking: Asking) -> None:
    session = workspace.get(words[0])
    path = export.export(
        session.messages, words[1], force=args.force, title=session.name or "Conversation"
    )
    print(f"{len(session.messages)} messages written to {path}")


Action = Callable[[list[str], argparse.Namespace, Asking], Any]

#: The verbs: what each does, how many words it takes at least and at most, and which.
VERBS: dict[str, tuple[Action, int, int, str]] = {
    "list": (_list, 0, 0, ""),
    "show": (_show, 0, 1, "[NAME]"),
    "usage": (usage, 0, 0, ""),
    "undo": (_undo, 0, 1, "[NAME]"),
    "retry": (_retry, 0, 1, "[NAME]"),
    "reset": (_reset, 0, 1, "[NAME]"),
    "services": (_services, 0, 0, ""),
    "models": (_models, 0, 2, "[SERVICE [FILTER]]"),
    "key": (key, 1, 1, "SERVICE [--keyring | --forget]"),
    "export": (_export, 2, 2, "NAME FILE [--force]"),
}


class _History:
    """What was said in a session, as cards."""

    def __init__(self, session: Session) -> None:
        self._cards = [
            cards.Card(
                message.name or message.role,
                message.content,
                footer=cards.footer(message) if message.role == "assistant" else (),
                reasoning=message.reasoning,
            )
            for message in session.messages
        ]

    def __repr__(self) -> str:
        return cards.text(self._cards) if self._cards else "nothing was said yet"

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        if not self._cards:
            return {"text/plain": repr(self)}
        return {"text/html": cards.html(self._cards), "text/plain": repr(self)}
