"""Deltas made whole: each says something, no character is cut, no key in it, its end is known."""

from __future__ import annotations

from dataclasses import replace

from nbconvo.keys import Guard
from nbconvo.messages import Delta, paired
from nbconvo.usage import Usage

__all__ = ["Pieces", "clean", "guarded", "held_back"]


class Pieces:
    """Makes deltas that each say something, and knows which alternatives have ended."""

    __slots__ = ("_begun", "_finished", "_guard", "_held", "_model", "_usage")

    def __init__(self) -> None:
        self._begun: set[int] = set()
        self._finished: set[int] = set()
        self._guard = Guard()
        self._held: dict[int, tuple[str, str]] = {}
        self._model: str | None = None
        self._usage: Usage | None = None

    def complete(self, replies: int) -> bool:
        """Whether all alternatives that began have ended, and at least so many."""
        return self._begun == self._finished and len(self._finished) >= replies

    def joined(self, delta: Delta) -> Delta | None:
        """Return the delta with what earlier ones left for it, or ``None`` if it says nothing.

        A model's name waits for the first words, and so does the first half of a character that
        the service cut in two: half a surrogate pair at a delta's end. A tail waits that may be
        the beginning of a known key.
        """
        if delta.usage is not None or delta.finish_reason:
            delta = self._known(delta)
        if self._held or not (delta.text.isascii() and delta.reasoning.isascii()):
            delta = self._whole(delta)
        delta = guarded(self._guard, delta)
        if delta.text or delta.reasoning or delta.calls or delta.finish_reason:
            self._begun.add(delta.index)
            if delta.finish_reason:
                self._finished.add(delta.index)
        elif delta.usage is None and not delta.carry:
            self._model = delta.model or self._model
            return None
        if self._model is not None:
            model, self._model = delta.model or self._model, None
            if delta.model != model:
                return replace(delta, model=model)
        return delta

    def rest(self) -> list[Delta]:
        """Return what is still held back, where no more is to come."""
        return held_back(self._guard)

    def _known(self, delta: Delta) -> Delta:
        """Return the delta with what it repeats or leaves out of what was told before."""
        if delta.usage is not None:
            before, self._usage = self._usage, delta.usage
            if before is not None:
                self._usage = before.updated(delta.usage)
                delta = replace(delta, usage=self._usage)
        if delta.finish_reason == "stop" and delta.index in self._finished:
            return replace(delta, finish_reason=None)  # it has ended, perhaps for a better reason
        return delta

    def _whole(self, delta: Delta) -> Delta:
        text, reasoning = self._held.pop(delta.index, ("", ""))
        text, half = _split(text + delta.text)
        reasoning, other_half = _split(reasoning + delta.reasoning)
        if delta.finish_reason is not None:
            text, reasoning = text + half, reasoning + other_half
        elif half or other_half:
            self._held[delta.index] = (half, other_half)
        if text != delta.text or reasoning != delta.reasoning:
            delta = replace(delta, text=text, reasoning=reasoning)
        return clean(delta)


def guarded(guard: Guard, delta: Delta) -> Delta:
    """Return the delta without known keys, what may be the beginning of one held back."""
    touches = guard.may_touch
    if touches is None or not (
        guard.held or touches(delta.text) or (delta.reasoning and touches(delta.reasoning))
    ):
        return delta
    index, is_last = delta.index, delta.finish_reason is not None
    text = guard.passed((index, "text"), delta.text, is_last=is_last)
    reasoning = guard.passed((index, "reasoning"), delta.reasoning, is_last=is_last)
    if text != delta.text or reasoning != delta.reasoning:
        return replace(delta, text=text, reasoning=reasoning)
    return delta


def held_back(guard: Guard) -> list[Delta]:
    """Return what the guard still holds, where no more is to come: it began no key after all."""
    held = [*guard.held.items()]
    guard.held.clear()
    return [
        Delta(text=tail, index=index) if kind == "text" else Delta(reasoning=tail, index=index)
        for (index, kind), tail in held
    ]


def clean(delta: Delta) -> Delta:
    """Return the delta with surrogates paired, or replaced where they can't be."""
    if delta.text.isascii() and delta.reasoning.isascii():
        return delta
    text, reasoning = paired(delta.text), paired(delta.reasoning)
    if text == delta.text and reasoning == delta.reasoning:
        return delta
    return replace(delta, text=text, reasoning=reasoning)


def _split(text: str) -> tuple[str, str]:
    """Split off the first half of a surrogate pair at the end of ``text``."""
    return (text[:-1], text[-1]) if "\ud800" <= text[-1:] <= "\udbff" else (text, "")
