"""``%%session`` and ``%session``: begin sessions, change them and say what changed; list them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from nbconvo.display.table import Table
from nbconvo.services.base import check_positive
from nbconvo.session import Session, workspace

__all__ = ["adjust", "begin_or_update", "sessions_table"]


def begin_or_update(args: argparse.Namespace, system: str, options: dict[str, Any]) -> Session:
    """Make the session that the cell describes, or change the one of its name; say what changed.

    The cell is all that the session is: an option that is no longer on its line goes back to
    its default. The history stays, and so do its log and the service's limits.
    """
    _check_limits(args)
    name = args.name or workspace.DEFAULT
    if name not in workspace:
        return _begun(Session(system, name=name, dir=args.dir, **options), args)
    session = workspace.get(name)
    before = _described(session)
    session.redefine(system, **options)
    return _changed(session, before, args)


def adjust(args: argparse.Namespace, options: dict[str, Any]) -> Session:
    """Make a session the current one, changing only what the line names; or begin one."""
    _check_limits(args)
    if not options and args.dir is None and args.rpm is None and args.tpm is None:
        session = workspace.get(args.name)
        print(f"{args.name} is now the current session")
        return _current(session)
    if args.name not in workspace:
        return _begun(Session(name=args.name, dir=args.dir, **options), args)
    session = workspace.get(args.name)
    before, given = _described(session), dict(options)
    service, model = given.pop("service", None), given.pop("model", None)
    if service is not None:
        session.set_service(service, model)
    elif model is not None:
        session.set_model(model)
    if given:
        session.set_options(**given)
    return _changed(session, before, args)


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


def _begun(session: Session, args: argparse.Namespace) -> Session:
    said = [
        "new session",
        *([f"log in {args.dir}"] if args.dir else []),
        *_set_limits(session, args),
    ]
    if session.service.needs_key and session.service.key is None:
        said.append(f"no key yet: set {session.service.key_variable}")
    return _told(session, ", ".join(said))


def _changed(session: Session, before: dict[str, Any], args: argparse.Namespace) -> Session:
    """Set what else the line names, and say what is different from ``before``."""
    changes = []
    if args.dir is not None and str(Path(args.dir).expanduser().absolute()) != session.dir:
        session.set_dir(args.dir)
        changes.append(f"log in {args.dir}")
    after = _described(session)
    changes += [
        f"{what} changed" if what == "instructions" else f"{what} {_shown(was)} → {_shown(now)}"
        for what, now in after.items()
        if (was := before[what]) != now
    ]
    changes += _set_limits(session, args)
    said = len(session.conversation.messages)
    history = f"; {said} messages kept" if said and changes else ""
    return _told(session, (", ".join(changes) or "nothing changed") + history)


def _told(session: Session, what: str) -> Session:
    print(f"{session.name} · {session.service.name}:{session.model or '?'} · {what}")
    return _current(session)


def _current(session: Session) -> Session:
    workspace.current = session.name or workspace.current
    return session


def _described(session: Session) -> dict[str, Any]:
    return {
        "instructions": session.system,
        "model": f"{session.service.name}:{session.model or '?'}",
        **{name: value for name, value in session.options.items() if name != "model"},
    }


def _shown(value: object) -> str:
    return "default" if value is None else str(value)


def _check_limits(args: argparse.Namespace) -> None:
    check_positive("--rpm", args.rpm)
    check_positive("--tpm", args.tpm)


def _set_limits(session: Session, args: argparse.Namespace) -> list[str]:
    """Set the limits that the line names, and return them in words."""
    service, said = session.service, []
    if args.rpm is not None and service.max_requests_per_minute != args.rpm:
        service.max_requests_per_minute = args.rpm
        said.append(f"at most {args.rpm:,g} requests a minute to {service.name}")
    if args.tpm is not None and service.max_tokens_per_minute != args.tpm:
        service.max_tokens_per_minute = args.tpm
        said.append(f"at most {args.tpm:,g} tokens a minute to {service.name}")
    return said
