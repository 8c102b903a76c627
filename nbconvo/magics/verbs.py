"""The verbs of ``%convo``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from nbconvo import cards
from nbconvo.conversation import readable
from nbconvo.display.table import Table
from nbconvo.errors import InputError, UnknownName
from nbconvo.magics.arguments import overrides
from nbconvo.magics.asking import Asking
from nbconvo.magics.catalogue import models_table, services_table
from nbconvo.magics.doctor import doctor_table
from nbconvo.magics.keys import key
from nbconvo.magics.sessions import sessions_table
from nbconvo.magics.spending import usage
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
    used_as = f"%convo {verb} is used as: %convo {verb} {form}"
    if len(words) > most:
        remedy = f"; {used_as}" if most else f": %convo {verb} takes none"
        raise InputError(f"{words[most]!r} is one word too many{remedy}")
    if len(words) < least:
        raise InputError(used_as)
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
    return asking.now([(session, session.asking.prepare_retry(**overrides(args)))])


def _services(words: list[str], args: argparse.Namespace, asking: Asking) -> Table:
    return services_table()


def _models(words: list[str], args: argparse.Namespace, asking: Asking) -> Table:
    return models_table(*words)


def _doctor(words: list[str], args: argparse.Namespace, asking: Asking) -> Table:
    return doctor_table()


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
    "doctor": (_doctor, 0, 0, ""),
    "key": (key, 1, 1, "SERVICE [--keyring | --forget]"),
    "export": (_export, 2, 2, "NAME FILE [--force]"),
}


class _History:
    """What was said in a session, as cards."""

    def __init__(self, session: Session) -> None:
        told = session.conversation
        self._cards = [
            cards.Card.of(
                message.name or message.role,
                message,
                told.steps(message.id) if message.id in told else (),
            )
            for message in readable(session.messages)
        ]

    def __repr__(self) -> str:
        return cards.text(self._cards) if self._cards else "nothing was said yet"

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        if not self._cards:
            return {"text/plain": repr(self)}
        return {"text/html": cards.html(self._cards), "text/plain": repr(self)}
