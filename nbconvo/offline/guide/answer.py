"""The model ``guide``: says that no model is connected, and helps with nbconvo itself.

It is what a session talks to when no service is configured. What it knows stands in the topics of
``services``, ``magics``, ``beyond`` and ``more``; here it finds out what was asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from nbconvo.offline.beyond import echo_cell, named
from nbconvo.offline.guide.beyond import BEYOND
from nbconvo.offline.guide.magics import MAGICS
from nbconvo.offline.guide.more import MORE
from nbconvo.offline.guide.services import SERVICES
from nbconvo.offline.guide.topic import SURE, nearest
from nbconvo.offline.guide.turns import beyond_words, in_exchange, not_connected, so_far, task
from nbconvo.offline.heard import asked, said, speaker
from nbconvo.offline.offer import NOTHING, Offer

__all__ = ["FIRST_LINE", "TOPICS", "reply"]

FIRST_LINE = "*No model is connected: this is nbconvo's offline guide.*"
TOPICS = SERVICES + MAGICS + BEYOND + MORE

_VERB = re.compile(
    r"\W*(?:please |can you |could you |now |then )*(?:write|compose|translate|summari[sz]e|draft|"
    r"invent|imagine|brainstorm|rewrite|paraphrase|tell|sing|draw|solve|prove|review|improve|"
    r"critique|explain|describe|define|give|name)\b",
    re.IGNORECASE,
)
_GENRE = re.compile(
    r"\b(?:jokes?|poems?|haikus?|limericks?|essays?|stor(?:y|ies)|funny|lyrics|puns?)\b",
    re.IGNORECASE,
)
_ABOUT_US = re.compile(r"%[a-z]|\bnbconvo\b", re.IGNORECASE)
_SO_FAR = re.compile(
    r"\b(?:so far|my last question|(?:what|which) (?:did|have|has) (?:i|we|you|this \w+) "
    r"(?:\w+ )?(?:ask|say|said|use|talk)(?:ed|d)?|how many (?:tokens|turns|messages|questions)|"
    r"tokens (?:have|did)|(?:recap|recall|summari[sz]e) (?:this|our|the) "
    r"(?:conversation|session|chat))\b",
    re.IGNORECASE,
)
_AGAIN = re.compile(
    r"^\W*(?:and |now |just )*(?:again|(?:one |once )?more|another)\b", re.IGNORECASE
)


def reply(messages: Sequence[Mapping[str, Any]], offer: Offer = NOTHING) -> str:
    """Return the guide's answer to the last user message, below the line that says who answers."""
    return f"{FIRST_LINE}\n\n{_answer(messages, offer)}"


def _answer(messages: Sequence[Mapping[str, Any]], offer: Offer) -> str:
    text = asked(messages)
    name, words = speaker(text)
    if name is not None and (question := _own_question(text)):
        text, name = question, None
    if name is not None:
        return in_exchange(messages, name, words)
    topic, score = nearest(text, TOPICS)
    if topic is None and _AGAIN.match(text):
        text = _before(messages)
        topic, score = nearest(text, TOPICS)
    if _SO_FAR.search(text):
        return so_far(messages)
    if score < SURE and (things := named(messages, offer)):
        return beyond_words(messages, things, echo_cell(messages, offer))
    if _is_task(text, score):
        return task(messages, text)
    if topic is None:
        return not_connected(messages)
    return topic.answer


def _own_question(text: str) -> str | None:
    """Return what the user asks below what others said in an exchange, if it is about nbconvo."""
    last = text.rpartition("\n\n")[2]
    if last == text or "“" in last or not last.rstrip().endswith("?") or speaker(last)[0]:
        return None
    return last if nearest(last, TOPICS)[1] >= SURE else None


def _is_task(text: str, score: int) -> bool:
    """Whether ``text`` wants something written rather than something known about nbconvo."""
    if _GENRE.search(text):
        return not _ABOUT_US.search(text)
    return score < SURE and _VERB.match(text) is not None


def _before(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return the newest question before the last that is not itself an "again"."""
    earlier = said(messages, "user")[-2::-1]
    return next((text for text in earlier if not _AGAIN.match(text)), "")
