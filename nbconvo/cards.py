"""Replies as static, self-contained cards: what an output ends as, and what it is saved as.

The HTML needs no script and still reads well where a host strips its style.
"""

from __future__ import annotations

import html as _html
import zlib
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nbconvo.markdown import CONTAINER, plain, render
from nbconvo.markdown import STYLE as _REPLY_STYLE
from nbconvo.media import thumbnail
from nbconvo.messages import Attachment, Message, Usage

__all__ = [
    "STYLE",
    "Card",
    "around",
    "cost",
    "dollars",
    "enclosed",
    "footer",
    "html",
    "hue",
    "text",
    "why",
]

# Each has a contrast of 5 to its white initial, and of 3.5 to JupyterLab's dark background.
_HUES = (
    *("#336eb1", "#b24d34", "#247b56", "#8c52b5", "#8f6419", "#b83d7b"),
    *("#20767e", "#497828", "#675fc2", "#be3f4a", "#64721d", "#a249a2"),
)

_LONGEST_STEP = 4_000  # characters of a call or a result that are shown

STYLE = _REPLY_STYLE + "".join(
    line.strip()
    for line in """
.nbconvo-cards{display:grid;grid-template-columns:minmax(0,1fr);gap:1.6em 2.4em;max-width:52em;
padding:.3em 0}
.nbconvo-beside{grid-template-columns:repeat(auto-fit,minmax(min(280px,100%),1fr));max-width:none}
.nbconvo-card{min-width:0;overflow:clip;overflow-clip-margin:6px}
.nbconvo-own{padding:.8em 1em;border-radius:10px;background:var(--nbconvo-fill)}
.nbconvo .nbconvo-title{margin:0;font-weight:600}
.nbconvo .nbconvo-who{margin:0 0 .5em;line-height:1.5}
.nbconvo-who strong{font-weight:600}
.nbconvo-who strong::before{content:attr(data-initial);display:inline-block;width:1.6em;
margin-right:.6em;border-radius:50%;background:var(--nbconvo-hue,#666);color:#fff;
font-size:.8em;line-height:1.6em;text-align:center;vertical-align:.06em}
.nbconvo code{-webkit-box-decoration-break:clone;box-decoration-break:clone}
.nbconvo td code{white-space:nowrap}
.nbconvo-body>:first-child{margin-top:0}
.nbconvo-body>:last-child{margin-bottom:0}
.nbconvo .nbconvo-note{margin:.6em 0 0;color:var(--nbconvo-soft);font-style:italic}
.nbconvo .nbconvo-error
{color:var(--jp-error-color1,color-mix(in srgb,#d6423d 75%,currentColor));font-style:normal}
.nbconvo .nbconvo-foot{margin:.7em 0 0;color:var(--nbconvo-soft);
font-variant-numeric:tabular-nums;line-height:1.4}
.nbconvo-foot small{font-size:.82em}
.nbconvo-why{margin:0 0 .8em;color:var(--nbconvo-soft);font-size:.92em}
.nbconvo-why summary{cursor:pointer}
.nbconvo-why p{margin:.5em 0 0;padding-left:1em;border-left:1px solid var(--nbconvo-line)}
.nbconvo-why .nbconvo-call{margin-top:.7em;overflow-wrap:anywhere}
.nbconvo-why pre.nbconvo-result{margin:.2em 0 0;padding:0 0 0 1em;border:0;border-radius:0;
border-left:1px solid var(--nbconvo-line);background:none;font-size:.92em;max-height:14em;
overflow:auto;white-space:pre-wrap;overflow-wrap:anywhere}
.nbconvo .nbconvo-enclosed{margin:.6em 0 0;display:flex;flex-wrap:wrap;gap:.5em}
.nbconvo .nbconvo-enclosed img{max-width:160px;max-height:120px;border-radius:6px}
.nbconvo-busy .nbconvo-body>:is(p,h1,h2,h3,h4,h5,h6):last-child::after,
.nbconvo-busy .nbconvo-body>:is(ul,ol):last-child>li:last-child::after,
.nbconvo-busy .nbconvo-body>.highlight:last-child code::after
{content:"";display:inline-block;width:.45em;height:1em;margin-left:.2em;border-radius:1px;
background:currentColor;opacity:.45;vertical-align:-.12em;
animation:nbconvo-pulse 1.6s ease-in-out infinite}
@keyframes nbconvo-pulse{50%{opacity:.1}}
@media (prefers-reduced-motion:reduce){.nbconvo-busy *::after{animation:none!important}}
""".splitlines()
)


@dataclass(frozen=True, slots=True)
class Card:
    """One reply, or the place where it is coming.

    Attributes:
        name: The speaker; ``None`` leaves the name out.
        text: The reply, untrusted Markdown.
        html: The reply as ``markdown.render`` gave it, where that is at hand already.
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
    name = _one_line(card.name or "")
    thoughts = why(card.reasoning, card.steps)
    return _who(name, _one_line(card.to)) if name else "", thoughts, "\n".join(_foot(card))


def hue(name: str) -> str:
    """Return the colour that stands for a speaker, the same wherever it is shown."""
    return _HUES[zlib.crc32(name.encode()) % len(_HUES)]


def text(cards: Sequence[Card]) -> str:
    """Return the cards as plain text: a single one's reply alone, several under their names."""
    if len(cards) == 1:
        return _said(cards[0])
    named = ((_one_line(f"{card.name or ''}{_to(card.to)}"), _said(card)) for card in cards)
    return "\n\n".join(f"{name}:\n{said}" if name else said for name, said in named)


