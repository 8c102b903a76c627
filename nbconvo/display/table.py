"""A small table that shows itself, in a notebook and in a terminal."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

from nbconvo.markdown import CONTAINER, STYLE, plain

__all__ = ["Table"]

_STYLE = ".nbconvo-facts{overflow-wrap:normal;word-break:normal}.nbconvo-whole{white-space:nowrap}"
_BREAKS = re.compile(r"[-/?]")  # after which a browser may begin another line


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts below a header; a column whose texts are all numbers is set flush right."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    empty: str = "nothing to list"

    def __str__(self) -> str:
        if not self.rows:
            return self.empty
        lines = [tuple(map(_safe, line)) for line in (self.header, *self.rows)]
        widths = [max(len(line[place]) for line in lines) for place in range(len(self.header))]
        lines.insert(1, tuple("-" * width for width in widths))
        return "\n".join(
            "  ".join(
                text.rjust(width) if right else text.ljust(width)
                for text, width, right in zip(line, widths, self._right(), strict=True)
            ).rstrip()
            for line in lines
        )

    __repr__ = __str__

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        if not self.rows:
            return {"text/plain": self.empty}
        return {"text/html": self._html(), "text/plain": str(self)}

    def _html(self) -> str:
        head = self._line("th", self.header)
        body = "".join(self._line("td", row) for row in self.rows)
        return (
            f'<div class="{CONTAINER}"><style>{STYLE}{_STYLE}</style>'
            '<div class="nbconvo-table nbconvo-facts">'
            f"<table><thead>{head}</thead><tbody>{body}</tbody></table></div></div>"
        )

    def _line(self, tag: str, texts: Sequence[str]) -> str:
        fields = "".join(
            f'<{tag} style="text-align:{"right" if right else "left"}">{_unbroken(text)}</{tag}>'
            for text, right in zip(texts, self._right(), strict=True)
        )
        return f"<tr>{fields}</tr>"

    def _right(self) -> list[bool]:
        return [
            bool(self.rows) and all(_is_number(row[place]) for row in self.rows)
            for place in range(len(self.header))
        ]


def _unbroken(text: str) -> str:
    """Return a text as HTML that breaks at spaces only, not within an address or a name."""

    def whole(found: re.Match[str]) -> str:
        word = html.escape(found[0])
        return f'<span class="nbconvo-whole">{word}</span>' if _BREAKS.search(word) else word

    return re.sub(r"\S+", whole, text)


def _safe(text: str) -> str:
    """A service names its models: nothing in a name may steer the terminal."""
    return plain(text).replace("\n", " ")


def _is_number(text: str) -> bool:
    return text == "" or text.lstrip("~$").replace(",", "").replace(".", "", 1).isdecimal()
