"""Replies under way, rendered once for all panels that show them."""

from __future__ import annotations

import threading
import weakref

from nbconvo import cards
from nbconvo.markdown import Growing, GrowingJson
from nbconvo.session.turn import Turn

__all__ = ["Rendering", "rendering_of"]


class Rendering:
    """The text of a turn as HTML, as far as it has come."""

    def __init__(self, turn: Turn) -> None:
        self._tally = turn.tally
        self._made = Growing if turn.ask.profile.form is None else GrowingJson
        self._growing: Growing | GrowingJson = self._made()
        self._text = self._reasoning = self._steps = 0  # characters, and steps, that are rendered
        self._parts = ("", "")
        self._why = ""
        self._lock = threading.Lock()  # each panel reads it under a lock of its own

    def parts(self) -> tuple[str, str, str]:
        """Return the HTML of the closed blocks, of the rest, and of the reasoning."""
        with self._lock:
            return self._read()

    def _read(self) -> tuple[str, str, str]:
        text = self._tally.texts.get(0, "")
        steps = self._tally.steps
        if len(steps) > self._steps:  # another reply grows in its place
            self._steps, self._growing, self._parts = len(steps), self._made(), ("", "")
            self._text, self._reasoning = 0, -1
        if len(text) > self._text:
            self._growing.feed(text[self._text :])
            self._text = len(text)
            self._parts = self._growing.parts()
        reasoning = self._tally.reasonings.get(0, "")
        if len(reasoning) > self._reasoning:
            self._reasoning = len(reasoning)
            self._why = cards.why(reasoning, steps)
        return (*self._parts, self._why)


_renderings: weakref.WeakKeyDictionary[Turn, Rendering] = weakref.WeakKeyDictionary()


def rendering_of(turn: Turn) -> Rendering:
    """Return the rendering of ``turn``, the same for all who ask."""
    return _renderings.setdefault(turn, Rendering(turn))
