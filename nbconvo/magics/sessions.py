"""``%%session``: begin a session, or bring it up to what its cell says; and the table of all."""

from __future__ import annotations

import argparse
from typing import Any

from nbconvo.display.table import Table
from nbconvo.errors import InputError
from nbconvo.session import Session, workspace

__all__ = ["begin_or_update", "sessions_table"]


def begin_or_update(args: argparse.Namespace, system: str, options: dict[str, Any]) -> Session:
    """Make the session that the cell describes, or change the one of its name; say what changed.

    The cell is all that the session is: an option that is no longer on its line goes back to
    its default. The history stays.
    """
    name = args.name or workspace.DEFAULT
    if name not in workspace:
        session = Session(system, name=name, dir=args.dir, **options)
        said = "new session"
    else:
        session = workspace.get(name)
        said = _update(session, Session(system, **options), args.dir)
    _set_limits(session, args.rpm, args.tpm)
    workspace.current = name
    print(f"{name} · {session.service.name}:{session.model} · {said}")
    return session


def sessions_table() -> Table:
    """Return a table of the sessions, the current one marked."""
    rows = tuple(
        (
            f"{session.name}{' (current)' if session.name == workspace.current else ''}",
            session.service.name,
            session.model or "?",
            str(len(session.conversation.messages)),
            f"{session.usage.total_tokens:,}",
            session.dir or "",
        )
        for session in workspace
    )
    header = ("session", "service", "model", "messages", "tokens", "log")
    return Table(header, rows, empty="no sessions yet; begin one with %%session NAME")


def _update(session: Session, wanted: Session, directory: str | None) -> str:
    """Make ``session`` like ``wanted``; return what changed, in words."""
    changes = []
    if session.system != wanted.system:
        session.set_system(wanted.system)
        changes.append("instructions changed")
    before, after = (f"{s.service.name}:{s.model}" for s in (session, wanted))
    if before != after:
        session.set_service(wanted.service, wanted.model)
        changes.append(f"model {before} → {after}")
    for option, value in wanted.options.items():
        if session.options[option] != value:
            changes.append(f"{option} {session.options[option]} → {value}")
    session.set_options(**wanted.options)
    if directory is not None and directory != session.dir:
        session.set_dir(directory)
        changes.append(f"log in {directory}")
    said = len(session.conversation.messages)
    history = f"; {said} messages kept" if said and changes else ""
    return (", ".join(changes) or "nothing changed") + history


def _set_limits(session: Session, rpm: float | None, tpm: float | None) -> None:
    for label, value in (("--rpm", rpm), ("--tpm", tpm)):
        if value is not None and not value > 0:
            raise InputError(f"{label} must be above 0, not {value:g}")
    if rpm is not None:
        session.service.max_requests_per_minute = rpm
    if tpm is not None:
        session.service.max_tokens_per_minute = tpm
