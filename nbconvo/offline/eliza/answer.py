"""The model ``eliza``: a listener made of rules, in the spirit of Weizenbaum's program of 1966.

The rules and the words are our own; they stand in ``rules``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from nbconvo.offline.beyond import echo_cell, named
from nbconvo.offline.eliza.rules import EARLIER, GREETINGS, OTHERWISE, RULES, SILENCE, Rule
from nbconvo.offline.heard import asked, instruction, said, speaker
from nbconvo.offline.offer import NOTHING, Offer

__all__ = ["reflect", "reply"]

_SWAPS = {
    "i": "you",
    "me": "you",
    "my": "your",
    "mine": "yours",
    "myself": "yourself",
    "am": "are",
    "i'm": "you're",
    "i've": "you've",
    "i'll": "you'll",
    "i'd": "you'd",
    "your": "my",
    "yours": "mine",
    "yourself": "myself",
    "you're": "I'm",
    "you've": "I've",
    "you'll": "I'll",
    "you'd": "I'd",
}
# After these words, and at the end, "you" is the object: "talk to you" is "talk to me".
_BEFORE_OBJECT = re.compile(
    r"to|for|with|at|of|about|from|by|on|than|and|like|love|hate|need|want|help|tell|told|ask|"
    r"asked|make|see|know|trust|miss|understand|believe|let|give"
)
_CUE = r"(?i:\b(?:your name is|you are|you're|act as|as|be|play))\s+"
_NAME = r"(?P<name>[A-Z][\w'-]*(?:\.?\s+[A-Z][\w'-]*){0,2})"
_END = r"(?=[.,;:!?\n]|\s+(?:who|that|in|with|of|for|from|to|you)\b|\s*$)"
_ROLE = rf"(?:an?|the)\s+(?P<role>[\w'-]+(?:\s[\w'-]+){{0,2}}?){_END}"
_PART = re.compile(f"{_CUE}(?:{_NAME}|{_ROLE})")


def reply(messages: Sequence[Mapping[str, Any]], offer: Offer = NOTHING) -> str:
    """Return what a listener would say to the last user message, by the first rule that fits."""
    text = _plain(speaker(asked(messages))[1])
    if not re.search(r"\w", text):
        return SILENCE + _aside(messages, offer)
    earlier = [_plain(speaker(turn)[1]) for turn in said(messages, "user")[:-1]]
    answer = _by_rule(text, earlier) or _otherwise(earlier)
    return _signed(answer, instruction(messages), first=not earlier) + _aside(messages, offer)


def _aside(messages: Sequence[Mapping[str, Any]], offer: Offer) -> str:
    """Say, once, of what else came that these rules have no use for it, and who has."""
    things, cell = named(messages, offer), echo_cell(messages, offer)
    if not things or any(cell in turn for turn in said(messages, "assistant")):
        return ""
    return (
        f"\n\n*Rules for words made this reply; they have no use for {things}. `offline:echo` "
        f"plays it:*\n\n{cell}\n\n*`%convo services` lists what a model can be connected from.*"
    )


def reflect(text: str) -> str:
    """Return ``text`` with its persons swapped: ``my own fault`` is ``your own fault``."""
    words = text.split()
    return " ".join(_swapped(words, at) for at in range(len(words)))


def _swapped(words: Sequence[str], at: int) -> str:
    word = words[at].lower()
    before = words[at - 1].lower() if at else ""
    after = words[at + 1].lower() if at + 1 < len(words) else ""
    if word == "you":
        return "me" if not after or _BEFORE_OBJECT.fullmatch(before) else "I"
    if word == "are" and "you" in (before, after):
        return "am"
    if word == "was" and "i" in (before, after):
        return "were"
    return _SWAPS.get(word, words[at])


def _plain(text: str) -> str:
    """Return the first part of ``text`` with straight apostrophes and single spaces."""
    return " ".join(text[:600].replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").split())


def _by_rule(text: str, earlier: Sequence[str]) -> str | None:
    for rule in RULES:
        if found := rule.pattern.search(text):
            return _filled(rule, found, sum(bool(rule.pattern.search(turn)) for turn in earlier))
    return None


def _filled(rule: Rule, found: re.Match[str], times: int) -> str:
    """Return the rule's next answer: one that has been given comes back only after all others."""
    parts = [reflect(re.sub('[“”"]', "", part or "")).strip(" '\"“”‘’") for part in found.groups()]
    return rule.answers[times % len(rule.answers)].format(*parts)


def _otherwise(earlier: Sequence[str]) -> str:
    """Come back to something of the user's own, or ask for more."""
    own = [found[1] for turn in earlier if (found := re.search(r"\bmy (\w[\w-]*)", turn, re.I))]
    if own and len(earlier) % 2:
        return EARLIER[len(earlier) // 2 % len(EARLIER)].format(own[-1].lower())
    return OTHERWISE[len(earlier) % len(OTHERWISE)]


def _signed(answer: str, system: str, *, first: bool) -> str:
    """Greet in the part that the system prompt gives, at the first turn only."""
    found = _PART.search(system)
    if not first or found is None:
        return answer
    part = found["name"] or f"the {found['role']}"
    # Picked by its length: the same for the same messages, and not always the first.
    return f"{answer}\n\n{GREETINGS[len(part) % len(GREETINGS)].format(part)}"
