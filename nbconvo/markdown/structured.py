"""Replies that are JSON: laid out, as a block of code, also while they grow."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from nbconvo.markdown.plain import plain
from nbconvo.markdown.rendering import render

__all__ = ["GrowingJson", "is_json", "laid_out", "reply_html"]

_BEGINS = re.compile(r"\s*[{\[]")
# A text, perhaps not whole; a sign; an empty object or list; anything else up to the next of them.
_PIECES = re.compile(
    r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|\{\s*\}|\[\s*\]|[{}\[\],:]|[^\s"{}\[\],:]+', re.DOTALL
)
_INDENT = "  "
_DEEPEST = 40  # levels that are indented


def reply_html(text: str) -> str:
    """Return an untrusted reply as safe HTML: as Markdown, or as a block of code if it is JSON."""
    return _block(text) if is_json(text) else render(text)


def is_json(text: str) -> bool:
    """Whether a text is a JSON object or list."""
    if not _BEGINS.match(text):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def laid_out(text: str) -> str:
    """Return JSON with a line for each value; what is not whole, as far as it has come."""
    return "".join(_lines(text))


class GrowingJson:
    """A reply that is to be JSON, rendered while it streams in; one that is none is Markdown.

    It has the methods of ``Growing``, and no block that is closed before its end.
    """

    def __init__(self) -> None:
        """Begin with no text."""
        self._text = ""

    def feed(self, text: str) -> None:
        """Add a piece of any length."""
        self._text += text

    def html(self) -> str:
        """Return the HTML of all that was fed."""
        return _block(self._text) if _BEGINS.match(self._text) else render(self._text)

    def parts(self) -> tuple[str, str]:
        """Return the same as the second of the two parts that ``Growing`` tells apart."""
        return "", self.html()


def _block(text: str) -> str:
    code = laid_out(plain(text))
    longest = max((len(run) for run in re.findall("`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    block = render(f"{fence}json\n{code}\n{fence}")
    return block.replace('class="highlight"', 'class="highlight nbconvo-json"', 1)


def _lines(text: str) -> Iterator[str]:
    depth = 0
    for piece in _PIECES.findall(text):
        if piece in "{[":
            depth += 1
            yield piece + _line(depth)
        elif piece in "}]":
            depth -= 1
            yield _line(depth) + piece
        elif piece == ",":
            yield piece + _line(depth)
        elif piece == ":":
            yield ": "
        else:
            yield "".join(piece.split()) if piece[0] in "{[" else piece


def _line(depth: int) -> str:
    return "\n" + _INDENT * min(max(depth, 0), _DEEPEST)