def footer(message: Message) -> tuple[str, ...]:
    """Return what a reply's message tells about its making, each fact a few words.

    Service and model, tokens (``~`` where estimated), seconds, cost where it is known, and
    the reason of its end unless that is ``stop``.
    """
    facts = (
        ":".join(part for part in (message.service, message.model) if part),
        _tokens(message.usage) if message.usage else "",
        "" if message.seconds is None else _seconds(message.seconds),
        cost(message.usage) if message.usage else "",
        "" if message.finish_reason == "stop" else message.finish_reason or "",
    )
    # The service names its model and its reasons: in a terminal these could be escapes.
    return tuple(plain(fact) for fact in facts if fact)


def _card(card: Card) -> str:
    attributes = f'class="nbconvo-card{" nbconvo-own" if card.own else ""}"'
    if card.busy:
        attributes = 'class="nbconvo-card nbconvo-busy" aria-busy="true"'
    return f"<div {attributes}>\n" + "\n".join(_rows(card)) + "\n</div>"


def _rows(card: Card) -> Iterator[str]:
    who, thoughts, foot = around(card)
    body = render(card.text) if card.html is None else card.html
    if body.strip() or card.busy:
        body = f'<div class="nbconvo-body" dir="auto">{body.strip() or "<p></p>"}</div>'
    yield from filter(None, (who, thoughts, body.strip(), enclosed(card.attachments), foot))


def _foot(card: Card) -> Iterator[str]:
    if card.notice:
        kind, sign = (" nbconvo-error", "\u26a0\ufe0e ") if card.error else ("", "")
        yield f'<p class="nbconvo-note{kind}">{sign}{_escape(card.notice)}</p>'
    if card.footer:
        yield f'<p class="nbconvo-foot"><small>{_escape(" · ".join(card.footer))}</small></p>'


def _who(name: str, to: str) -> str:
    initial = _html.escape(name[:1].upper())
    return (
        f'<p class="nbconvo-who" style="--nbconvo-hue:{hue(name)}">'
        f'<strong data-initial="{initial}">{_html.escape(name)}</strong>'
        f"{_html.escape(_to(to))}</p>"
    )


def _to(name: str) -> str:
    return f" to {name}" if name else ""


def enclosed(attachments: Sequence[Attachment]) -> str:
    """Return attachments as HTML: images small, files by their names; empty if there are none."""
    shown = "".join(_enclosed(attachment) for attachment in attachments)
    return f'<p class="nbconvo-enclosed">{shown}</p>' if shown else ""


def _enclosed(attachment: Attachment) -> str:
    name = _one_line(attachment.name or attachment.media_type)
    size = f"{attachment.width} × {attachment.height}" if attachment.width else ""
    about = _html.escape(" · ".join(part for part in (name, size) if part))
    small = thumbnail(attachment) if attachment.is_image else None
    if small is None:
        return f"<code>{about}</code>"
    data = b64encode(small).decode()
    return f'<img alt="{about}" title="{about}" src="data:image/jpeg;base64,{data}">'


def why(reasoning: str, steps: Sequence[Message] = ()) -> str:
    """Return a model's reasoning and the steps to its reply, untrusted, as HTML, folded away.

    It is empty if there is neither.
    """
    inner = "".join(_step(step) for step in steps) + _paragraphs(reasoning)
    if not inner:
        return ""
    calls = sum(len(step.calls) for step in steps)
    counted = f"{calls} tool call{'s' * (calls != 1)}" if calls else ""
    thought = reasoning.strip() or any(step.reasoning.strip() for step in steps)
    parts = ("reasoning" if thought or not calls else "", counted)
    summary = " · ".join(part for part in parts if part)
    return f'<details class="nbconvo-why"><summary>{summary}</summary>{inner}</details>'


def _step(step: Message) -> str:
    if step.role == "tool":
        kind = " nbconvo-error" if step.failed else ""
        return f'<pre class="nbconvo-result{kind}">{_html.escape(_cut(plain(step.content)))}</pre>'
    calls = "".join(
        f'<p class="nbconvo-call"><code>{_escape(call.name)}</code> '
        f"<code>{_escape(_cut(call.arguments))}</code></p>"
        for call in step.calls
    )
    return _paragraphs(step.reasoning) + _paragraphs(_cut(step.content)) + calls


def _paragraphs(words: str) -> str:
    parts = (_html.escape(part.strip()) for part in plain(words).split("\n\n"))
    return "".join(f"<p>{part}</p>".replace("\n", "<br>") for part in parts if part)


def _cut(words: str) -> str:
    return words if len(words) <= _LONGEST_STEP else f"{words[:_LONGEST_STEP]} …"


def _said(card: Card) -> str:
    return plain(card.text) if card.text.strip() else _one_line(card.notice or "")


def _one_line(words: str) -> str:
    return " ".join(plain(words).split())


def _escape(words: str) -> str:
    return _html.escape(_one_line(words))


def _tokens(usage: Usage) -> str:
    if not usage.total_tokens:
        return ""
    about = "~" if usage.estimated else ""
    return f"in {about}{usage.input_tokens:,} + out {about}{usage.output_tokens:,} tokens"


def _seconds(seconds: float) -> str:
    if seconds < 59.95:
        return f"{seconds:.1f} s" if seconds >= 0.1 else f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def cost(usage: Usage) -> str:
    """Return what usage cost, ``~`` where it was computed; nothing where that is unknown.

    Nothing either where nobody charges: that is no news of each reply of a local server.
    """
    if usage.cost is None or (usage.priced and not usage.cost):
        return ""
    return ("~" if usage.priced else "") + dollars(usage.cost)


def dollars(cost: float) -> str:
    """Return dollars with at least two digits that say something: $12.30, $0.0012, $0.000031."""
    if cost <= 0 or cost >= 0.1:
        return f"${cost:.2f}"
    digits = f"{cost:.1e}"
    return f"${cost:.{1 - int(digits.partition('e')[2])}f}"
