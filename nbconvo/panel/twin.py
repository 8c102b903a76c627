"""The panel without a page that runs it: what nbconvert, GitHub and print show."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from nbconvo import cards
from nbconvo.markdown import plain
from nbconvo.messages import Message
from nbconvo.panel.gauges import gauges
from nbconvo.panel.rows import label_of
from nbconvo.panel.window import EVERYONE, Window
from nbconvo.session import Session
from nbconvo.spelling import cut

__all__ = ["Twin"]

_NOTHING = "nothing was said yet"
_LONGEST = 6_000  # characters of one message


@dataclass(frozen=True, slots=True)
class Twin:
    """What a panel shows, as static HTML and as plain text.

    Attributes:
        window: What the panel shows.
        most: Characters of HTML; what was said before that much is left out, and said so.
    """

    #: Characters of HTML that a notebook's file can well hold, where all is wanted.
    WHOLE: ClassVar[int] = 500_000

    window: Window
    most: int = 20_000

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        shown, left_out = self._cards()
        parts = [] if self.window.usage else [_title(self.window), _left_out(left_out)]
        if not shown and not self.window.usage:
            parts.append(_line("nbconvo-note", _NOTHING))
        return {
            "text/html": cards.html(shown, before="".join(parts), after=_limits()),
            "text/plain": self._text(shown),
        }

    def __repr__(self) -> str:
        return self._text(self._cards()[0])

    def _text(self, shown: Sequence[cards.Card]) -> str:
        if shown:
            return cards.text([*shown, cards.Card(None, "")]).rstrip()  # named, if there is one
        return "\n".join(_limit_lines()) if self.window.usage else _NOTHING

    def _cards(self) -> tuple[list[cards.Card], int]:
        """Return the newest messages as cards, and how many older ones are left out."""
        if self.window.usage:
            return [], 0
        scroll, room = self.window.scroll(), self.most
        shown: list[cards.Card] = []
        for place in range(len(scroll) - 1, -1, -1):
            card = _card(scroll.owner(place), scroll.messages[place], self.window.shown == EVERYONE)
            room -= len(cards.html([card])) - len(cards.html([]))
            if shown and room < 0:
                break
            shown.append(card)
        return shown[::-1], len(scroll) - len(shown)


def _card(session: Session, message: Message, everyone: bool) -> cards.Card:
    told, label = session.conversation, label_of(session)
    steps = told.steps(message.id) if message.id in told else ()
    card = cards.Card.of((message.role != "tool" and message.name) or label, message, steps)
    card = replace(card, text=cut(card.text, _LONGEST))
    return replace(card, name="you", to=label if everyone else "") if card.own else card


def _title(window: Window) -> str:
    sessions = window.sessions()
    if window.shown == EVERYONE:
        names = ", ".join(label_of(session) for session in sessions)
        return _line("nbconvo-title", names or "no sessions yet")
    session = sessions[0]
    where = f"{session.service.typed_as}:{session.model or '?'}"
    return _line("nbconvo-title", f"{label_of(session)} · {where}")


def _left_out(count: int) -> str:
    if not count:
        return ""
    s = "s" * (count > 1)
    return _line(
        "nbconvo-note", f"{count:,} earlier message{s} left out; %convo export writes all of them"
    )


def _limits() -> str:
    lines = "<br>".join(_escape(line) for line in _limit_lines())
    return f'<p class="nbconvo-foot"><small>{lines}</small></p>'


def _limit_lines() -> list[str]:
    lines = []
    for gauge in gauges():
        facts = [
            f"requests in the last minute {_of(gauge['requests'], gauge['max_requests'])}",
            f"tokens in the last minute {_of(gauge['tokens'], gauge['max_tokens'])}",
            f"since the kernel started {_count(gauge['total_requests'], 'request')}, "
            f"{_count(gauge['total_tokens'], 'token')}",
            gauge["cost"] or "",
            f"refused (429) {gauge['rate_limited']}" if gauge["rate_limited"] else "",
        ]
        lines.append(f"{gauge['name']}: " + " · ".join(fact for fact in facts if fact))
    return lines or ["no request yet"]


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _of(used: int, most: float | None) -> str:
    return f"{used:,}" if most is None else f"{used:,} of {most:,g}"


def _line(kind: str, words: str) -> str:
    return f'<p class="{kind}">{_escape(words)}</p>'


def _escape(words: str) -> str:
    return html.escape(" ".join(plain(words).split()))
