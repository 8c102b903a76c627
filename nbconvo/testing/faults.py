"""A share of requests that fail, by chance that repeats."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Literal

from nbconvo.testing.script import Answer, Drop, ErrorReply

__all__ = ["Fault", "Faults", "answer_of"]

Fault = Literal["500", "502", "503", "529", "reset"]
_PAGE = "<html><body><h1>502 Bad Gateway</h1></body></html>"


class Faults:
    """Fails a ``share`` (from 0 to 1) of all requests, each in one of the ``kinds``.

    ``"reset"`` cuts the connection before any byte, ``"502"`` comes with a page of HTML, the
    other statuses with an error object.
    """

    def __init__(
        self, share: float, *, kinds: Sequence[Fault] = ("500", "reset"), seed: int = 0
    ) -> None:
        if not 0 <= share <= 1:
            raise ValueError(f"share {share!r} is none; give a number from 0 to 1")
        self._share = share
        self._kinds = tuple(kinds)
        self._chance = random.Random(seed)
        self.happened = 0

    def next(self) -> Fault | None:
        """Return how the next request fails, or ``None`` if it does not."""
        if self._chance.random() >= self._share:
            return None
        self.happened += 1
        return self._chance.choice(self._kinds)


def answer_of(fault: Fault) -> Answer:
    """Return what the fake provider does for a fault."""
    if fault == "reset":
        return Drop()
    return ErrorReply(int(fault), _PAGE if fault == "502" else None)
