"""Messages as the page gets them: sanitised HTML, and words for the rest."""

from __future__ import annotations

import functools
import re
from typing import Any

from nbconvo import cards
from nbconvo.keys import scrub
from nbconvo.markdown import plain, render, reply_html
from nbconvo.messages import Message
from nbconvo.session import Session
from nbconvo.session.turn import Turn

__all__ = [
    "Row",
    "failed_row",
    "growing_row",
    "initials",
    "is_kept",
    "key_of",
    "label_of",
    "row",
    "size",
]

Row = dict[str, Any]

#: Characters of a message that are shown at once; what is longer shows its beginning.
LONGEST = 20_000
_BEGINNING = 6_000

_WORD = re.compile(r"[^\W_]")


def key_of(session: Session) -> str:
    """Return what the page calls a session: its name, or nothing."""
    return session.name or ""


def label_of(session: Session) -> str:
    """Return what the reader calls a session."""
    return session.name or "the session"


def initials(name: str) -> str:
    """Return one or two letters that stand for a name: RC for ``rate-critic``."""
    first = [found[0] for part in re.split(r"[\s_-]+", name) if (found := _WORD.search(part))]
    return "".join(first[:2]).upper() or "?"


def row(session: Session, message: Message, *, everyone: bool = False, whole: bool = False) -> Row:
    """Return a message of ``session`` for the page.

    Args:
        session: Whose message it is.
        message: The message.
        everyone: Whether the page shows all sessions, so that it is to say who was spoken to.
        whole: Whether to give all of a long one.
    """
    made = _bare(session, message)
    steps: tuple[Message, ...] = ()
    if message.id in session.conversation:
        steps = session.conversation.steps(message.id)
        made["alts"] = _alternatives(session, message, steps)
    made |= _text(message, steps, whole=whole)
    if everyone and message.role == "user":
        made["to"] = label_of(session)
    return made


def growing_row(session: Session, turn: Turn) -> Row:
    """Return the place where the reply of a turn is coming; its text follows as growth."""
    name = label_of(session)
    return {
        "id": turn.id,
        "s": key_of(session),
        "role": "assistant",
        **_speaker(name),
        "html": "",
        "foot": [],
        "state": "growing",
        "turn": turn.id,
        "notice": turn.tally.notice,
    }


def failed_row(session: Session, turn: Turn, *, everyone: bool) -> Row:
    """Return what a failed turn leaves to be seen: what was asked, and why there is no reply."""
    error = plain(scrub(str(turn.error)) or type(turn.error).__name__)
    if turn.asked and not is_kept(session, turn):
        made = row(session, turn.asked[0], everyone=everyone)
    else:
        made = growing_row(session, turn)
    # The reply may be on the tree, cut off, under the id of the turn.
    failed = {"id": f"failed-{turn.id}", "turn": turn.id, "state": "failed"}
    return {**made, **failed, "error": " ".join(error.split())}


def is_kept(session: Session, turn: Turn) -> bool:
    """Return whether what a failed turn asked is on the active path all the same."""
    told = session.conversation
    return any(each.id in told and told.place(each.id) is not None for each in turn.asked)


def size(made: Row) -> int:
    """Return about how many bytes a row takes on its way."""
    return len(made["html"]) + len(made.get("why", "")) + 400


def _bare(session: Session, message: Message) -> Row:
    heard = message.role == "user" and message.name is not None
    named = None if message.role == "tool" else message.name
    who = "you" if message.role == "user" and not heard else named or label_of(session)
    made = {
        "id": message.id,
        "s": key_of(session),
        "role": "assistant" if message.is_step else message.role,
        **_speaker(who),
        "foot": list(cards.footer(message)) if message.role == "assistant" else [],
        "time": message.created.isoformat(timespec="seconds"),
    }
    if heard:
        made["heard"] = True
    if message.finish_reason not in (None, "stop"):
        made["ending"] = plain(message.finish_reason or "")
    return made


def _speaker(name: str) -> Row:
    return {"who": plain(name), "initials": initials(name), "hue": cards.hue(name)}


def _text(message: Message, steps: tuple[Message, ...], *, whole: bool) -> Row:
    own = message.role == "user" and message.name is None
    content = "" if message.is_step else message.content  # which the steps show
    made: Row = {}
    if len(content) > LONGEST and not whole:
        made["more"] = len(content)
        content = content[:_BEGINNING] + " …"
    # Line breaks that a person typed are meant; those of a model are Markdown's.
    made["html"] = _rendered(content, own) + cards.enclosed(message.attachments)
    if why := cards.why("" if message.is_step else message.reasoning, steps):
        made["why"] = why
    return made


# A page of rows is asked for again and again, by each panel and each reload.
@functools.lru_cache(maxsize=400)
def _rendered(content: str, breaks: bool) -> str:
    return render(content, breaks=breaks) if breaks else reply_html(content)


def _alternatives(session: Session, message: Message, steps: tuple[Message, ...]) -> Row | None:
    # Another reply to the same stands beside the first step to this one, where there are steps.
    for first in (*steps[:1], message):
        if len(beside := session.alternatives(first)) > 1:
            break
    else:
        return None
    place = next(n for n, other in enumerate(beside) if other.id == first.id)
    return {
        "i": place + 1,
        "n": len(beside),
        "prev": beside[place - 1].id if place else None,
        "next": beside[place + 1].id if place + 1 < len(beside) else None,
    }
