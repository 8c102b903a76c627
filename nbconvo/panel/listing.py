"""The sessions that a panel lists, and what it tells of each."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

from nbconvo import cards
from nbconvo.markdown import plain
from nbconvo.panel.rows import initials, key_of, label_of
from nbconvo.session import Session
from nbconvo.session.workspace import workspace

__all__ = ["listed"]

_MOST = 100

Part = dict[str, Any]


def listed(
    sessions: Sequence[Session], chosen: Container[str | None]
) -> tuple[list[Part], list[str]]:
    """Return what is told of the sessions asked last, and the names of the others.

    Args:
        sessions: All that there are.
        chosen: Names of those that are listed, however long ago they were asked.
    """
    shown = {id(session) for session in _asked_last(sessions)}
    shown |= {id(session) for session in sessions if session.name in chosen}
    return (
        [_tab(session) for session in sessions if id(session) in shown],
        [session.name for session in sessions if session.name and id(session) not in shown],
    )


def _asked_last(sessions: Sequence[Session]) -> Sequence[Session]:
    if len(sessions) <= _MOST:
        return sessions
    # Those that nobody asked yet come first, and of these the newest last: a sort keeps them so.
    return sorted(sessions, key=_when)[-_MOST:]


def _when(session: Session) -> tuple[bool, float]:
    said = session.conversation.messages
    return bool(session.turns), said[-1].created.timestamp() if said else 0.0


def _tab(session: Session) -> Part:
    turns, usage = session.turns, session.usage
    return {
        "key": key_of(session),
        "label": plain(label_of(session)),
        "initials": initials(label_of(session)),
        "hue": cards.hue(label_of(session)),
        "service": plain(session.service.typed_as),
        "model": plain(session.model or ""),
        "busy": bool(turns),
        "queued": sum(not turn.begun for turn in turns),
        "count": len(session.conversation.messages),
        "tokens": usage.total_tokens,
        "estimated": usage.estimated,
        "cost": cards.cost(usage) or None,
        "current": session.name is not None and session.name == workspace.current,
    }
