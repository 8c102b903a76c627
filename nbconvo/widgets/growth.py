"""What the page has of text that grows, and what it needs to have it all."""

from __future__ import annotations

from typing import Any, TypedDict

__all__ = ["Change", "Growth", "changed"]


class Change(TypedDict):
    """Makes a new string of an old one: ``keep`` code units of it, and then ``tail``."""

    keep: int
    tail: str


def changed(old: str, new: str) -> Change:
    """Return what makes ``new`` of ``old``; only its end is sent again.

    ``keep`` counts UTF-16 code units, as a script in the page does, and never ends within a
    character.
    """
    shared = _shared(old, new)
    return {"keep": _units(new[:shared]), "tail": new[shared:]}


class Growth:
    """What the page has of a growing body: its closed blocks, the rest, and the reasoning.

    Args:
        moving: Whether what was open and is closed now is moved in the page, not sent again:
            ``take`` code units of the old open part go to the closed one, before ``add``.
    """

    def __init__(self, *, moving: bool = False) -> None:
        self._moving = moving
        self._closed = self._open = self._why = ""

    def delta(self, closed: str, open: str, why: str = "") -> dict[str, Any] | None:
        """Return what the page needs to have these three; ``None`` if it has them.

        ``closed`` and ``open`` are what ``Growing.parts()`` returns, ``why`` the HTML of the
        reasoning. The answer is ``{reset?, take?, add?, keep, tail, why?}``, with ``reset``
        where the closed blocks did not only grow at their end.
        """
        if (closed, open, why) == (self._closed, self._open, self._why):
            return None
        reset = not closed.startswith(self._closed)
        if reset:
            self._closed = self._open = ""
        add = closed[len(self._closed) :]
        take = _shared(self._open, add) if self._moving else 0
        change = {
            "reset": reset,
            "take": _units(add[:take]),
            "add": add[take:],
            "why": changed(self._why, why) if why != self._why else None,
        }
        rest = changed(self._open, open)
        self._closed, self._open, self._why = closed, open, why
        return _without_empty(change) | rest

    def whole(self) -> dict[str, Any]:
        """Return what a page needs that has nothing."""
        why = changed("", self._why) if self._why else None
        change = {"reset": True, "add": self._closed, "why": why}
        return _without_empty(change) | changed("", self._open)


def _without_empty(change: dict[str, Any]) -> dict[str, Any]:
    return {name: part for name, part in change.items() if part}


def _shared(one: str, other: str) -> int:
    """Return how many characters they share at their beginning; each is looked at once."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
