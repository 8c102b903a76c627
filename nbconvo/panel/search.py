"""Search in what a panel shows."""

from __future__ import annotations

from typing import Any

from nbconvo.markdown import plain
from nbconvo.panel.rows import label_of
from nbconvo.panel.scroll import Scroll

__all__ = ["search"]

_MOST = 200  # hits that are listed; all are counted
_BEFORE, _AFTER = 30, 60  # characters of context


def search(scroll: Scroll, text: str) -> dict[str, Any]:
    """Return where ``text`` stands, in upper or lower case, newest last: messages, with context.

    The text of a message is searched as it was written, Markdown's signs included.
    """
    wanted = text.strip().casefold()
    hits: list[dict[str, Any]] = []
    total = 0
    if not wanted:
        return {"hits": hits, "total": total}
    for place, message in enumerate(scroll.messages):
        if wanted not in message.content.casefold():
            continue
        total += 1
        if total <= _MOST:
            who = message.name or (
                "you" if message.role == "user" else label_of(scroll.owner(place))
            )
            found = _context(message.content, wanted)
            hits.append({"i": place, "id": message.id, "who": plain(who), **found})
    return {"hits": hits, "total": total}


def _context(content: str, wanted: str) -> dict[str, str]:
    """Return the first hit and what stands around it, each on one line."""
    lower = content.lower()
    at = lower.find(wanted)
    if at < 0 or len(lower) != len(content):  # ß, İ and the like change their length
        at, end = 0, 0
    else:
        end = at + len(wanted)
    start = max(0, at - _BEFORE)
    return {
        "before": ("…" if start else "") + _one_line(content[start:at]),
        "hit": _one_line(content[at:end]),
        "after": _one_line(content[end : end + _AFTER])
        + ("…" if end + _AFTER < len(content) else ""),
    }


def _one_line(text: str) -> str:
    return plain(text).replace("\n", " ")
