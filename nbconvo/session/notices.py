"""What a turn says while nothing of a reply is coming."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["may_run", "now_running"]

_MOST, _LONGEST = 4, 120  # calls, and characters of one, that are shown


def may_run(call: str) -> str:
    """Return that somebody is asked about a call, given as code, in a line."""
    return f"may {_short(call)} run?"


def now_running(calls: Sequence[str]) -> str:
    """Return which calls, given as code, are running, in a line."""
    shown = ", ".join(map(_short, calls[:_MOST]))
    more = len(calls) - _MOST
    return f"running {shown}" + (f" and {more} more" if more > 0 else "")


def _short(code: str) -> str:
    return code if len(code) <= _LONGEST else f"{code[:_LONGEST]}…"
