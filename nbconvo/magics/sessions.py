"""``%%session``: begin a session, or bring it up to what its cell says; and the table of all."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from nbconvo.display.table import Table
from nbconvo.errors import InputError
from nbconvo.session import Session, workspace

__all__ = ["begin_or_update", "sessions_table"]


def begin_or_update(args: argparse.Namespace, system: str, options: dict[str, Any]) -> Session:
    """Make the session that the cell describes, or change the one of its name; say what changed.

    The cell is all that the session is: an option that is no longer on its line goes back to
    its default. The history stays, and so does its log.
    """
    _check_limits(args)
    name = args.name or workspace.DEFAULT
    if name not in workspace:
        session = Session(system, name=name, dir=args.dir, **options)
        said = "new session"
    else:
        session = workspace.get(name)
        said = _update(session, system, options, args.dir)
    _set_limits(session, args)
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


def _update(session: Session, system: str, options: dict[str, Any], directory: str | None) -> str:
    """Make ``session`` what its cell says; return what changed, in words."""
    before = _described(session)
    session.redefine(system, **options)
    if directory is not None and str(Path(directory).expanduser().absolute()) != session.dir:
        session.set_dir(directory)
    after = _described(session)
    changes = [
        f"{what} changed"
        if what == "instructions"
        else f"{what} {_shown(before[what])} → {_shown(after[what])}"
        for what in after
        if before[what] != after[what]
    ]
    said = len(session.conversation.messages)
    history = f"; {said} messages kept" if said and changes else ""
    return (", ".join(changes) or "nothing changed") + history


def _described(session: Session) -> dict[str, Any]:
    return {
        "instructions": session.system,
        "model": f"{session.service.name}:{session.model}",
        "log": session.dir,
        **{name: value for name, value in session.options.items() if name != "model"},
    }


def _shown(value: object) -> str:
    return "default" if value is None else str(value)


def _check_limits(args: argparse.Namespace) -> None:
    for label, value in (("--rpm", args.rpm), ("--tpm", args.tpm)):
        if value is not None and not value > 0:
            raise InputError(f"{label} must be above 0, not {value:g}")


def _set_limits(session: Session, args: argparse.Namespace) -> None:
    if args.rpm is not None:
        session.service.max_requests_per_minute = args.rpm
    if args.tpm is not None:
        session.service.max_tokens_per_minute = args.tpm
