"""What a turn says while nothing of a reply is coming."""

from __future__ import annotations

from collections.abc import Sequence

from nbconvo.messages import ToolCall
from nbconvo.spelling import called

__all__ = ["now_running"]

_MOST, _LONGEST = 4, 120  # calls, and characters of one, that are shown


def now_running(calls: Sequence[ToolCall]) -> str:
    """Return which calls are running, as code, in a line."""
    shown = ", ".join(_short(called(call.name, call.arguments)) for call in calls[:_MOST])
    more = len(calls) - _MOST
    return f"running {shown}" + (f" and {more} more" if more > 0 else "")


def _short(code: str) -> str:
    return code if len(code) <= _LONGEST else f"{code[:_LONGEST]}…"
