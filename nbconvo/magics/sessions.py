"""``%%session`` and ``%session``: begin sessions, change them and say what changed; list them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from nbconvo.configs import default_options
from nbconvo.display.table import Table
from nbconvo.errors import nearest
from nbconvo.magics.limits import check_limits, set_limits
from nbconvo.magics.options import unless_none
from nbconvo.magics.spending import budget_of, set_budget
from nbconvo.session import Session, workspace
from nbconvo.session.profile import MOST_ROUNDS, TOOL_TIMEOUT, chosen

__all__ = ["adjust", "begin_or_update", "sessions_table"]

_WHOM = {"service", "model"}
_UNNAMED = object()
_TOOL_LIMITS = {"max_rounds": MOST_ROUNDS, "tool_timeout": TOOL_TIMEOUT}
_DEFAULTS: dict[str, Any] = {"tools": (), "confirm": False, **_TOOL_LIMITS}


def begin_or_update(
    args: argparse.Namespace, system: str, options: dict[str, Any], before: dict[str, Any]
) -> Session:
    """Make the session that the cell describes, or change the one of its name; say what changed.

    An option that an earlier run of the cell named, and this one does not, goes back to its
    default. What was chosen elsewhere stays, as do the history, the log and the limits.

    Args:
        args: The line, parsed.
        system: The text of the cell.
        options: The service, model and options that the line names.
        before: Those that it named when the cell ran before.
    """
    check_limits(args)
    budget_of(args.budget)
    chosen(options.get("service"), options.get("model"))  # before anything is changed
    name = args.name or workspace.DEFAULT
    if name not in workspace:
        return _begun(Session(system, name=name, dir=_directory(args), **options), args)
    return _change(workspace.get(name), args, options, before, system)


def adjust(args: argparse.Namespace, options: dict[str, Any]) -> Session:
    """Make a session the current one, changing only what the line names; or begin one."""
    check_limits(args)
    budget_of(args.budget)
    if not options and not any((args.dir, args.rpm, args.tpm, args.budget)):
        session = workspace.get(args.name)
        print(f"{args.name} is now the current session")
        return _current(session)
    if args.name not in workspace:
        return _begun(Session(name=args.name, dir=_directory(args), **options), args)
    chosen(options.get("service"), options.get("model"))
    session = workspace.get(args.name)
    return _change(session, args, options, {}, session.system)


def sessions_table() -> Table:
    """Return a table of the sessions, the current one marked."""
    has_tools = any(session.tools for session in workspace)
    rows = tuple(
        (
            f"{session.name}{' (current)' if session.name == workspace.current else ''}",
            session.service.name,
            session.model or "?",
            str(len(session.conversation.messages)),
            f"{session.usage.total_tokens:,}",
            *([_tools(session)] if has_tools else []),
            session.dir or "",
        )
        for session in workspace
    )
    tools = ("tools",) if has_tools else ()
    header = ("session", "service", "model", "messages", "tokens", *tools, "log")
    return Table(header, rows, empty="no sessions yet; begin one with %%session NAME")


def _tools(session: Session) -> str:
    return ", ".join(session.tools) + (" (asks before each call)" if session.confirm else "")


def _begun(session: Session, args: argparse.Namespace) -> Session:
    said = [
        "new session",
        *([f"log in {args.dir}"] if _directory(args) else []),
        *([f"tools {', '.join(session.tools)}"] if session.tools else []),
        *(["asks before each call"] if session.confirm else []),
        *set_limits(session, args),
        *set_budget(session, args.budget),
    ]
    others = [name for name in workspace.names() if name != session.name]
    if near := nearest(session.name or "", others):
        said.append(f"beside {near!r}")
    if session.service.needs_key and session.service.key is None:
        said.append(f"no key yet: '%convo key {session.service.typed_as}' asks for it")
    return _told(session, ", ".join(said))


def _change(
    session: Session,
    args: argparse.Namespace,
    options: dict[str, Any],
    before: dict[str, Any],
    system: str | None,
) -> Session:
    """Make of ``session`` what the line names; say what is different from before."""
    was = _described(session)
    log = _set_dir(session, _directory(args))
    _choose(session, options, before)
    gone = before.keys() - options.keys() - _WHOM
    defaults = {option: _DEFAULTS.get(option, default_options().get(option)) for option in gone}
    given = {option: value for option, value in options.items() if option not in _WHOM}
    if changes := {**defaults, **given}:
        tools, confirm = changes.pop("tools", None), changes.pop("confirm", None)
        if tools is not None:
            session.set_tools(*tools)
        if confirm is not None:
            session.set_confirm(confirm)
        if limits := {name: changes.pop(name) for name in _TOOL_LIMITS if name in changes}:
            session.set_tool_limits(**limits)
        session.set_options(**changes)
    if system != session.system:
        session.set_system(system)
    return _changed(session, was, args, log)


def _choose(session: Session, options: dict[str, Any], before: dict[str, Any]) -> None:
    """Change service and model where the line names others than it did before."""
    if all(options.get(whom, _UNNAMED) == before.get(whom, _UNNAMED) for whom in _WHOM):
        return
    if "service" in options or before.keys() & _WHOM:
        session.set_service(options.get("service"), options.get("model"))
    else:
        session.set_model(options.get("model"))


def _directory(args: argparse.Namespace) -> str | None:
    """Return the directory that the line names; an empty one for no log."""
    return args.dir if args.dir is None else unless_none(args.dir) or ""


def _set_dir(session: Session, directory: str | None) -> list[str]:
    """Log where the line says; return that in words, if it is another place."""
    if directory == "" and session.dir is not None:
        session.set_dir(None)
        return ["no log any more"]
    if not directory or str(Path(directory).expanduser().absolute()) == session.dir:
        return []
    session.set_dir(directory)
    return [f"log in {directory}"]


def _changed(
    session: Session, before: dict[str, Any], args: argparse.Namespace, changes: list[str]
) -> Session:
    """Set the limits that the line names, and say what is different from ``before``."""
    after = _described(session)
    changes += [
        f"{what} changed" if what == "instructions" else f"{what} {_shown(was)} → {_shown(now)}"
        for what, now in after.items()
        if (was := before.get(what)) != now
    ]
    changes += set_limits(session, args)
    changes += set_budget(session, args.budget)
    said = len(session.conversation.messages)
    history = f"; {said} messages kept" if said and changes else ""
    return _told(session, (", ".join(changes) or "nothing changed") + history)


def _told(session: Session, what: str) -> Session:
    print(f"{session.name} · {session.service.name}:{session.model or '?'} · {what}")
    return _current(session)


def _current(session: Session) -> Session:
    workspace.current = session.name or workspace.current
    workspace.warm(session.service)
    return session


def _described(session: Session) -> dict[str, Any]:
    return {
        "instructions": session.system,
        "service": session.service.typed_as,
        "model": session.model,
        "tools": ", ".join(session.tools) or None,
        "rounds of calls": session.max_rounds,
        "seconds of a call": f"{session.tool_timeout:g}",
        "confirm": "on" if session.confirm else "off",
        **{name: value for name, value in session.options.items() if name != "model"},
    }


def _shown(value: object) -> str:
    return "default" if value is None else str(value)
