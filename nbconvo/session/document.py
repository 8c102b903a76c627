"""Messages as a Markdown document."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from nbconvo.conversation import with_results
from nbconvo.messages import Message, ToolCall
from nbconvo.spelling import called, visible

__all__ = ["TITLE", "to_markdown"]

TITLE = "Conversation"
_CUT_SHORT = frozenset({"stopped", "cut", "length", "content_filter"})
_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})(.*)")


def to_markdown(messages: Sequence[Message], title: str = TITLE) -> str:
    """Return a document with a heading for each turn, the speaker, and the text as it is.

    A call is a block of code, its result another below; images and files stand by their names.
    A code fence that a reply left open is closed, so that it does not take in the next turn.
    """
    parts = [f"# {_one_line(title)}"]
    for message, pairs in with_results(messages):
        if message is not None:
            parts += [f"## {_speaker(message)}", *_byline(message), *_said(message)]
        for call, result in pairs:
            parts += _step(call, result)
    return "\n\n".join(parts) + "\n"


def _said(message: Message) -> Iterator[str]:
    if message.content or not message.calls:
        yield _closed(message.content)
    if names := [each.name or each.media_type for each in message.attachments]:
        yield f"*attached:* {', '.join(map(_quoted, names))}"


def _step(call: ToolCall | None, result: Message | None) -> Iterator[str]:
    if call is not None:
        yield _fenced(called(call.name, call.arguments), "python")
    if result is not None:
        name = "" if call else f" of {_quoted(result.name or '?')}"
        kind = "failed" if result.failed else "result"
        yield f"*{kind}{name}:*"
        yield _fenced(visible(result.content), "text")


def _fenced(text: str, language: str) -> str:
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _quoted(name: str) -> str:
    return f"`{_one_line(name).replace('`', chr(39))}`"


def _speaker(message: Message) -> str:
    return _one_line(message.name or "") or message.role.capitalize()


def _byline(message: Message) -> list[str]:
    """Which model spoke, and what cut it short, in one line; none for a user's message."""
    cut_short = message.finish_reason if message.finish_reason in _CUT_SHORT else None
    words = [word for word in (message.model, cut_short) if word]
    return [f"*{_one_line(' · '.join(words))}*"] if words else []


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _closed(text: str) -> str:
    """Return ``text``, and the end of its code block if that is missing."""
    fence = ""
    for line in text.splitlines():
        found = _FENCE.match(line)
        if found and not fence:
            fence = found[1]
        elif found and found[1].startswith(fence) and not found[2].strip():
            fence = ""
    return text + ("" if text.endswith("\n") else "\n") + fence if fence else text
