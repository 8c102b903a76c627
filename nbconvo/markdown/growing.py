"""Markdown that is rendered while it streams in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nbconvo.markdown.plain import plain
from nbconvo.markdown.rendering import parse, render, to_html

if TYPE_CHECKING:
    from markdown_it.token import Token

__all__ = ["Growing"]


class Growing:
    """Markdown that is rendered while it streams in; only what can still change is redone.

    Its HTML is at any time that of ``render`` for all that was fed so far.
    """

    def __init__(self) -> None:
        """Begin with no text."""
        self._line = ""  # the last line, as it came: a line end or an escape may be cut in two
        self._open = ""  # the source of whole lines before it that may still change their look
        self._closed = ""  # the source of the blocks before those
        self._closed_html = ""
        self._references: dict[str, Any] = {}  # link definitions in the closed source
        self._colours: dict[tuple[str, str], str] = {}  # coloured code of the open source

    def feed(self, text: str) -> None:
        """Add a piece of any length, cut anywhere. It costs nothing until HTML is asked for."""
        self._line += text

    def html(self) -> str:
        """Return the HTML of all that was fed."""
        return "".join(self.parts())

    def parts(self) -> tuple[str, str]:
        """Return the HTML of the closed blocks and that of the rest, which may still change.

        The first part only ever grows at its end, except where a link definition comes after
        a block that uses it.
        """
        lines, newline, self._line = self._line.rpartition("\n")
        self._open += plain(lines + newline)
        text = self._open + plain(self._line)
        env: dict[str, Any] = {
            "references": dict(self._references),
            "colours": self._colours,
        }
        tokens = parse(text, env)
        index, end = _border(tokens, self._open)
        if len(env["references"]) > len(self._references):
            # A definition may apply to what is closed, and may itself not be whole yet.
            return self._define(end) if end else ("", render(self._closed + text))
        if end:
            self._closed_html += to_html(tokens[:index], env)
            self._close(end)
        return self._closed_html, to_html(tokens[index:], env)

    def _close(self, end: int) -> None:
        self._closed += self._open[:end]
        self._open = self._open[end:]
        self._colours.clear()

    def _define(self, end: int) -> tuple[str, str]:
        self._close(end)
        env: dict[str, Any] = {"references": {}}
        self._closed_html = to_html(parse(self._closed, env), env)
        self._references = env["references"]
        return self.parts()


def _border(tokens: Sequence[Token], lines: str) -> tuple[int, int]:
    """Return where the last block begins whose first line is whole and has a blank one above.

    As an index into the tokens and an offset into the lines; 0, 0 if there is none. What
    stands before it can't change: of all blocks only an open fence, a list and indented code
    reach over a blank line, and whether they do is decided by the first line after it.
    """
    starts = [(i, token.map[0]) for i, token in enumerate(tokens) if token.map and not token.level]
    split = lines.split("\n")[:-1]
    for index, start in reversed(starts[1:]):
        if start < len(split) and not split[start - 1].strip(" \t"):
            return index, sum(len(line) + 1 for line in split[:start])
    return 0, 0
