"""Replies as static, self-contained cards: what an output ends as, and what it is saved as.

The HTML needs no script and still reads well where a host strips its style.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nbconvo.cards.enclosures import enclosed
from nbconvo.cards.facts import footer
from nbconvo.cards.speakers import addressed, speaker
from nbconvo.cards.steps import why
from nbconvo.cards.style import STYLE
from nbconvo.cards.words import escape, one_line
from nbconvo.markdown import CONTAINER, plain, render, reply_html
from nbconvo.messages import Attachment, Message

__all__ = ["Card", "around", "html", "text"]


@dataclass(frozen=True, slots=True)
class Card:
    """One reply, or the place where it is coming.

    Attributes:
        name: The speaker; ``None`` leaves the name out.
        text: The reply, untrusted Markdown.
        html: The reply as ``markdown`` gave it, where that is at hand already.
        footer: Short facts for one line below, such as ``("offline:guide", "1.2 s")``.
        notice: Why nothing is coming just now, or what went wrong.
        reasoning: The model's reasoning, folded away.
        steps: What was said on the way to the reply, folded away with it.
        attachments: Images and files that went along.
        busy: Whether more is to come.
        error: Whether the notice is an error.
        own: Whether it is the user who speaks.
        to: Who is spoken to, where that is not plain.
    """

    name: str | None
    text: str
    html: str | None = None
    footer: tuple[str, ...] = ()
    notice: str | None = None
    reasoning: str = ""
    steps: tuple[Message, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    busy: bool = False
    error: bool = False
    own: bool = False
    to: str = ""

    @classmethod
    def of(cls, name: str | None, message: Message, steps: Sequence[Message] = ()) -> Card:
        """Return the card of a message that ``steps`` led to; one that is a step is among them."""
        own = message.role == "user" and message.name is None
        return cls(
            name,
            "" if message.is_step else message.content,
            footer=footer(message) if message.role == "assistant" else (),
            reasoning="" if message.is_step else message.reasoning,
            steps=tuple(steps),
            attachments=message.attachments,
            own=own,
        )


def html(
    cards: Sequence[Card], *, side_by_side: bool = False, before: str = "", after: str = ""
) -> str:
    """Return the cards as one element with its style, one below the other or side by side.

    ``before`` and ``after`` are put around them: HTML that is safe already.
    """
    beside = " nbconvo-beside" if side_by_side and len(cards) > 1 else ""
    inner = "\n".join(_card(card) for card in cards)
    inner = "\n".join(part for part in (before, inner, after) if part)
    return (
        f'<div class="{CONTAINER} nbconvo-cards{beside}">\n<style>{STYLE}</style>\n{inner}\n</div>'
    )


def around(card: Card) -> tuple[str, str, str]:
    """Return what stands around a card's body: who speaks, the reasoning, notice and footer.

    Each is HTML, and empty where there is none.
    """
    name = one_line(card.name or "")
    thoughts = why(card.reasoning, card.steps)
    return speaker(name, one_line(card.to)) if name else "", thoughts, "\n".join(_foot(card))


def text(cards: Sequence[Card]) -> str:
    """Return the cards as plain text: a single one's reply alone, several under their names."""
    if len(cards) == 1:
        return _said(cards[0])
    named = ((one_line(f"{card.name or ''}{addressed(card.to)}"), _said(card)) for card in cards)
    return "\n\n".join(f"{name}:\n{said}" if name else said for name, said in named)


def _card(card: Card) -> str:
    attributes = f'class="nbconvo-card{" nbconvo-own" if card.own else ""}"'
    if card.busy:
        attributes = 'class="nbconvo-card nbconvo-busy" aria-busy="true"'
    return f"<div {attributes}>\n" + "\n".join(_rows(card)) + "\n</div>"


def _rows(card: Card) -> Iterator[str]:
    who, thoughts, foot = around(card)
    body = _body(card).strip()
    if not body and card.busy and not card.notice:
        body = "<p></p>"  # where the next word is waited for
    if body:
        body = f'<div class="nbconvo-body" dir="auto">{body}</div>'
    yield from filter(None, (who, thoughts, body, enclosed(card.attachments), foot))


def _body(card: Card) -> str:
    if card.html is not None:
        return card.html
    # Line breaks that a person typed are meant; those of a model are Markdown's.
    return render(card.text, breaks=True) if card.own else reply_html(card.text)


def _foot(card: Card) -> Iterator[str]:
    if card.notice:
        kind, sign = (" nbconvo-error", "\u26a0\ufe0e ") if card.error else ("", "")
        yield f'<p class="nbconvo-note{kind}">{sign}{escape(card.notice)}</p>'
    if card.footer:
        yield f'<p class="nbconvo-foot"><small>{escape(" · ".join(card.footer))}</small></p>'


def _said(card: Card) -> str:
    return plain(card.text) if card.text.strip() else one_line(card.notice or "")
