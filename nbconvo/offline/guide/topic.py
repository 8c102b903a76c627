"""A topic of the guide, and how the one that is asked about is found."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

__all__ = ["SURE", "Topic", "nearest"]

SURE, _WEAK = 3, 1

_HOW = re.compile(
    r"\b(?:how (?:do|does|can|to|would|should)|can i|could i|where (?:do|can|is|are))\b"
)


@dataclass(frozen=True, slots=True)
class Topic:
    """Something that can be asked about: words that are a sure or a weak sign of it, an answer."""

    name: str
    strong: tuple[str, ...]
    weak: tuple[str, ...]
    answer: str


def nearest(text: str, topics: Sequence[Topic]) -> tuple[Topic | None, int]:
    """Return the topic that ``text`` is about and how sure that is, or ``(None, 0)``.

    A lone everyday word such as "session" or "limit" settles it only in a very short question,
    or in one that asks how something is done.
    """
    words = text[:2000].lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    topic, score = max(
        ((topic, _score(topic, words)) for topic in topics), key=lambda scored: scored[1]
    )
    if score == 0:
        topic, score = _misspelt(words, topics)
    pointed = len(words.split()) <= 5 or _HOW.search(words)
    enough = _WEAK if pointed else _WEAK + 1
    return (topic, score) if score >= enough else (None, 0)


def _score(topic: Topic, words: str) -> int:
    strong = sum(SURE for phrase in topic.strong if _holds(words, phrase))
    return strong + sum(_WEAK for phrase in topic.weak if _holds(words, phrase))


def _holds(words: str, phrase: str) -> bool:
    return re.search(rf"(?<![\w%-]){re.escape(phrase)}(?![\w-])", words) is not None


def _misspelt(words: str, topics: Sequence[Topic]) -> tuple[Topic, int]:
    """Return the topic of which a word comes close to a long strong one, with its score."""
    known = {p: topic for topic in topics for p in topic.strong if len(p) >= 6 and p.isalpha()}
    for word in re.findall(r"[a-z]{5,20}", words)[:40]:
        if close := get_close_matches(word, known, n=1, cutoff=0.85):
            return known[close[0]], SURE
    return topics[0], 0
